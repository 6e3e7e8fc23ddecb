// Measuring lines and areas. The service measures, by the rule that all its areas and lengths follow.

import { config, on, t } from "./state.js";
import { button, byId, copy, el, notice } from "./dom.js";
import { fine, hectares, mu, number } from "./format.js";
import { startDrawing } from "./draw.js";
import { leaflet } from "./map.js";
import { ask } from "./request.js";
import { openDrawer } from "./shell.js";
import { keepForNow, keptForNow } from "./unlost.js";

const LINE = { color: "#0078ff", weight: 3, fillOpacity: 0.08, interactive: false };
const KEPT = "measure";
let kept = null;
let latest = 0;

const length = (metres) => (metres >= 1000 ? `${number(metres / 1000, 3)} km` : `${number(metres, 2)} m`);
const area = (m2) => (m2 >= 1e6 ? `${number(m2 / 1e6, 4)} km²` : `${number(m2, 1)} m²`);

/** The figures of a measurement, the most useful first, as [name, value]. */
function figures(found) {
  if (found.length_m !== undefined) return [[t("length"), length(found.length_m)]];
  return [[t("area"), `${hectares(found.area_m2)} ${t("ha")}`], ["", `${mu(found.area_m2)} ${t("mu")}`], ["", area(found.area_m2)], [t("perimeter"), length(found.perimeter_m)]];
}

const measured = (geometry) => ask("toolbox", config.urls.measure, { geometry });

async function follow(geometry) {
  const mine = ++latest;
  const line = byId("measured");
  if (!geometry) { line.textContent = t("measure_start"); return; }
  try {
    const found = await measured(geometry);
    const last = found.edges?.at(-1);
    const edge = last && found.edges.length > 1 ? ` · ${t("last_edge")} ${length(last.length_m)} ${number(last.azimuth, 1)}°` : "";
    if (mine === latest && byId("measured")) line.textContent = figures(found).map((pair) => pair[1]).join(" · ") + edge;
  } catch (error) {
    notice(error.message, "error");
  }
}

/** Take the drawn measurement off the map. */
export function clearMeasure() {
  kept?.remove();
  kept = null;
  keepForNow(KEPT, null);
}

/** Show what was measured before the page was loaded again. */
export function startMeasuring() {
  const before = keptForNow(KEPT);
  if (before?.coordinates) finish(before);
}

async function finish(geometry) {
  clearMeasure();
  keepForNow(KEPT, geometry);
  kept = L.geoJSON(geometry, { style: LINE, interactive: false }).addTo(leaflet);
  try {
    show(geometry, await measured(geometry));
  } catch (error) {
    notice(error.message, "error");
  }
}

function show(geometry, found) {
  const rows = figures(found).map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { className: "number" }, value)));
  const edges = (found.edges ?? []).map((edge, at) => el("tr", {}, el("td", { className: "number" }, String(at + 1)),
    el("td", { className: "number" }, length(edge.length_m)), el("td", { className: "number" }, `${number(edge.azimuth, 2)}°`)));
  const head = el("thead", {}, el("tr", {}, ["edge", "length", "azimuth"].map((key) => el("th", { scope: "col" }, t(key)))));
  const told = figures(found).map((pair) => pair.filter(Boolean).join(" ")).join(" · ");
  const zone = geometry.type === "Polygon" ? button("use_zone", () => window.dispatchEvent(new CustomEvent("geoservice-zone", { detail: { body: { zone: geometry }, geometry } }))) : null;
  openDrawer(t(geometry.type === "Polygon" ? "measure_area" : "measure_line"), el("table", { className: "attributes" }, el("tbody", {}, rows)),
    el("p", { className: "hint" }, t("measure_rule")),
    el("div", { className: "row wrap" }, zone, button("copy", () => copy(told), "quiet"), button("copy_geometry", () => copy(JSON.stringify(geometry)), "quiet")),
    ...(edges.length > 1 ? [el("table", { className: "attributes edges" }, head, el("tbody", {}, edges))] : []));
}

/** Draw and measure a "line" or an "area". */
export function startMeasure(kind) {
  clearMeasure();
  const above = el("p", { id: "measured", className: "measured number", role: "status" }, t("measure_start"));
  startDrawing(finish, () => {}, { kind, changed: follow, above });
}

on("drawer-closed", clearMeasure);
