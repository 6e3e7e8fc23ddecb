// The situation as events by region: from the service's board, or from the alerts in force where there is none.

import { config, t } from "../state.js";
import { ask } from "../request.js";
import { readAlerts } from "./alerts.js";
import { exerciseId } from "./exercise.js";
import { pathOf } from "./ask_impact.js";
import { flow } from "./flow.js";

const PANEL = "hazards";

/** Where an event leads: a recipe of its zone, or null. */
function recipeOf(event) {
  const id = (href, folder) => decodeURIComponent(pathOf(href).split(folder)[1]?.split(/[/?]/)[0] ?? "");
  const links = event.links ?? [];
  const alert = links.find((one) => one.rel === "alert" || /\/alerts\/[^/?]+(\?|$)/.test(one.href));
  if (alert) return { way: "alert", id: id(alert.href, "/alerts/") };
  const zone = links.find((one) => one.rel === "zone" && one.href.includes("/hazards/zones/"));
  if (zone) return { way: "kept", id: id(zone.href, "/hazards/zones/") };
  return event.impact ? { way: "place", body: event.impact } : null;
}

const event = (one) => ({ id: String(one.id ?? one.href), kind: one.kind ?? "alert", title: one.title, severity: one.severity ?? null, colour: one.colour ?? null, status: one.status ?? (one.exercise ? "Exercise" : "Actual"), since: one.since ?? null, until: one.until ?? null, recipe: recipeOf(one) });

const ofAlert = (one) => ({ id: one.id, kind: "alert", title: one.headline, severity: one.severity, colour: one.colour ?? null, status: one.status, since: one.begins, until: one.ends, recipe: { way: "alert", id: one.id } });

/** Regions with their events, worst first. */
export async function readSituation() {
  const exercise = exerciseId();
  // An exercise that has no board of its own is known by its alerts alone.
  if (flow.exercise && !exercise) return [{ name: null, events: (await readAlerts()).map(ofAlert) }];
  const asked = exercise ? `?exercise=${encodeURIComponent(exercise)}` : "";
  const board = await ask(PANEL, `${config.urls.situation}${asked}`);
  return (board.regions ?? []).map((one) => ({ name: one.title ?? one.label ?? one.name ?? { zh: t("region_none"), en: t("region_none") }, code: one.adcode ?? one.code ?? null, events: (one.events ?? []).map(event) }));
}
