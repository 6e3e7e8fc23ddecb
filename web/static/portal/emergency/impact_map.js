// What an impact names, on the map: roads that meet the zone, places that are cut off, what stands in the zone.

import { drawn, gl, leaflet } from "../map.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { t, words } from "../state.js";

const CUT = "impact-cut";
const POINTS = { facility: "#1c5fc4", danger: "#8a3ffc", dam: "#0b7285", power: "#7a4b00", monument: "#5c4a9c", bridge: "#495057" };
const SITUATIONS = { isolated: "#c3241f", detour: "#b35c00", inside: "#3b3f46" };
const MOST = 400;
let marks = null;

function mark({ lon, lat, label, id }, colour, radius) {
  return L.circleMarker([lat, lon], { radius, color: "#ffffff", weight: 2, fillColor: colour, fillOpacity: 1, className: "impact-mark" }).bindTooltip(() => document.createTextNode(words(label) || String(id)), { direction: "top" });
}

function everyMark(answer) {
  const things = answer.sections.filter((one) => one.status === "ok" && POINTS[one.role])
    .flatMap((one) => one.features.map((feature) => ({ place: feature, colour: POINTS[one.role], radius: 5 })));
  const settlements = (answer.ways?.settlements ?? []).filter((one) => SITUATIONS[one.situation])
    .map((one) => ({ place: one, colour: SITUATIONS[one.situation], radius: one.situation === "isolated" ? 8 : 6 }));
  return [...things, ...settlements].filter(({ place }) => Number.isFinite(place.lon) && Number.isFinite(place.lat));
}

/** What is marked: settlements by what becomes of them, and single things by their role; settlements lie on top. */
export const marksOf = (answer) => everyMark(answer).slice(-MOST);

/** How many of all that the answer counts stand on the map; null where all do. */
function someOf(drawn_, all) {
  return all > drawn_ ? el("strong", {}, t("mark_some", { n: number(drawn_, 0), m: number(all, 0) })) : null;
}

/** Roads that meet the zone: an answer lists the longest ones, and the map draws no others. */
function cutKey(answer) {
  const roads = answer.sections.filter((one) => one.status === "ok" && one.role === "road");
  const listed = roads.reduce((sum, one) => sum + one.features.length, 0);
  const all = roads.reduce((sum, one) => sum + (one.features_total ?? one.features.length), 0);
  return el("li", {}, el("span", { className: "key-cut", "aria-hidden": "true" }), t("mark_cut"), someOf(listed, all));
}

/** Marks of places and things, where there are more than are drawn. */
function marksKey(answer) {
  const things = answer.sections.filter((one) => one.status === "ok" && POINTS[one.role]);
  const all = things.reduce((sum, one) => sum + (one.features_total ?? one.features.length), 0) + (answer.ways?.settlements_total ?? 0);
  const some = someOf(marksOf(answer).length, all);
  return some && el("li", {}, t("mark_all"), some);
}

function undrawCut() {
  for (const { id } of gl.getStyle().layers.filter((one) => one.id.startsWith(CUT))) gl.removeLayer(id);
}

/** The roads that the answer lists, in the tiles that draw them: found by their keys. */
function drawCut(section) {
  const line = drawn(section.layer).find((one) => one.type === "line");
  const ids = section.features.map((one) => String(one.id));
  if (!line || !ids.length) return;
  const filter = ["in", ["to-string", ["get", "key"]], ["literal", ids]];
  const own = { source: line.source, "source-layer": line["source-layer"], type: "line", filter, layout: { "line-cap": "round" } };
  // Names stay readable on top.
  const before = gl.getStyle().layers.find((one) => one.type === "symbol")?.id;
  gl.addLayer({ ...own, id: `${CUT}-${section.layer}-casing`, paint: { "line-color": "#ffffff", "line-width": 6 } }, before);
  gl.addLayer({ ...own, id: `${CUT}-${section.layer}`, paint: { "line-color": "#c3241f", "line-width": 3, "line-dasharray": [1.6, 1.2] } }, before);
}

/** Draw what an answer names, or take it away. */
export function drawImpact(answer) {
  marks?.remove();
  marks = null;
  undrawCut();
  if (!answer) return;
  for (const section of answer.sections) if (section.role === "road" && section.status === "ok") drawCut(section);
  marks = L.featureGroup(marksOf(answer).map(({ place, colour, radius }) => mark(place, colour, radius))).addTo(leaflet);
}

/** The words of the marks, for the panel. */
export function impactKey(answer) {
  const seen = (kind) => answer.ways?.settlements?.some((one) => one.situation === kind);
  const dot = (colour, key) => el("li", {}, el("span", { className: "key-dot", style: { background: colour }, "aria-hidden": "true" }), t(key));
  const roles = new Set(answer.sections.filter((one) => one.status === "ok" && one.features.length).map((one) => one.role));
  const lines = [
    ...["isolated", "detour", "inside"].filter(seen).map((kind) => dot(SITUATIONS[kind], `situation_${kind}`)),
    ...Object.keys(POINTS).filter((role) => roles.has(role)).map((role) => dot(POINTS[role], `mark_${role}`)),
    roles.has("road") ? cutKey(answer) : null,
    marksKey(answer),
  ].filter(Boolean);
  return lines.length ? el("ul", { className: "impact-key", "aria-label": t("mark_key") }, lines) : null;
}
