// What passes a filter, drawn from its rows where the map is zoomed out too far for tiles that answer conditions.

import { config, on } from "../state.js";
import { showFeature } from "../identify.js";
import { isShown, leaflet, opacityOf, tileZoom } from "../map.js";
import { ask } from "../request.js";
import { announceMany, filterOf, tooFar } from "./filters.js";
import { PANEL, asked, itemsOf, viewBox } from "./rows.js";

const MOST = 2000;
const board = L.canvas({ padding: 0.2, tolerance: 4 });
const drawn = new Map();
const pending = new Map();

function colourOf(layer, properties) {
  const code = layer.legendBy ? String(properties[layer.legendBy]) : null;
  return (layer.legend.find((one) => one.code === code) ?? layer.legend[0])?.colour ?? "#0078ff";
}

function styleOf(layer, properties, line) {
  const colour = colourOf(layer, properties);
  const share = opacityOf(layer.id);
  return { renderer: board, color: line ? colour : "#4a4a4a", weight: line ? 3 : 0.8, opacity: share, fillColor: colour, fillOpacity: 0.75 * share, interactive: true };
}

function shapes(layer, features) {
  const click = (feature) => (event) => {
    L.DomEvent.stopPropagation(event);
    showFeature({ layer, key: String(feature.id), properties: feature.properties, geometry: feature.geometry }, [], event.latlng);
  };
  return L.geoJSON(features.filter((one) => one.geometry), {
    style: (feature) => styleOf(layer, feature.properties, feature.geometry.type.endsWith("LineString")),
    pointToLayer: (feature, at) => L.circleMarker(at, { ...styleOf(layer, feature.properties, false), radius: 5 }),
    onEachFeature: (feature, shape) => shape.on("click", click(feature)),
  });
}

function clear(id) {
  pending.get(id)?.abort();
  pending.delete(id);
  drawn.get(id)?.remove();
  drawn.delete(id);
  announceMany(id, false);
}

async function draw(layer) {
  pending.get(layer.id)?.abort();
  const mine = new AbortController();
  pending.set(layer.id, mine);
  const condition = `(${filterOf(layer.id)}) AND S_INTERSECTS(geometry, ${viewBox()})`;
  try {
    const found = await ask(PANEL, `${itemsOf(layer)}?${asked({ limit: MOST, filter: condition, "zoom-level": Math.max(0, Math.round(tileZoom())) })}`, null, mine.signal);
    if (pending.get(layer.id) !== mine) return;
    clear(layer.id);
    // A part of what passes would look like all of it.
    const many = found.links.some((one) => one.rel === "next");
    announceMany(layer.id, many);
    if (!many) drawn.set(layer.id, shapes(layer, found.features).addTo(leaflet));
  } catch (error) {
    if (error.name !== "AbortError") clear(layer.id);
  }
}

/** Draw, or take away, for every layer. */
function renew() {
  for (const layer of config.layers) {
    if (layer.kind === "vector" && filterOf(layer.id) && isShown(layer.id) && tooFar(layer)) draw(layer);
    else if (drawn.has(layer.id) || pending.has(layer.id)) clear(layer.id);
  }
}

/** Keep the drawing true while filters, layers and the map change. */
export function startOverview() {
  for (const name of ["filtered", "shown", "as-of"]) on(name, renew);
  leaflet.on("moveend", renew);
  renew();
}
