// Divisions on the map, coloured by class; those without a figure are hatched. Labels stay on top.

import { gl } from "../map.js";

const SOURCE = "statistics-divisions";
const FILL = "statistics-fill";
const NOTHING = "statistics-nothing";
const PAPER = "statistics-paper";
const LINE = "statistics-line";
const EMPTY = { type: "FeatureCollection", features: [] };
const GREY = "#7d8791";
let lit = null;

const drawn = () => Boolean(gl.getLayer(FILL));

/** The lowest layer of names, so that these can be read over the colours. */
const names = () => gl.getStyle().layers.find((one) => one.type === "symbol")?.id;

function layers() {
  gl.addSource(SOURCE, { type: "geojson", data: EMPTY, promoteId: "code" });
  const below = names();
  gl.addLayer({ id: FILL, type: "fill", source: SOURCE, filter: ["has", "colour"], paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.88 } }, below);
  // Pale below the hatch, so that what lies there is not taken for a class.
  gl.addLayer({ id: PAPER, type: "fill", source: SOURCE, filter: ["!", ["has", "colour"]], paint: { "fill-color": "#f4f4f2", "fill-opacity": 0.82 } }, below);
  gl.addLayer({ id: NOTHING, type: "fill", source: SOURCE, filter: ["!", ["has", "colour"]], paint: { "fill-pattern": `hatch:${GREY}`, "fill-opacity": 0.75 } }, below);
  const strong = ["boolean", ["feature-state", "lit"], false];
  gl.addLayer({ id: LINE, type: "line", source: SOURCE, paint: { "line-color": ["case", strong, "#d2410a", "#4b5560"], "line-width": ["case", strong, 4, 0.8] } }, below);
}

/** Draw divisions: `features` with their outlines, `colourOf` gives the colour of a code, or null. */
export function drawChoropleth(features, colourOf) {
  if (!drawn()) layers();
  lit = null;
  const data = features.filter((one) => one.geometry).map((one) => {
    const colour = colourOf(String(one.id));
    return { type: "Feature", geometry: one.geometry, properties: { code: String(one.id), ...(colour ? { colour } : {}) } };
  });
  gl.getSource(SOURCE).setData({ type: "FeatureCollection", features: data });
}

/** Take the divisions from the map. */
export function clearChoropleth() {
  lit = null;
  if (drawn()) gl.getSource(SOURCE).setData(EMPTY);
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
