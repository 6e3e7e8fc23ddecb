// Where heights come from, and the soft shade of the flat map that is made of them.

import { recall, remember } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { gl } from "../map.js";

const SHADE = "relief-shade";
const HAZARD_SLOT = 30;
const told = JSON.parse(document.getElementById("relief-source")?.textContent ?? "null");
// No stronger than a fifth, so that what lies below keeps its colour.
const PAINT = { "hillshade-exaggeration": 1, "hillshade-shadow-color": "rgba(42,36,28,0.2)", "hillshade-highlight-color": "rgba(255,255,255,0.2)", "hillshade-accent-color": "rgba(42,36,28,0.1)" };
let on = false;

/** Whether heights are loaded that this reader may see. */
export const hasHeights = Boolean(told);

/** Name and MapLibre source of the heights; null when there are none. */
export const heights = told;

/** The layer that shades the land: over ground and areas, below lines, hazards and labels. */
export const shadeLayer = (source, strength = PAINT["hillshade-exaggeration"]) => ({ id: SHADE, type: "hillshade", source, paint: { ...PAINT, "hillshade-exaggeration": strength } });

/** Where in the order of a style the shade belongs: the first layer above it. */
export const aboveShade = (layers) => layers.find((one) => (one.metadata?.slot ?? -1) >= HAZARD_SLOT)?.id;

export const isShaded = () => on;

/** Shade the land of the flat map, or no longer. */
export function setShade(value) {
  if (!told || value === on) return;
  on = value;
  remember("shade", on ? "yes" : "no");
  writeLink();
  if (!on) {
    gl.removeLayer(SHADE);
    gl.removeSource(SHADE);
    return;
  }
  gl.addSource(SHADE, told.source);
  gl.addLayer(shadeLayer(SHADE), aboveShade(gl.getStyle().layers));
}

/** The shade as the address says, else as it was left. */
export function startShade() {
  keepInLink("shade", () => (on ? "yes" : null), (text) => setShade(text === "yes"));
  if ((linked("shade") ?? (linked("map") ? "no" : recall("shade"))) === "yes") setShade(true);
}
