// The height of the pane at the bottom: dragged by its upper edge or moved by the arrow keys, remembered on this device.

import { recall, remember, t, on } from "../state.js";
import { el } from "../dom.js";
import { leaflet } from "../map.js";

const LEAST = 160;
const STEP = 40;
const FREE = 150;
const USUAL = { wide: 0.38, narrow: 0.56 };
let grip = null;

const most = () => Math.max(LEAST, innerHeight - FREE);
const fit = (height) => Math.round(Math.max(LEAST, Math.min(most(), height)));

function put(height) {
  const fitted = fit(height);
  document.body.style.setProperty("--dock-height", `${fitted}px`);
  for (const [name, value] of [["aria-valuenow", fitted], ["aria-valuemin", LEAST], ["aria-valuemax", most()]]) grip.setAttribute(name, value);
  return fitted;
}

function settle(height) {
  remember("dock", String(put(height)));
  leaflet.invalidateSize({ pan: false });
}

const now = () => Number(grip.getAttribute("aria-valuenow"));

function drag(event) {
  if (event.button !== 0) return;
  event.preventDefault();
  grip.setPointerCapture(event.pointerId);
  const [from, height] = [event.clientY, now()];
  const move = (next) => put(height + from - next.clientY);
  const stop = () => {
    grip.removeEventListener("pointermove", move);
    settle(now());
  };
  grip.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) grip.addEventListener(name, stop, { once: true });
}

function key(event) {
  const steps = { ArrowUp: now() + STEP, ArrowDown: now() - STEP, Home: most(), End: LEAST };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  settle(steps[event.key]);
}

/** Put the handle on top of the pane, and give the pane the height it had last. */
export function startSize(box) {
  grip = el("div", { className: "dock-grip", role: "separator", tabIndex: 0, "aria-orientation": "horizontal", "aria-label": t("table_size"), onpointerdown: drag, onkeydown: key });
  box.prepend(grip);
  put(Number(recall("dock")) || innerHeight * (innerWidth < 700 ? USUAL.narrow : USUAL.wide));
  addEventListener("resize", () => put(now()));
  on("language", () => grip.setAttribute("aria-label", t("table_size")));
}
