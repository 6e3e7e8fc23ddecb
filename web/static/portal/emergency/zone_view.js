// The zone: its words, its classes and where they come from, and the one step on.

import { t, words } from "../state.js";
import { button, el } from "../dom.js";
import { moment } from "../format.js";
import { alertWords, openAlert } from "./alerts.js";
import { go } from "./flow.js";
import { fitZone, zoneSwatch } from "./zone_map.js";

function legendOf(zone) {
  const lines = zone.classes.filter((one) => one.geometry).map((one) => el("li", {}, zoneSwatch(one.rank, zone.forecast), el("span", { className: "legend-name" }, words(one.label))));
  return el("ul", { className: "legend zone-legend" }, lines);
}

function when(zone) {
  const { start, end } = zone.hazard ?? {};
  if (!start && !end) return null;
  return el("p", { className: "hint" }, t("zone_holds", { from: start ? moment(start) : t("now"), until: end ? moment(end) : t("open_end") }));
}

const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

function origin(zone) {
  if (!zone.method) return null;
  const given = Object.entries(zone.hazard.parameters ?? {}).filter(([, value]) => value !== null);
  const facts = given.slice(0, 40).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, shown(value).slice(0, 300))]);
  const inputs = (zone.hazard.inputs ?? []).map((one) => el("li", {}, one.edition ? `${one.name} · ${t("edition_no", { n: one.edition.number })}` : one.name));
  return el("details", { className: "method" }, el("summary", {}, `${t("zone_method")}: ${words(zone.method.title)}`),
    el("p", { className: "hint" }, `${zone.method.id} ${zone.method.version} · ${zone.method.source}`), inputs.length ? el("ul", {}, inputs) : null, el("dl", { className: "facts" }, facts));
}

function cautions(zone) {
  const kinds = [zone.forecast ? t("zone_forecast") : t("zone_observed"), zone.screening ? t("zone_screening") : null, zone.bounds ? t("zone_bounds") : null].filter(Boolean);
  return el("div", { className: "zone-cautions" }, el("p", {}, kinds.join(" ")), zone.notes.map((note) => el("p", { className: "hint" }, words(note))));
}

/** An alert that is over says so, and leads to the message that stands now. */
function over(alert) {
  if (!alert || ["active", "ahead"].includes(alert.state)) return null;
  const newest = (alert.history ?? []).findLast((one) => one.id !== alert.id && ["active", "ahead"].includes(one.state));
  return el("div", { className: "caution" }, el("p", {}, t("alert_over")), newest ? button("alert_newer", () => openAlert(newest.id), "primary") : null);
}

/** Draw the step of the zone. */
export function zoneView(zone) {
  const placed = zone.classes.some((one) => one.geometry);
  const next = el("button", { type: "button", className: "primary wide next-step", id: "go-impact", disabled: !placed && !zone.nothing, onclick: () => go({ step: "impact" }) }, t("impact_go"));
  return [
    el("h2", { className: "zone-title" }, words(zone.label)),
    over(zone.alert),
    next,
    zone.nothing ? el("p", { className: "state", id: "zone-nothing" }, t("zone_nothing")) : null,
    placed || zone.nothing ? el("div", {}, legendOf(zone), when(zone), cautions(zone)) : el("p", { className: "state" }, t("alert_nowhere")),
    zone.alert ? alertWords(zone.alert) : null,
    origin(zone),
    el("div", { className: "row wrap" }, placed || zone.nothing ? button("zoom_zone", () => fitZone(zone)) : null, button("zone_other", () => go({ step: "alerts" }))),
  ].filter(Boolean);
}
