// The address of the page tells what is seen: place, zoom and the layers that are on.

import { config, on } from "./state.js";
import { fitBox, isShown, leaflet, setShown, shownLayers } from "./map.js";

function write() {
  const at = leaflet.getCenter();
  const ids = shownLayers().map((layer) => layer.id).join(",");
  const here = new URL(location.href);
  here.hash = `map=${leaflet.getZoom().toFixed(2)}/${at.lat.toFixed(5)}/${at.lng.toFixed(5)}&layers=${ids}`;
  history.replaceState(null, "", here);
}

/** Take the view from the address and keep the address up to date; true when it named a place. */
export function startLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  const [zoom, lat, lng] = (given.get("map") ?? "").split("/").map(Number);
  const named = [zoom, lat, lng].every(Number.isFinite) && given.has("map");
  const box = (given.get("box") ?? "").split(",").map(Number);
  const boxed = !named && given.has("box") && box.length === 4 && box.every(Number.isFinite);
  if (named) leaflet.setView([lat, lng], zoom, { animate: false });
  if (boxed) fitBox(box);
  const placed = named || boxed;
  if (given.has("layers")) {
    const wanted = new Set(given.get("layers").split(","));
    // A box shows some layers on the usual map; a view names all that are on.
    for (const layer of config.layers) {
      const want = (wanted.has(layer.id) && Boolean(layer.edition)) || (boxed && isShown(layer.id));
      if (want !== isShown(layer.id)) setShown(layer.id, want);
    }
  }
  leaflet.on("moveend", write);
  on("shown", write);
  return placed;
}
