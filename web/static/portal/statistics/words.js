// Figures, units and classes of the statistics panel in words.

import { currentLanguage, t } from "../state.js";
import { fine, number } from "../format.js";
import { addsUp, unitOfMeasure } from "./source.js";
import { view } from "./view.js";

const AREAS = { ha: "ha", mu: "mu", km2: "stats_km2" };

/** The unit in which figures are shown. */
export function unitWords(asked) {
  const own = ownUnit(asked);
  if (!addsUp(asked) || view.per === "none") return own;
  if (view.per === "area") return `${own || t("stats_pieces")}/${t("stats_km2")}`;
  if (asked.measure === "area") return t("stats_m2_head");
  return asked.measure === "length" ? t("stats_m_head") : t("stats_per_thousand", { unit: own || t("stats_pieces") });
}

function ownUnit(asked) {
  if (asked.measure === "area" || (asked.measure === "sum:area" && unitOfMeasure(asked) === "m2")) return t(AREAS[view.unit]);
  if (asked.measure === "length") return "km";
  return asked.measure === "count" ? "" : plainUnit(unitOfMeasure(asked));
}

/** A unit without the word for it in the other language, such as "人 (people)". */
function plainUnit(unit) {
  const pair = /^(\S+) \((\S+)\)$/.exec(unit ?? "");
  return pair ? pair[currentLanguage() === "zh" ? 1 : 2] : unit ?? "";
}

/** A figure with the digits that it deserves; what is not known is said so. */
export const figure = (value) => (value === null || value === undefined ? t("no_data_short") : fine(value));

/** A figure with its unit. */
export const withUnit = (value, asked) => (value === null || value === undefined ? t("no_data_short") : `${fine(value)} ${unitWords(asked)}`.trim());

/** A change with its sign. */
export const signed = (value) => (value === null ? t("no_data_short") : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${fine(Math.abs(value))}`);

/** From where to where a class reaches: the values in it, so that no value seems to lie in two; else its ends. */
export function classWords(one, around) {
  if (around) return `${signed(one.low)} … ${signed(one.high)}`;
  const [low, high] = [one.from ?? one.low, one.to ?? one.high];
  return fine(low) === fine(high) ? fine(high) : `${fine(low)} – ${fine(high)}`;
}

/** How many divisions a class has. */
export const manyWords = (count) => number(count, 0);
