// The land in three dimensions: a MapLibre map of its own over the flat one, made when it is opened and ended afterwards.

import { announce, on, t } from "../state.js";
import { button, byId, el, stateLine } from "../dom.js";
import { atFoot } from "../foot.js";
import { styleOf } from "../compare/side.js";
import { stationsShown } from "../environment/marks.js";
import { closePanel, openPanelName } from "../shell.js";
import { whatIsAt } from "../identify.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { addMissingImages, highlighted, leaflet } from "../map.js";
import { asOf } from "../time/asked_time.js";
import { aboveShade, hasHeights, heights, shadeLayer } from "./heights.js";

const DEM = "relief-heights";
const SHADE_DEM = "relief-shading";
const MARK = "relief-mark";
const STEEPEST = 80;
const FIRST = { pitch: 60, bearing: 0, times: 2 };
const TURN = 15;
const TILT = 10;
const NARROW = 700;
const ACCENT = "#0078ff";
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const look = { ...FIRST };
let map = null;
let bar = null;
let opener = null;
let following = false;
let awaited = false;

/** Whether the land is seen in three dimensions now. */
export const inRelief = () => Boolean(map);

const geometryOf = (geometry) => ({ type: "Feature", properties: {}, geometry: geometry ?? { type: "GeometryCollection", geometries: [] } });

/** The page's own style with terrain, shade, sky, and what is highlighted. */
function style() {
  const own = styleOf({ asOf: asOf(), layers: null });
  const above = own.layers.findIndex((one) => one.id === aboveShade(own.layers));
  const layers = above < 0 ? [...own.layers] : own.layers.toSpliced(above, 0, shadeLayer(SHADE_DEM, 0.7));
  layers.push({ id: MARK, type: "line", source: MARK, paint: { "line-color": ACCENT, "line-width": 3 } },
    { id: `${MARK}-point`, type: "circle", source: MARK, filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 8, "circle-color": ACCENT, "circle-opacity": 0.3, "circle-stroke-color": ACCENT, "circle-stroke-width": 3 } });
  // Two sources of the same heights: MapLibre would draw shade and terrain in the coarser way of either.
  const sources = { ...own.sources, [DEM]: heights.source, [SHADE_DEM]: heights.source, [MARK]: { type: "geojson", data: geometryOf(highlighted()) } };
  return { ...own, sources, layers, terrain: { source: DEM, exaggeration: look.times }, sky: { "sky-color": "#9ec3e6", "horizon-color": "#e8eef2", "fog-color": "#e8eef2", "fog-ground-blend": 0.9 } };
}

function restyle() {
  if (!map || awaited) return;
  awaited = true;
  queueMicrotask(() => { awaited = false; map?.setStyle(style()); });
}

function turn(changes) {
  map.easeTo({ ...changes, duration: calm ? 0 : 180 });
}

function arrow(key, sign, act) {
  return el("button", { type: "button", className: "square", "aria-label": t(key), title: t(key), onclick: act }, sign);
}

function controls() {
  const times = el("input", { type: "range", id: "relief-times", min: 1, max: 5, step: 0.5, value: look.times });
  const said = el("output", { htmlFor: "relief-times" }, `× ${look.times}`);
  times.addEventListener("input", () => {
    look.times = Number(times.value);
    said.textContent = `× ${look.times}`;
    map.setTerrain({ source: DEM, exaggeration: look.times });
  });
  times.addEventListener("change", writeLink);
  return [el("div", { className: "row wrap" }, el("span", { className: "row" },
    arrow("relief_left", "↺", () => turn({ bearing: map.getBearing() - TURN })), arrow("relief_right", "↻", () => turn({ bearing: map.getBearing() + TURN })),
    arrow("relief_up", "⌃", () => turn({ pitch: Math.min(STEEPEST, map.getPitch() + TILT) })), arrow("relief_down", "⌄", () => turn({ pitch: Math.max(0, map.getPitch() - TILT) })),
    button("relief_north", () => turn({ bearing: 0, pitch: FIRST.pitch }))),
  el("label", { className: "row relief-times", htmlFor: "relief-times" }, el("span", {}, t("relief_times")), times, said),
  el("span", { className: "push" }), button("relief_back", closeRelief, "primary")),
  stationsShown() ? el("p", { className: "hint", id: "relief-no-stations" }, t("relief_no_stations")) : null, el("p", { className: "hint relief-hint" }, t("relief_hint"))].filter(Boolean);
}

function drawBar(...content) {
  bar ??= atFoot(el("section", { className: "relief-bar", id: "relief-bar" }));
  bar.setAttribute("aria-label", t("relief"));
  bar.replaceChildren(...content);
}

/** Where the view looks, taken over to the flat map: it stands there when this one is closed. */
function carryOver() {
  Object.assign(look, { pitch: map.getPitch(), bearing: map.getBearing() });
  following = true;
  leaflet.setView(map.getCenter(), map.getZoom() + 1, { animate: false });
  following = false;
  writeLink();
}

function make() {
  const { lat, lng } = leaflet.getCenter();
  // The bridge's options hold what this page needs: fonts, the way of requests, fading.
  const { localIdeographFontFamily, transformRequest, fadeDuration } = window.geoserviceMap.gl.options;
  return new maplibregl.Map({ container: "relief-map", style: style(), center: [lng, lat], zoom: leaflet.getZoom() - 1, pitch: look.pitch, bearing: look.bearing, maxPitch: STEEPEST,
    localIdeographFontFamily, transformRequest, fadeDuration, attributionControl: false });
}

function wire() {
  addMissingImages(map);
  // A tile that is refused at a far distance is no failure of the view; the flat map tells of layers that fail.
  map.on("error", () => {});
  map.on("moveend", carryOver);
  map.on("click", (event) => whatIsAt(event.lngLat.wrap(), { gl: map }));
  map.getCanvas().setAttribute("aria-label", t("relief_map"));
}

/** Open the view where the flat map stands. */
export function openRelief() {
  if (map || !hasHeights) return;
  opener = document.activeElement;
  // On a telephone the panel would lie over the bar.
  if (innerWidth < NARROW && openPanelName()) closePanel();
  announce("relief", true);
  byId("relief").hidden = false;
  byId("relief").setAttribute("aria-label", t("relief"));
  document.body.classList.add("in-relief");
  try {
    map = make();
  } catch {
    // A browser without WebGL, or one that has given out all it has.
    drawBar(stateLine("error", t("relief_no_webgl")), button("relief_back", closeRelief, "primary"));
    return;
  }
  wire();
  drawBar(...controls());
  map.getCanvas().focus({ preventScroll: true });
  writeLink();
}

/** Go back to the flat map, at the place that was looked at. */
export function closeRelief() {
  if (byId("relief").hidden) return;
  map?.remove();
  map = null;
  bar?.remove();
  bar = null;
  byId("relief").hidden = true;
  byId("relief-map").replaceChildren();
  document.body.classList.remove("in-relief");
  writeLink();
  opener?.focus?.({ preventScroll: true });
}

function follow() {
  if (!map || following) return;
  const { lat, lng } = leaflet.getCenter();
  map.easeTo({ center: [lng, lat], zoom: leaflet.getZoom() - 1, duration: 0 });
}

const written = () => (map ? [look.pitch, look.bearing, look.times].map((value) => Number(value.toFixed(1))).join(",") : null);

function bring(text) {
  const [pitch, bearing, times] = (text ?? "").split(",").map(Number);
  if (!text || ![pitch, bearing, times].every(Number.isFinite)) {
    closeRelief();
    return;
  }
  Object.assign(look, { pitch: Math.min(STEEPEST, Math.max(0, pitch)), bearing, times: Math.min(5, Math.max(1, times)) });
  if (!map) {
    openRelief();
    return;
  }
  map.jumpTo({ pitch: look.pitch, bearing: look.bearing });
  map.setTerrain({ source: DEM, exaggeration: look.times });
  drawBar(...controls());
}

/** Take the view from the address, keep it there, follow what other panels change. */
export function startRelief() {
  keepInLink("relief", written, bring);
  on("relief-open", openRelief);
  on("back", closeRelief);
  on("compare", (mode) => { if (mode) closeRelief(); });
  leaflet.on("moveend", follow);
  for (const event of ["shown", "order", "tile-query", "time-window", "opacity", "choropleth"]) on(event, restyle);
  on("language", () => { restyle(); if (map) drawBar(...controls()); });
  on("highlight", (geometry) => map?.getSource(MARK)?.setData(geometryOf(geometry)));
  bring(linked("relief"));
}
