// Legend swatches from the classes that the layer file gives.

import { layerById, t, words } from "./state.js";
import { el, shape } from "./dom.js";
import { number } from "./format.js";
import { classCounts, gl } from "./map.js";

const LONG = 10;
let turn = 0;

function frame(width = 22) {
  return shape("svg", { class: "swatch", width, height: 16, viewBox: `0 0 ${width} 16`, "aria-hidden": "true" });
}

function filled(item) {
  const box = frame();
  const edge = item.outline ?? "none";
  box.append(shape("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: item.colour, "fill-opacity": item.hatch ? 0.15 : 0.85, stroke: item.hatch ? item.colour : edge, "stroke-width": 1 }));
  if (item.hatch) for (const x of [0, 6, 12, 18]) box.append(shape("path", { d: `M${x} 14L${x + 8} 2`, stroke: item.colour, "stroke-width": 1.4 }));
  return box;
}

function lined(item) {
  const box = frame();
  const width = Math.min(Math.max(item.width, 1.5), 6);
  if (item.outline) box.append(shape("path", { d: "M1 8H21", stroke: item.outline, "stroke-width": width + 1.6 }));
  box.append(shape("path", { d: "M1 8H21", stroke: item.colour, "stroke-width": width, ...(item.dash ? { "stroke-dasharray": "4 2.5" } : {}) }));
  return box;
}

function round(item) {
  const box = frame();
  box.append(shape("circle", { cx: 11, cy: 8, r: 5, fill: item.colour, stroke: "#5b5b5b", "stroke-width": 0.8 }));
  return box;
}

function ramp(item) {
  const box = frame(96);
  const step = 96 / item.colours.length;
  item.colours.forEach((colour, place) => box.append(shape("rect", { x: place * step, y: 2, width: step + 0.5, height: 12, fill: colour })));
  return box;
}

const DRAW = { fill: filled, line: lined, circle: round, ramp, image: filled };

/** One swatch. */
export const swatch = (item) => DRAW[item.shape](item);

/** The legend of a layer as a list. A single class needs no words beside the layer's own title. */
export function legendList(layer) {
  if (layer.legend.length < 2 && layer.legend[0]?.shape !== "ramp") return null;
  const list = el("ul", { className: "legend", "aria-label": t("legend_of", { what: words(layer.title) }), dataset: { legend: layer.id } }, layer.legend.map(line));
  const none = el("p", { className: "hint legend-none", hidden: true }, t("legend_none"));
  const box = el("div", {}, list, none);
  requestAnimationFrame(() => (layer.legendBy ? countInView(layer, box) : reachable(list)));
  return box;
}

function line(item) {
  const name = words(item.label);
  const code = item.code && item.code.toLowerCase() !== name.toLowerCase() ? el("span", { className: "code" }, item.code) : null;
  return el("li", { dataset: { code: item.code ?? "" } }, swatch(item), el("span", { className: "legend-name" }, name, code), el("span", { className: "count number" }));
}

/** Long legends show only the classes in view; all legends of codes show how many features are in view. */
async function countInView(layer, box) {
  // While tiles are under way nothing can be said; the map tells when it has come to rest.
  if (!gl.areTilesLoaded()) return;
  const mine = turn;
  const counts = await classCounts(layer, () => mine !== turn || !box.isConnected);
  if (!counts) return;
  const long = layer.legend.length > LONG;
  let seen = 0;
  for (const one of box.querySelectorAll("li")) {
    const count = counts.get(one.dataset.code) ?? 0;
    one.hidden = long && !count;
    one.querySelector(".count").textContent = count ? number(count, 0) : "";
    seen += count ? 1 : 0;
  }
  box.querySelector(".legend-none").hidden = !long || seen > 0;
  reachable(box.firstChild);
}

/** A list that has to be scrolled can be reached by the keyboard. */
function reachable(list) {
  if (list.scrollHeight > list.clientHeight) list.tabIndex = 0;
  else list.removeAttribute("tabindex");
}

/** Count again whenever the map has come to rest, and no longer than it rests. */
export function startLegend() {
  gl.on("movestart", () => { turn += 1; });
  gl.on("idle", () => {
    turn += 1;
    for (const list of document.querySelectorAll("[data-legend]")) {
      const layer = layerById(list.dataset.legend);
      if (layer.legendBy) countInView(layer, list.parentElement);
    }
  });
}
