// The hazards panel: one straight line from an alert to a report, and below it what has been observed.

import { config, on, t } from "./state.js";
import { button, el, notice, stateLine } from "./dom.js";
import { linked } from "./link.js";
import { nowNote } from "./time/now_note.js";
import { requestsOf } from "./request.js";
import { openPanel, openPanelName, redraw } from "./shell.js";
import { alertList } from "./emergency/alerts.js";
import { askImpact } from "./emergency/ask_impact.js";
import { openBoard } from "./emergency/board.js";
import { exerciseButton, filterAlerts, startExercise } from "./emergency/exercise.js";
import { flow, go, startFlow, STEPS } from "./emergency/flow.js";
import { impactView } from "./emergency/impact.js";
import { drawImpact } from "./emergency/impact_map.js";
import { startLive } from "./emergency/live.js";
import { hazardBlock } from "./emergency/observed.js";
import { startOfficers, stopOfficers } from "./emergency/officers.js";
import { plotBox } from "./emergency/plot.js";
import { reportView } from "./emergency/report.js";
import { forgetWay } from "./emergency/route.js";
import { openWall, startWall } from "./emergency/wall.js";
import { drawZone, fitZone } from "./emergency/zone_map.js";
import { takeFeature, zonePick } from "./emergency/zone_pick.js";
import { zoneView } from "./emergency/zone_view.js";
import { resolve } from "./emergency/zones.js";

const PANEL = "hazards";
const SLOW = 400;
const ASKED = ["impact", "report"];
let pending = null;
let failure = null;
let progress = null;
let placed = false;

const hazardLayers = () => config.layers.filter((layer) => layer.hazard && layer.hazard.role !== "alert");

/** The line of steps; those that can be gone to are buttons. */
function stepper() {
  const reachable = (step) => step === "alerts" || Boolean(flow.zone);
  const line = STEPS.map((step, place) => el("li", {}, el("button", { type: "button", disabled: !reachable(step), "aria-current": step === flow.step ? "step" : null, onclick: () => go({ step }) }, el("span", { className: "step-number", "aria-hidden": "true" }, place + 1), t(`step_${step}`))));
  return el("nav", { className: "steps", "aria-label": t("steps") }, el("ol", {}, line));
}

async function make(signal) {
  if (flow.recipe && !flow.zone) {
    const zone = await resolve(flow.recipe);
    if (signal.aborted) return;
    flow.zone = zone;
    drawZone("first", zone);
    filterAlerts();
    // An address that names a place is taken at its word, once.
    if (!placed) fitZone(zone);
    placed = false;
  }
  if (flow.zone && ASKED.includes(flow.step) && !flow.answer) {
    const answer = await askImpact(flow.zone, signal, (job) => { progress = job; });
    if (!signal.aborted) flow.answer = answer;
  }
}

/** Make what the step needs: the zone, then the answer. */
async function advance() {
  pending?.abort();
  const mine = new AbortController();
  pending = mine;
  failure = progress = null;
  try {
    await make(mine.signal);
  } catch (error) {
    if (mine.signal.aborted || error.name === "AbortError") return;
    failure = error.message;
  }
  if (mine.signal.aborted) return;
  pending = null;
  drawImpact(ASKED.includes(flow.step) ? flow.answer : null);
  if (openPanelName() === PANEL) redraw();
}

function wait(box) {
  const mine = pending;
  setTimeout(() => {
    if (pending !== mine || !box.isConnected) return;
    const key = flow.zone ? (progress ? "impact_job" : "impact_working") : "zone_working";
    box.replaceChildren(stateLine("loading", t(key)), el("progress", { "aria-label": t(key) }), button("cancel", () => { pending?.abort(); pending = null; go({ step: flow.zone && flow.step !== "zone" ? "zone" : "alerts" }); }));
  }, SLOW);
}

function firstStep() {
  const layers = hazardLayers();
  const tools = el("div", { className: "row wrap emergency-tools" }, button("board_open", openBoard), button("wall_open", openWall), exerciseButton());
  const observed = layers.length ? el("details", { className: "hazard observed", open: true }, el("summary", {}, el("h2", {}, t("observed"))), layers.map(hazardBlock)) : null;
  return [tools, alertList(), zonePick(), plotBox(), observed].filter(Boolean);
}

function content(box) {
  if (flow.step === "alerts" || !flow.recipe) return firstStep();
  if (failure) return [stateLine("error", failure, () => { advance(); redraw(); }), button("zone_other", () => go({ step: "alerts" }))];
  if (!flow.zone || (ASKED.includes(flow.step) && !flow.answer)) {
    wait(box);
    return [];
  }
  const views = { zone: () => zoneView(flow.zone), impact: () => impactView(flow.zone, flow.answer), report: () => reportView(flow.zone, flow.answer) };
  const made = flow.recipe.way === "alert" || (flow.recipe.way === "method" && flow.recipe.method !== "drawn");
  return [made ? nowNote("as_of_zone_made") : null, ...views[flow.step]()].filter(Boolean);
}

/** Draw the hazards panel. */
export function drawHazards(body) {
  startOfficers();
  const box = el("div", { className: `step step-${flow.step}` });
  body.append(stepper(), box);
  box.append(...content(box));
}

function changed(change) {
  if ("recipe" in change) {
    for (const name of ["first", "second"]) drawZone(name, null);
    forgetWay();
    drawImpact(null);
    filterAlerts();
  }
  if ("step" in change && flow.recipe) advance();
  if (openPanelName() !== PANEL) return;
  redraw();
  document.getElementById("panel-body").scrollTop = 0;
  if (change.step) document.getElementById("panel-title").focus({ preventScroll: true });
}

/** A zone and an answer are of the time that the map shows; the map stays where it is. */
function dated() {
  placed = Boolean(flow.recipe);
  if (flow.recipe) go({ step: flow.step, zone: null, answer: null });
  else if (openPanelName() === PANEL) redraw();
}

/** Wire the panel: the address is taken up, zones come from other panels, exercises and the wall are ready. */
export function startHazards() {
  startFlow();
  placed = Boolean(linked("map") && flow.recipe);
  startLive();
  startExercise();
  startWall();
  on("panel-closed", (name) => { if (name === PANEL) stopOfficers(); });
  on("flow", changed);
  on("as-of", dated);
  window.addEventListener("geoservice-emergency", ({ detail }) => {
    openPanel(PANEL);
    takeFeature(detail.layer, detail.key, detail.geometry);
  });
  addEventListener("offline", () => { if (requestsOf(PANEL).length) notice(t("live_offline"), "error"); });
  if (flow.recipe) advance();
}
