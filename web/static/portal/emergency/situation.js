// The situation as events by region: from the service's board, or from the alerts in force where there is none.

import { config, offers } from "../state.js";
import { ask } from "../request.js";
import { readAlerts } from "./alerts.js";
import { exerciseId } from "./exercise.js";
import { pathOf } from "./ask_impact.js";
import { flow } from "./flow.js";

const PANEL = "hazards";

/** Where an event leads: a recipe of its zone, or null. */
function recipeOf(event) {
  const linked = (folder) => (event.links ?? []).map((one) => pathOf(one.href).match(new RegExp(`${folder}/([^/?]+)`))?.[1]).find(Boolean);
  const alert = linked("/alerts");
  if (alert) return { way: "alert", id: decodeURIComponent(alert) };
  const zone = linked("/hazards/zones");
  if (zone) return { way: "kept", id: decodeURIComponent(zone) };
  const made = event.makeZone && pathOf(event.makeZone.href).match(/\/hazards\/zones\/([^/?]+)/)?.[1];
  return made ? { way: "method", method: made, body: event.makeZone.body } : null;
}

const ofBoard = (one) => ({ id: one.id, kind: one.kind, title: one.title, severity: one.severity ?? null, colour: one.colour ?? null, status: one.exercise ? "Exercise" : (one.status ?? "Actual"), since: one.since ?? null, until: one.until ?? null, recipe: recipeOf(one) });

const ofAlert = (one) => ({ id: one.id, kind: "alert", title: one.headline, severity: one.severity, colour: one.colour ?? null, status: one.status, since: one.begins, until: one.ends, recipe: { way: "alert", id: one.id } });

const alertsAlone = async () => [{ name: null, events: (await readAlerts()).map(ofAlert) }];

/** Regions with their events, worst first. */
export async function readSituation() {
  const exercise = exerciseId();
  // Without an exercise of its own, what is played is known by its alerts alone.
  if ((flow.exercise && !exercise) || !offers("situation")) return alertsAlone();
  const board = await ask(PANEL, `${config.urls.situation}${exercise ? `?exercise=${encodeURIComponent(exercise)}` : ""}`);
  const byId = new Map(board.events.map((one) => [one.id, ofBoard(one)]));
  return board.regions.map((one) => ({ name: one.title, events: one.events.map((id) => byId.get(id)).filter(Boolean) }));
}
