// Exceedances in a period, the latest first; each leads to its station.

import { t } from "../state.js";
import { button, el, patiently, stateLine } from "../dom.js";
import { fine, moment, number } from "../format.js";
import { nameOf, stationName, unitWords } from "./names.js";
import { limitWords } from "./series.js";
import { askEvents, lastAnswer } from "./source.js";
import { choose, shownTime, view } from "./view.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STANDARDS = ["gb3095", "gb3838", "declared"];
let latest = 0;

const span = () => {
  const end = Math.ceil(shownTime() / HOUR) * HOUR;
  return [end - Number(view.days || 7) * DAY, end];
};

function pick(id, key, options, value, change) {
  const made = el("select", { id }, options.map(([name, said]) => el("option", { value: name, selected: name === value }, said)));
  made.addEventListener("change", () => change(made.value));
  return el("div", { className: "env-field" }, el("label", { htmlFor: id }, t(key)), made);
}

/** The name that the list of stations knows, in the reader's language. */
function known(one) {
  const found = lastAnswer()?.found.features.find((each) => each.id === one.station);
  return found ? stationName(found.properties) : one.name;
}

function card(one, open) {
  const limit = { ...one.limit, basis: one.basis };
  const go = () => {
    choose({ code: one.property, step: one.basis === "reading" ? "hour" : one.basis, span: view.days === "1" ? "7" : view.days });
    open({ id: one.station, properties: { name: known(one) }, geometry: { coordinates: one.point } });
  };
  return el("li", {}, el("button", { type: "button", className: "also env-row", onclick: go },
    el("span", { className: "env-name" }, `${known(one)} · ${nameOf(one.property)}`, el("span", { className: "hint" }, `${moment(one.begin)} – ${moment(one.end)} · ${t("env_values", { n: number(one.values, 0) })}`),
      el("span", { className: "hint" }, `${limitWords(limit)} ${one.limit.side === "below" ? "≥" : "≤"} ${fine(one.limit.value)} ${unitWords(one.limit.unit)}`)),
    el("strong", { className: "number" }, `${fine(one.worst.value)} ${one.worst.unit}`)));
}

/** Draw the exceedances. */
export function drawEvents(box, open) {
  const list = el("div", {});
  const load = async () => {
    const mine = ++latest;
    const more = { ...(view.standard ? { standard: view.standard } : {}), ...(view.property ? { property: view.property } : {}) };
    try {
      const found = await patiently(list, askEvents(span(), more));
      if (mine !== latest) return;
      const count = el("p", { className: "hint", role: "status" }, t(found.more ? "env_events_more" : "env_events_count", { n: number(found.numberReturned, 0) }));
      const lines = el("ul", { className: "plain env-list env-events" }, found.exceedances.map((one) => card(one, open)));
      list.replaceChildren(...(found.exceedances.length ? [count, lines] : [stateLine("empty", t("env_no_events"))]));
    } catch (error) {
      if (mine === latest) list.replaceChildren(stateLine("error", error.message, load));
    }
  };
  const days = [["1", t("env_span_1")], ["7", t("env_span_7")], ["30", t("env_span_30")], ["366", t("env_span_366")]];
  const standards = [["", t("env_all")], ...STANDARDS.map((one) => [one, t(`env_standard_${one}`)])];
  const only = view.property ? el("p", { className: "row wrap" }, t("env_only", { name: nameOf(view.property) }), button("env_all", () => choose({ property: "" }), "quiet")) : null;
  box.replaceChildren(...[el("div", { className: "env-filters" }, pick("env-days", "env_span", days, view.days, (value) => choose({ days: value })),
    pick("env-standard", "env_standard", standards, view.standard, (standard) => choose({ standard }))), only, list].filter(Boolean));
  load();
}
