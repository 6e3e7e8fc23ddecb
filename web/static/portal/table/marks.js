// What the table marks on the map: the row that is pointed at, and the rows that are chosen.

import { leaflet } from "../map.js";

const POINTED = "#0078ff";
const CHOSEN = "#c2008f";
const styleOf = (colour, fill) => ({ color: colour, weight: 3, fillColor: colour, fillOpacity: fill, interactive: false });
const board = L.canvas({ padding: 0.3 });
let pointed = null;
let chosen = null;

function shapes(features, style, renderer) {
  const pointToLayer = (_, at) => L.circleMarker(at, { ...style, radius: 8, renderer });
  const drawn = features.filter((one) => one.geometry).map((one) => ({ type: "Feature", geometry: one.geometry, properties: {} }));
  return L.geoJSON(drawn, { style: { ...style, renderer }, pointToLayer, interactive: false });
}

/** Mark the feature of the row that is pointed at; null takes the mark away. */
export function markPointed(feature) {
  pointed?.remove();
  pointed = feature ? shapes([feature], styleOf(POINTED, 0.12)).addTo(leaflet) : null;
}

/** Mark the features of the rows that are chosen. */
export function markChosen(features) {
  chosen?.remove();
  chosen = features.length ? shapes(features, styleOf(CHOSEN, 0.22), board).addTo(leaflet) : null;
}
