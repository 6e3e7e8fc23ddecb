// Wall mode: the map, a clock, the alerts in force and four key figures, nothing else, and nobody at the keyboard.

import { config, on, t, words } from "../state.js";
import { byId, button, el, stateLine } from "../dom.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { closeDrawer, closePanel } from "../shell.js";
import { leaflet } from "../map.js";
import { levelMark, readAlerts, statusMark } from "./alerts.js";
import { askImpact } from "./ask_impact.js";
import { FIGURES, keyFigures } from "./figures.js";
import { filterAlerts } from "./exercise.js";
import { flow } from "./flow.js";
import { follow, heard, liveLine } from "./live.js";
import { figureCard } from "./numbers.js";
import { drawImpact } from "./impact_map.js";
import { drawZone, fitZone } from "./zone_map.js";
import { resolve, zoneTitle } from "./zones.js";

const MOST = 6;
const TURN = 30_000;
const SECOND = 1000;
let standing = false;
let stop = null;
let ticking = null;
let turning = null;
let place = 0;
let alerts = [];
let shown = null;

function tick() {
  const now = new Date();
  const locale = document.documentElement.lang;
  byId("wall-clock").replaceChildren(el("span", { className: "wall-time number" }, now.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })),
    el("span", { className: "wall-day" }, now.toLocaleDateString(locale, { dateStyle: "full" })));
}

function listed() {
  const line = (one, at) => el("li", { "aria-current": at === place ? "true" : null }, el("div", { className: "row wrap" }, levelMark(one), statusMark(one)), el("p", {}, words(one.headline)));
  const rest = alerts.length - MOST;
  byId("wall-alerts").replaceChildren(alerts.length ? el("ul", { className: "wall-list" }, alerts.slice(0, MOST).map(line)) : stateLine("empty", t(flow.exercise ? "alerts_none_exercise" : "alerts_none")),
    rest > 0 ? el("p", { className: "hint" }, t("more", { n: rest })) : "");
}

/** The map ends where the figures begin. */
function room() {
  document.body.style.setProperty("--wall-foot", `${byId("wall-figures").offsetHeight}px`);
  leaflet.invalidateSize();
}

/** The figures of the alert whose turn it is. */
async function show() {
  const box = byId("wall-figures");
  const alert = alerts[place];
  if (!alert) {
    shown = null;
    drawZone("first", null);
    drawImpact(null);
    box.replaceChildren();
    return room();
  }
  const mine = `${alert.id} ${document.documentElement.lang}`;
  if (mine === shown) return undefined;
  shown = mine;
  try {
    const zone = await resolve({ way: "alert", id: alert.id });
    if (shown !== mine) return undefined;
    drawZone("first", zone);
    drawImpact(null);
    filterAlerts(zone);
    fitZone(zone);
    const answer = await askImpact(zone);
    if (shown !== mine) return undefined;
    drawImpact(answer);
    const figures = keyFigures(answer);
    box.replaceChildren(el("h2", {}, zoneTitle(zone)), el("div", { className: "key-figures" }, FIGURES.map((_, at) => figureCard(figures[at], true))));
    room();
    fitZone(zone);
  } catch (error) {
    if (shown === mine) box.replaceChildren(stateLine("error", error.message));
    shown = null;
  }
  return undefined;
}

async function load() {
  try {
    alerts = (await readAlerts()).filter((one) => one.state === "active");
    heard();
  } catch (error) {
    heard(false);
    if (!alerts.length) byId("wall-alerts").replaceChildren(stateLine("error", error.message));
    return;
  }
  place = Math.min(place, Math.max(0, Math.min(alerts.length, MOST) - 1));
  listed();
  show();
}

function turn() {
  const many = Math.min(alerts.length, MOST);
  if (many < 2) return;
  place = (place + 1) % many;
  listed();
  show();
}

function enter() {
  if (standing) return;
  standing = true;
  closeDrawer();
  closePanel();
  document.body.classList.add("wall");
  byId("wall").hidden = false;
  byId("wall-live").replaceChildren(liveLine());
  byId("wall-leave").replaceChildren(button("wall_leave", closeWall));
  tick();
  ticking = setInterval(tick, SECOND);
  turning = setInterval(turn, TURN);
  stop = follow(load);
  load();
  leaflet.invalidateSize();
  writeLink();
}

/** Leave wall mode. */
export function closeWall() {
  if (!standing) return;
  standing = false;
  document.body.classList.remove("wall");
  byId("wall").hidden = true;
  for (const timer of [ticking, turning]) clearInterval(timer);
  stop?.();
  shown = null;
  drawZone("first", flow.zone);
  drawImpact(flow.answer);
  filterAlerts();
  if (document.fullscreenElement) document.exitFullscreen();
  leaflet.invalidateSize();
  writeLink();
}

/** Enter wall mode, over the whole screen where the browser lets it. */
export function openWall() {
  enter();
  document.documentElement.requestFullscreen?.().catch(() => {});
}

/** Wire wall mode: it stands in the address, so that a screen comes back to it by itself. */
export function startWall() {
  keepInLink("wall", () => (standing ? "1" : null));
  document.addEventListener("keydown", (event) => { if (standing && event.key === "Escape") { event.stopImmediatePropagation(); closeWall(); } }, true);
  on("language", () => { if (standing) { tick(); load(); } });
  if (linked("wall") && config.layers.length) enter();
}
