// Statistics by division: what is asked, the choropleth on the map, ranked bars and a table, each linked with the others.

import { announce, on, t, words } from "../state.js";
import { button, el, patiently, stateLine } from "../dom.js";
import { keepingFocus } from "../environment/focus.js";
import { takeClicks } from "../identify.js";
import { moment } from "../format.js";
import { boxOf, fitBox, gl, leaflet } from "../map.js";
import { wish } from "../print/wish.js";
import { openPanelName } from "../shell.js";
import { asOf } from "../time/asked_time.js";
import { clearChoropleth, divisionAt, drawChoropleth, markDivision } from "./choropleth.js";
import { classesOf, placeOf } from "./classes.js";
import { bars, chosen, legend, legendTitle, point, sources, table } from "./result.js";
import { addsUp, classesIn, figures, levels } from "./source.js";
import { filterOf, layersWithFigures, measureName, measuresOf, ownSubject, presets, subject, subjectName } from "./subjects.js";
import { METHODS, PANEL, PER, UNITS, choose, view } from "./view.js";
import { classWords, withUnit } from "./words.js";

const LOOKS = ["chosen", "sort", "down", "method", "number"];
const NUMBERS = ["3", "4", "5", "6", "7"];
const FEW = 3;
const LONGEST = 160;
const HARDLY = 1e-6;
let body = null;
let result = null;
let found = null;
let known = null;
let pending = null;
let more = false;
let moving = false;

function field(id, key, control) {
  control.id = id;
  return el("div", { className: "stats-field" }, el("label", { htmlFor: id }, t(key)), control);
}

const option = (value, text, selected) => el("option", { value, selected }, text);

function picker(options, value, change) {
  const made = el("select", {}, options.map(([name, text]) => option(name, text, name === value)));
  made.addEventListener("change", () => change(made.value));
  return made;
}

function subjectPicker(asked) {
  const often = presets().map((one) => option(one.id, t(`stats_subject_${one.id}`), one.id === asked.id));
  const all = layersWithFigures().map((one) => option(ownSubject(one.id), words(one.title), ownSubject(one.id) === asked.id));
  const made = el("select", {}, often.length ? el("optgroup", { label: t("stats_often") }, often) : null, el("optgroup", { label: t("stats_all_layers") }, all));
  made.addEventListener("change", () => choose({ subject: made.value, measure: "", only: "", chosen: "" }));
  return made;
}

function onlyPicker(asked) {
  const made = picker([["", t("stats_everything")], ...(view.only ? [[view.only, view.only]] : [])], view.only, (only) => choose({ only, chosen: "" }));
  classesIn(asked).then((classes) => made.replaceChildren(option("", t("stats_everything"), !view.only), ...classes.map((one) => option(one.key, `${words(one.label)} ${one.key}`, one.key === view.only))), () => {});
  return made;
}

function levelPicker() {
  return picker(known.map((one) => [one.level, `${words(one.label)} (${one.number})`]), view.level, (level) => choose({ level, within: "", chosen: "" }));
}

function dateRow() {
  const input = el("input", { type: "date", id: "stats-then", value: view.then, max: new Date().toISOString().slice(0, 10) });
  input.addEventListener("change", () => choose({ then: input.value }));
  return el("div", { className: "stats-field" }, el("label", { htmlFor: "stats-then" }, t("stats_compare")), input, view.then ? button("stats_compare_end", () => choose({ then: "" })) : null);
}

function form(asked) {
  const measures = measuresOf(asked.layer).map((one) => [one, measureName(asked.layer, one)]);
  const area = asked.measure === "area" || asked.measure === "sum:area";
  const options = el("details", { className: "fold", id: "stats-more", open: more || Boolean(view.then) || view.per !== "none", ontoggle: () => { more = options.open; } }, el("summary", {}, t("stats_options")), el("div", { className: "stats-fields" },
    addsUp(asked) ? field("stats-per", "stats_per", picker(PER.map((one) => [one, t(`stats_per_${one}`)]), view.per, (per) => choose({ per }))) : null,
    area ? field("stats-unit", "stats_unit", picker(Object.keys(UNITS).map((one) => [one, t(one === "km2" ? "stats_km2" : one)]), view.unit, (unit) => choose({ unit }))) : null,
    view.then ? null : field("stats-method", "stats_class_method", picker(METHODS.map((one) => [one, t(`stats_method_${one}`)]), view.method, (method) => choose({ method }))),
    view.then ? null : field("stats-number", "stats_class_number", picker(NUMBERS.map((one) => [one, one]), view.number, (number) => choose({ number }))), dateRow()));
  return el("div", { className: "stats-form" }, el("div", { className: "stats-fields" }, field("stats-subject", "stats_subject", subjectPicker(asked)),
    field("stats-measure", "stats_measure", picker(measures, asked.measure, (measure) => choose({ measure }))), asked.by ? field("stats-only", "stats_only", onlyPicker(asked)) : null,
    known?.length ? field("stats-level", "stats_level", levelPicker()) : null), options, view.within ? el("p", { className: "row stats-within" }, el("span", {}, t("stats_within", { what: view.within })), button("stats_up", up)) : null);
}

function up() {
  const at = known.findIndex((one) => one.level === view.level);
  choose({ within: "", level: known[Math.max(at - 1, 0)].level, chosen: "" });
}

/** The level below the shown one, if it has divisions. */
const below = () => known[known.findIndex((one) => one.level === view.level) + 1] ?? null;

function total() {
  const { now, asked, before } = found;
  const value = now.total[asked.measure];
  const beyond = now.outside?.[asked.measure] ?? 0;
  const outside = Math.abs(beyond) > Math.abs(value) * HARDLY ? beyond : 0;
  if (before || view.per !== "none" || value === null) return null;
  const scale = found.scale;
  return el("p", { className: "stats-total" }, el("span", { className: "hint" }, `${t("stats_total")} `), el("strong", { className: "number" }, withUnit(value * scale, asked)),
    outside ? el("span", { className: "hint" }, ` · ${t("stats_outside", { value: withUnit(outside * scale, asked) })}`) : null);
}

function show() {
  if (openPanelName() !== PANEL || !result?.isConnected || !found) return;
  const values = found.rows.map((row) => row.value).filter((value) => value !== null);
  const classes = classesOf(values, view.method, Number(view.number), Boolean(found.before));
  const valueOf = new Map(found.rows.map((row) => [row.code, row.value]));
  const colourOf = (code) => ((valueOf.get(code) ?? null) === null ? null : classes[placeOf(valueOf.get(code), classes)].colour);
  drawChoropleth(found.outlines.features, colourOf);
  if (!values.length) {
    result.replaceChildren(stateLine("empty", t(found.before && !found.before.edition ? "stats_nothing_then" : "stats_nothing")), ...(found.rows.length ? [table(found)] : []), sources(found));
    return;
  }
  const row = found.rows.find((one) => one.code === view.chosen);
  const open = result.querySelector("#stats-table")?.open;
  const parts = [row ? chosen(found, row, below(), () => choose({ chosen: "" })) : null, total(), legend(found, classes), bars(found, colourOf, show), table(found), printing(classes), sources(found)];
  result.replaceChildren(...parts.filter(Boolean));
  if (open || view.sort !== "value" || view.down === "no") result.querySelector("#stats-table").open = true;
  markDivision(row?.code ?? null);
}

/** The way to paper: classes, colours and figures are those that stand on the map. */
function printing(classes) {
  const { asked, rows } = found;
  const many = rows.filter((row) => row.value !== null);
  const print = () => announce("print-coloured", {
    coloured: {
      collection: asked.layer.id, level: found.level, title: legendTitle(found).slice(0, LONGEST),
      classes: classes.map((one) => ({ colour: one.colour, label: classWords(one, Boolean(found.before)) })),
      places: Object.fromEntries(many.map((row) => [row.code, placeOf(row.value, classes)])),
      ...(found.within ? { within: found.within } : {}), ...(filterOf(asked) ? { filter: filterOf(asked) } : {}), ...(asOf() ? { as_of: asOf() } : {}),
    },
    box: boxAround(found.outlines.features), title: legendTitle(found), subtitle: found.before ? t("stats_print_since", { when: moment(found.before.asOf) }) : "",
  });
  return el("p", {}, button("stats_print", print));
}

async function load() {
  pending?.abort();
  pending = new AbortController();
  const mine = pending;
  const work = gather(mine.signal);
  try {
    await (result ? patiently(result, work) : work);
    if (pending !== mine) return;
    pending = null;
    keepingFocus(show);
  } catch (error) {
    if (error.name === "AbortError" || pending !== mine) return;
    found = null;
    clearChoropleth();
    result?.replaceChildren(stateLine("error", error.message, load));
  }
}

async function gather(signal) {
  const first = !known;
  known ??= await levels(signal);
  if (!known.length) throw new Error(t("stats_no_divisions"));
  if (!known.some((one) => one.level === view.level)) view.level = (known.find((one) => one.number >= FEW) ?? known.at(-1)).level;
  const fresh = await figures(signal);
  const place = !found || found.level !== view.level || found.within !== view.within;
  found = { ...fresh, level: view.level, within: view.within, scale: scaleOf(fresh) };
  if (first) draw();
  if (place) zoom(found.outlines.features);
}

const scaleOf = ({ asked }) => (asked.measure === "area" || asked.measure === "sum:area" ? UNITS[view.unit] : asked.measure === "length" ? 1e-3 : 1);

function boxAround(features) {
  const boxes = features.map((one) => boxOf(one.geometry)).filter(Boolean);
  return boxes.length ? [0, 1, 2, 3].map((at) => Math[at < 2 ? "min" : "max"](...boxes.map((box) => box[at]))) : null;
}

function zoom(features) {
  const box = boxAround(features);
  if (box) fitBox(box);
}

function draw() {
  if (openPanelName() !== PANEL || !body?.isConnected) return;
  const asked = subject();
  if (!asked) {
    body.replaceChildren(stateLine("empty", t("no_layers")));
    return;
  }
  keepingFocus(() => {
    result = el("div", { className: "stats-result", "aria-live": "off" });
    body.replaceChildren(form(asked), result);
  });
}

/** Draw the panel. */
export function drawStatistics(box) {
  body = el("div", { className: "stats" });
  box.append(body);
  draw();
  if (subject()) load();
}

function changed(changes) {
  if (Object.keys(changes).every((name) => LOOKS.includes(name) || name === "within") && found && found.within === view.within) {
    keepingFocus(show);
    if (changes.chosen) reach(changes.chosen);
    return;
  }
  draw();
  load();
}

/** Go to the division that was chosen, on the map and in the panel. */
function reach(code) {
  const box = boxOf(found.outlines.features.find((one) => String(one.id) === code)?.geometry);
  if (box) fitBox(box);
  const card = document.getElementById("stats-chosen");
  card?.scrollIntoView({ block: "nearest" });
  card?.focus({ preventScroll: true });
}

function clicked(latlng) {
  if (openPanelName() !== PANEL || !found) return false;
  const code = divisionAt(gl.project([latlng.lng, latlng.lat]));
  if (code) choose({ chosen: code });
  return Boolean(code);
}

function hovered(at) {
  if (openPanelName() !== PANEL || !found) return;
  const code = divisionAt(at);
  markDivision(code ?? (view.chosen || null));
  point(code);
}

/** Wire the panel to the map. */
export function startStatistics() {
  takeClicks(clicked);
  on("statistics", changed);
  on("as-of", () => { known = null; if (openPanelName() === PANEL && body?.isConnected) load(); });
  on("panel-closed", (name) => { if (name === PANEL) clearChoropleth(); });
  // While it is printed it stays on the map, though another panel is open.
  on("coloured", () => { if (!wish.coloured && openPanelName() !== PANEL) clearChoropleth(); });
  const board = gl.getCanvasContainer().closest(".leaflet-container");
  board.addEventListener("mousemove", (event) => {
    if (moving || openPanelName() !== PANEL) return;
    moving = true;
    requestAnimationFrame(() => {
      moving = false;
      const box = board.getBoundingClientRect();
      const at = leaflet.containerPointToLatLng([event.clientX - box.left, event.clientY - box.top]);
      hovered(gl.project([at.lng, at.lat]));
    });
  });
}
