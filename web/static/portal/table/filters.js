// The filter of each layer: what the map draws, what the table lists, and what the address of the page keeps.

import { announce, collectionById, config, layerById, on, t, words } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { leaflet, tileZoom } from "../map.js";
import { setTileQuery } from "../tile_query.js";
import { pushUndo } from "../undo.js";

const LONGEST = 20_000;
const texts = new Map();
const many = new Set();

/** The CQL2 text that a layer is filtered by, or null. */
export const filterOf = (id) => texts.get(id) ?? null;

/** Whether any layer is filtered. */
export const anyFilter = () => texts.size > 0;

/** Whether the map is zoomed out too far for tiles that show what passes: they answer conditions from some zoom on. */
export const tooFar = (layer) => texts.has(layer.id) && tileZoom() < (layer.exactFrom ?? 0);

/** Filter a layer by CQL2 text; null or "" shows everything again. */
export function setLayerFilter(id, text) {
  if ((text || null) === filterOf(id)) return;
  if (text) texts.set(id, text);
  else texts.delete(id);
  if (layerById(id)) setTileQuery(id, "filter", text || null);
  announce("filtered", id);
  writeLink();
}

/** Take the filter of a layer off, with a way back. */
export function clearFilter(id) {
  const before = filterOf(id);
  if (!before) return;
  setLayerFilter(id, null);
  pushUndo(t("table_filter_cleared", { what: words(collectionById(id).title) }), () => setLayerFilter(id, before));
}

/** The filters that an address tells; what is no filter of a layer that is here is left out. */
function told(text) {
  try {
    const read = Object.entries(JSON.parse(text ?? "{}"));
    return new Map(read.filter(([id, one]) => collectionById(id)?.attributes && typeof one === "string" && one && one.length <= LONGEST));
  } catch {
    return new Map();
  }
}

function follow(text) {
  const wanted = told(text);
  for (const id of new Set([...texts.keys(), ...wanted.keys()])) setLayerFilter(id, wanted.get(id) ?? null);
}

/** Take the filters from the address, and keep them there. */
export function startFilters() {
  follow(linked("filter"));
  keepInLink("filter", () => (texts.size ? JSON.stringify(Object.fromEntries(texts)) : null), follow);
}

/** Call `draw` when filters change, or when zooming changes which of them the map can show. */
export function whenFiltered(draw) {
  const far = () => config.layers.filter(tooFar).map((one) => one.id).join();
  let before = far();
  on("filtered", (id) => { before = far(); draw(id); });
  on("filter-many", () => draw(null));
  leaflet.on("zoomend", () => {
    if (far() === before) return;
    before = far();
    draw(null);
  });
}

/** Say whether more passes in view than can be drawn from rows. */
export function announceMany(id, value) {
  if (many.has(id) === value) return;
  if (value) many.add(id);
  else many.delete(id);
  announce("filter-many", id);
}

/** What a reader is told where the map cannot draw what passes, or null. */
export const farWords = (layer) => (tooFar(layer) && many.has(layer.id) ? t("table_too_far", { z: layer.exactFrom }) : null);
