// The address of the page tells what is seen: place, zoom, the layers that are on, and what panels put there.

import { config, on } from "./state.js";
import { fitBox, isShown, leaflet, setShown, shownLayers } from "./map.js";

const given = new URLSearchParams(location.hash.slice(1));
const parts = new Map();
let started = false;

/** What the address said under a name when the page was opened, or null. */
export const linked = (name) => given.get(name);

/**
 * Keep something in the address: `read` gives its text, or null when there is nothing to keep. `follow` brings back what
 * such a text tells, or takes it away with null; without it the page is loaded anew when another address tells otherwise.
 */
export const keepInLink = (name, read, follow = null) => parts.set(name, { read, follow });

/** Write the address anew, after something that is kept in it has changed. */
export function writeLink() {
  if (!started) return;
  const at = leaflet.getCenter();
  const ids = shownLayers().map((layer) => layer.id).join(",");
  const kept = [...parts].map(([name, { read }]) => [name, read()]).filter(([, value]) => value !== null && value !== "");
  const more = kept.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
  const here = new URL(location.href);
  here.hash = `map=${leaflet.getZoom().toFixed(2)}/${at.lat.toFixed(5)}/${at.lng.toFixed(5)}${more}&layers=${ids}`;
  history.replaceState(null, "", here);
}

/** Show what an address tells: place, zoom and layers; true when it named a place. */
function follow(told) {
  const [zoom, lat, lng] = (told.get("map") ?? "").split("/").map(Number);
  const named = [zoom, lat, lng].every(Number.isFinite) && told.has("map");
  const box = (told.get("box") ?? "").split(",").map(Number);
  const boxed = !named && told.has("box") && box.length === 4 && box.every(Number.isFinite);
  if (named) leaflet.setView([lat, lng], zoom, { animate: false });
  if (boxed) fitBox(box);
  if (told.has("layers")) {
    const wanted = new Set(told.get("layers").split(","));
    // A box shows some layers on the usual map; a view names all that are on.
    for (const layer of config.layers) {
      const want = (wanted.has(layer.id) && Boolean(layer.edition)) || (boxed && isShown(layer.id));
      if (want !== isShown(layer.id)) setShown(layer.id, want);
    }
  }
  return named || boxed;
}

/** Show what another address for this page tells: a bookmark, or what somebody wrote over the address. */
function followAnother() {
  const told = new URLSearchParams(location.hash.slice(1));
  // Addresses that name no view lead to one thing only, and leave the rest as it is.
  const whole = told.has("map");
  const other = [...parts].map(([name, part]) => ({ ...part, wanted: told.get(name), now: part.read() || null }))
    .filter(({ wanted, now }) => wanted !== now && (whole || wanted !== null));
  if (other.some(({ follow: bring }) => !bring)) {
    location.reload();
    return;
  }
  // A map that is taken away must not be moved any more.
  for (const { follow: bring, wanted } of other) bring(wanted);
  follow(told);
  writeLink();
}

/** Take the view from the address; true when it named a place. */
export const followLink = () => follow(given);

/** Keep the address up to date, once all that is kept in it has been read. */
export function startLink() {
  started = true;
  // What the page writes itself is not told.
  window.addEventListener("hashchange", followAnother);
  leaflet.on("moveend", writeLink);
  on("shown", writeLink);
}
