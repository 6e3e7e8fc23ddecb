// What is to be printed: paper, scale, words; and the question that the service gets from it and from the map.

import { config, currentLanguage, recall, remember } from "../state.js";
import { flow } from "../emergency/flow.js";
import { leaflet, opacityOf, shownLayers } from "../map.js";
import { stacked } from "../stack.js";
import { tileQuery } from "../tile_query.js";
import { drawnOnMap } from "./drawn.js";

export const PANEL = "print";
export const PAPERS = ["A5", "A4", "A3", "A2", "A1", "A0"];
export const SCALES = [500, 1000, 2000, 5000, 10000, 25000, 50000, 100000, 200000, 250000, 500000, 1000000, 5000000, 20000000];
const KEPT = ["paper", "orientation", "lang", "grid", "crs", "dpi", "legend"];
const USUAL = { paper: "A4", orientation: "landscape", lang: "", grid: "", crs: "", dpi: "", legend: true };
const MEMBERS = { filter: "filter", datetime: "datetime", "as-of": "as_of" };
const MOST_LAT = 84;

function read() {
  try {
    const kept = JSON.parse(recall("print") ?? "{}");
    return Object.fromEntries(KEPT.filter((name) => typeof kept[name] === typeof USUAL[name]).map((name) => [name, kept[name]]));
  } catch {
    return {};
  }
}

/** The wish as it stands; `scale` null means: whatever holds `box`, or what the map shows. */
export const wish = { ...USUAL, ...read(), scale: null, center: null, box: null, title: "", subtitle: "", remark: "", feature: null, coloured: null };

/** Change the wish; paper and the like are remembered for the next time. */
export function wishFor(change) {
  Object.assign(wish, change);
  remember("print", JSON.stringify(Object.fromEntries(KEPT.map((name) => [name, wish[name]]))));
}

const short = (value) => Number(value.toFixed(6));
const within = (value, limit) => short(Math.max(-limit, Math.min(limit, value)));

/** What the map shows beside the panels, as west, south, east, north. */
export function viewBox() {
  const all = leaflet.getContainer().getBoundingClientRect();
  const edges = { left: 0, right: all.width, bottom: all.height };
  for (const id of ["panel", "drawer"]) {
    const one = document.getElementById(id);
    if (one.hidden) continue;
    const box = one.getBoundingClientRect();
    if (box.width > all.width * 0.8) edges.bottom = Math.min(edges.bottom, Math.max(box.top - all.top, 80));
    else if (box.left - all.left < all.width / 2) edges.left = Math.max(edges.left, box.right - all.left);
    else edges.right = Math.min(edges.right, box.left - all.left);
  }
  const one = leaflet.containerPointToLatLng([edges.left, 0]);
  const other = leaflet.containerPointToLatLng([edges.right, edges.bottom]);
  return [within(one.lng, 180), within(other.lat, MOST_LAT), within(other.lng, 180), within(one.lat, MOST_LAT)];
}

/** A layer as the service is asked for it: with the filter and the time that the map shows. */
function layerOf({ id }) {
  const asked = tileQuery(id).filter(([name]) => name in MEMBERS).map(([name, value]) => [MEMBERS[name], value]);
  const opacity = opacityOf(id);
  if (!asked.length && opacity === 1) return id;
  return { id, ...Object.fromEntries(asked), ...(opacity === 1 ? {} : { opacity }) };
}

/** The place: a middle and a scale, or a box that is shown as large as it fits. */
function place() {
  if (wish.center && wish.scale) return { center: wish.center, scale: wish.scale };
  const box = wish.box ?? viewBox();
  if (!wish.scale) return { bbox: box };
  return { center: [short((box[0] + box[2]) / 2), short((box[1] + box[3]) / 2)], scale: wish.scale };
}

/** The body of the request. */
export function question(more = {}) {
  const chosen = ["crs", "grid"].filter((name) => wish[name]).map((name) => [name, wish[name]]);
  const told = ["title", "subtitle", "remark"].filter((name) => wish[name]).map((name) => [name, wish[name]]);
  const overlays = drawnOnMap(wish.feature);
  return {
    paper: wish.paper, orientation: wish.orientation, ...place(), ...Object.fromEntries([...told, ...chosen]),
    lang: wish.lang || currentLanguage(), legend: wish.legend, layers: stacked(shownLayers()).map(layerOf),
    ...(wish.dpi ? { dpi: Number(wish.dpi) } : {}), ...(overlays.features.length ? { overlays } : {}), ...(wish.coloured ? { coloured: wish.coloured } : {}), ...(flow.exercise ? { exercise: true } : {}), ...more,
  };
}

export const address = (form) => `${config.urls.print}?f=${form}`;
