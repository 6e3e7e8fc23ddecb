// What the statistics panel shows; it stands in the address, so that a reload or a link brings it back.

import { announce } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";

export const PANEL = "statistics";
export const METHODS = ["quantile", "natural", "equal"];
export const PER = ["none", "area", "head"];
export const UNITS = { ha: 1e-4, mu: 3 / 2000, km2: 1e-6 };
const FIRST = { subject: "", measure: "", only: "", level: "", within: "", per: "none", unit: "ha", method: "quantile", number: "5", then: "", chosen: "", sort: "value", down: "yes" };
const ALLOWED = { method: METHODS, per: PER, unit: Object.keys(UNITS), number: ["3", "4", "5", "6", "7"], down: ["yes", "no"] };
const LONGEST = 200;

/** Everything that can be chosen; an empty text is what suits. */
export const view = { ...FIRST };

/** Change what is shown, keep it in the address, tell the panel. */
export function choose(changes) {
  Object.assign(view, changes);
  writeLink();
  announce("statistics", changes);
}

function written() {
  const kept = new URLSearchParams(Object.entries(view).filter(([name, value]) => value !== FIRST[name]));
  return kept.size ? kept.toString() : null;
}

/** Take what the address says, and keep it there. */
export function readStatistics() {
  for (const [name, value] of new URLSearchParams(linked("stats") ?? "")) {
    if (name in FIRST && value.length <= LONGEST && (!ALLOWED[name] || ALLOWED[name].includes(value))) view[name] = value;
  }
  if (view.then && Number.isNaN(Date.parse(view.then))) view.then = "";
  keepInLink("stats", written);
}
