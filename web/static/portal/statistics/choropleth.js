// Divisions on the map, coloured by class; those without a figure are hatched. Labels stay on top.

import { announce } from "../state.js";
import { gl } from "../map.js";

const SOURCE = "statistics-divisions";
const FILL = "statistics-fill";
const NOTHING = "statistics-nothing";
const PAPER = "statistics-paper";
const LINE = "statistics-line";
const EMPTY = { type: "FeatureCollection", features: [] };
const GREY = "#7d8791";
let lit = null;
let data = EMPTY;

const drawn = () => Boolean(gl.getLayer(FILL));

/** The lowest layer of names, so that these can be read over the colours. */
const names = () => gl.getStyle().layers.find((one) => one.type === "symbol")?.id;

const SOURCE_OF = () => ({ type: "geojson", data, promoteId: "code" });

function parts() {
  const strong = ["boolean", ["feature-state", "lit"], false];
  return [
    { id: FILL, type: "fill", source: SOURCE, filter: ["has", "colour"], paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.88 } },
    // Pale below the hatch, so that what lies there is not taken for a class.
    { id: PAPER, type: "fill", source: SOURCE, filter: ["!", ["has", "colour"]], paint: { "fill-color": "#f4f4f2", "fill-opacity": 0.82 } },
    { id: NOTHING, type: "fill", source: SOURCE, filter: ["!", ["has", "colour"]], paint: { "fill-pattern": `hatch:${GREY}`, "fill-opacity": 0.75 } },
    { id: LINE, type: "line", source: SOURCE, paint: { "line-color": ["case", strong, "#d2410a", "#4b5560"], "line-width": ["case", strong, 4, 0.8] } },
  ];
}

function layers() {
  gl.addSource(SOURCE, SOURCE_OF());
  const below = names();
  for (const one of parts()) gl.addLayer(one, below);
}

/** Whether divisions are coloured on the map now. */
export const choroplethShown = () => data.features.length > 0;

/** A style of another map with the divisions as they are drawn here, below its names. */
export function withChoropleth(style) {
  if (!data.features.length) return style;
  const at = style.layers.findIndex((one) => one.type === "symbol");
  const place = at < 0 ? style.layers.length : at;
  return { ...style, sources: { ...style.sources, [SOURCE]: SOURCE_OF() }, layers: [...style.layers.slice(0, place), ...parts(), ...style.layers.slice(place)] };
}

function put(features) {
  data = { ...EMPTY, features };
  gl.getSource(SOURCE).setData(data);
  announce("choropleth", features.length);
}

/** Draw divisions: `features` with their outlines, `colourOf` gives the colour of a code, or null. */
export function drawChoropleth(features, colourOf) {
  if (!drawn()) layers();
  lit = null;
  const made = features.filter((one) => one.geometry).map((one) => {
    const colour = colourOf(String(one.id));
    return { type: "Feature", geometry: one.geometry, properties: { code: String(one.id), ...(colour ? { colour } : {}) } };
  });
  put(made);
}

/** Take the divisions from the map. */
export function clearChoropleth() {
  lit = null;
  if (drawn()) put([]);
}

/** Mark one division, or none. */
export function markDivision(code) {
  if (!drawn() || lit === code) return;
  if (lit !== null) gl.setFeatureState({ source: SOURCE, id: lit }, { lit: false });
  lit = code;
  if (lit !== null) gl.setFeatureState({ source: SOURCE, id: lit }, { lit: true });
}

/** Code of the division drawn at a place in pixels of the map, or null. */
export function divisionAt(point) {
  if (!drawn()) return null;
  return gl.queryRenderedFeatures(point, { layers: [FILL, NOTHING] })[0]?.properties.code ?? null;
}
