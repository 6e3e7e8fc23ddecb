// Draws a point, a line or a polygon: by clicks, or by keyboard with the crosshair at the centre of the map.

import { on, t } from "./state.js";
import { byId, button, el, notice } from "./dom.js";
import { leaflet } from "./map.js";
import { setIdentifying } from "./identify.js";

const LINE = { color: "#0078ff", weight: 2.5, dashArray: "6 4", fillOpacity: 0.08, interactive: false };
const CORNER = { radius: 5, color: "#0078ff", weight: 2, fillColor: "#fff", fillOpacity: 1, interactive: false };
const FEW = { area: 3, line: 2, point: 1 };
const TOO_FEW = { area: "draw_few", line: "draw_few_line", point: "draw_few_point" };
let active = null;

/** Twice the signed area of the triangle a, b, c. */
const turn = (a, b, c) => (b.lng - a.lng) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lng - a.lng);

function cross(a, b, c, d) {
  return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}

/** Whether the closed outline of the corners crosses itself. */
export function crossesItself(corners) {
  const sides = corners.map((corner, place) => [corner, corners[(place + 1) % corners.length]]);
  return sides.some(([a, b], one) => sides.slice(one + 1).some(([c, d]) => cross(a, b, c, d)));
}

function redraw() {
  const { corners, layer } = active;
  layer.clearLayers();
  if (corners.length > 1) (active.kind === "line" ? L.polyline : L.polygon)(corners, LINE).addTo(layer);
  for (const corner of corners) L.circleMarker(corner, CORNER).addTo(layer);
  byId("draw-count").textContent = t("draw_count", { n: corners.length });
  active.changed?.(drawnSoFar());
}

const position = (one) => [Number(one.lng.toFixed(6)), Number(one.lat.toFixed(6))];

/** What the corners make up to now, or null when they are too few or cross themselves. */
function drawnSoFar() {
  const { corners, kind } = active;
  if (corners.length < FEW[kind] || (kind === "area" && crossesItself(corners))) return null;
  if (kind === "point") return { type: "Point", coordinates: position(corners[0]) };
  if (kind === "line") return { type: "LineString", coordinates: corners.map(position) };
  return { type: "Polygon", coordinates: [[...corners, corners[0]].map(position)] };
}

function add(latlng) {
  const last = active.corners.at(-1);
  if (last && leaflet.latLngToContainerPoint(last).distanceTo(leaflet.latLngToContainerPoint(latlng)) < 4) return;
  // A point is where it was put last.
  if (active.kind === "point") active.corners = [];
  active.corners.push(latlng);
  redraw();
}

function undo() {
  active.corners.pop();
  redraw();
}

function finish() {
  const corners = active.corners;
  if (corners.length < FEW[active.kind]) return notice(t(TOO_FEW[active.kind]), "error");
  const drawn = drawnSoFar();
  if (!drawn) return notice(t("draw_crossing"), "error");
  const done = active.done;
  stop();
  return done(drawn);
}

function stop() {
  if (!active) return;
  leaflet.off("click", active.click);
  leaflet.off("dblclick", finish);
  leaflet.doubleClickZoom.enable();
  document.removeEventListener("keydown", key, true);
  active.layer.remove();
  active.bar.remove();
  active = null;
  byId("crosshair").hidden = true;
  document.body.classList.remove("drawing");
  // The click that finished must not be taken for a question to the map.
  setTimeout(() => setIdentifying(true), 300);
}

function key(event) {
  const writing = event.target.closest?.("input, select, textarea, button, summary, a");
  const actions = { Enter: finish, Backspace: undo, " ": () => add(leaflet.getCenter()), Escape: () => active.cancel() };
  const action = actions[event.key];
  if (!action || (writing && event.key !== "Escape")) return;
  event.preventDefault();
  event.stopPropagation();
  action();
}

function toolbar(cancel, above) {
  return el("div", { className: "draw-bar", role: "toolbar", "aria-label": t("zone_draw") }, above, el("p", { className: above ? "hint" : "" }, t("draw_help")),
    el("div", { className: "row" }, el("span", { id: "draw-count" }, t("draw_count", { n: 0 })), button("draw_undo", undo), button("cancel", cancel), button("draw_done", () => finish(), "primary")));
}

/**
 * Start drawing; `done` gets the geometry in longitude and latitude, `cancelled` is told when it was given up.
 * Further wishes: `kind` ("area", "line" or "point"), `changed` (told the geometry after each corner, null while there is none),
 * `above` (an element on top of the toolbar).
 */
export function startDrawing(done, cancelled, { kind = "area", changed = null, above = null } = {}) {
  stop();
  setIdentifying(false);
  const cancel = () => { stop(); cancelled(); };
  active = { corners: [], kind, changed, layer: L.layerGroup().addTo(leaflet), done, cancel, bar: toolbar(cancel, above), click: (event) => add(event.latlng) };
  document.body.append(active.bar);
  document.body.classList.add("drawing");
  byId("crosshair").hidden = false;
  leaflet.doubleClickZoom.disable();
  leaflet.on("click", active.click);
  leaflet.on("dblclick", finish);
  document.addEventListener("keydown", key, true);
  leaflet.getContainer().focus({ preventScroll: true });
}

on("panel-closed", () => active?.cancel());
