// Exercise mode: a frame and words that nobody can overlook, on every screen and on paper.

import { config, offers, on, t, words } from "../state.js";
import { button, byId, el } from "../dom.js";
import { leaflet, setFilter } from "../map.js";
import { ask } from "../request.js";
import { closeDialog, openDialog } from "../shell.js";
import { flow, go } from "./flow.js";

const ALL = "all";
const LAYER = "cap_alert";

/**
 * Maps show either what is in earnest or what is an exercise, never both; and an alert whose zone is drawn is not
 * drawn once more beneath it.
 */
export function filterAlerts(zone = flow.zone) {
  if (!config.layers.some((one) => one.id === LAYER)) return;
  const alert = zone?.alert;
  const own = alert ? `${alert.sender}|${alert.identifier}|` : null;
  const filters = [[flow.exercise ? "==" : "!=", ["get", "shown_as"], "Exercise"], ...(own ? [["!=", ["slice", ["get", "key"], 0, own.length], own]] : [])];
  setFilter(LAYER, ["all", ...filters]);
}

function mark() {
  const on_ = Boolean(flow.exercise);
  document.body.classList.toggle("exercise", on_);
  byId("exercise-band").hidden = !on_;
  byId("exercise-frame").hidden = !on_;
  byId("exercise-words").textContent = t("exercise_band");
  filterAlerts();
  leaflet.invalidateSize();
}

function enter(id) {
  go({ exercise: id, step: "alerts", recipe: null, zone: null, answer: null });
}

const leave = () => enter(null);

async function exercises(box) {
  try {
    const found = await ask("hazards", config.urls.exercises);
    const running = (found.exercises ?? []).filter((one) => one.state === "running");
    box.replaceChildren(...running.map((one) => el("button", { type: "button", className: "wide", onclick: () => { closeDialog(); enter(String(one.id)); } }, words(one.title))));
  } catch {
    box.replaceChildren();
  }
}

/** Ask before the page changes from what is real to what is not, and back. */
function toggle() {
  if (flow.exercise) return leave();
  const box = el("div", { className: "choices" });
  openDialog(t("exercise_title"), el("p", {}, t("exercise_about")), box, button("exercise_enter", () => { closeDialog(); enter(ALL); }, "primary wide"));
  if (offers("situation")) exercises(box);
  return undefined;
}

/** The button that enters or leaves the exercise. */
export const exerciseButton = () => button(flow.exercise ? "exercise_leave" : "exercise_enter_short", toggle, flow.exercise ? "primary" : "");

/** The exercise that answers of the situation are asked for; null where all exercises are meant or none. */
export const exerciseId = () => (flow.exercise && flow.exercise !== ALL ? flow.exercise : null);

/** Wire the mode. */
export function startExercise() {
  byId("exercise-leave").addEventListener("click", leave);
  on("flow", (change) => { if ("exercise" in change) mark(); });
  on("language", mark);
  mark();
}
