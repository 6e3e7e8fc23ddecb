// The builder of filters: conditions as rows of attribute, operator and value, in groups; beside it the CQL2 text.

import { collectionById, config, on, t, words } from "../state.js";
import { byId, el, icon, iconButton, stateLine } from "../dom.js";
import { number } from "../format.js";
import { isShown, setShown } from "../map.js";
import { openPanelName } from "../shell.js";
import { keepForNow, keptForNow } from "../unlost.js";
import { attributeTitle } from "./cells.js";
import { OPERATORS, countOf, cql2Of, isGroup, newCondition, newGroup, typesOf } from "./criteria.js";
import { hasRows, openTable } from "./entry.js";
import { expertField, judged } from "./expert.js";
import { clearFilter, farWords, filterOf, setLayerFilter, whenFiltered } from "./filters.js";
import { valueFields } from "./inputs.js";
import { placeFields } from "./places.js";
import { rowsOf } from "./reader.js";

const DEEPEST = 3;
const KEPT = "filter-drafts";
const PLACE = { name: "geometry", type: "geometry" };
/** What is half made stays while the panel is closed: rows, or a text that no rows can show, by layer. */
const drafts = new Map();
let layer = null;
let root = null;
let expert = false;
let said = null;
let started = false;

const usable = () => [...config.layers, ...config.tables].filter(hasRows);
const attributeOf = (name) => (name === PLACE.name ? PLACE : layer.attributes.find((one) => one.name === name));
/** What is asked first: the class that the legend tells, else the first attribute. */
const firstOf = (own) => own.attributes.find((one) => one.name === own.legendBy) ?? own.attributes[0];
/** Half-made conditions outlast a reload. */
const keep = () => keepForNow(KEPT, Object.fromEntries(drafts));
const draft = () => drafts.get(layer.id);
const textOf = () => draft().text ?? cql2Of(draft().rows, typesOf(layer));

/** The rows of the filter that a layer has now; one row to begin with when it has none. */
function fresh(id) {
  const text = filterOf(id);
  const own = collectionById(id);
  if (!text) return { rows: newGroup([newCondition(firstOf(own))]) };
  const rows = rowsOf(text, typesOf(own));
  return rows ? { rows } : { text };
}

/** Have the panel show a layer. */
export function chooseLayer(id) {
  layer = collectionById(id) ?? usable()[0] ?? null;
  said = null;
  if (layer && !drafts.has(layer.id)) drafts.set(layer.id, fresh(layer.id));
}

const option = (value, name, chosen) => el("option", { value, selected: chosen }, name);

function choice(label, options, chosen, changed) {
  const select = el("select", { "aria-label": label }, options.map(([value, name]) => option(value, name, value === chosen)));
  select.addEventListener("change", () => changed(select.value));
  return select;
}

/** Whatever is written changes the text below; only what changes the fields draws them anew. */
function changed(whole = false) {
  said = null;
  keep();
  if (whole === true) return redraw();
  const field = byId("filter-text");
  if (field) field.value = textOf();
  byId("filter-said")?.replaceChildren();
  return undefined;
}

const operatorKey = (type, operator) => (OPERATORS[type].includes(operator) && ["on", "from", "until"].includes(operator) ? `op_day_${operator}` : `op_${operator}`);

function replace(group, at, node) {
  group.members[at] = node;
  redraw(node);
}

function conditionRow(node, group, at) {
  const attribute = attributeOf(node.name);
  const names = layer.attributes.map((one) => [one.name, attributeTitle(one)]);
  if (layer.geometry) names.push([PLACE.name, t("filter_place")]);
  const what = choice(t("filter_attribute"), names, node.name, (name) => replace(group, at, newCondition(attributeOf(name))));
  what.dataset.focus = "";
  const operators = OPERATORS[attribute.type].map((one) => [one, t(operatorKey(attribute.type, one))]);
  const how = choice(t("filter_operator"), operators, node.operator, (operator) => {
    node.operator = operator;
    if (attribute !== PLACE) node.values = [];
    redraw(node);
  });
  const fields = attribute === PLACE ? placeFields(node, changed) : valueFields(node, attribute, changed);
  return [what, how, fields];
}

function textRow(node) {
  return [el("textarea", { rows: 2, value: node.text, spellcheck: false, "aria-label": t("filter_text"), dataset: { focus: "" }, oninput: (event) => { node.text = event.target.value; changed(); } })];
}

function remove(group, at) {
  group.members.splice(at, 1);
  redraw(group);
}

function member(node, group, at, depth) {
  if (isGroup(node)) return el("li", { className: "filter-nested" }, groupBox(node, depth + 1), iconButton("close", "filter_remove_group", () => remove(group, at)));
  const parts = node.text === undefined ? conditionRow(node, group, at) : textRow(node);
  const line = el("li", { className: "filter-row" }, el("div", { className: "filter-fields" }, parts.filter(Boolean)), iconButton("close", "filter_remove", () => remove(group, at)));
  line.node = node;
  return line;
}

function add(group, node) {
  group.members.push(node);
  redraw(node);
}

function groupBox(group, depth) {
  const value = group.not ? "not" : group.join;
  const joins = [["and", t("filter_all_of")], ["or", t("filter_any_of")], ["not", t(group.join === "or" ? "filter_none_of" : "filter_not_all_of")]];
  const join = choice(t("filter_join"), joins, value, (chosen) => {
    // "None of these" is the contrary of "any of these".
    [group.join, group.not] = chosen === "not" ? ["or", true] : [chosen, false];
    redraw(group);
  });
  const plus = (key, make) => el("button", { type: "button", className: "quiet filter-add", onclick: () => add(group, make()) }, icon("plus"), t(key));
  const box = el("div", { className: "filter-group", role: "group", "aria-label": t("filter_group") }, el("div", { className: "row filter-join" }, join),
    el("ul", { className: "plain" }, group.members.map((one, at) => member(one, group, at, depth))),
    el("div", { className: "row wrap" }, plus("filter_add", () => newCondition(firstOf(layer))), layer.geometry ? plus("filter_add_place", () => newCondition(PLACE)) : null,
      depth < DEEPEST ? plus("filter_add_group", () => newGroup([newCondition(firstOf(layer))], "or")) : null));
  box.node = group;
  return box;
}

/** Show only what passes; first the service says whether it understands. */
async function apply() {
  const text = textOf();
  const mine = layer;
  if (!text) {
    setLayerFilter(mine.id, null);
    said = stateLine("empty", t("filter_nothing_said"));
    return redraw();
  }
  try {
    const found = await judged(mine, text);
    if (mine.geometry && !isShown(mine.id) && mine.edition) setShown(mine.id, true);
    setLayerFilter(mine.id, text);
    said = resultLine(found);
  } catch (error) {
    said = stateLine("error", error.message);
  }
  if (layer !== mine) return undefined;
  redraw();
  root.querySelector("[type=submit]")?.focus();
  return undefined;
}

function resultLine(found) {
  if (found?.n === 0) return stateLine("empty", t("filter_passes_none"));
  const words_ = found ? t(found.exact ? "filter_passes" : "filter_passes_about", { n: number(found.n, 0) }) : t("filter_on");
  return stateLine("done", words_);
}

function clear() {
  drafts.set(layer.id, { rows: newGroup([newCondition(firstOf(layer))]) });
  said = null;
  if (filterOf(layer.id)) clearFilter(layer.id);
  redraw();
}

function took(text) {
  const rows = text ? rowsOf(text, typesOf(layer)) : newGroup([newCondition(firstOf(layer))]);
  drafts.set(layer.id, rows ? { rows } : { text });
  apply();
}

function state() {
  if (said) return said;
  if (!filterOf(layer.id)) return null;
  return stateLine("done", filterOf(layer.id) === textOf() ? t("filter_on") : t("filter_changed"));
}

function rowsBox() {
  const { rows, text } = draft();
  if (rows) return groupBox(rows, 1);
  return el("div", { className: "filter-group" }, el("p", {}, t("filter_only_text")), el("pre", {}, text), el("button", { type: "button", onclick: clear }, t("filter_rows_anew")));
}

function layerChoice() {
  const ordered = (test) => usable().filter(test).sort((a, b) => a.order - b.order);
  const placed = Object.entries(config.groups).map(([name, title]) => [words(title), ordered((one) => one.geometry && one.group === name)]);
  const groups = [...placed, [t("tables_group"), ordered((one) => !one.geometry)]].filter(([, members]) => members.length);
  const options = groups.map(([label, members]) => el("optgroup", { label }, members.map((one) => option(one.id, words(one.title), one === layer))));
  const select = el("select", { id: "filter-layer" }, options);
  select.addEventListener("change", () => { chooseLayer(select.value); redraw(); byId("filter-layer").focus(); });
  return el("div", { className: "field" }, el("label", { htmlFor: "filter-layer" }, t("filter_layer")), select);
}

function fill() {
  const count = draft().rows ? countOf(draft().rows) : 1;
  const form = el("form", { className: "filter", onsubmit: (event) => { event.preventDefault(); apply(); } },
    layerChoice(), rowsBox(),
    el("div", { className: "row wrap filter-actions" }, el("button", { type: "submit", className: "primary" }, t("filter_apply")),
      filterOf(layer.id) || count ? el("button", { type: "button", onclick: clear }, t("filter_clear")) : null,
      el("button", { type: "button", onclick: () => openTable(layer.id) }, t("table_open")), el("button", { type: "button", onclick: () => openTable(layer.id, "charts") }, t("charts_open"))),
    el("div", { id: "filter-said", "aria-live": "polite" }, state(), farWords(layer) ? el("p", { className: "hint" }, farWords(layer)) : null),
    expertField(layer, textOf(), expert || !draft().rows, took));
  form.querySelector(".filter-expert").addEventListener("toggle", (event) => { expert = event.target.open; });
  return form;
}

/** Draw the fields anew; the focus goes to the row or group that was changed. */
function redraw(node = null) {
  if (!root?.isConnected || openPanelName() !== "query") return;
  root.replaceChildren(layer ? fill() : stateLine("empty", t("no_layers")));
  keep();
  if (!node) return;
  const boxes = [...root.querySelectorAll(".filter-row, .filter-group")];
  const box = boxes.find((one) => one.node === node) ?? root.querySelector(".filter-group");
  (box.querySelector("[data-focus]") ?? box.querySelector("select, button"))?.focus();
}

/** What was half made before a reload; what the address says of a filter goes before it. */
function recover() {
  for (const [id, one] of Object.entries(keptForNow(KEPT) ?? {})) {
    const own = collectionById(id);
    try {
      if (own && hasRows(own) && !drafts.has(id) && (!filterOf(id) || (one.text ?? cql2Of(one.rows, typesOf(own))) === filterOf(id))) drafts.set(id, one);
    } catch {
      // Kept by another version of the page, or about an attribute that is not there any more.
    }
  }
}

/** Draw the builder into the query panel. */
export function drawBuilder(body) {
  if (!started) {
    started = true;
    recover();
    whenFiltered((id) => {
      // Somebody else changed the filter: the tree, the table, another address.
      if (id && drafts.has(id) && filterOf(id) !== (drafts.get(id).text ?? cql2Of(drafts.get(id).rows, typesOf(collectionById(id))))) drafts.set(id, fresh(id));
      redraw();
    });
  }
  if (!layer) chooseLayer(usable().find((one) => filterOf(one.id))?.id ?? usable().find((one) => isShown(one.id) && one.group !== "base")?.id);
  root = body;
  redraw();
}
