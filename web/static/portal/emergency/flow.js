// What the duty officer is at: in earnest or in an exercise, which zone, which step. All of it stands in the address.

import { announce } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";

export const STEPS = ["alerts", "zone", "impact", "report"];
const LONGEST = 4000;
const STORE = "geoservice-zone-";

/** `exercise` is null in earnest, else the id of an exercise (or "all"); `zone` is what `zones.js` made of `recipe`. */
export const flow = { step: "alerts", exercise: null, recipe: null, zone: null, answer: null };

/** A zone is named by its recipe, so that it can be made again: an alert, a kept zone, a place, or a method. */
function written(recipe) {
  if (!recipe) return null;
  const text = JSON.stringify(recipe);
  if (text.length <= LONGEST) return text;
  // A long recipe, such as the fixes of a track, would not fit an address; it lasts as long as the window.
  const name = String(text.length) + text.slice(-24).replaceAll(/\W/g, "");
  try {
    sessionStorage.setItem(STORE + name, text);
    return `@${name}`;
  } catch {
    return null;
  }
}

function read(text) {
  if (!text) return null;
  try {
    const found = text.startsWith("@") ? sessionStorage.getItem(STORE + text.slice(1)) : text;
    const recipe = JSON.parse(found);
    return typeof recipe?.way === "string" ? recipe : null;
  } catch {
    return null;
  }
}

/** Change something and tell everybody: `go({step: "impact"})`. */
export function go(change) {
  Object.assign(flow, change);
  writeLink();
  announce("flow", change);
}

/** Take up what the address says. */
export function startFlow() {
  flow.recipe = read(linked("zone"));
  flow.exercise = linked("exercise");
  const step = linked("step");
  flow.step = flow.recipe && STEPS.includes(step) ? step : "alerts";
  keepInLink("zone", () => written(flow.recipe));
  keepInLink("step", () => (flow.step === "alerts" ? null : flow.step));
  keepInLink("exercise", () => flow.exercise);
}
