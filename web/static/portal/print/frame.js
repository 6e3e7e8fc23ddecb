// The frame on the map: what the paper will show. It is moved by its handle, with the mouse, a finger or the arrow keys.

import { t } from "../state.js";
import { el, icon } from "../dom.js";
import { leaflet } from "../map.js";
import { notPrinted } from "./drawn.js";

const LINE = { color: "#c2185b", weight: 2.5, dashArray: "8 5", fill: false, interactive: false };
const BED = { color: "#ffffff", weight: 5, opacity: 0.8, fill: false, interactive: false };
const STEP = 0.1;
const KEYS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
let shown = null;

/** Take the frame off the map. */
export function clearFrame() {
  for (const one of shown ? [shown.bed, shown.line, shown.handle] : []) one.remove();
  shown = null;
}

function shifted(from, to) {
  // On the map's own plane, so that the frame keeps its shape while it is moved.
  const [a, b] = [leaflet.project(from), leaflet.project(to)];
  return shown.ring.map((corner) => leaflet.unproject(leaflet.project(corner).add(b.subtract(a))));
}

function follow() {
  const ring = shifted(shown.at, shown.handle.getLatLng());
  shown.line.setLatLngs(ring);
  shown.bed.setLatLngs(ring);
}

function byKey(event, moved) {
  const way = KEYS[event.key];
  if (!way) return;
  event.preventDefault();
  event.stopPropagation();
  const size = shown.line.getBounds();
  const at = shown.handle.getLatLng();
  moved([at.lng + way[0] * STEP * (size.getEast() - size.getWest()), at.lat + way[1] * STEP * (size.getNorth() - size.getSouth())]);
}

function handle(at, moved) {
  const html = el("span", { className: "print-handle" }, icon("move"));
  const made = L.marker(at, { draggable: true, autoPan: true, keyboard: true, title: t("print_move"), alt: t("print_move"), icon: L.divIcon({ html, className: "print-mark", iconSize: [44, 44] }) });
  made.on("drag", follow);
  made.on("dragend", () => { const to = made.getLatLng(); moved([to.lng, to.lat]); });
  made.on("add", () => {
    const one = made.getElement();
    one.id = "print-handle";
    one.setAttribute("role", "button");
    one.setAttribute("aria-label", t("print_move"));
    one.addEventListener("keydown", (event) => byKey(event, moved));
  });
  return made;
}

/** Show the outline of a plan; `moved` gets the longitude and latitude of a new middle. */
export function showFrame(plan, moved) {
  const focused = document.activeElement?.id === "print-handle";
  clearFrame();
  const ring = plan.outline.coordinates[0].map(([lng, lat]) => L.latLng(lat, lng));
  const at = L.latLng(plan.center[1], plan.center[0]);
  shown = { ring, at, bed: L.polyline(ring, BED), line: L.polyline(ring, LINE), handle: handle(at, moved) };
  notPrinted(shown.bed);
  notPrinted(shown.line);
  for (const one of [shown.bed, shown.line, shown.handle]) one.addTo(leaflet);
  if (focused) shown.handle.getElement().focus({ preventScroll: true });
}

/** The box of the frame, west, south, east, north; null without one. */
export function frameBox() {
  if (!shown) return null;
  const size = shown.line.getBounds();
  return [size.getWest(), size.getSouth(), size.getEast(), size.getNorth()];
}
