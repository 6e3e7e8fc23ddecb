// The impact of a zone: four figures, bars by class and division, lists that lead to the map and to help.

import { layerById, t, words } from "../state.js";
import { button, el } from "../dom.js";
import { fine, moment, number } from "../format.js";
import { leaflet, setHighlight } from "../map.js";
import { showFeature } from "../identify.js";
import { compareBox } from "./compare.js";
import { barsOf, cutOff, FIGURES, keyFigures, listedSections } from "./figures.js";
import { flow, go } from "./flow.js";
import { impactKey } from "./impact_map.js";
import { barTable, figureCard, sourceOf } from "./numbers.js";
import { reachHospitals } from "./route.js";
import { strength } from "./zone_map.js";

const FIRST = 5;
const BARS = 8;
const NEAR = 15;
const WITH_WAY = ["facility", "danger", "dam", "power"];
let chosen = "people";

function showPlace(layerId, key, lon, lat) {
  leaflet.setView([lat, lon], Math.max(leaflet.getZoom(), NEAR));
  const geometry = { type: "Point", coordinates: [lon, lat] };
  setHighlight(geometry);
  const layer = layerById(layerId);
  if (layer) showFeature({ layer, key, properties: {}, geometry });
}

function acts(label, layerId, key, { lon, lat }, way = true) {
  const name = words(label) || key;
  const show = el("button", { type: "button", className: "quiet", "aria-label": `${t("show")}: ${name}`, onclick: () => showPlace(layerId, key, lon, lat) }, t("show"));
  const route = way ? el("button", { type: "button", className: "quiet", "aria-label": `${t("way_to_help")}: ${name}`, onclick: () => reachHospitals(label, lon, lat) }, t("way_to_help")) : null;
  return el("span", { className: "acts" }, show, route);
}

function folded(lines, total) {
  const [first, later] = [lines.slice(0, FIRST), lines.slice(FIRST)];
  const fold = later.length ? el("details", { className: "fold" }, el("summary", {}, t("list_all", { n: number(lines.length, 0) })), el("ul", { className: "facilities" }, later)) : null;
  const rest = (total ?? lines.length) - lines.length;
  return [el("ul", { className: "facilities" }, first), fold, rest > 0 ? el("p", { className: "hint" }, t("more", { n: number(rest, 0) })) : null].filter(Boolean);
}

function listOf(section) {
  const part = (one) => (one.value && section.unit === "m" ? el("span", { className: "hint" }, ` ${fine(one.value / 1000)} ${t("km")}`) : null);
  const lines = section.features.map((one) => el("li", {}, el("span", {}, words(one.label) || one.id, part(one)), acts(one.label, section.layer, one.id, one, WITH_WAY.includes(section.role))));
  const held = section.capacity ? el("p", { className: "hint" }, `${words(section.capacity.title)}: ${fine(section.capacity.value)}${section.capacity.unit === "1" ? "" : ` ${section.capacity.unit}`}`) : null;
  return el("section", { className: "section", dataset: { list: section.layer } }, el("h3", {}, `${words(section.title)} (${number(section.total?.count ?? section.features.length, 0)})`), held, ...folded(lines, section.features_total), el("p", { className: "source" }, sourceOf(section)));
}

const minutes = (value) => (value === undefined || value === null ? t("way_cut") : t("way_minutes", { n: number(value, 0) }));

/** The first hospital that is still reached, as the answer tells it. */
function helpOf(one) {
  const found = (one.reach ?? []).find((each) => each.layer === "hospital") ?? { label: one.nearest_label, minutes: one.minutes, minutes_before: one.minutes_before };
  const [before, after] = [minutes(found.minutes_before), minutes(found.minutes)];
  return [before === after ? t("settlement_same", { after }) : t("settlement_help", { before, after }), words(found.label)];
}

function settlementLine(one) {
  const [layer, key] = [one.id.split("/").slice(0, -1).join("/"), one.id.split("/").at(-1)];
  const out = one.minutes_out === undefined ? [] : [t("settlement_out", { n: number(one.minutes_out, 0) })];
  const help = one.situation === "inside" ? out : helpOf(one);
  const people = one.people ? `${number(one.people, 0)} ${t("persons")}` : null;
  return el("li", {}, el("span", {}, el("span", { className: `badge situation-${one.situation}` }, t(`situation_${one.situation}`)), ` ${words(one.label) || key}`,
    el("span", { className: "hint block" }, [people, ...help].filter(Boolean).join(" · "))), acts(one.label, layer, key, one));
}

function evacuation(ways) {
  if (!ways.evacuation?.length) return null;
  const line = (one) => el("tr", {}, el("th", { scope: "row" }, t("out_within", { n: number(one.minutes, 0) })), el("td", { className: "number" }, t("out_reached", { n: number(one.settlements, 0), people: number(one.people, 0), hospitals: number(one.facilities?.hospital ?? 0, 0) })));
  return el("details", { className: "fold" }, el("summary", {}, t("out_title")), el("table", { className: "counts" }, el("tbody", {}, ways.evacuation.map(line))));
}

function secondary(answer) {
  const found = answer.secondary;
  if (!found?.sites_total) return null;
  const lines = found.sites.map((one) => el("li", {}, el("span", {}, words(one.label) || one.id, el("span", { className: "hint block" }, `${fine(one.reach_m / 1000)} ${t("km")}`)), acts(one.label, one.layer, one.id, one, false)));
  const people = found.people ? ` ${t("secondary_people", { n: number(found.people.value, 0) })}` : "";
  return el("section", { className: "section" }, el("h3", {}, t("secondary_title", { n: number(found.sites_total, 0) })), el("p", {}, t("secondary_area", { km2: fine(found.area_m2 / 1e6) }), people), ...folded(lines, found.sites_total));
}

function settlements(answer) {
  const ways = answer.ways;
  if (!ways) return null;
  const title = el("h2", {}, t("settlements_title"));
  if (ways.status !== "ok") return el("section", { className: "section" }, title, el("p", { className: "nodata" }, words(ways.note) || t("no_data_here")));
  const cut = cutOff(answer);
  const sum = el("p", {}, t("settlements_sum", { n: number(ways.isolated, 0), people: number(ways.isolated_people, 0), km: fine(ways.closed_m / 1000) }));
  const caution = ways.note ? el("p", { className: "caution" }, words(ways.note)) : "";
  return el("section", { className: "section", id: "settlements" }, title, caution, sum, ...(cut.length ? folded(cut.map(settlementLine), ways.settlements_total) : [el("p", { className: "hint" }, t("settlements_none"))]),
    evacuation(ways), el("p", { className: "source" }, t("ways_source", { network: ways.network, mode: t(ways.mode === "car" ? "mode_car" : ways.mode), n: ways.edition })));
}

function barsBox(figures) {
  const known = figures.filter((one) => one.status === "ok" && one.sections.some((section) => section.classes));
  if (!known.length) return null;
  const content = el("div", { "aria-live": "polite" });
  const pick = (id) => {
    chosen = id;
    for (const one of tabs.children) one.setAttribute("aria-pressed", String(one.dataset.id === id));
    const { classes, divisions } = barsOf(known.find((one) => one.id === id));
    const rest = divisions.slice(BARS);
    content.replaceChildren(...[classes.length ? barTable(id, t("by_class"), classes, (row) => strength(row.rank)) : null,
      divisions.length ? barTable(id, t("by_division"), divisions.slice(0, BARS)) : null,
      rest.length ? el("details", { className: "fold" }, el("summary", {}, t("list_all", { n: number(divisions.length, 0) })), barTable(id, t("by_division"), rest)) : null,
      id === "roads" ? el("p", { className: "hint" }, t("bars_roads")) : null].filter(Boolean));
  };
  const tabs = el("div", { className: "tabs", role: "group", "aria-label": t("bars_title") }, known.map((one) => el("button", { type: "button", dataset: { id: one.id }, onclick: () => pick(one.id) }, t(`figure_${one.id}`))));
  pick(known.some((one) => one.id === chosen) ? chosen : known[0].id);
  return el("section", { className: "section", id: "bars" }, el("h2", {}, t("bars_title")), tabs, content);
}

function needs(answer) {
  if (!answer.needs?.length) return null;
  const lines = answer.needs.map((one) => el("tr", { title: one.source }, el("th", { scope: "row" }, words(one.title)), el("td", { className: "number" }, `${fine(one.value)} ${one.unit}`, el("span", { className: "hint block" }, `${fine(one.low)}–${fine(one.high)}`))));
  return el("details", { className: "section" }, el("summary", {}, t("needs_title")), el("table", { className: "counts" }, el("tbody", {}, lines)), el("p", { className: "hint" }, t("needs_note")));
}

function noData(answer) {
  const missing = answer.sections.filter((one) => one.status !== "ok");
  if (!missing.length) return null;
  return el("p", { className: "nodata" }, t("layers_without_data", { what: missing.map((one) => words(one.title)).join("、") }));
}

function used(answer) {
  const facts = Object.entries(answer.method ?? {}).flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, String(value))]);
  const at = answer.as_of ? el("p", { className: "hint" }, t("as_of_told", { time: moment(answer.as_of) })) : null;
  return el("details", { className: "method" }, el("summary", {}, t("method")), at, el("dl", { className: "facts" }, facts));
}

/** Draw the step of the impact. */
export function impactView(zone, answer) {
  const figures = keyFigures(answer);
  const area = answer.zone.area_m2;
  return [
    el("h2", { className: "zone-title" }, words(zone.label), el("span", { className: "hint block" }, `${fine(area / 1e6)} ${t("km2")}`)),
    ["exercise", "test"].includes(answer.zone.status) ? el("p", { className: "caution" }, t(`impact_${answer.zone.status}`)) : null,
    answer.zone.notice ? el("p", { className: "caution" }, words(answer.zone.notice)) : null,
    zone.screening ? el("p", { className: "caution" }, t("zone_screening")) : null,
    el("div", { className: "key-figures", role: "group", "aria-label": t("figures_title") }, FIGURES.map((id, place) => figureCard(figures[place]))),
    el("button", { type: "button", className: "primary wide next-step", id: "go-report", onclick: () => go({ step: "report" }) }, t("report_go")),
    impactKey(answer), settlements(answer), barsBox(figures), secondary(answer), ...listedSections(answer).map(listOf), needs(answer), noData(answer), compareBox(flow.zone), used(answer),
    button("zone_other", () => go({ step: "alerts" })),
  ].filter(Boolean);
}
