// Comparing: two maps by a swipe or side by side, each with its own date and layers, or what changed between two dates.

import { announce, config, on, t, words } from "../state.js";
import { button, byId, el, iconButton } from "../dom.js";
import { atFoot } from "../foot.js";
import { moment } from "../format.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { setViewOf } from "../map.js";
import { closePanel, openDialog, openPanelName, showRequests } from "../shell.js";
import { chooseInstant } from "../time/as_of.js";
import { asOf, passed, setAsOf } from "../time/asked_time.js";
import { stationsShown } from "../environment/marks.js";
import { choroplethShown } from "../statistics/choropleth.js";
import { startBeside } from "./beside.js";
import { endChanges, changesPart, PANEL, startChanges } from "./changes.js";
import { layersOf, onSide, styleOf } from "./side.js";
import { startSwipe } from "./swipe.js";

const MODES = ["swipe", "beside", "changes"];
const NARROW = 700;
const view = { mode: null, at: 50, right: { asOf: null, layers: null }, changes: { layer: null, from: null, to: null } };
let second = null;
let bar = null;
let awaited = false;

const dateWords = (text) => (text ? moment(text) : t("as_of_now"));

function dateButton(key, value, put) {
  const made = el("button", { type: "button", className: "compare-date", dataset: { date: key } }, `${t(key)}: `, el("strong", {}, dateWords(value)));
  made.addEventListener("click", () => chooseInstant(t(key), value, put));
  return made;
}

/** Draw the second map anew; many changes of one moment are one. */
function restyle() {
  if (!second || awaited) return;
  awaited = true;
  queueMicrotask(() => {
    awaited = false;
    second?.gl.setStyle(styleOf(view.right));
  });
}

function changeRight(changes) {
  Object.assign(view.right, changes);
  restyle();
  settle();
}

function layerDialog() {
  const lines = config.layers.filter((layer) => layer.edition).map((layer) => el("label", { className: "choice" },
    el("input", { type: "checkbox", checked: onSide(layer.id, view.right), value: layer.id }), words(layer.title)));
  const box = el("fieldset", { className: "compare-layers" }, el("legend", { className: "hint" }, t("compare_layers_lead")), lines);
  box.addEventListener("change", () => changeRight({ layers: [...box.querySelectorAll("input:checked")].map((one) => one.value) }));
  const same = button("compare_same_layers", () => { changeRight({ layers: null }); byId("dialog").close(); });
  openDialog(t("compare_layers"), el("div", { className: "row wrap" }, same), box);
}

function modeButtons() {
  return el("div", { className: "segments", role: "group", "aria-label": t("compare_mode") }, MODES.map((mode) => el("button",
    { type: "button", "aria-pressed": String(view.mode === mode), dataset: { mode }, onclick: () => startCompare(mode) }, t(`compare_${mode}`))));
}

function sides() {
  const more = view.right.layers ? t("compare_layers_own", { n: layersOf(view.right).length }) : t("compare_layers_same");
  return el("div", { className: "row wrap compare-sides" },
    dateButton("compare_left", asOf(), (text) => setAsOf(text)), dateButton("compare_right", view.right.asOf, (text) => changeRight({ asOf: text })),
    el("button", { type: "button", className: "compare-own-layers", onclick: layerDialog }, more));
}

/** What the second map leaves out of what the first one shows. */
function leftOut() {
  const keys = [choroplethShown() && asOf() !== view.right.asOf ? "compare_no_figures" : null, stationsShown() ? "compare_no_stations" : null];
  return keys.filter(Boolean).map((key) => el("p", { className: "hint", dataset: { left: key } }, t(key)));
}

/** Names on the map itself, so that nobody takes one side for the other. */
function tags() {
  for (const one of document.querySelectorAll(".compare-tag")) one.remove();
  if (!second) return;
  const [left, right] = [["left", asOf()], ["right", view.right.asOf]].map(([side, time]) => el("span", { className: `compare-tag compare-tag-${side}`, "aria-hidden": "true" }, dateWords(time)));
  document.body.append(left, right);
  place();
}

function place() {
  const line = view.mode === "swipe" ? byId("swipe")?.getBoundingClientRect() : byId("second-map")?.getBoundingClientRect();
  const [left, right] = [document.querySelector(".compare-tag-left"), document.querySelector(".compare-tag-right")];
  if (!line || !left) return;
  const stacked = view.mode === "beside" && innerWidth < NARROW;
  const x = view.mode === "swipe" ? line.left + line.width / 2 : line.left;
  left.style.right = stacked ? "8px" : `${innerWidth - x + 8}px`;
  right.style.left = stacked ? "auto" : `${x + 8}px`;
  right.style.right = stacked ? "8px" : "auto";
  right.style.top = stacked ? `${line.top + 8}px` : "";
}

function drawBar() {
  const before = document.activeElement?.dataset?.mode;
  const head = el("div", { className: "row compare-head" }, modeButtons(), el("span", { className: "push" }), button("api", () => showRequests(PANEL), "quiet"), iconButton("close", "compare_end", endCompare));
  const content = view.mode === "changes" ? [changesPart(view.changes, settle)] : [sides(), ...leftOut()];
  if (!bar) {
    bar = atFoot(el("section", { className: "compare-bar", id: "compare-bar" }));
  }
  bar.setAttribute("aria-label", t("compare_title_map"));
  bar.replaceChildren(head, ...content);
  if (before) bar.querySelector(`[data-mode="${before}"]`)?.focus();
}

/** After a change: the bar, the names of the sides and the address say how it is now. */
function settle() {
  if (!view.mode) return;
  drawBar();
  tags();
  writeLink();
}

function stop() {
  second?.end();
  second = null;
  setViewOf(null);
  endChanges();
  for (const one of document.querySelectorAll(".compare-tag")) one.remove();
  document.body.classList.remove("comparing");
}

const STARTS = {
  swipe: () => startSwipe(view, () => { place(); writeLink(); }),
  beside: () => startBeside(view),
  changes: () => { startChanges(view.changes, settle); return null; },
};

/** Start comparing in a mode, or change to another one. */
export function startCompare(mode) {
  stop();
  // Coloured statistics go with their panel, which has the legend: both maps keep them where there is room for it.
  const kept = choroplethShown() && mode !== "changes" && innerWidth >= NARROW;
  if (openPanelName() && !kept) closePanel();
  view.mode = mode;
  document.body.classList.add("comparing");
  second = STARTS[mode]();
  setViewOf((latlng) => (second?.covers(latlng) ? { gl: second.gl, when: view.right.asOf, layers: view.right.layers } : null));
  settle();
  announce("compare", mode);
}

/** End the comparison and forget its second map. */
export function endCompare() {
  if (!view.mode) return;
  stop();
  view.mode = null;
  bar?.remove();
  bar = null;
  writeLink();
  announce("compare", null);
}

function written() {
  if (!view.mode) return null;
  const { mode, at, right, changes } = view;
  return JSON.stringify(mode === "changes" ? { mode, ...changes } : { mode, at: Math.round(at), ...right });
}

function read(text) {
  try {
    const told = JSON.parse(text ?? "null");
    return MODES.includes(told?.mode) ? told : null;
  } catch {
    return null;
  }
}

function follow(text) {
  const told = read(text);
  if (!told) {
    endCompare();
    return;
  }
  if (Number.isFinite(told.at)) view.at = Math.min(100, Math.max(0, told.at));
  const known = new Set(config.layers.map((layer) => layer.id));
  view.right = { asOf: passed(told.asOf), layers: Array.isArray(told.layers) ? told.layers.filter((id) => known.has(id)) : null };
  view.changes = { layer: known.has(told.layer) ? told.layer : null, from: passed(told.from), to: passed(told.to) };
  startCompare(told.mode);
}

/** Take a comparison from the address, and keep it there. */
export function startComparing() {
  keepInLink("compare", written, follow);
  on("compare-start", startCompare);
  on("back", endCompare);
  for (const event of ["shown", "order", "tile-query", "time-window", "opacity", "language", "choropleth"]) on(event, restyle);
  on("choropleth", () => { if (view.mode) drawBar(); });
  for (const event of ["as-of", "language"]) on(event, settle);
  addEventListener("resize", place);
  follow(linked("compare"));
}
