// What panels drew on the map: zones, measured lines, marks; as GeoJSON that is printed on top of the layers.

import { leaflet } from "../map.js";

const MOST = 200;
const MOST_PLACES = 20000;
const COLOUR = /^#[0-9a-f]{6}$/i;
const OWN = new Set();

/** Keep something that is drawn on the map out of what is printed. */
export const notPrinted = (layer) => OWN.add(layer);

const places = (coordinates) => (typeof coordinates[0] === "number" ? 1 : coordinates.reduce((sum, one) => sum + places(one), 0));

function featureOf(layer) {
  const geometry = layer.toGeoJSON(6)?.geometry;
  if (!geometry?.coordinates?.length) return null;
  const { color, dashArray } = layer.options;
  const properties = { ...(COLOUR.test(color ?? "") ? { colour: color } : {}), ...(dashArray ? { dashed: true } : {}) };
  return { type: "Feature", properties, geometry };
}

/** Lines and areas that lie in view, with a feature that is named before them; grids and the like are no drawings. */
export function drawnOnMap(first = null) {
  const view = leaflet.getBounds().pad(0.5);
  const features = first ? [first] : [];
  let room = MOST_PLACES - features.reduce((sum, one) => sum + places(one.geometry.coordinates), 0);
  leaflet.eachLayer((layer) => {
    if (!(layer instanceof L.Path) || OWN.has(layer) || layer.options.print === false || features.length >= MOST) return;
    const bounds = layer.getBounds?.() ?? L.latLngBounds([layer.getLatLng()]);
    if (!bounds.isValid() || !view.intersects(bounds)) return;
    const made = featureOf(layer);
    const size = made ? places(made.geometry.coordinates) : 0;
    if (!size || size > room) return;
    room -= size;
    features.push(made);
  });
  return { type: "FeatureCollection", features };
}
