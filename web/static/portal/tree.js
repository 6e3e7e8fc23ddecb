// The layer panel: groups, switches, legends, opacity, and what a layer is.

import { address, announce, config, currentLanguage, on, t, words } from "./state.js";
import { cycleWords } from "./cycle.js";
import { button, el, icon, iconButton, stateLine } from "./dom.js";
import { day, moment, number } from "./format.js";
import { fitBox, isShown, leaflet, setShown, tileZoom } from "./map.js";
import { legendList, swatch } from "./legend.js";
import { writeLink } from "./link.js";
import { openDialog, openPanelName, redraw } from "./shell.js";
import { wishedOpacity, wishOpacity } from "./opacity.js";
import { neighbour, shift } from "./stack.js";
import { pushUndo } from "./undo.js";
import { hasRows, openTable } from "./table/entry.js";
import { clearFilter, farWords, filterOf, tooFar, whenFiltered } from "./table/filters.js";
import { hasTimes } from "./time/has_times.js";
import { asOf } from "./time/asked_time.js";
import { editionWords } from "./time/editions.js";

const folded = new Set(["base", "terrain"]);
let seek = "";
let tablesOpen = false;

/** A badge for layers that are not open to all. */
export const clearanceBadge = (layer) =>
  layer.clearance === "public" ? null : el("span", { className: `badge badge-${layer.clearance}` }, t(layer.clearance));

/** A badge for layers whose next edition is due. */
const overdueBadge = (layer) => (layer.overdue && layer.edition ? el("span", { className: "badge badge-overdue" }, t("cat_overdue")) : null);

/** From when to when the pictures of a layer were taken, where their names say so. */
const taken = (layer) => (layer.kind === "raster" && layer.edition?.interval) || null;

function about(layer) {
  const edition = layer.edition;
  const rows = [
    ["authority", words(layer.authority)],
    ["edition", edition ? `${t("edition_no", { n: edition.number })}, ${day(edition.committed)}` : t("no_data_long")],
    ["edition_then", asOf() && edition ? editionWords(layer) : null],
    ["source", edition?.source],
    ["features", edition?.features !== null && edition ? number(edition.features, 0) : null],
    ["cycle", edition ? `${cycleWords(layer.cycle)} · ${t(layer.overdue ? "overdue" : "fresh")}` : cycleWords(layer.cycle)],
    ["taken", taken(layer)?.map(moment).join(" – ")],
    ["licence", `${t(layer.licence.share)} · ${layer.licence.basis}`],
    ["terms", layer.licence.terms],
    ["attribution", layer.licence.attribution],
    ["clearance", t(layer.clearance)],
    ["review", layer.review],
  ];
  const facts = el("dl", { className: "facts" }, rows.filter(([, value]) => value).flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)]));
  const page = address(config.urls.collection, { id: layer.id });
  const report = edition?.load ? address(config.urls.load, { number: edition.load }) : null;
  const links = el("p", { className: "row wrap" }, el("a", { href: `${page}?f=html&lang=${currentLanguage()}` }, t("open_page")), el("a", { href: `${page}?f=json` }, t("as_json")),
    report && el("a", { href: `${report}?f=html&lang=${currentLanguage()}` }, t("load_report")));
  openDialog(words(layer.title), layer.abstract ? el("p", {}, words(layer.abstract)) : null, facts, links);
}

/** Who answers for a shown layer and of when it is. */
function origin(layer) {
  if (!layer.edition) return null;
  return el("p", { className: "hint layer-origin" }, `${words(layer.authority)} · ${day(layer.edition.committed)}`);
}

/** Draw a layer above or below its neighbour: of use only where another of its kind is shown. */
function mover(layer, step) {
  const made = iconButton(step > 0 ? "up" : "down", step > 0 ? "layer_up" : "layer_down", () => { shift(layer.id, step); focusAgain(layer.id, step); });
  Object.assign(made.dataset, { step });
  made.disabled = !neighbour(layer.id, step);
  return made;
}

/** After a move the button may have had its last use: then its twin takes the focus. */
function focusAgain(id, step) {
  const both = [step, -step].map((one) => document.querySelector(`[data-layer="${id}"] [data-step="${one}"]`));
  both.find((one) => one && !one.disabled)?.focus();
}

function slider(layer) {
  const name = `opacity-${layer.id}`;
  const input = el("input", { type: "range", id: name, min: 0, max: 100, step: 5, value: Math.round(wishedOpacity(layer.id) * 100) });
  input.addEventListener("input", () => wishOpacity(layer.id, input.value / 100));
  input.addEventListener("change", writeLink);
  return el("div", { className: "opacity" }, el("label", { htmlFor: name }, t("opacity")), input, mover(layer, 1), mover(layer, -1));
}

function hint(layer) {
  if (!layer.edition) return el("span", { className: "hint" }, t("no_data"));
  if (taken(layer)) return el("span", { className: "hint" }, t("taken_latest", { time: moment(taken(layer)[1]) }));
  if (!layer.fromZoom) return null;
  return el("span", { className: "hint", hidden: tileZoom() >= layer.fromZoom, dataset: { fromZoom: layer.fromZoom } }, t("from_zoom", { z: layer.fromZoom }));
}

const members = (name) => config.layers.filter((layer) => layer.group === name).sort((a, b) => a.order - b.order);

/** Whether a layer is among those that the reader looks for, by title, theme, authority or id in either language. */
function sought(layer) {
  const texts = [layer.title, layer.abstract, layer.authority, config.groups[layer.group]].flatMap((pair) => Object.values(pair ?? {}));
  const all = [layer.id, ...texts].join("\n").toLowerCase();
  return seek.toLowerCase().split(/\s+/).every((part) => all.includes(part));
}

function count(name) {
  const all = members(name);
  return `${all.filter((layer) => isShown(layer.id)).length}/${all.length}`;
}

function tools(layer) {
  const zoom = layer.edition?.bbox ? iconButton("zoom", "zoom_to", () => fitBox(layer.edition.bbox)) : null;
  const times = isShown(layer.id) && hasTimes(layer) ? iconButton("clock", "time_bar_open", () => announce("time-bar", layer.id)) : null;
  const table = hasRows(layer) ? iconButton("table", "table_open", () => openTable(layer.id)) : null;
  if (table) table.dataset.table = "";
  return el("span", { className: "layer-tools" }, times, zoom, table, iconButton("info", "about_layer", () => about(layer)));
}

/** That a layer is filtered, and the way back. */
function filterLine(layer) {
  if (!filterOf(layer.id)) return null;
  const edit = el("button", { type: "button", className: "quiet", title: filterOf(layer.id), onclick: () => announce("filter-wanted", layer.id) }, icon("filter"), t("table_filtered"));
  return el("div", { className: "layer-filter" }, el("span", { className: "dock-chip" }, edit, iconButton("close", "table_filter_clear", () => clearFilter(layer.id))),
    farWords(layer) ? el("span", { className: "hint" }, farWords(layer)) : null);
}

function entry(layer) {
  const name = `layer-${layer.id}`;
  const box = el("input", { type: "checkbox", id: name, checked: isShown(layer.id), disabled: !layer.edition });
  const line = el("li", { className: "layer", dataset: { layer: layer.id } });
  const fill = () => {
    const single = layer.legend.length === 1 && layer.legend[0].shape !== "ramp" ? swatch(layer.legend[0]) : null;
    const head = el("div", { className: "layer-head" }, box, single, el("label", { htmlFor: name }, words(layer.title)), clearanceBadge(layer), overdueBadge(layer), tools(layer));
    const more = isShown(layer.id) ? el("div", { className: "layer-more" }, hint(layer), tooFar(layer) ? null : legendList(layer), slider(layer), origin(layer)) : hint(layer);
    line.replaceChildren(...[head, filterLine(layer), more].filter(Boolean));
  };
  box.addEventListener("change", () => {
    setShown(layer.id, box.checked);
    fill();
    box.focus();
  });
  fill();
  return line;
}

function group(name) {
  const found = members(name).filter(sought);
  if (!found.length) return null;
  const head = el("summary", {}, el("span", {}, words(config.groups[name])), el("span", { className: "hint", dataset: { count: name } }, count(name)));
  const box = el("details", { className: "group", open: Boolean(seek) || !folded.has(name) }, head, el("ul", {}, found.map(entry)));
  if (!seek) box.addEventListener("toggle", () => (box.open ? folded.delete(name) : folded.add(name)));
  return box;
}

function tableEntry(table) {
  const open = hasRows(table) ? iconButton("table", "table_open", () => openTable(table.id)) : null;
  if (open) open.dataset.table = "";
  const head = el("div", { className: "layer-head" }, el("span", { className: "table-name" }, words(table.title)), clearanceBadge(table), el("span", { className: "layer-tools" }, open, iconButton("info", "about_layer", () => about(table))));
  const filled = [head, filterLine(table), table.edition ? null : el("span", { className: "hint" }, t("no_data"))].filter(Boolean);
  return el("li", { className: "layer", dataset: { layer: table.id } }, filled);
}

/** Collections without geometry: they cannot be switched on, but opened. */
function tables() {
  const found = config.tables.filter(sought).sort((a, b) => a.order - b.order);
  if (!found.length) return null;
  const head = el("summary", {}, el("span", {}, t("tables_group")), el("span", { className: "hint" }, number(found.length, 0)));
  const box = el("details", { className: "group", id: "tables", open: Boolean(seek) || tablesOpen }, head, el("ul", {}, found.map(tableEntry)));
  if (!seek) box.addEventListener("toggle", () => { tablesOpen = box.open; });
  return box;
}

/** Keep counts and zoom hints true while the panel stands open. */
export function startTree() {
  on("shown", () => {
    for (const one of document.querySelectorAll("[data-count]")) one.textContent = count(one.dataset.count);
  });
  for (const event of ["order", "shown"]) on(event, () => {
    for (const one of document.querySelectorAll("[data-step]")) one.disabled = !neighbour(one.closest("[data-layer]").dataset.layer, Number(one.dataset.step));
  });
  on("opacity", (id) => {
    const input = document.getElementById(`opacity-${id}`);
    if (input) input.value = Math.round(wishedOpacity(id) * 100);
  });
  whenFiltered(() => { if (openPanelName() === "layers") redraw(); });
  leaflet.on("zoomend", () => {
    for (const one of document.querySelectorAll("[data-from-zoom]")) one.hidden = tileZoom() >= Number(one.dataset.fromZoom);
  });
}

/** Switch all layers off but those of the ground, and offer the way back. */
function allOff() {
  const before = config.layers.filter((layer) => isShown(layer.id) && layer.group !== "base");
  for (const layer of before) setShown(layer.id, false);
  redraw();
  if (before.length) pushUndo(t("layers_off_done", { n: before.length }), () => { for (const layer of before) setShown(layer.id, true); redraw(); });
}

/** The field that narrows the tree, and the tree. */
function tree() {
  const box = el("div", {});
  const input = el("input", { type: "text", id: "layer-find", value: seek, maxLength: 100, spellcheck: false, autocomplete: "off", placeholder: t("layer_find"), "aria-label": t("layer_find") });
  const fill = () => {
    const groups = [...Object.keys(config.groups).map(group), tables()].filter(Boolean);
    box.replaceChildren(...(groups.length ? groups : [stateLine("empty", t("layer_find_none"))]));
  };
  input.addEventListener("input", () => { seek = input.value.trim(); fill(); });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !seek) return;
    event.stopPropagation();
    [seek, input.value] = ["", ""];
    fill();
  });
  fill();
  return [input, box];
}

/** Draw the layer panel. */
export function drawLayers(body) {
  if (!config.layers.length) body.append(stateLine("empty", t("no_layers")));
  else body.append(...tree(), el("p", { className: "row wrap" }, button("layers_off", allOff, "quiet")));
}
