// What the catalogue shows; it stands in the address, so that a reload or a link brings it back.

import { announce } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";

export const PANEL = "catalogue";
const FIRST = { text: "", theme: "", authority: "", clearance: "", state: "", sort: "title" };
const LONGEST = 200;

/** Everything that can be chosen; an empty text is all. */
export const view = { ...FIRST };

/** Change what is shown, keep it in the address, tell the panel. */
export function choose(changes) {
  Object.assign(view, changes);
  writeLink();
  announce("catalogue", changes);
}

/** Forget every filter. */
export const chooseAll = () => choose({ ...FIRST, sort: view.sort });

/** Whether anything is filtered. */
export const filtered = () => Object.entries(view).some(([name, value]) => name !== "sort" && value !== "");

function written() {
  const kept = new URLSearchParams(Object.entries(view).filter(([name, value]) => value !== FIRST[name]));
  return kept.size ? kept.toString() : null;
}

/** Take what the address says, and keep it there. */
export function readCatalogue() {
  for (const [name, value] of new URLSearchParams(linked("cat") ?? "")) {
    if (name in FIRST && value.length <= LONGEST) view[name] = value;
  }
  keepInLink("cat", written);
}
