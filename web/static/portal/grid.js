// Two grids over the map: longitudes and latitudes, and the sheets of the national series.

import { announce, config, recall, remember } from "./state.js";
import { el, notice } from "./dom.js";
import { leaflet, scaleAtCentre } from "./map.js";
import { suiting } from "./notation.js";
import { ask } from "./request.js";

const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 1 / 4, 1 / 6, 1 / 12, 1 / 20, 1 / 60, 1 / 120, 1 / 240, 1 / 600, 1 / 3600];
const FEW = 5;
const MOST_SHEETS = 150;
const LINE = { color: "#3b3f44", weight: 0.8, opacity: 0.75, interactive: false, fill: false, print: false };
const SHEET = { color: "#7a3fb0", weight: 1.2, opacity: 0.85, interactive: false, fill: false, print: false };
const active = { graticule: recall("graticule") === "on", sheets: recall("sheets") === "on" };
const drawn = { graticule: L.layerGroup(), sheets: L.layerGroup() };
let asked = null;

export const isOn = (name) => active[name];

/** Switch a grid ("graticule" or "sheets") on or off. */
export function setGrid(name, value) {
  active[name] = value;
  remember(name, value ? "on" : "off");
  draw();
  announce("grid", name);
}

function label(at, text, kind) {
  // A string would be read as markup; an element is not.
  const html = el("span", { className: `grid-label ${kind}` }, text);
  return L.marker(at, { icon: L.divIcon({ html, className: "grid-mark", iconSize: null }), interactive: false, keyboard: false });
}

function degrees(value, plus, minus) {
  const seconds = Math.round(Math.abs(value) * 3600);
  const [d, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const pad = (part) => String(part).padStart(2, "0");
  const hemisphere = seconds === 0 ? "" : value < 0 ? minus : plus;
  return `${d}°${s || m ? `${pad(m)}′` : ""}${s ? `${pad(s)}″` : ""}${hemisphere}`;
}

const wrapped = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

function graticule() {
  const view = leaflet.getBounds();
  const [west, east, south, north] = [view.getWest(), view.getEast(), Math.max(-85, view.getSouth()), Math.min(85, view.getNorth())];
  const step = STEPS.find((one) => Math.max(east - west, north - south) / one >= FEW) ?? STEPS.at(-1);
  // Labels stand inside the view, beside its edges.
  const edge = { lon: leaflet.containerPointToLatLng([leaflet.getSize().x - 8, 0]).lng, lat: leaflet.containerPointToLatLng([0, 14]).lat };
  for (let at = Math.ceil(west / step); at * step <= east; at += 1) {
    drawn.graticule.addLayer(L.polyline([[south, at * step], [north, at * step]], LINE));
    drawn.graticule.addLayer(label([edge.lat, at * step], degrees(wrapped(at * step), "E", "W"), "of-lon"));
  }
  for (let at = Math.ceil(south / step); at * step <= north; at += 1) {
    drawn.graticule.addLayer(L.polyline([[at * step, west], [at * step, east]], LINE));
    drawn.graticule.addLayer(label([at * step, edge.lon], degrees(at * step, "N", "S"), "of-lat"));
  }
}

async function sheets() {
  const view = leaflet.getBounds();
  const [south, north] = [Math.max(0, view.getSouth()), Math.min(60, view.getNorth())];
  const [west, east] = [Math.max(-180, view.getWest()), Math.min(180, view.getEast())];
  if (south >= north || west >= east) return;
  asked?.abort();
  asked = new AbortController();
  const scale = suiting(scaleAtCentre().denominator);
  const box = [west, south, east, north].map((one) => one.toFixed(6)).join(",");
  try {
    const found = await ask("toolbox", `${config.urls.sheets}?bbox=${box}&scale=${scale}&limit=${MOST_SHEETS}&f=geojson`, null, asked.signal);
    drawn.sheets.clearLayers();
    drawn.sheets.addLayer(L.geoJSON(found, { style: SHEET, interactive: false }));
    for (const one of found.features) drawn.sheets.addLayer(label([one.bbox[3], one.bbox[0]], one.id, "of-sheet"));
  } catch (error) {
    if (error.name !== "AbortError") notice(error.message, "error");
  }
}

function draw() {
  for (const name of ["graticule", "sheets"]) {
    if (!active[name]) drawn[name].clearLayers().remove();
    else drawn[name].addTo(leaflet);
  }
  if (active.graticule) { drawn.graticule.clearLayers(); graticule(); }
  if (active.sheets) sheets();
}

/** Draw the grids that were on, and again after each move. */
export function startGrid() {
  leaflet.on("moveend resize", draw);
  draw();
}
