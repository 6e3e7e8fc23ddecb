// Swipe: the second map lies over the first one and is cut off at a line that can be drawn along.

import { t } from "../state.js";
import { el } from "../dom.js";
import { leaflet } from "../map.js";
import { secondMap } from "./side.js";

const PANE = "compare";
const ABOVE_TILES = "250";
const STEP = 1;
const LEAP = 10;
const clamp = (value) => Math.min(100, Math.max(0, value));

function clip(pane, share) {
  const size = leaflet.getSize();
  const [from, to] = [leaflet.containerPointToLayerPoint([(size.x * share) / 100, 0]), leaflet.containerPointToLayerPoint(size)];
  pane.style.clipPath = `polygon(${from.x}px ${from.y}px, ${to.x}px ${from.y}px, ${to.x}px ${to.y}px, ${from.x}px ${to.y}px)`;
}

function handle(get, set) {
  const line = el("div", { className: "swipe", id: "swipe", role: "slider", tabIndex: 0, "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": t("compare_line") }, el("span", { className: "swipe-knob", "aria-hidden": "true" }, "‹ ›"));
  const at = (event) => { const box = leaflet.getContainer().getBoundingClientRect(); return ((event.clientX - box.left) / box.width) * 100; };
  line.addEventListener("pointerdown", (event) => { line.setPointerCapture(event.pointerId); event.preventDefault(); line.focus(); });
  line.addEventListener("pointermove", (event) => { if (line.hasPointerCapture(event.pointerId)) set(at(event)); });
  const keys = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -LEAP, PageUp: LEAP, Home: -100, End: 100 };
  line.addEventListener("keydown", (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    event.stopPropagation();
    set(get() + keys[event.key] * (event.shiftKey ? LEAP : 1));
  });
  L.DomEvent.disableClickPropagation(line);
  return line;
}

/** Start swiping; `view.at` (0 to 100) is where the line stands. Returns what the comparison needs to know of it. */
export function startSwipe(view, moved) {
  const pane = leaflet.getPane(PANE) ?? leaflet.createPane(PANE);
  pane.style.zIndex = ABOVE_TILES;
  pane.style.pointerEvents = "none";
  const made = secondMap(leaflet, view.right, { pane: PANE });
  const draw = () => {
    clip(pane, view.at);
    line.style.left = `${view.at}%`;
    line.setAttribute("aria-valuenow", Math.round(view.at));
    line.setAttribute("aria-valuetext", t("compare_line_at", { n: Math.round(view.at) }));
  };
  const line = handle(() => view.at, (share) => { view.at = clamp(share); draw(); moved(); });
  leaflet.getContainer().append(line);
  leaflet.on("move zoomend resize viewreset", draw);
  draw();
  return {
    gl: made.getMaplibreMap(),
    covers: (latlng) => leaflet.latLngToContainerPoint(latlng).x > (leaflet.getSize().x * view.at) / 100,
    focus: () => line.focus(),
    end() {
      leaflet.off("move zoomend resize viewreset", draw);
      made.remove();
      line.remove();
      pane.style.clipPath = "";
    },
  };
}
