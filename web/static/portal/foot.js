// Bars that stand at the foot of the map, one above the other, beside whatever panel is open.

import { el } from "./dom.js";

let box = null;

/** Put a bar there; it leaves by `remove()`. */
export function atFoot(bar) {
  if (!box) {
    box = el("div", { className: "foot", id: "foot" });
    document.getElementById("notices").before(box);
  }
  bar.classList.add("foot-bar");
  box.append(bar);
  return bar;
}
