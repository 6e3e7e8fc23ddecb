// Figures in words: units, ranges, and bars.

import { config, layerById, t, words } from "../state.js";
import { el } from "../dom.js";
import { day, fine, hectares, mu, number } from "../format.js";

const WRITE = {
  people: (value) => number(value, 0),
  cropland: (value) => hectares(value),
  roads: (value) => fine(value / 1000),
  facilities: (value) => number(value, 0),
};
const UNIT = { people: "persons", cropland: "ha", roads: "km", facilities: "unit_facilities" };

/** A value of one of the four figures, without its unit. */
export const written = (id, value) => WRITE[id](value);

export const unitOf = (id) => t(UNIT[id]);

/** The range of a figure, or that its method gives none. */
export function rangeOf(figure) {
  if (figure.low === null && figure.high === null) return t("figure_no_range");
  const low = figure.low === null ? figure.value : figure.low;
  const high = figure.high === null ? figure.value : figure.high;
  return t("figure_range", { low: written(figure.id, low), high: written(figure.id, high) });
}

/** Which edition of which layer a figure comes from. */
export function sourceOf(section) {
  const layer = layerById(section.layer);
  const name = words(section.title) || (layer ? words(layer.title) : section.layer);
  if (!section.edition) return name;
  const { number: edition, committed, source } = section.edition;
  return `${name} · ${t("edition_no", { n: edition })} · ${day(committed)} · ${source}`;
}

function besides(figure) {
  if (figure.id === "people") return config.texts[`counted_${figure.method}`] ? t(`counted_${figure.method}`) : null;
  if (figure.id === "cropland") return `${mu(figure.value)} ${t("mu")}`;
  if (figure.id === "roads") return figure.inside ? t("roads_inside", { km: fine(figure.inside.value / 1000) }) : null;
  if (figure.id === "facilities" && figure.unknown.length) return t("facilities_unknown", { what: figure.unknown.map((one) => words(one.title)).join("、") });
  return null;
}

function how(figure) {
  const lines = figure.sections.filter((one) => one.layer).map((one) => el("li", {}, sourceOf(one), one.explain ? el("span", { className: "hint formula" }, one.explain.formula) : null));
  const formula = figure.explain ? el("span", { className: "hint formula" }, figure.explain.formula) : null;
  const method = figure.id === "roads" ? el("p", { className: "hint" }, t("roads_method"), formula) : null;
  const others = (figure.others ?? []).map((one) => el("p", { className: "hint" }, t("people_also", { how: t(`counted_${one.method}`), n: number(one.value, 0) })));
  return el("details", { className: "how" }, el("summary", {}, t("figure_how")), method, others, lines.length ? el("ul", {}, lines) : null);
}

/** A figure large enough to be read across a room; without data it says so and shows no number. */
export function figureCard(figure, plain = false) {
  const head = el("h3", {}, t(`figure_${figure.id}`));
  if (figure.status !== "ok") {
    const note = figure.sections.map((one) => words(one.note)).find(Boolean);
    return el("div", { className: "key-figure", dataset: { figure: figure.id, status: figure.status } }, head,
      el("p", { className: "key-none" }, t(figure.status === "unavailable" ? "unavailable" : "no_data_here")), note && !plain ? el("p", { className: "hint" }, note) : null);
  }
  const more = besides(figure);
  return el("div", { className: "key-figure", dataset: { figure: figure.id, status: "ok" } }, head,
    el("p", { className: "key-value number" }, written(figure.id, figure.value), el("span", { className: "key-unit" }, unitOf(figure.id))),
    el("p", { className: "key-range number" }, rangeOf(figure)), more && !plain ? el("p", { className: "hint" }, more) : null, plain ? null : how(figure));
}

function whisker(id, row, most) {
  if (row.low === null || row.high === null || row.high === row.low) return null;
  const line = el("span", { className: "whisker", title: t("figure_range", { low: written(id, row.low), high: written(id, row.high) }) });
  line.style.setProperty("left", `${(100 * row.low) / most}%`);
  line.style.setProperty("width", `${(100 * (row.high - row.low)) / most}%`);
  return line;
}

/** A table whose rows are bars; readers of tables and of pictures get the same. */
export function barTable(id, caption, rows, markOf = null) {
  const most = Math.max(...rows.map((row) => Math.max(row.value, row.high ?? 0)), Number.MIN_VALUE);
  const line = (row) => {
    const bar = el("span", { className: "bar-fill" });
    bar.style.setProperty("width", `${(100 * row.value) / most}%`);
    const mark = markOf?.(row);
    if (mark) bar.style.setProperty("background", mark);
    return el("tr", {}, el("th", { scope: "row" }, words(row.label)), el("td", { className: "bar-cell", "aria-hidden": "true" }, el("span", { className: "bar-box" }, bar, whisker(id, row, most))),
      el("td", { className: "number" }, written(id, row.value), row.low !== null && row.high !== null && row.high !== row.low ? el("span", { className: "hint" }, ` ${written(id, row.low)}–${written(id, row.high)}`) : null));
  };
  return el("table", { className: "bars" }, el("caption", {}, `${caption} (${unitOf(id)})`), el("tbody", {}, rows.map(line)));
}
