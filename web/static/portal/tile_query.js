// What tiles are asked beside their place: a filter, an instant, a period. One place puts the wishes of all panels together.

import { announce, config, layerById } from "./state.js";
import { drawn, gl, setTileAddress } from "./map.js";

const HIGHEST = 24;
const LONE = ["between"];
const VECTOR_ONLY = ["between", "filter", "filter-lang", "filter-crs"];
const own = new Map();
const ofAll = new Map();

/** Whether tiles of a layer take a parameter at all. */
function takes(layer, name) {
  if (!layer) return false;
  if (VECTOR_ONLY.includes(name)) return layer.kind === "vector";
  return name !== "datetime" || Boolean(layer.time || layer.timed);
}

/** What the tiles of a layer are asked now, as [name, value] pairs; the layer's own wishes go before those of all. */
export function tileQuery(id) {
  const layer = layerById(id);
  const wished = new Map([...ofAll, ...(own.get(id) ?? [])]);
  const pairs = [...wished].filter(([name, value]) => value !== null && takes(layer, name));
  // A comparison of two editions stands alone.
  const lone = pairs.filter(([name]) => LONE.includes(name));
  return lone.length ? lone : pairs;
}

/** The address of tiles with `pairs` in its query; `{z}` and the like stay as they are. */
export function withQuery(address, pairs) {
  const [path, given = ""] = address.split("?");
  const asked = new URLSearchParams(given);
  for (const [name, value] of pairs) asked.set(name, value);
  return asked.size ? `${path}?${asked}` : path;
}

/** From which zoom on a layer answers `pairs`: such questions are answered from the rows, not from generalised copies. */
export const answersFrom = (layer, pairs) => (pairs.length && layer?.kind === "vector" ? (layer.exactFrom ?? 0) : 0);

/** From which zoom on a layer answers what it is asked now; 0 when at all. */
export const askedFrom = (id) => answersFrom(layerById(id), tileQuery(id));

/** The lowest and the highest zoom at which one layer of a style is drawn while its tiles are asked `pairs`. */
export const zoomRange = (one, layer, pairs) => [Math.max(one.minzoom ?? 0, answersFrom(layer, pairs)), one.maxzoom ?? HIGHEST];

function apply(id) {
  const pairs = tileQuery(id);
  setTileAddress(id, (address) => withQuery(address, pairs));
  // Below that zoom the service refuses; nothing is asked then, and panels say from where on there is an answer.
  for (const one of drawn(id)) gl.setLayerZoomRange(one.id, ...zoomRange(one, layerById(id), pairs));
  announce("tile-query", id);
}

function put(wishes, name, value) {
  if ((wishes.get(name) ?? null) === value) return false;
  if (value === null) wishes.delete(name);
  else wishes.set(name, value);
  return true;
}

/** Ask the tiles of a layer for something, such as `setTileQuery("road", "filter", "width > 5")`; null takes it back. */
export function setTileQuery(id, name, value) {
  if (!own.has(id)) own.set(id, new Map());
  if (put(own.get(id), name, value)) apply(id);
}

/** Ask the tiles of all layers that take it for something, such as `as-of`; null takes it back. */
export function setTileQueryOfAll(name, value) {
  if (!put(ofAll, name, value)) return;
  for (const layer of config.layers) if (takes(layer, name)) apply(layer.id);
}
