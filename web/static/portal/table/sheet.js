// The table itself: a data grid as the ARIA Authoring Practices describe it, one page of rows at a time.

import { t, words } from "../state.js";
import { el } from "../dom.js";
import { titleOf } from "../format.js";
import { attributeTitle, cellContent, cellOf, isNumeric, unitOf } from "./cells.js";

const LEAP = 10;
let here = { row: 0, column: 0 };
let last = null;

/** A line of the head: choose all of the page, then a button per column that sorts by it. */
function head({ columns, sort, page, chosen, act }) {
  const every = page.features.length > 0 && page.features.every((one) => chosen.has(String(one.id)));
  const box = el("input", { type: "checkbox", checked: every, tabIndex: -1, "aria-label": t("table_choose_page"), onchange: (event) => act.choose(page.features, event.target.checked) });
  const heads = columns.map((one) => {
    const unit = unitOf(one);
    const turned = sort?.name === one.name ? (sort.descending ? "descending" : "ascending") : "none";
    const mark = turned === "none" ? null : el("span", { className: "sheet-sort", "aria-hidden": "true" }, turned === "ascending" ? "▲" : "▼");
    const name = el("button", { type: "button", className: "quiet", tabIndex: -1, title: t("table_sort", { what: attributeTitle(one) }), onclick: () => act.sort(one.name) },
      el("span", {}, attributeTitle(one)), unit ? el("span", { className: "sheet-unit" }, unit) : null, mark);
    return el("th", { scope: "col", role: "columnheader", "aria-sort": turned, className: isNumeric(one) ? "number" : "", dataset: { column: one.name } }, name);
  });
  return el("tr", { role: "row", "aria-rowindex": 1 }, el("th", { scope: "col", role: "columnheader", className: "sheet-pick" }, box), heads);
}

function pick(feature, sheet) {
  const { layer, chosen, page, act } = sheet;
  const key = String(feature.id);
  const box = el("input", { type: "checkbox", checked: chosen.has(key), tabIndex: -1, "aria-label": t("table_choose", { what: titleOf(layer, feature.properties, key) }) });
  box.addEventListener("click", (event) => choose(feature, box.checked, event.shiftKey, page, act));
  return el("td", { role: "gridcell", className: "sheet-pick" }, box);
}

/** Choose a row, or with Shift all from the one chosen last to this one. */
function choose(feature, value, whole, page, act) {
  const at = page.features.indexOf(feature);
  const from = whole && last !== null ? Math.min(last, at) : at;
  const to = whole && last !== null ? Math.max(last, at) : at;
  last = at;
  act.choose(page.features.slice(from, to + 1), value);
}

function line(feature, at, sheet) {
  const { columns, start, chosen, marked, act } = sheet;
  const key = String(feature.id);
  const cells = columns.map((one, place) => {
    const value = feature.properties[one.name];
    return el(place ? "td" : "th", { role: place ? "gridcell" : "rowheader", scope: place ? null : "row", tabIndex: -1, className: isNumeric(one) ? "number" : "", title: one.type === "text" && value ? cellOf(one, value).text : null }, cellContent(one, value));
  });
  const row = el("tr", { role: "row", "aria-rowindex": start + at + 2, "aria-selected": String(chosen.has(key)), dataset: { key } }, pick(feature, sheet), cells);
  if (key === marked) row.setAttribute("aria-current", "true");
  row.addEventListener("pointerenter", () => act.hover(feature));
  row.addEventListener("pointerleave", () => act.hover(null));
  row.addEventListener("click", (event) => clicked(event, feature, sheet));
  return row;
}

function clicked(event, feature, { chosen, page, act }) {
  if (event.target.closest("input") || getSelection()?.toString()) return;
  if (event.shiftKey || event.ctrlKey || event.metaKey) {
    getSelection()?.removeAllRanges();
    choose(feature, !chosen.has(String(feature.id)), event.shiftKey, page, act);
  } else act.open(feature);
}

const rowsOf = (table) => [...table.rows];
const widget = (cell) => cell.querySelector("input, button") ?? cell;

/** Give one cell the focus; it alone is reached by Tab. */
function enter(table, row, column, focus = true) {
  const rows = rowsOf(table);
  here = { row: Math.max(0, Math.min(rows.length - 1, row)), column: Math.max(0, Math.min(rows[0].cells.length - 1, column)) };
  for (const one of table.querySelectorAll('[tabindex="0"]')) one.tabIndex = -1;
  const found = widget(rows[here.row].cells[here.column]);
  found.tabIndex = 0;
  if (!focus) return;
  found.focus({ preventScroll: true });
  // The heads and the first column stand still, so that a cell must not come to rest under them.
  rows[here.row].cells[here.column].scrollIntoView({ block: "nearest", inline: "nearest" });
}

function moves(table, page) {
  const [lastRow, lastColumn] = [table.rows.length - 1, table.rows[0].cells.length - 1];
  const { row, column } = here;
  return {
    ArrowUp: () => (row === 1 && page.prev ? "prev" : [row - 1, column]), ArrowDown: () => (row === lastRow && page.next ? "next" : [row + 1, column]),
    ArrowLeft: () => [row, column - 1], ArrowRight: () => [row, column + 1],
    Home: () => [row, 0], End: () => [row, lastColumn],
    PageUp: () => [row - LEAP, column], PageDown: () => [row + LEAP, column],
    "Ctrl+Home": () => [0, 0], "Ctrl+End": () => [lastRow, lastColumn],
  };
}

function key(event, table, sheet) {
  const { page, chosen, act } = sheet;
  const name = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.key}`;
  const feature = page.features[here.row - 1];
  const move = moves(table, page)[name];
  if (move) {
    const to = move();
    if (typeof to === "string") act.turn(to);
    else enter(table, ...to);
  } else if (name === "Ctrl+a") act.choose(page.features, true);
  else if (feature && name === " ") choose(feature, !chosen.has(String(feature.id)), event.shiftKey, page, act);
  else if (feature && name === "Enter") act.open(feature);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Draw a page of rows.
 *
 * `sheet` has layer, columns (attributes), page, start (rows before it), total (or null), sort, chosen (ids), marked (an id),
 * and act: {sort, open, hover, choose, turn}.
 */
export function drawSheet(sheet) {
  const { layer, page, total } = sheet;
  const table = el("table", { className: "sheet", role: "grid", "aria-rowcount": total === null ? -1 : total + 1, "aria-multiselectable": "true", "aria-label": t("table_of", { what: words(layer.title) }) },
    el("thead", { role: "rowgroup" }, head(sheet)), el("tbody", { role: "rowgroup" }, page.features.map((one, at) => line(one, at, sheet))));
  table.addEventListener("keydown", (event) => key(event, table, sheet));
  table.addEventListener("focusin", (event) => {
    const cell = event.target.closest("td, th");
    if (!cell) return;
    enter(table, cell.parentElement.rowIndex, cell.cellIndex, false);
    sheet.act.hover(page.features[here.row - 1] ?? null);
  });
  table.addEventListener("focusout", () => sheet.act.hover(null));
  enter(table, here.row, here.column, false);
  return table;
}

/** Where the focus stands: a page that follows begins at its first row, one before at its last. */
export function focusSheet(table, where) {
  if (where === "next") enter(table, 1, here.column);
  else if (where === "prev") enter(table, table.rows.length - 1, here.column);
  else enter(table, here.row, here.column);
}

/** Mark the row of a feature, if it is on this page, and bring it into view; says whether it is. */
export function markRow(table, key) {
  let found = null;
  for (const one of table.tBodies[0].rows) {
    if (one.dataset.key === key) found = one;
    one.removeAttribute("aria-current");
  }
  found?.setAttribute("aria-current", "true");
  found?.scrollIntoView({ block: "nearest" });
  return Boolean(found);
}

/** Forget which row was chosen last, because the rows are others now. */
export const forgetLast = () => { last = null; here = { ...here, row: 0 }; };
