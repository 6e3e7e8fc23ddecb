// The pane at the bottom: the table of a layer, its charts, what is chosen, and the ways out of it.

import { announce, collectionById, on, t, words } from "../state.js";
import { byId, el, icon, notice, stateLine } from "../dom.js";
import { number } from "../format.js";
import { keepingFocus } from "../environment/focus.js";
import { showFeature } from "../identify.js";
import { writeLink } from "../link.js";
import { boxOf, fitBox, leaflet } from "../map.js";
import { closePanel, showRequests } from "../shell.js";
import { drawCharts } from "./charts.js";
import { columnsOf, chooseColumns } from "./columns.js";
import { judged } from "./expert.js";
import { showExport } from "./export.js";
import { clearFilter, filterOf } from "./filters.js";
import { markChosen, markPointed } from "./marks.js";
import { PANEL, askPage, conditionOf, firstPage } from "./rows.js";
import { drawSheet, focusSheet, forgetLast, markRow } from "./sheet.js";
import { startSize } from "./size.js";

const LATE = 400;
const MOST = 1000;
const CLOSE = 17;
const state = { layer: null, tab: "rows", inView: false, sort: null, page: null, start: 0, chosen: new Map(), marked: null, failure: null, url: null, counted: null };
let box = null;
let table = null;
let pending = null;
let ready = false;

/** The layer whose table is open, or null. */
export const openLayer = () => state.layer;

const narrow = () => innerWidth < 700;
const condition = () => conditionOf(state.layer.id, state.inView);

/** How many rows there are, as far as the page tells: {n, exact}, or null. */
function total() {
  const { page, start } = state;
  if (!page) return null;
  if (state.counted) return state.counted;
  if (page.matched !== null) return { n: page.matched, exact: true };
  if (!page.next) return { n: start + page.features.length, exact: true };
  return page.about === null ? null : { n: Math.max(page.about, start + page.features.length + 1), exact: false };
}

function countWords() {
  const all = total();
  if (!all) return state.page ? t("table_many", { n: number(state.start + state.page.features.length, 0) }) : "";
  return t(all.exact ? "table_rows" : "table_rows_about", { n: number(all.n, 0) });
}

const tool = (name, key, onclick, more = {}) => el("button", { type: "button", className: "quiet dock-tool", title: t(key), onclick, ...more }, icon(name), el("span", {}, t(key)));

function tabs() {
  const tab = (name) => el("button", { type: "button", id: `dock-tab-${name}`, "aria-pressed": String(state.tab === name), onclick: () => turnTo(name) }, t(`table_tab_${name}`));
  return el("div", { className: "dock-tabs", role: "group", "aria-label": t("table_ways") }, tab("rows"), tab("charts"));
}

function turnTo(name) {
  state.tab = name;
  announce("table-tab", name);
  writeLink();
  redraw();
  byId(`dock-tab-${name}`).focus();
}

function filterChip() {
  const text = filterOf(state.layer.id);
  if (!text) return null;
  return el("span", { className: "dock-chip", title: text }, icon("filter"), t("table_filtered"),
    el("button", { type: "button", className: "quiet square", "aria-label": t("table_filter_clear"), title: t("table_filter_clear"), onclick: () => clearFilter(state.layer.id) }, icon("close")));
}

function viewSwitch() {
  if (!state.layer.geometry) return null;
  const check = el("input", { type: "checkbox", id: "dock-in-view", checked: state.inView, onchange: (event) => { state.inView = event.target.checked; reload(); } });
  return el("label", { className: "dock-view" }, check, t("table_in_view"));
}

function chosenBar() {
  if (!state.chosen.size) return null;
  const features = [...state.chosen.values()];
  return el("div", { className: "dock-chosen", role: "group", "aria-label": t("table_chosen_group") }, el("strong", {}, t("table_chosen", { n: number(features.length, 0) })),
    state.layer.geometry ? el("button", { type: "button", onclick: () => zoomTo(features) }, t("zoom_to_chosen")) : null,
    el("button", { type: "button", onclick: () => exportRows(true) }, t("table_export")),
    el("button", { type: "button", className: "quiet", onclick: () => { state.chosen.clear(); chosenChanged(); } }, t("table_choose_none")));
}

function zoomTo(features) {
  const found = boxOf({ type: "GeometryCollection", geometries: features.map((one) => one.geometry).filter(Boolean) });
  if (found) fitBox(found, CLOSE);
}

const exportRows = (chosenOnly) => showExport({ layer: state.layer, condition: condition(), sort: state.sort, total: total(), ids: chosenOnly ? [...state.chosen.keys()] : null });

function head() {
  return el("div", { className: "dock-head" },
    el("h2", { id: "dock-title", tabIndex: -1 }, words(state.layer.title)), tabs(), el("span", { className: "dock-count number", id: "dock-count", role: "status" }, countWords()), filterChip(), viewSwitch(),
    el("span", { className: "dock-space" }),
    tool("filter", "table_filter", () => announce("filter-wanted", state.layer.id)), state.tab === "rows" ? tool("columns", "table_columns", () => chooseColumns(state.layer, redraw)) : null,
    tool("download", "table_export", () => exportRows(false)),
    el("button", { type: "button", className: "quiet", title: t("api_title"), onclick: () => showRequests(PANEL) }, t("api")),
    el("button", { type: "button", className: "quiet square", "aria-label": t("table_close"), title: t("table_close"), onclick: closeTable }, icon("close")));
}

function pager() {
  const { page, start } = state;
  if (!page || (!page.prev && !page.next)) return null;
  const turn = (name, key) => el("button", { type: "button", className: "quiet", disabled: !page[name], onclick: () => load(page[name], name) }, t(key));
  return el("div", { className: "dock-pager" }, turn("prev", "table_prev"),
    el("span", { className: "number" }, t("table_page", { from: number(start + 1, 0), to: number(start + page.features.length, 0) })), turn("next", "table_next"));
}

const act = {
  sort(name) {
    const { sort } = state;
    state.sort = sort?.name !== name ? { name, descending: false } : sort.descending ? null : { name, descending: true };
    reload("same");
  },
  hover: markPointed,
  open(feature) {
    const key = String(feature.id);
    const found = boxOf(feature.geometry);
    if (found) fitBox(found, CLOSE);
    showFeature({ layer: state.layer, key, properties: feature.properties, geometry: feature.geometry });
  },
  choose(features, value) {
    for (const one of features) {
      if (value) state.chosen.set(String(one.id), one);
      else state.chosen.delete(String(one.id));
    }
    if (state.chosen.size > MOST) {
      for (const key of [...state.chosen.keys()].slice(MOST)) state.chosen.delete(key);
      notice(t("table_chosen_most", { n: number(MOST, 0) }), "error");
    }
    chosenChanged();
  },
  turn: (where) => load(state.page[where], where),
};

/** The rows are not drawn anew for a choice, so that neither focus nor place is lost. */
function chosenChanged() {
  markChosen([...state.chosen.values()]);
  const bar = chosenBar();
  byId("dock-chosen").replaceChildren(...(bar ? [bar] : []));
  if (!table) return;
  for (const row of table.tBodies[0].rows) {
    const value = state.chosen.has(row.dataset.key);
    row.setAttribute("aria-selected", String(value));
    row.querySelector("input").checked = value;
  }
  table.querySelector("thead input").checked = state.page.features.length > 0 && state.page.features.every((one) => state.chosen.has(String(one.id)));
}

function emptyWords() {
  if (!state.layer.edition) return t("no_data_long");
  if (state.inView) return t("table_none_view");
  return t(filterOf(state.layer.id) ? "table_none_filter" : "table_none");
}

function fillRows(body) {
  table = null;
  if (state.failure) body.append(stateLine("error", state.failure, () => load(state.url)));
  else if (!state.page) body.append(stateLine("loading", t("loading")));
  else if (!state.page.features.length) body.append(stateLine("empty", emptyWords()));
  else {
    const all = total();
    table = drawSheet({ layer: state.layer, columns: columnsOf(state.layer), page: state.page, start: state.start, total: all?.exact ? all.n : null, sort: state.sort, chosen: state.chosen, marked: state.marked, act });
    body.append(el("div", { className: "sheet-box" }, table));
  }
  const foot = pager();
  if (foot) body.append(foot);
}

/** Draw everything anew; the focus stays on what has the same id. */
function redraw() {
  if (state.layer) keepingFocus(fill);
}

function fill() {
  const body = el("div", { className: "dock-body" });
  byId("dock-content").replaceChildren(head(), el("div", { id: "dock-chosen" }), body);
  if (state.tab === "rows") fillRows(body);
  else drawCharts(body, { layer: state.layer, condition: condition() });
  const bar = chosenBar();
  if (bar) byId("dock-chosen").append(bar);
}

/** An estimate of the rows is followed by their number, where the service can count them in time. */
async function count() {
  const { page } = state;
  if (!page || total()?.exact) return;
  try {
    const found = await judged(state.layer, condition(), PANEL);
    if (state.page !== page || !found?.exact) return;
    state.counted = found;
    byId("dock-count").textContent = countWords();
    table?.setAttribute("aria-rowcount", String(found.n + 1));
  } catch {
    // The estimate stands.
  }
}

/** Ask for a page; `where` says from which side it is entered ("next", "prev"), "same" that the focus stays. */
async function load(url, where = null) {
  pending?.abort();
  const mine = new AbortController();
  pending = mine;
  state.url = url;
  const held = box.contains(document.activeElement);
  const late = setTimeout(() => byId("dock-content")?.classList.add("dock-late"), LATE);
  const before = state.page?.features.length ?? 0;
  try {
    const page = await askPage(url, mine.signal);
    state.start = where === "next" ? state.start + before : where === "prev" ? Math.max(0, state.start - page.features.length) : 0;
    if (!page.prev) state.start = 0;
    [state.page, state.failure] = [page, null];
  } catch (error) {
    if (error.name === "AbortError") return;
    [state.page, state.failure] = [null, error.message];
  } finally {
    clearTimeout(late);
  }
  if (pending !== mine || !state.layer) return;
  pending = null;
  count();
  byId("dock-content").classList.remove("dock-late");
  // Charts ask for themselves.
  if (state.tab === "charts") byId("dock-count").textContent = countWords();
  else redraw();
  if (held && table && where) focusSheet(table, where);
}

function reload(where = null, drawn = false) {
  if (!state.layer) return;
  forgetLast();
  state.counted = null;
  if (state.tab === "charts" && !drawn) redraw();
  return load(firstPage({ layer: state.layer, sort: state.sort, condition: condition() }), where);
}

function build() {
  box = el("section", { className: "dock", id: "dock", "aria-labelledby": "dock-title", hidden: true }, el("div", { id: "dock-content", className: "dock-content" }));
  byId("drawer").before(box);
  startSize(box);
  on("filtered", (id) => { if (state.layer?.id === id) reload(); });
  on("as-of", () => reload());
  on("language", redraw);
  on("identified", ({ layer, key }) => {
    if (state.layer?.id !== layer.id) return;
    state.marked = String(key);
    if (table) markRow(table, state.marked);
  });
  leaflet.on("moveend", () => { if (state.layer && state.inView) reload(); });
  ready = true;
}

/** Open the table of a layer. */
export async function showTable(id, tab = "rows", focus = true) {
  const layer = collectionById(id);
  if (!layer?.attributes) return;
  if (!ready) build();
  if (state.layer?.id !== id) {
    Object.assign(state, { layer, sort: null, page: null, start: 0, marked: null, failure: null, inView: false });
    state.chosen.clear();
    markChosen([]);
  }
  state.tab = tab;
  box.hidden = false;
  document.body.dataset.dock = "open";
  if (narrow()) closePanel();
  leaflet.invalidateSize({ pan: false });
  redraw();
  if (focus) byId("dock-title").focus({ preventScroll: true });
  announce("table", id);
  announce("table-tab", state.tab);
  writeLink();
  await reload(null, true);
}

/** Close the table; what it marked on the map goes with it, the filter stays. */
export function closeTable() {
  if (!state.layer) return;
  pending?.abort();
  const { id } = state.layer;
  state.layer = state.page = table = null;
  state.chosen.clear();
  markChosen([]);
  markPointed(null);
  box.hidden = true;
  delete document.body.dataset.dock;
  leaflet.invalidateSize({ pan: false });
  announce("table", null);
  writeLink();
  document.querySelector(`[data-layer="${id}"] [data-table]`)?.focus({ preventScroll: true });
}
