// Windows of time of single layers: what is drawn of a layer is what its own time attribute places in the window.

import { announce, layerById } from "../state.js";
import { setFilter } from "../map.js";
import { setTileQuery } from "../tile_query.js";

const windows = new Map();
const written = (time) => new Date(time).toISOString().replace(/\.\d+Z$/, "Z");

/** The window of a layer in milliseconds, [from, to), or null when all of it is drawn. */
export const windowOf = (id) => windows.get(id) ?? null;

/** A window as the parameter `datetime` has it: both ends count there, so it ends a second earlier. */
export const asDatetime = ([from, to]) => `${written(from)}/${written(to - 1000)}`;

/** Whether tiles carry the time themselves; they can be filtered here at once, at all zooms that show single features. */
const carried = (layer) => layer.kind === "vector" && layer.timeInTiles;

/** Tiles carry times as text in UTC (ISO 8601), which sorts as time does; features without a time match, as they do for items. */
function filterOf(layer, [from, to]) {
  const days = layer.attributes.find((one) => one.name === layer.time)?.type === "date";
  const [first, last] = [from, to].map((time) => (days ? written(time).slice(0, 10) : written(time)));
  const value = ["to-string", ["get", layer.time]];
  const single = ["!", ["has", "count"]];
  return ["all", single, ["any", ["!", ["has", layer.time]], ["all", [">=", value, first], ["<", value, last]]]];
}

/** From which zoom on a layer can be drawn in a window. */
export const windowFrom = (layer) => (layer.kind !== "vector" ? 0 : carried(layer) ? layer.singleFrom : layer.exactFrom);

/** Draw a layer only in a window [from, to) of milliseconds; null draws all. */
export function setWindow(id, span) {
  const layer = layerById(id);
  if (span) windows.set(id, span);
  else windows.delete(id);
  if (carried(layer)) setFilter(id, span ? filterOf(layer, span) : null, "time");
  else setTileQuery(id, "datetime", span ? asDatetime(span) : null);
  announce("time-window", id);
}
