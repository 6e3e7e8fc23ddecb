// The catalogue: all collections that the reader may see, to be searched and filtered; what is overdue is one click away.

import { address, collectionById, config, currentLanguage, layerById, on, t, words } from "../state.js";
import { button, el, patiently, save, stateLine } from "../dom.js";
import { cycleWords } from "../cycle.js";
import { day, number } from "../format.js";
import { keepingFocus } from "../environment/focus.js";
import { fitBox, isShown, setShown } from "../map.js";
import { ask } from "../request.js";
import { openPanelName } from "../shell.js";
import { nowNote } from "../time/now_note.js";
import { hasRows, openTable } from "../table/entry.js";
import { asCsv } from "./table_file.js";
import { PANEL, choose, chooseAll, filtered, view } from "./view.js";

const STATES = ["overdue", "fresh", "empty"];
const CLEARANCES = ["public", "internal", "restricted"];
const SORTS = ["title", "oldest", "newest"];
let body = null;
let all = null;
let unfolded = innerWidth >= 700;

const stateOf = (one) => (!one.edition ? "empty" : one.freshness?.overdue ? "overdue" : "fresh");
const authorityOf = (one) => words(one.authority.name) || one.authority.kind;
const themeOf = (one) => (`theme_${one.theme}` in config.texts ? t(`theme_${one.theme}`) : one.theme);

const TESTS = {
  text: (one, wanted) => [one.id, one.titles.zh, one.titles.en, one.description, authorityOf(one), one.theme].join("\n").toLowerCase().includes(wanted.trim().toLowerCase()),
  theme: (one, wanted) => one.theme === wanted,
  authority: (one, wanted) => one.authority.kind === wanted,
  clearance: (one, wanted) => one.clearance === wanted,
  state: (one, wanted) => stateOf(one) === wanted,
};

const committed = (one) => (one.edition ? Date.parse(one.edition.committed) : -Infinity);
const ORDERS = {
  title: (a, b) => words(a.titles).localeCompare(words(b.titles)),
  oldest: (a, b) => (a.edition ? committed(a) : Infinity) - (b.edition ? committed(b) : Infinity),
  newest: (a, b) => committed(b) - committed(a),
};

const passing = () => all.filter((one) => Object.entries(TESTS).every(([name, test]) => !view[name] || test(one, view[name]))).sort(ORDERS[view.sort] ?? ORDERS.title);

function picker(id, key, options, name) {
  const made = el("select", { id }, options.map(([value, text]) => el("option", { value, selected: view[name] === value }, text)));
  made.addEventListener("change", () => choose({ [name]: made.value }));
  return el("div", { className: "cat-field" }, el("label", { htmlFor: id }, t(key)), made);
}

const distinct = (pairs) => [...new Map(pairs)].sort((a, b) => a[1].localeCompare(b[1]));

function filters() {
  const every = [["", t("cat_all")]];
  const input = el("input", { type: "text", id: "cat-text", value: view.text, maxLength: 100, spellcheck: false, autocomplete: "off", placeholder: t("cat_text_hint") });
  input.addEventListener("input", () => choose({ text: input.value }));
  const narrow = ["theme", "authority", "clearance"].some((name) => view[name]);
  const choices = el("details", { className: "fold", open: unfolded || narrow, ontoggle: () => { unfolded = choices.open; } }, el("summary", {}, t("cat_filters")), el("div", { className: "cat-filters" },
    picker("cat-theme", "cat_theme", [...every, ...distinct(all.map((one) => [one.theme, themeOf(one)]))], "theme"),
    picker("cat-authority", "authority", [...every, ...distinct(all.map((one) => [one.authority.kind, authorityOf(one)]))], "authority"),
    picker("cat-clearance", "clearance", [...every, ...CLEARANCES.filter((level) => all.some((one) => one.clearance === level)).map((level) => [level, t(level)])], "clearance"),
    picker("cat-state", "cat_state", [...every, ...STATES.map((state) => [state, t(`cat_${state}`)])], "state"),
    picker("cat-sort", "cat_sort", SORTS.map((sort) => [sort, t(`cat_sort_${sort}`)]), "sort")));
  return el("div", {}, el("div", { className: "cat-field" }, el("label", { htmlFor: "cat-text" }, t("cat_text")), input), choices);
}

function heading(shown) {
  const late = all.filter((one) => stateOf(one) === "overdue").length;
  const on_ = view.state === "overdue";
  const quick = el("button", { type: "button", id: "cat-overdue", "aria-pressed": String(on_), className: late ? "cat-late" : "", onclick: () => choose({ state: on_ ? "" : "overdue" }) }, t("cat_overdue_n", { n: number(late, 0) }));
  return el("div", { className: "row wrap cat-head" }, quick, filtered() ? button("cat_clear", chooseAll, "quiet") : null,
    el("span", { className: "hint", id: "cat-count", role: "status" }, t("cat_count", { n: number(shown.length, 0), of: number(all.length, 0) })));
}

const download = (shown) => save("catalogue.csv", new Blob([asCsv(shown)], { type: "text/csv;charset=utf-8" }));

/** Rows without geometry are opened as a table. */
function opener(one) {
  const found = collectionById(one.id);
  if (!found || found.kind !== "table" || !hasRows(found)) return null;
  return el("button", { type: "button", id: `cat-open-${one.id}`, onclick: () => openTable(one.id) }, t("table_open"));
}

function toggle(one) {
  const layer = layerById(one.id);
  if (!layer?.edition) return null;
  const shown = isShown(one.id);
  const made = el("button", { type: "button", id: `cat-add-${one.id}`, "aria-pressed": String(shown) }, t(shown ? "cat_remove" : "cat_add"));
  made.addEventListener("click", () => {
    setShown(one.id, !isShown(one.id));
    if (isShown(one.id) && layer.edition.bbox) fitBox(layer.edition.bbox);
    list();
  });
  return made;
}

function facts(one) {
  const rows = [["authority", authorityOf(one)], ["edition", one.edition ? `${t("edition_no", { n: one.edition.number })}, ${day(one.edition.committed)}` : t("no_data")],
    ["cycle", one.freshness?.due ? t("cat_cycle_due", { cycle: cycleWords(one.updateCycle), day: day(one.freshness.due) }) : cycleWords(one.updateCycle)],
    ["licence", `${t(one.licence.share)} · ${one.licence.basis}`], ["features", one.itemCount === undefined || !one.edition ? null : number(one.itemCount, 0)]];
  return el("dl", { className: "facts" }, rows.filter(([, value]) => value !== null).flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)]));
}

function entry(one) {
  const state = stateOf(one);
  const page = `${address(config.urls.collection, { id: one.id })}?f=html&lang=${currentLanguage()}`;
  const badges = [el("span", { className: `badge cat-${state}` }, t(`cat_${state}`)), one.clearance === "public" ? null : el("span", { className: `badge badge-${one.clearance}` }, t(one.clearance))];
  return el("li", { className: "cat-entry", dataset: { collection: one.id } }, el("div", { className: "row wrap cat-title" }, el("h2", {}, words(one.titles)), badges), facts(one),
    el("div", { className: "row wrap" }, toggle(one), opener(one), el("a", { href: page, className: "cat-page" }, t("open_page"))));
}

function results() {
  const shown = passing();
  const found = shown.length ? el("ul", { className: "cat-list" }, shown.map(entry)) : stateLine("empty", t("cat_none"));
  return [heading(shown), found, el("p", { className: "row wrap" }, el("button", { type: "button", disabled: !shown.length, onclick: () => download(shown) }, t("cat_csv")),
    el("a", { href: `${config.urls.collections}?f=html&lang=${currentLanguage()}` }, t("cat_plain")))];
}

const here = () => openPanelName() === PANEL && body?.isConnected && all;

/** Draw what was found anew; the filters stay, so that whoever writes into them is not disturbed. */
function list() {
  if (here()) keepingFocus(() => body.lastElementChild.replaceChildren(...results()));
}

function draw() {
  if (here()) keepingFocus(() => body.replaceChildren(nowNote() ?? "", filters(), el("div", {}, results())));
}

async function load() {
  try {
    const answer = await patiently(body, ask(PANEL, `${config.urls.collections}?f=json`));
    all = answer.collections.filter((one) => one.titles && one.authority);
    draw();
  } catch (error) {
    body?.replaceChildren(stateLine("error", error.message, load));
  }
}

/** Draw the panel. */
export function drawCatalogue(box) {
  body = el("div", { className: "cat" });
  box.append(body);
  if (all) draw();
  else load();
}

/** Draw anew when something is chosen. */
export function startCatalogue() {
  on("catalogue", (changes) => (Object.keys(changes).join() === "text" ? list() : draw()));
  on("as-of", draw);
}
