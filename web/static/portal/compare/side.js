// The second map of a comparison: the page's own style, with layers and an instant of its own.

import { config, currentLanguage, layerById } from "../state.js";
import { withChoropleth } from "../statistics/choropleth.js";
import { addMissingImages, filterOf, isShown, opacityOf, OPACITY } from "../map.js";
import { stackedStyle } from "../stack.js";
import { asOf } from "../time/asked_time.js";
import { tileQuery, withQuery, zoomRange } from "../tile_query.js";

const AS_OF = "as-of";
const page = JSON.parse(document.getElementById("map-style").textContent);

/** What the tiles of a layer are asked on a side: what the first map asks, but of this side's instant. */
function pairsOf(id, side) {
  const others = tileQuery(id).filter(([name]) => name !== AS_OF && name !== "between");
  return side.asOf ? [...others, [AS_OF, side.asOf]] : others;
}

/** Whether a layer is drawn on a side: by the side's own choice, or as on the first map. */
export const onSide = (id, side) => (side.layers ? side.layers.includes(id) : isShown(id));

/** The layers of a side, as configured. */
export const layersOf = (side) => config.layers.filter((layer) => onSide(layer.id, side));

function sources(side) {
  return Object.fromEntries(Object.entries(page.sources).map(([id, one]) => [id, { ...one, tiles: one.tiles.map((address) => withQuery(address, pairsOf(id, side))) }]));
}

function paintOf(one, share) {
  if (share === 1) return one.paint;
  return { ...one.paint, ...Object.fromEntries(OPACITY[one.type].map((name) => [name, (one.paint?.[name] ?? 1) * share])) };
}

function drawnOn(one, side) {
  const id = one.metadata?.layer;
  if (!id) return one;
  const [minzoom, maxzoom] = zoomRange(one, layerById(id), pairsOf(id, side));
  const text = one.metadata.text ? { "text-field": one.metadata.text[currentLanguage()] } : {};
  const filter = filterOf(id, one);
  return { ...one, ...(filter ? { filter } : {}), minzoom, maxzoom, paint: paintOf(one, opacityOf(id)), layout: { ...one.layout, ...text, visibility: onSide(id, side) ? "visible" : "none" } };
}

/** The style of a side. MapLibre takes over what is the same when it is given another one. */
export function styleOf(side) {
  // A lowest zoom must not lie above the highest: such a layer is not drawn at all.
  const layers = stackedStyle(page.layers).map((one) => drawnOn(one, side)).filter((one) => (one.minzoom ?? 0) <= (one.maxzoom ?? 24));
  const style = { ...page, sources: sources(side), layers };
  // Figures are of one moment: on a side of another one they would be taken for those of that moment.
  return side.asOf === asOf() ? withChoropleth(style) : style;
}

/** A second MapLibre map in a Leaflet map; it is made when it is needed and ends with `remove()`. */
export function secondMap(leaflet, side, more = {}) {
  const options = { ...window.geoserviceMap.gl.options, ...more, style: styleOf(side) };
  const made = L.maplibreGL(options).addTo(leaflet);
  addMissingImages(made.getMaplibreMap());
  return made;
}
