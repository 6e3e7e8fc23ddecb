// The answer for a zone as tables: people, land, roads, facilities; with editions, method and downloads.

import { layerById, t, words } from "./state.js";
import { button, el, save } from "./dom.js";
import { day, fine, hectares, moment, mu, number } from "./format.js";
import { fitBox, leaflet, setHighlight } from "./map.js";
import { showFeature } from "./identify.js";

const LISTED = 5;
const ORDER = [
  "population", "land", "road", "railway", "bridge", "facility", "danger", "dam", "power", "pipeline", "building",
  "settlement", "protected", "monument",
];

const UNITS = {
  m2: { head: () => [t("ha"), t("mu")], cells: (value) => [hectares(value), mu(value)] },
  m: { head: () => [t("km")], cells: (value) => [fine(value / 1000)] },
};

function unitOf(section) {
  const plain = { head: () => [wordOf(section)], cells: (value) => [number(value, section.measure === "sum" ? 0 : 1)] };
  return UNITS[section.unit] ?? plain;
}

function wordOf(section) {
  if (["population", "settlement"].includes(section.role) && section.measure === "sum") return t("persons");
  if (section.unit === "person" || section.unit === "persons") return t("persons");
  return section.measure === "count" || !section.unit || section.unit === "1" ? t("count") : section.unit;
}

function cells(values) {
  return values.map((value) => el("td", { className: "number" }, value));
}

function rowsTable(section) {
  const unit = unitOf(section);
  const counted = section.measure !== "count";
  const head = el("tr", {}, el("th", { scope: "col" }, t("class")), unit.head().map((name) => el("th", { scope: "col", className: "number" }, name)), counted ? el("th", { scope: "col", className: "number" }, t("count")) : null);
  const lines = section.rows.map((row) => el("tr", {}, el("th", { scope: "row" }, words(row.label), row.code && row.code !== words(row.label) ? el("span", { className: "code" }, row.code) : null),
    cells(unit.cells(row.value)), counted ? cells([number(row.count, 0)]) : null));
  const sum = section.total === null ? null : el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, t("total")), cells(unit.cells(section.total)),
    counted ? cells([number(section.rows.reduce((all, row) => all + row.count, 0), 0)]) : null));
  return el("div", { className: "table" }, el("table", {}, el("thead", {}, head), el("tbody", {}, lines), sum));
}

function show(section, feature) {
  leaflet.setView([feature.lat, feature.lon], Math.max(leaflet.getZoom(), 15));
  const geometry = { type: "Point", coordinates: [feature.lon, feature.lat] };
  setHighlight(geometry);
  const layer = layerById(section.layer) ?? layerById(section.layer.split("/").at(-1));
  if (layer) showFeature({ layer, key: feature.id, properties: {}, geometry });
}

function featureList(section) {
  const line = (one) => el("li", {}, el("span", {}, words(one.label) || one.id),
    el("button", { type: "button", className: "quiet", "aria-label": `${t("show")}: ${words(one.label) || one.id}`, onclick: () => show(section, one) }, t("show")));
  const [first, later] = [section.features.slice(0, LISTED), section.features.slice(LISTED)];
  const fold = later.length ? el("details", { className: "fold" }, el("summary", {}, t("list_all", { n: number(section.features.length, 0) })), el("ul", { className: "facilities" }, later.map(line))) : null;
  const rest = (section.features_total ?? section.features.length) - section.features.length;
  return el("div", {}, el("ul", { className: "facilities" }, first.map(line)), fold, rest > 0 ? el("p", { className: "hint" }, t("more", { n: number(rest, 0) })) : null);
}

function figure(section) {
  if (section.total === null || section.total === undefined) return null;
  if (section.measure === "count") return el("p", { className: "figure" }, number(section.total, 0));
  const unit = unitOf(section);
  const parts = unit.cells(section.total).map((value, place) => `${value} ${unit.head()[place]}`);
  return el("p", { className: "figure" }, parts[0], parts[1] ? el("span", { className: "hint" }, ` ${parts[1]}`) : null);
}

function content(section) {
  if (section.status !== "ok") {
    const said = t(section.status === "no-data" ? "nothing_there" : "unavailable");
    return [el("p", { className: "nodata" }, said, section.note ? el("span", { className: "hint" }, ` ${words(section.note)}`) : null)];
  }
  const empty = section.total === 0 && !section.rows.length && !section.features.length;
  if (empty) return [el("p", { className: "hint" }, t("none_inside"))];
  return [figure(section), section.rows.length ? rowsTable(section) : null, section.features.length ? featureList(section) : null,
    section.note ? el("p", { className: "hint" }, words(section.note)) : null].filter(Boolean);
}

function provenance(section) {
  if (!section.edition) return null;
  const { number: edition, committed, source } = section.edition;
  return el("p", { className: "source" }, `${t("edition_no", { n: edition })} · ${day(committed)} · ${source}`);
}

function sectionOf(section) {
  return el("section", { className: "section", dataset: { section: section.layer, status: section.status } }, el("h2", {}, words(section.title)), ...content(section), provenance(section));
}

function quoted(value) {
  const text = String(value ?? "");
  // A cell that begins like a formula is not to be run by a spreadsheet.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The answer as CSV: one line per class, per listed feature and per total. */
export function asCsv(answer) {
  const head = ["layer", "role", "kind", "code", "label_zh", "label_en", "count", "value", "unit", "lon", "lat", "edition", "status", "as_of"];
  const lines = answer.sections.flatMap((one) => {
    const tail = [one.edition?.number, one.status, answer.as_of ?? ""];
    const total = [one.layer, one.role, "total", "", one.title.zh, one.title.en, "", one.total, one.unit, "", "", ...tail];
    const rows = one.rows.map((row) => [one.layer, one.role, "class", row.code, row.label.zh, row.label.en, row.count, row.value, one.unit, "", "", ...tail]);
    const features = one.features.map((each) => [one.layer, one.role, "feature", each.id, each.label.zh, each.label.en, 1, "", "", each.lon, each.lat, ...tail]);
    return [total, ...rows, ...features];
  });
  return `\ufeff${[head, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

function methodBox(answer) {
  const facts = Object.entries(answer.method ?? {}).flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, String(value))]);
  const time = answer.computed ? el("p", { className: "source" }, t("computed", { time: moment(answer.computed) })) : null;
  return el("details", { className: "method" }, el("summary", {}, t("method")), el("dl", { className: "facts" }, facts), time);
}

/** Draw an answer. */
export function answerView(answer, again) {
  const zone = answer.zone;
  const head = el("div", { className: "zone-head" },
    el("p", { className: "figure" }, `${t("area")} ${hectares(zone.area_m2)} ${t("ha")}`, el("span", { className: "hint" }, ` ${mu(zone.area_m2)} ${t("mu")} · ${fine(zone.area_m2 / 1e6)} ${t("km2")}`)),
    zone.label ? el("p", {}, words(zone.label)) : null, answer.as_of ? el("p", { className: "hint past-hint" }, t("as_of_told", { time: moment(answer.as_of) })) : null,
    el("div", { className: "row wrap" }, zone.bbox ? button("zoom_zone", () => fitBox(zone.bbox)) : null,
      button("download_json", () => save("zone-answer.json", new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" }))),
      button("download_csv", () => save("zone-answer.csv", new Blob([asCsv(answer)], { type: "text/csv" }))), button("new_zone", again)));
  const sorted = answer.sections.toSorted((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role));
  return [head, ...sorted.map(sectionOf), methodBox(answer)];
}
