// Stations on the map: a symbol for each, drawn once per class; while time moves, circles that grow with the class.

import { gl } from "../map.js";
import { stationName } from "./names.js";
import { cornersOf, inkOn, shapeOf, signOf } from "./classes.js";

const SOURCE = "environment-stations";
const SYMBOLS = "environment-symbols";
const NAMES = "environment-names";
const CIRCLES = "environment-circles";
const SIZE = 24;
const SHARP = 2;
const DARK = "#1f2328";
const EMPTY = { type: "FeatureCollection", features: [] };
let stations = [];
let indices = {};

function outline(brush, kind) {
  const corners = cornersOf(kind);
  brush.beginPath();
  if (!corners) brush.arc(SIZE / 2, SIZE / 2, 10, 0, 2 * Math.PI);
  else corners.forEach(([x, y], place) => (place ? brush.lineTo(x, y) : brush.moveTo(x, y)));
  brush.closePath();
}

function picture(index, code, colour, stale) {
  const board = document.createElement("canvas");
  board.width = board.height = SIZE * SHARP;
  const brush = board.getContext("2d", { willReadFrequently: true });
  brush.scale(SHARP, SHARP);
  brush.translate(SIZE / 2, SIZE / 2);
  brush.scale(0.86, 0.86);
  brush.translate(-SIZE / 2, -SIZE / 2);
  outline(brush, shapeOf(index));
  brush.fillStyle = stale ? "#ffffff" : colour;
  brush.fill();
  // A ring of the class between two dark ones: yellow alone would not stand out from the map.
  for (const [width, ink] of stale ? [[6, DARK], [3.6, colour]] : [[1.2, DARK]]) {
    brush.lineWidth = width;
    brush.strokeStyle = ink;
    brush.stroke();
  }
  brush.font = `600 12px sans-serif`;
  brush.textAlign = "center";
  brush.fillStyle = stale ? DARK : inkOn(colour);
  brush.fillText(signOf(index, code), SIZE / 2, 16.4);
  return brush.getImageData(0, 0, board.width, board.height);
}

/** Whether stations are drawn on the map now; other maps and the paper have none. */
export const stationsShown = () => stations.length > 0 && [SYMBOLS, CIRCLES].some((id) => gl.getLayer(id) && gl.getLayoutProperty(id, "visibility") !== "none");

function imageOf(own) {
  const colour = indices[own.index]?.classes.find((one) => one.code === own.class)?.colour ?? "#8b949e";
  const name = `station ${own.index} ${own.class} ${own.stale}`;
  if (!gl.hasImage(name)) gl.addImage(name, picture(own.index, own.class, colour, own.stale), { pixelRatio: SHARP });
  return name;
}

function layers() {
  gl.addSource(SOURCE, { type: "geojson", data: EMPTY, promoteId: "key" });
  gl.addLayer({
    id: CIRCLES, type: "circle", source: SOURCE, layout: { visibility: "none" },
    paint: {
      "circle-color": ["coalesce", ["feature-state", "colour"], "#ffffff"],
      "circle-radius": ["coalesce", ["feature-state", "radius"], 3],
      "circle-opacity": ["coalesce", ["feature-state", "opacity"], 0.4],
      "circle-stroke-color": DARK, "circle-stroke-width": 0.8,
    },
  });
  gl.addLayer({
    id: SYMBOLS, type: "symbol", source: SOURCE,
    layout: { "icon-image": ["get", "image"], "icon-allow-overlap": true, "icon-ignore-placement": true, "symbol-sort-key": ["get", "rank"], "icon-size": ["interpolate", ["linear"], ["zoom"], 4, 0.6, 9, 1] },
  });
  gl.addLayer({
    id: NAMES, type: "symbol", source: SOURCE, minzoom: 8.5,
    layout: { "text-field": ["get", "name"], "text-font": ["Noto Sans Regular"], "text-size": 11.5, "text-offset": [0, 1.3], "text-anchor": "top", "text-max-width": 9, "text-optional": true },
    paint: { "text-color": "#1f2328", "text-halo-color": "#ffffff", "text-halo-width": 1.3 },
  });
}

const drawn = (id) => Boolean(gl.getLayer(id));

function visible(id, yes) {
  if (drawn(id)) gl.setLayoutProperty(id, "visibility", yes ? "visible" : "none");
}

/** Put stations on the map; `told` are the indices with their classes. */
export function setStations(features, told) {
  if (!drawn(SYMBOLS)) layers();
  [stations, indices] = [features, told];
  const last = features.length;
  const data = features.map((one, place) => ({
    type: "Feature", geometry: one.geometry,
    // The worst are drawn last, on top.
    properties: { key: one.id, name: stationName(one.properties), image: imageOf(one.properties), rank: last - place },
  }));
  gl.getSource(SOURCE).setData({ type: "FeatureCollection", features: data });
}

/** Show the stations as they are, as circles for a film, or not at all. */
export function showStations(how) {
  if (!drawn(SYMBOLS)) return;
  visible(SYMBOLS, how === "symbols");
  visible(NAMES, how !== "none");
  visible(CIRCLES, how === "circles");
}

/** Colour the circles by the classes of one moment: a map from station to class. */
export function setMoment(classOf, classes) {
  const looks = new Map(classes.map((one) => [one.code, { colour: one.colour, radius: 4.5 + 1.3 * one.code, opacity: 0.95 }]));
  const none = { colour: "#ffffff", radius: 3, opacity: 0.35 };
  for (const one of stations) gl.setFeatureState({ source: SOURCE, id: one.id }, looks.get(classOf.get(one.id)) ?? none);
}

/** The station drawn at a place of the map, topmost first, or null. */
export function stationAt(latlng, tolerance = 4) {
  const asked = [SYMBOLS, CIRCLES].filter((id) => drawn(id) && gl.getLayoutProperty(id, "visibility") !== "none");
  if (!asked.length) return null;
  const at = gl.project([latlng.lng, latlng.lat]);
  const box = [[at.x - tolerance, at.y - tolerance], [at.x + tolerance, at.y + tolerance]];
  const key = gl.queryRenderedFeatures(box, { layers: asked })[0]?.properties.key;
  return stations.find((one) => one.id === key) ?? null;
}

/** Which layer of the map lies below the stations' symbols. */
export const belowStations = () => (drawn(CIRCLES) ? CIRCLES : undefined);
