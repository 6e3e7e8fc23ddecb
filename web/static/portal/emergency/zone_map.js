// Hazard zones on the map: hatched, so that what lies beneath stays visible; dashed where they are a forecast.

import { shape } from "../dom.js";
import { boxOf, fitBox, leaflet } from "../map.js";

const HATCHES = [9, 11, 13, 16, 20];
const STRENGTHS = ["#7a1420", "#a83226", "#c85f2f", "#b98035", "#8f8a5a"];
const drawn = new Map();

/** Colour of a class: the worst is the darkest. */
export const strength = (rank) => STRENGTHS[Math.min(rank, STRENGTHS.length) - 1];

const hatchName = (rank) => `zone-hatch-${Math.min(rank, HATCHES.length)}`;

function hatchOf(rank) {
  const size = HATCHES[rank - 1];
  const pattern = shape("pattern", { id: hatchName(rank), width: size, height: size, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(shape("rect", { width: size, height: size, fill: strength(rank), "fill-opacity": 0.08 }),
    shape("path", { d: `M0 0V${size}`, stroke: strength(rank), "stroke-width": rank === 1 ? 3 : 2 }));
  return pattern;
}

function ensureHatches() {
  if (document.getElementById(hatchName(1))) return;
  const sprite = shape("svg", { class: "sprite", width: 0, height: 0, "aria-hidden": "true" });
  sprite.append(...HATCHES.map((_, place) => hatchOf(place + 1)));
  document.body.append(sprite);
}

/** A swatch for the legend of a zone. */
export function zoneSwatch(rank, forecast) {
  ensureHatches();
  const box = shape("svg", { class: "swatch", width: 26, height: 18, viewBox: "0 0 26 18", "aria-hidden": "true" });
  box.append(shape("rect", { x: 1.5, y: 1.5, width: 23, height: 15, fill: `url(#${hatchName(rank)})`, stroke: strength(rank), "stroke-width": 2, ...(forecast ? { "stroke-dasharray": "5 3" } : {}) }));
  return box;
}

function layerOf(zone) {
  const group = L.featureGroup();
  // The worst class is drawn last, on top.
  for (const one of zone.classes.toSorted((a, b) => b.rank - a.rank)) {
    if (!one.geometry) continue;
    const style = { color: strength(one.rank), weight: one.rank === 1 ? 3 : 2.2, opacity: 0.95, fillColor: `url(#${hatchName(one.rank)})`, fillOpacity: 1, dashArray: zone.forecast ? "9 6" : null, interactive: false, className: "zone-class" };
    L.geoJSON(one.geometry, { style, interactive: false }).addTo(group);
  }
  return group;
}

/** Draw a zone under a name (`first`, `second`), or take it away. */
export function drawZone(name, zone) {
  ensureHatches();
  drawn.get(name)?.remove();
  drawn.delete(name);
  if (!zone) return;
  const layer = layerOf(zone).addTo(leaflet);
  drawn.set(name, layer);
}

/** Move the map to a zone. */
export function fitZone(zone) {
  const boxes = zone.classes.map((one) => boxOf(one.geometry)).filter(Boolean);
  if (zone.nothing && zone.hazard.looked) boxes.push(zone.hazard.looked);
  if (!boxes.length) return;
  fitBox([Math.min(...boxes.map((b) => b[0])), Math.min(...boxes.map((b) => b[1])), Math.max(...boxes.map((b) => b[2])), Math.max(...boxes.map((b) => b[3]))], 14);
}
