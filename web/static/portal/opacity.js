// How opaque the reader wants each layer, kept in the address.

import { config } from "./state.js";
import { keepInLink, linked } from "./link.js";
import { setOpacity } from "./map.js";

const PERCENT = 100;
const wished = new Map();

/** Draw a layer as the reader wants it: 1 is as its style says, 0 is invisible. */
export function wishOpacity(id, share) {
  if (share === 1) wished.delete(id);
  else wished.set(id, share);
  setOpacity(id, share);
}

/** How the reader wants a layer: what panels thin out for a while is not meant. */
export const wishedOpacity = (id) => wished.get(id) ?? 1;

const written = () => [...wished].map(([id, share]) => `${id}:${Math.round(share * PERCENT)}`).join(",") || null;

/** Take shares in percent such as `road:50,river:80`; layers that are not named are drawn as their styles say. */
function take(text) {
  const told = new Map((text ?? "").split(",").map((part) => part.split(":")));
  for (const { id } of config.layers) {
    const percent = /^\d{1,3}$/.test(told.get(id) ?? "") ? Number(told.get(id)) : PERCENT;
    const share = Math.min(percent, PERCENT) / PERCENT;
    if (share !== wishedOpacity(id)) wishOpacity(id, share);
  }
}

/** Take what the address says, and keep it there. */
export function startOpacity() {
  keepInLink("opacity", written, take);
  if (linked("opacity")) take(linked("opacity"));
}
