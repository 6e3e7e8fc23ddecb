// What the environment panel shows; it stands in the address, so that a reload or a link brings it back.

import { announce } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";

export const PANEL = "environment";
export const TABS = ["stations", "events", "film", "surface"];
const FIRST = { tab: "stations", shown: "yes", theme: "", property: "", division: "", at: "", station: "", code: "", step: "hour", span: "7", days: "7", standard: "", index: "aqi", back: "1", frame: "", method: "kriging", of: "value" };
const LONGEST = 200;

/** Everything that can be chosen; an empty text is "all" or "now". */
export const view = { ...FIRST };

/** Change what is shown, keep it in the address, tell the others. */
export function choose(changes) {
  Object.assign(view, changes);
  writeLink();
  announce("environment", changes);
}

function written() {
  const kept = new URLSearchParams(Object.entries(view).filter(([name, value]) => value !== FIRST[name]));
  return kept.size ? kept.toString() : null;
}

/** Take what the address says, and keep it there. */
export function startView() {
  for (const [name, value] of new URLSearchParams(linked("env") ?? "")) {
    if (name in FIRST && value.length <= LONGEST) view[name] = value;
  }
  if (!TABS.includes(view.tab)) view.tab = FIRST.tab;
  if (view.at && Number.isNaN(Date.parse(view.at))) view.at = "";
  keepInLink("env", written);
}

/** The time that is shown, in milliseconds: now, or the one that was chosen. */
export const shownTime = () => (view.at ? Date.parse(view.at) : Date.now());

/** A time as the service reads it. */
export const utc = (time) => new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
