// Which layer lies upon which. Areas stay below lines, lines below points, and all below labels; a reader changes what
// lies upon what within these.

import { announce, config } from "./state.js";
import { drawn, gl, isShown, shownLayers } from "./map.js";
import { keepInLink, linked, writeLink } from "./link.js";

let stack = [...config.stack];

const slotOf = (one) => one.metadata.slot;
const isLabel = (one) => one.type === "symbol";
const slotsOf = (id) => new Set(drawn(id).filter((one) => !isLabel(one)).map(slotOf));

/** The shown layers that share a slot with one, from bottom to top, itself among them. */
function rivals(id) {
  const mine = slotsOf(id);
  return stack.filter((other) => other === id || (isShown(other) && [...slotsOf(other)].some((slot) => mine.has(slot))));
}

/** The layer next above (1) or below (-1) that one could change places with, or null. */
export function neighbour(id, step) {
  const all = rivals(id);
  return all[all.indexOf(id) + step] ?? null;
}

/** Layers from bottom to top. */
export const stacked = (layers) => [...layers].sort((one, other) => stack.indexOf(one.id) - stack.indexOf(other.id));

/** MapLibre layers of a style from bottom to top; those that belong to no collection stay below. */
export function stackedStyle(layers) {
  const own = layers.filter((one) => one.metadata?.layer);
  own.sort((one, other) => slotOf(one) - slotOf(other) || stack.indexOf(one.metadata.layer) - stack.indexOf(other.metadata.layer));
  return [...layers.filter((one) => !one.metadata?.layer), ...own];
}

/** Draw one slot anew in the order of the stack; what panels have drawn between slots stays where it is. */
function arrange(slot) {
  const all = stack.flatMap((id) => drawn(id).filter((one) => slotOf(one) === slot)).map((one) => one.id);
  const order = gl.getLayersOrder();
  const highest = Math.max(...all.map((id) => order.indexOf(id)));
  const above = order[highest + 1];
  for (const id of all) gl.moveLayer(id, above);
}

function draw() {
  for (const slot of new Set(stack.flatMap((id) => drawn(id).map(slotOf)))) arrange(slot);
  announce("order");
  writeLink();
}

/** Let a layer change places with the next above (1) or below (-1). */
export function shift(id, step) {
  const other = neighbour(id, step);
  if (!other) return;
  const [from, to] = [stack.indexOf(id), stack.indexOf(other)];
  [stack[from], stack[to]] = [other, id];
  draw();
}

const changed = () => stack.some((id, place) => id !== config.stack[place]);

/** Take the order of the address: the layers that it names lie as it says, in the places that they have among all. */
function take(text) {
  const told = [...new Set((text ?? "").split(","))].filter((id) => config.stack.includes(id));
  if (told.length < 2) return;
  const named = new Set(told);
  stack = config.stack.map((id) => (named.has(id) ? told.shift() : id));
  draw();
}

/** Keep the order in the address, once it is not the usual one. */
export function startStack() {
  keepInLink("order", () => (changed() ? stacked(shownLayers()).map((layer) => layer.id).join(",") : null), (text) => {
    stack = [...config.stack];
    draw();
    take(text);
  });
  take(linked("order"));
}
