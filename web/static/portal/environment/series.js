// The series of one property at a station: range, roll-up, chart, table, file.

import { t } from "../state.js";
import { el, patiently, stateLine } from "../dom.js";
import { fine, moment, number } from "../format.js";
import { lineChart, nearLimits } from "./chart.js";
import { keepingFocus } from "./focus.js";
import { nameOf, unitWords } from "./names.js";
import { askEvents, askSeries, seriesUrl } from "./source.js";
import { choose, shownTime, view } from "./view.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const SPANS = { 1: "env_span_1", 7: "env_span_7", 30: "env_span_30", 366: "env_span_366" };
const LENGTHS = { hour: HOUR, day: DAY, month: 31 * DAY };
const BASES = { raw: ["reading"], hour: ["reading", "hour"], day: ["day"], month: [] };
const LISTED = 300;
let latest = 0;

/** The range that is chosen: so many days until the time that is shown, or two dates of one's own. */
export function spanOf() {
  const [from, to] = view.span.split("/").map((text) => Date.parse(text));
  if (Number.isFinite(from) && Number.isFinite(to) && from < to) return [from, to + DAY];
  const end = Math.ceil(shownTime() / HOUR) * HOUR;
  return [end - (Number(view.span) || 7) * DAY, end];
}

function local(time) {
  const at = new Date(time);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
}

function controls(measured, again) {
  const codes = el("select", { id: "env-code" }, measured.map((one) => el("option", { value: one.property, selected: one.property === view.code }, nameOf(one.property))));
  codes.addEventListener("change", () => again({ code: codes.value }));
  const own = view.span.includes("/");
  const spans = el("select", { id: "env-span" }, Object.entries(SPANS).map(([name, key]) => el("option", { value: name, selected: name === view.span }, t(key))), el("option", { value: "own", selected: own }, t("env_span_own")));
  const [from, to] = spanOf();
  const begin = el("input", { type: "date", id: "env-from", value: local(from), "aria-label": t("time_from") });
  const end = el("input", { type: "date", id: "env-to", value: local(to - 1), "aria-label": t("time_to") });
  const dates = el("div", { className: "row wrap env-dates", hidden: !own }, begin, end);
  spans.addEventListener("change", () => (spans.value === "own" ? again({ span: `${local(from)}/${local(to - 1)}` }) : again({ span: spans.value })));
  for (const one of [begin, end]) one.addEventListener("change", () => { if (begin.value && end.value && begin.value <= end.value) again({ span: `${begin.value}/${end.value}` }); });
  const steps = el("select", { id: "env-step" }, ["raw", "hour", "day", "month"].map((one) => el("option", { value: one, selected: one === view.step }, t(`env_step_${one}`))));
  steps.addEventListener("change", () => again({ step: steps.value }));
  const field = (id, key, control) => el("div", { className: "env-field" }, el("label", { htmlFor: id }, t(key)), control);
  return el("div", { className: "env-filters" }, field("env-code", "env_property", codes), field("env-span", "env_span", spans), field("env-step", "env_step", steps), dates);
}

/** The limit in words: its standard, and what it is of. */
export const limitWords = (limit) => (limit.standard === "declared" ? limit.name : `${limit.standard} ${t(`env_basis_${limit.basis}`)}`);

function limitsFor(one) {
  return one.limits.filter((limit) => BASES[view.step].includes(limit.basis)).map((limit) => ({ ...limit, label: limitWords(limit) }));
}

function table(points, unit) {
  const newest = points.slice(-LISTED).reverse();
  const cut = points.length > LISTED ? el("p", { className: "hint" }, t("env_table_cut", { n: LISTED })) : null;
  return el("details", { className: "fold" }, el("summary", {}, t("env_table")), cut, el("div", { className: "table env-table", tabIndex: 0, role: "region", "aria-label": t("env_table") }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("env_time")), el("th", { scope: "col", className: "number" }, `${t("env_value")} (${unit})`))),
    el("tbody", {}, newest.map((one) => el("tr", {}, el("th", { scope: "row" }, moment(new Date(one.t).toISOString())), el("td", { className: "number" }, number(one.v, 3))))))));
}

function eventList(events, unit) {
  if (!events.length) return el("p", { className: "hint" }, t("env_no_events"));
  const lines = events.slice(0, 20).map((one) => el("li", {}, `${moment(one.begin)} – ${moment(one.end)} · ${t("env_worst")} ${fine(one.worst.value)} ${unit} (${limitWords({ ...one.limit, basis: one.basis })} ${fine(one.limit.value)} ${unitWords(one.limit.unit)})`));
  return el("details", { className: "fold", open: events.length <= 3 }, el("summary", {}, `${t("env_events")} (${number(events.length, 0)})`), el("ul", { className: "plain hint" }, lines));
}

/** How far readings may lie apart and still be joined. */
function gapOf(points, one) {
  if (LENGTHS[view.step]) return 1.5 * LENGTHS[view.step];
  if (one.cadence) return 1.5 * one.cadence * 1000;
  const steps = points.slice(1).map((point, at) => point.t - points[at].t).toSorted((a, b) => a - b);
  return 2.5 * (steps[Math.floor(steps.length / 2)] ?? DAY);
}

function drawn(box, station, one, points, events, span) {
  const [unit, limits] = [one.unit ?? "", limitsFor(one)];
  const csv = seriesUrl(station.id, one.property, span, view.step, "CSV");
  const file = el("p", { className: "row wrap" }, el("a", { href: csv, download: `${one.property}.csv` }, t("env_csv")));
  if (!points.length) return box.replaceChildren(stateLine("empty", t("env_no_readings", { last: one.interval[1] ? moment(one.interval[1]) : "–" })));
  const near = nearLimits(limits, points.map((point) => point.v));
  const far = limits.filter((limit) => !near.includes(limit));
  const label = t("env_chart_label", { name: nameOf(one.property), n: number(points.length, 0), low: fine(Math.min(...points.map((point) => point.v))), high: fine(Math.max(...points.map((point) => point.v))), unit });
  const beyond = events.filter((event) => BASES[view.step].includes(event.basis) || view.step === "month");
  const width = Math.max(280, Math.round(box.clientWidth) || 320);
  const chart = lineChart({ points, gap: gapOf(points, one), span, unit, limits: near, events: beyond, label, width });
  const away = far.length ? el("p", { className: "hint" }, `${t("env_far")} ${far.map((limit) => `${limit.label} ${fine(limit.ownValue)} ${unit}`).join(" · ")}`) : null;
  return box.replaceChildren(...[chart, away, eventList(events, unit), table(points, unit), file].filter(Boolean));
}

/** Chart and table of the chosen property; `station` is what the service told of it. */
export function seriesView(station) {
  const measured = station.measured.filter((one) => one.interval[0]);
  const whole = el("section", { className: "env-series", "aria-label": t("env_series") });
  if (!measured.length) return null;
  const measures = (code) => measured.some((one) => one.property === code);
  // What decided the class is what one came for.
  if (!measures(view.code)) view.code = station.worst?.find(measures) ?? measured[0].property;
  const load = async () => {
    const mine = ++latest;
    const [one, span] = [measured.find((each) => each.property === view.code), spanOf()];
    const box = el("div", { className: "env-chart" });
    keepingFocus(() => whole.replaceChildren(el("h2", {}, t("env_series")), controls(measured, (changes) => { choose(changes); load(); }), box));
    try {
      const both = Promise.all([askSeries(station.id, one.property, span, view.step), askEvents(span, { station: station.id, property: one.property })]);
      const [points, found] = await patiently(box, both);
      if (mine === latest && box.isConnected) drawn(box, station, one, points, found.exceedances, span);
    } catch (error) {
      if (mine === latest) box.replaceChildren(stateLine("error", error.message, load));
    }
  };
  // The chart takes the width of its box, which it has once it stands in the page.
  requestAnimationFrame(load);
  return whole;
}

