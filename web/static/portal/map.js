// The map: Leaflet as Folium made it, and the MapLibre map that draws vector tiles in it.

import { announce, config, currentLanguage, layerById, on, t } from "./state.js";
import { notice } from "./dom.js";

export const leaflet = window.geoserviceMap.leaflet;
export const gl = window.geoserviceMap.gl.getMaplibreMap();
const layersOf = new Map();
const shown = new Set();
const opacities = new Map();
const filters = new Map();
const addresses = new Map();
const FOLLOWS = 4000;
const PANES = 20;
const BREATH = 4;
const ACCENT = "#0078ff";
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let highlight = null;
let marked = null;
let zooming = false;
leaflet.on("zoomanim", () => { zooming = true; });
leaflet.on("zoomend", () => { zooming = false; });

/** Whether a layer is switched on. */
export const isShown = (id) => shown.has(id);

/** The layers that are switched on, as configured. */
export const shownLayers = () => config.layers.filter((layer) => shown.has(layer.id));

/** Which MapLibre layers draw a layer. */
export const drawn = (id) => layersOf.get(id) ?? [];

export const OPACITY = {
  fill: ["fill-opacity"], line: ["line-opacity"], circle: ["circle-opacity", "circle-stroke-opacity"],
  raster: ["raster-opacity"], symbol: ["icon-opacity", "text-opacity"],
};

/** Switch a layer on or off. */
export function setShown(id, visible) {
  if (visible) shown.add(id);
  else shown.delete(id);
  for (const one of drawn(id)) gl.setLayoutProperty(one.id, "visibility", visible ? "visible" : "none");
  announce("shown", id);
}

export const opacityOf = (id) => opacities.get(id) ?? 1;

/** Thin out a layer: 1 is as its style says, 0 is invisible. */
export function setOpacity(id, share) {
  opacities.set(id, share);
  for (const one of drawn(id)) {
    for (const property of OPACITY[one.type]) gl.setPaintProperty(one.id, property, (one.paint?.[property] ?? 1) * share);
  }
  announce("opacity", id);
}

/** What is drawn of one layer of a style: its own filter and those that panels have set. */
export function filterOf(id, one) {
  const all = [one.filter, ...(filters.get(id)?.values() ?? [])].filter(Boolean);
  return all.length > 1 ? ["all", ...all] : (all[0] ?? null);
}

/** Draw only the features of a layer that pass a filter; null draws all. `who` may set one without touching those of others. */
export function setFilter(id, filter, who = "") {
  if (!filters.has(id)) filters.set(id, new Map());
  if (filter) filters.get(id).set(who, filter);
  else filters.get(id).delete(who);
  for (const one of drawn(id)) gl.setFilter(one.id, filterOf(id, one));
}

/** Have the tiles of a layer come from another address: `write` makes it from the one that the page was given. */
export function setTileAddress(id, write) {
  const source = gl.getSource(id);
  if (!source?.setTiles) return;
  const given = addresses.get(id)?.given ?? source.tiles;
  const now = given.map(write);
  addresses.set(id, { given, now });
  const kept = gl.style?.tileManagers?.[id];
  if (!kept?.clearTiles) {
    source.setTiles(now);
    return;
  }
  // `setTiles` asks anew for all tiles that MapLibre keeps in reserve, also coarser ones, which the service may refuse; and
  // tiles that are on their way arrive from the old address. So all are dropped, and those in view come from the new one.
  source.tiles = now;
  kept.clearTiles();
  gl.triggerRepaint();
}

/**
 * Ask for the tiles of a layer anew, because its data have changed.
 *
 * Low zooms are drawn ahead by the service and follow the data by a second or two: so it is asked twice.
 */
export function redraw(id) {
  // MapLibre knows a new address only a frame after it was set, so the address is kept here.
  const again = () => { const source = gl.getSource(id); source?.setTiles?.(addresses.get(id)?.now ?? source.tiles); };
  again();
  setTimeout(again, FOLLOWS);
}

/** Fit a box (west, south, east, north), leaving room for the open panels. */
export function fitBox([west, south, east, north], maxZoom = 17) {
  const wide = east < west ? east + 360 : east;
  const narrow = innerWidth < 700;
  const panel = document.getElementById("panel");
  const left = !narrow && !panel.hidden ? panel.getBoundingClientRect().right - leaflet.getContainer().getBoundingClientRect().left : 0;
  const drawer = document.getElementById("drawer");
  const right = !narrow && !drawer.hidden ? drawer.getBoundingClientRect().width : 0;
  const below = narrow ? Math.max(...[panel, drawer].map((one) => (one.hidden ? 0 : one.getBoundingClientRect().height))) : 0;
  const move = () => leaflet.fitBounds([[south, west], [north, wide]], {
    paddingTopLeft: [left + 24, 24], paddingBottomRight: [right + 24, below + 24], maxZoom, animate: !calm,
  });
  // While Leaflet animates a zoom it takes no other view, and says nothing.
  if (zooming) leaflet.once("zoomend", move);
  else move();
}

/** Box of a GeoJSON geometry in degrees, or null when it has no coordinates. */
export function boxOf(geometry) {
  if (!geometry) return null;
  const bounds = L.geoJSON(geometry).getBounds();
  return bounds.isValid() ? [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()] : null;
}

/** The geometry that is highlighted, or null. */
export const highlighted = () => marked;

/** Draw a geometry on top of everything, or take the last one away. */
export function setHighlight(geometry) {
  highlight?.remove();
  highlight = null;
  marked = geometry ?? null;
  announce("highlight", marked);
  if (!geometry) return;
  const style = { color: ACCENT, weight: 3, fillColor: ACCENT, fillOpacity: 0.08, interactive: false };
  const pointToLayer = (_, at) => L.circleMarker(at, { ...style, radius: 10 });
  highlight = L.geoJSON(geometry, { style, pointToLayer, interactive: false }).addTo(leaflet);
}

let viewOf = null;

/** While two maps are compared: `chooser` says for a place which map shows there ({gl, when, layers}), null for the first. */
export const setViewOf = (chooser) => { viewOf = chooser; };

/** Features drawn at a place of the map, topmost first, each once; `when` says of which instant when not of the map's. */
export function featuresAt(latlng, tolerance = 5, given = null) {
  const view = given ?? viewOf?.(latlng) ?? { gl };
  const at = view.gl.project([latlng.lng, latlng.lat]);
  const box = [[at.x - tolerance, at.y - tolerance], [at.x + tolerance, at.y + tolerance]];
  const ids = view.layers ?? shownLayers().map((layer) => layer.id);
  const asked = ids.flatMap(drawn).filter((one) => one.type !== "raster" && view.gl.getLayer(one.id)).map((one) => one.id);
  const unique = new Map();
  for (const found of view.gl.queryRenderedFeatures(box, { layers: asked })) {
    const id = found.layer.metadata.layer;
    const name = `${id}/${found.properties.key ?? found.id ?? JSON.stringify(found.properties)}`;
    if (!unique.has(name)) unique.set(name, { layer: layerById(id), key: found.properties.key, properties: found.properties, geometry: found.geometry, when: view.when });
  }
  return [...unique.values()];
}

/** Count features by the code of their class, those that were not seen before. */
function countClasses(layer, features, counts, seen) {
  for (const { properties, id } of features) {
    // Cells of a mosaic and clusters stand for many features, which are not counted one by one.
    if (properties.count !== undefined && properties.key === undefined) continue;
    const name = properties.key ?? id;
    if (seen.has(name)) continue;
    seen.add(name);
    const code = String(properties[layer.legendBy]);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
}

/**
 * How many features of each class are in view, by code; one cut by tile borders counts once. Tens of thousands take a
 * third of a second, so the view is looked at in panes, with room for the reader's next move after every few of them;
 * null when `over` says that nobody waits for it any more.
 */
export async function classCounts(layer, over) {
  const [counts, seen] = [new Map(), new Set()];
  const [width, height] = [gl.getCanvas().clientWidth / PANES, gl.getCanvas().clientHeight / PANES];
  let begun = performance.now();
  for (let pane = 0; pane < PANES * PANES; pane += 1) {
    if (performance.now() - begun > BREATH) {
      await new Promise((done) => { setTimeout(done); });
      begun = performance.now();
    }
    if (over()) return null;
    // Asked anew each time: a layer may be switched off or change its style meanwhile.
    const asked = isShown(layer.id) ? drawn(layer.id).filter((one) => one.type !== "symbol").map((one) => one.id) : [];
    if (!asked.length) return counts;
    const [column, row] = [pane % PANES, Math.floor(pane / PANES)];
    const box = [[column * width, row * height], [(column + 1) * width, (row + 1) * height]];
    countClasses(layer, gl.queryRenderedFeatures(box, { layers: asked }), counts, seen);
  }
  return counts;
}

/** Metres per pixel at the centre, and the scale number with the CSS pixel of 0.28 mm that OGC standards use. */
export function scaleAtCentre() {
  const size = leaflet.getSize();
  const y = size.y / 2;
  const metres = leaflet.containerPointToLatLng([0, y]).distanceTo(leaflet.containerPointToLatLng([100, y])) / 100;
  return { metres, denominator: metres / 0.00028 };
}

/** Zoom in the count of vector tiles (and of MapLibre). */
export const tileZoom = () => leaflet.getZoom() - 1;

function paintImage(id) {
  const [kind, first, second] = id.split(":");
  if (kind === "hatch") return { image: hatch(first), options: { pixelRatio: 2 } };
  if (kind === "disc") return { image: disc(second, first), options: { pixelRatio: 2 } };
  return null;
}

function canvas(size) {
  const board = document.createElement("canvas");
  board.width = board.height = size;
  return board.getContext("2d", { willReadFrequently: true });
}

function hatch(colour) {
  const brush = canvas(16);
  brush.strokeStyle = colour;
  brush.lineWidth = 3.2;
  for (const shift of [-16, 0, 16]) {
    brush.beginPath();
    brush.moveTo(shift - 4, 20);
    brush.lineTo(shift + 20, -4);
    brush.stroke();
  }
  return brush.getImageData(0, 0, 16, 16);
}

function disc(fill, ring) {
  const brush = canvas(20);
  brush.beginPath();
  brush.arc(10, 10, 8, 0, 2 * Math.PI);
  brush.fillStyle = fill;
  brush.fill();
  brush.lineWidth = 2;
  brush.strokeStyle = ring;
  brush.stroke();
  return brush.getImageData(0, 0, 20, 20);
}

function label(language) {
  for (const one of [...layersOf.values()].flat()) {
    const texts = one.metadata?.text;
    if (texts) gl.setLayoutProperty(one.id, "text-field", texts[language]);
  }
}

/** Draw the images that a style names, when a map misses them. */
export function addMissingImages(map) {
  map.on("styleimagemissing", ({ id }) => {
    const made = paintImage(id);
    if (made && !map.hasImage(id)) map.addImage(id, made.image, made.options);
  });
}

/** Read the style, draw missing images, keep labels in the page's language, tell of tiles that failed. */
export function startMap() {
  const style = JSON.parse(document.getElementById("map-style").textContent);
  for (const one of style.layers) {
    const id = one.metadata?.layer;
    if (id) layersOf.set(id, [...drawn(id), one]);
    if (id && one.layout?.visibility === "visible") shown.add(id);
  }
  addMissingImages(gl);
  const failed = new Set();
  gl.on("error", ({ error, sourceId }) => {
    if (!sourceId || error?.name === "AbortError") return;
    // Without a status nobody answered: that is no fault of the layer.
    if (!error?.status && error instanceof TypeError) { announce("unanswered"); return; }
    if (failed.has(sourceId)) return;
    failed.add(sourceId);
    const layer = layerById(sourceId);
    if (layer) notice(t("error_tiles", { what: layer.title[currentLanguage()] }), "error");
  });
  on("language", label);
  if (gl.loaded()) return Promise.resolve();
  // The first load may be over already, with something new under way: then only the end of that is told.
  return new Promise((done) => {
    for (const event of ["load", "idle"]) gl.once(event, done);
    gl.triggerRepaint();
  });
}
