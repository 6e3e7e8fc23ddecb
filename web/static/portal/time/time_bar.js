// The time bar: one layer at a time is drawn step by step along its own time attribute.

import { address, config, layerById, on, t, words } from "../state.js";
import { button, el, iconButton, patiently, shape, stateLine } from "../dom.js";
import { atFoot } from "../foot.js";
import { moment, number } from "../format.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { closePanel, openPanelName, showRequests } from "../shell.js";
import { isShown, leaflet, setShown, shownLayers, tileZoom } from "../map.js";
import { ask } from "../request.js";
import { atTime } from "./asked_time.js";
import { hasTimes } from "./has_times.js";
import { countIn, stepsOf } from "./steps.js";
import { setWindow, windowFrom } from "./windows.js";

const PANEL = "time";
const WIDTHS = [["1", "time_width_1"], ["3", "time_width_3"], ["10", "time_width_10"], ["0", "time_width_0"]];
const MOST_COUNTED = 20_000;
const BEAT = 600;
const CALM_BEAT = 1500;
const HEIGHT = 34;
const NARROW = 700;
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const view = { layer: null, width: "0", at: null, steps: [], counts: null };
let bar = null;
let timer = null;
let latest = 0;

const candidates = () => shownLayers().filter(hasTimes);

function span() {
  const end = view.steps[view.at + 1];
  const begin = Number(view.width) ? view.steps[Math.max(0, view.at + 1 - Number(view.width))] : view.steps[0];
  return [begin, end];
}

const whole = () => view.width === "0" && view.at === view.steps.length - 2;

function told() {
  const [from, to] = span();
  return whole() ? t("time_all") : `${moment(new Date(from).toISOString())} – ${moment(new Date(to).toISOString())}`;
}

/** Draw the map in the window that is chosen, and say which one that is. */
function apply() {
  setWindow(view.layer, whole() ? null : span());
  const slider = bar.querySelector("#time-at");
  slider.value = view.at;
  slider.setAttribute("aria-valuetext", told());
  bar.querySelector("output").textContent = told();
  const [from] = span();
  for (const one of bar.querySelectorAll("[data-step]")) one.classList.toggle("in", Number(one.dataset.step) <= view.at && view.steps[one.dataset.step] >= from);
}

function go(at) {
  view.at = Math.max(0, Math.min(view.steps.length - 2, at));
  apply();
}

function rest() {
  writeLink();
}

function mark() {
  const toggle = bar?.querySelector("#time-play");
  if (!toggle) return;
  const made = iconButton(timer ? "stop" : "play", timer ? "time_stop" : "time_play", timer ? stop : start);
  made.id = "time-play";
  const focused = document.activeElement === toggle;
  toggle.replaceWith(made);
  if (focused) made.focus();
}

function stop() {
  clearInterval(timer);
  timer = null;
  mark();
  rest();
}

function start() {
  if (view.at >= view.steps.length - 2) go(0);
  timer = setInterval(() => (view.at >= view.steps.length - 2 ? stop() : go(view.at + 1)), calm ? CALM_BEAT : BEAT);
  mark();
}

function histogram(counts) {
  if (!counts) return null;
  const most = Math.max(1, ...counts);
  const width = 100 / counts.length;
  const box = shape("svg", { class: "time-density", viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  counts.forEach((count, place) => {
    const tall = count ? Math.max(1.5, (HEIGHT * count) / most) : 0;
    const one = shape("rect", { x: place * width, y: HEIGHT - tall, width: Math.max(width * 0.85, 0.2), height: tall });
    one.dataset.step = place;
    box.append(one);
  });
  return box;
}

function pick(id, key, options, value, change) {
  const made = el("select", { id, "aria-label": t(key) }, options.map(([name, said]) => el("option", { value: name, selected: name === value }, said)));
  made.addEventListener("change", () => change(made.value));
  return made;
}

function controls() {
  const layers = candidates();
  const step = (by, key, sign) => el("button", { type: "button", className: "square", "aria-label": t(key), title: t(key), onclick: () => { if (timer) stop(); go(view.at + by); rest(); } }, sign);
  const play = iconButton("play", "time_play", start);
  play.id = "time-play";
  return el("div", { className: "row wrap time-head" },
    pick("time-layer", "layer", layers.map((one) => [one.id, words(one.title)]), view.layer, (id) => openTimeBar(id)),
    el("span", { className: "row time-steps" }, step(-1, "time_step_back", "‹"), play, step(1, "time_step_on", "›")),
    pick("time-width", "time_width", WIDTHS.map(([name, key]) => [name, t(key)]), view.width, (width) => { view.width = width; apply(); rest(); }),
    el("output", { className: "time-told", htmlFor: "time-at" }), iconButton("close", "time_close", closeTimeBar));
}

function far() {
  const layer = layerById(view.layer);
  return tileZoom() < windowFrom(layer) ? t("time_far", { z: windowFrom(layer) }) : "";
}

function draw() {
  const slider = el("input", { type: "range", id: "time-at", min: 0, max: view.steps.length - 2, value: view.at, "aria-label": t("time_at") });
  slider.addEventListener("input", () => { if (timer) stop(); go(Number(slider.value)); });
  slider.addEventListener("change", rest);
  const total = view.counts ? el("span", { className: "hint" }, t("time_counted", { n: number(view.counts.reduce((sum, one) => sum + one, 0), 0) })) : null;
  bar.setAttribute("aria-label", t("time_bar"));
  bar.replaceChildren(controls(), el("div", { className: "time-track" }, histogram(view.counts), slider), el("div", { className: "row wrap" }, el("span", { className: "hint", id: "time-far" }, far()), el("span", { className: "push" }), total, button("api", () => showRequests(PANEL), "quiet")));
  apply();
}

/** The times of a raster's pictures are its steps; those of features are counted in steps that suit their span. */
async function prepare(layer) {
  const [first, last] = layer.edition.interval.map((text) => Date.parse(text));
  if (layer.kind === "raster") {
    const looks = await ask(PANEL, `${address(config.urls.collection, { id: layer.id })}/map/looks?f=json`);
    const times = [...new Set((looks.times ?? []).map((text) => Date.parse(text)))].sort((a, b) => a - b);
    return { steps: times.length ? [...times, Math.max(times.at(-1), last) + 1000] : stepsOf(first, last), counts: null };
  }
  const steps = stepsOf(first, last);
  if (!(layer.edition.features <= MOST_COUNTED)) return { steps, counts: null };
  const asked = new URLSearchParams({ properties: layer.time, skipGeometry: "true", limit: String(MOST_COUNTED) });
  const found = await ask(PANEL, atTime(`${address(config.urls.items, { id: layer.id })}?${asked}`));
  return { steps, counts: countIn(steps, found.features.map((one) => Date.parse(one.properties[layer.time])).filter(Number.isFinite)) };
}

/** Open the bar for a layer; `end` (milliseconds) is where it stands, the newest unless given. */
export async function openTimeBar(id, end = null, width = null) {
  const layer = layerById(id);
  if (!layer || !hasTimes(layer)) return;
  const mine = ++latest;
  if (timer) stop();
  if (view.layer && view.layer !== id) setWindow(view.layer, null);
  if (!isShown(id)) setShown(id, true);
  view.layer = id;
  if (innerWidth < NARROW && openPanelName()) closePanel();
  bar ??= atFoot(el("section", { className: "time-bar", id: "time-bar" }));
  const box = el("div", {});
  bar.replaceChildren(box);
  try {
    const made = await patiently(box, prepare(layer));
    if (mine !== latest || !bar) return;
    Object.assign(view, made, { width: width ?? (layer.kind === "raster" ? "1" : "0") });
    const place = end === null ? -1 : view.steps.findIndex((border) => border >= end);
    view.at = place > 0 ? place - 1 : view.steps.length - 2;
    draw();
    writeLink();
  } catch (error) {
    if (mine === latest && bar) bar.replaceChildren(stateLine("error", error.message, () => openTimeBar(id, end, width)), iconButton("close", "time_close", closeTimeBar));
  }
}

/** Close the bar; its layer is drawn whole again. */
export function closeTimeBar() {
  if (!bar) return;
  latest += 1;
  clearInterval(timer);
  timer = null;
  if (view.layer) setWindow(view.layer, null);
  view.layer = null;
  bar.remove();
  bar = null;
  writeLink();
}

function written() {
  if (!view.layer || view.at === null || !view.steps.length) return null;
  return [view.layer, view.width, new Date(view.steps[view.at + 1]).toISOString()].join("~");
}

function switched(id) {
  if (!bar) return;
  if (id === view.layer && !isShown(id)) closeTimeBar();
  else if (view.steps.length && view.at !== null && bar.querySelector("#time-at")) bar.querySelector("#time-layer").replaceWith(controls().querySelector("#time-layer"));
}

function follow(text) {
  const [id, width, end] = (text ?? "").split("~");
  if (!layerById(id)) closeTimeBar();
  else openTimeBar(id, Number.isFinite(Date.parse(end)) ? Date.parse(end) : null, WIDTHS.some(([name]) => name === width) ? width : null);
}

/** Take the bar from the address and keep it there. */
export function startTimeBar() {
  keepInLink("time", written, follow);
  on("time-bar", openTimeBar);
  on("shown", switched);
  on("language", () => { if (bar?.querySelector("#time-at")) draw(); });
  leaflet.on("zoomend", () => { const line = bar?.querySelector("#time-far"); if (line) line.textContent = far(); });
  follow(linked("time"));
}
