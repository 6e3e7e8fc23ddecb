// The rows of a layer, page by page, as the service sorts and filters them; the pages before and behind are links of it.

import { address, config } from "../state.js";
import { leaflet, tileZoom } from "../map.js";
import { ask } from "../request.js";
import { asOf } from "../time/asked_time.js";
import { filterOf } from "./filters.js";

/** The name under which the requests of the table are kept. */
export const PANEL = "table";
/** The name of the panel that holds the builder. */
export const BUILDER = "query";
/** Rows on a page. */
export const PAGE = 100;
const FINER = 2;
const DEEPEST = 18;

/** The box that the map shows, as CQL2 writes it. */
export function viewBox() {
  const view = leaflet.getBounds();
  const clip = (value, limit) => Math.max(-limit, Math.min(limit, Number(value.toFixed(6))));
  return `BBOX(${clip(view.getWest(), 180)}, ${clip(view.getSouth(), 90)}, ${clip(view.getEast(), 180)}, ${clip(view.getNorth(), 90)})`;
}

/** The condition of a table: the layer's filter, and the map's box if only that is wanted; "" for everything. */
export function conditionOf(id, inView) {
  const own = filterOf(id);
  const box = inView ? `S_INTERSECTS(geometry, ${viewBox()})` : "";
  if (!own || !box) return own ?? box;
  return `(${own}) AND ${box}`;
}

/** Parameters of a question about rows, of the time that the whole map is asked about; empty ones are left out. */
export function asked(values) {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...values, "as-of": asOf() })) if (value !== null && value !== undefined && value !== "") made.set(name, value);
  return made.toString();
}

/** Address of the items of a layer. */
export const itemsOf = (layer) => address(config.urls.items, { id: layer.id });

/** Address of the statistics of a layer. */
export const statisticsOf = (layer) => `${address(config.urls.collection, { id: layer.id })}/statistics`;

/** Address of the first page of a table. */
export function firstPage({ layer, sort, condition }) {
  const sortby = sort ? `${sort.descending ? "-" : ""}${sort.name}` : "";
  // Shapes are as fine as the map can show them; they are drawn when a row is pointed at.
  const zoom = Math.max(0, Math.min(DEEPEST, Math.round(tileZoom()) + FINER));
  return `${itemsOf(layer)}?${asked({ limit: PAGE, sortby, filter: condition, "zoom-level": zoom })}`;
}

const linkOf = (found, rel) => {
  const link = found.links?.find((one) => one.rel === rel);
  if (!link) return null;
  const there = new URL(link.href);
  return `${there.pathname}${there.search}`;
};

/** Ask for a page: {features, next, prev, matched, about, edition}. */
export async function askPage(url, signal) {
  const found = await ask(PANEL, url, null, signal);
  return {
    features: found.features, next: linkOf(found, "next"), prev: linkOf(found, "prev"),
    matched: found.numberMatched ?? null, about: found.numberMatchedEstimate ?? null, edition: found.edition ?? null,
  };
}
