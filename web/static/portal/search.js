// The search in the bar: a text, a list that grows under it, and the way to what was chosen.

import { on, t } from "./state.js";
import { byId, el, notice } from "./dom.js";
import { fine } from "./format.js";
import { byAddress, find } from "./find.js";
import { goTo } from "./found.js";
import { asOf } from "./time/asked_time.js";

const PAUSE = 180;
let found = [];
let active = -1;
let pending = null;
let timer = null;

const field = () => byId("search-text");
const list = () => byId("search-list");
const drop = () => byId("search-drop");

/** The name with the characters that matched marked. */
function marked(one) {
  const letters = [...one.name];
  const pieces = [];
  let at = 0;
  for (const [begin, end] of one.marks ?? []) {
    pieces.push(letters.slice(at, begin).join(""), el("mark", {}, letters.slice(begin, end).join("")));
    at = end;
  }
  return [...pieces, letters.slice(at).join("")];
}

function option(one, number) {
  const other = one.other && one.other !== one.name ? el("span", { className: "hint" }, one.other) : null;
  const far = one.distance === undefined ? "" : one.distance >= 1000 ? ` · ${fine(one.distance / 1000)} km` : ` · ${fine(one.distance)} m`;
  return el("li", { id: `found-${number}`, role: "option", "aria-selected": "false", onpointerdown: (event) => event.preventDefault(), onclick: () => choose(number) },
    el("span", { className: "found-name" }, marked(one), other), el("span", { className: "hint" }, `${one.about}${far}`));
}

function open() {
  list().replaceChildren(...found.map(option));
  list().hidden = !found.length;
  drop().hidden = false;
  field().setAttribute("aria-expanded", "true");
  activate(-1);
}

function close() {
  drop().hidden = true;
  field().setAttribute("aria-expanded", "false");
  activate(-1);
}

function activate(number) {
  active = number;
  for (const line of list().querySelectorAll("[role=option]")) {
    const chosen = line.id === `found-${number}`;
    line.setAttribute("aria-selected", String(chosen));
    if (chosen) line.scrollIntoView({ block: "nearest" });
  }
  if (number < 0) field().removeAttribute("aria-activedescendant");
  else field().setAttribute("aria-activedescendant", `found-${number}`);
}

function choose(number) {
  const one = found[number];
  close();
  field().blur();
  goTo(one);
}

function show(q, answer) {
  found = answer.found;
  const notes = [found.length ? null : t("search_none", { q }), answer.failed ? t("search_partly") : null, asOf() && byAddress(q) ? t("as_of_search_now") : null];
  byId("search-note").textContent = notes.filter(Boolean).join(" ");
  byId("search-note").hidden = notes.every((one) => !one);
  open();
  byId("search-count").textContent = t("search_count", { n: found.length });
}

async function run() {
  const q = field().value.trim();
  pending?.abort();
  byId("search-clear").hidden = !q;
  if (!q) { found = []; close(); return false; }
  pending = new AbortController();
  const mine = pending;
  try {
    show(q, await find(q, mine.signal));
    return true;
  } catch (error) {
    if (error.name !== "AbortError") notice(error.message, "error");
    return false;
  }
}

function typed() {
  clearTimeout(timer);
  timer = setTimeout(run, PAUSE);
}

async function enter() {
  clearTimeout(timer);
  if (active >= 0) choose(active);
  else if (await run() && found.length) choose(0);
}

function clear() {
  field().value = "";
  run();
  field().focus();
}

function key(event) {
  const last = found.length - 1;
  const steps = { ArrowDown: () => activate(active >= last ? 0 : active + 1), ArrowUp: () => activate(active <= 0 ? last : active - 1), Enter: enter };
  if (event.key === "Escape") {
    // One step back: the list first, then the text, then the panels of the page.
    if (drop().hidden && !field().value) return;
    event.stopPropagation();
    if (drop().hidden) clear();
    else close();
  } else if (steps[event.key] && !event.isComposing) {
    event.preventDefault();
    if (event.key !== "Enter" && drop().hidden && found.length) open();
    else steps[event.key]();
  }
}

function focusSearch() {
  field().focus();
  field().select();
}

/** Wire the search. */
export function startSearch() {
  field().addEventListener("input", typed);
  field().addEventListener("keydown", key);
  field().addEventListener("focus", () => { if (found.length && field().value.trim()) open(); });
  field().addEventListener("blur", close);
  byId("search-clear").addEventListener("click", clear);
  on("search", focusSearch);
  on("language", () => { field().placeholder = t("search_hint"); if (field().value) run().then(close); });
}
