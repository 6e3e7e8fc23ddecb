// The requests of the panel: figures by division, what they are divided by, and the outlines of the divisions.

import { address, config } from "../state.js";
import { ask } from "../request.js";
import { asOf, atTime } from "../time/asked_time.js";
import { filterOf, subject } from "./subjects.js";
import { PANEL, UNITS, view } from "./view.js";

export const DIVISIONS = "division";
const MOST = 10_000;
const OUTLINE_ZOOM = 11;
const PER_THOUSAND = 1000;
const kept = new Map();

/** Address of statistics of a layer. */
export function statisticsUrl(layer, asked) {
  const given = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `${address(config.urls.collection, { id: layer })}/statistics?${new URLSearchParams(given)}`;
}

function question(asked, more = {}) {
  return { "group-by": DIVISIONS, level: view.level, measures: asked.measure, within: view.within, filter: filterOf(asked), limit: MOST, "as-of": asOf(), ...more };
}

/** Address of the figures that are shown, as a file when `f` is given. */
export const figuresUrl = (more = {}) => statisticsUrl(subject().layer.id, question(subject(), more));

/** Ask once and keep the answer for as long as the page stands. */
async function once(url, signal) {
  if (!kept.has(url)) kept.set(url, await ask(PANEL, url, null, signal));
  return kept.get(url);
}

/** Levels that have divisions with an outline, the largest first: [{level, number}]. */
export async function levels(signal) {
  const found = await once(statisticsUrl(DIVISIONS, { "group-by": "level", measures: "area,count", "as-of": asOf() }), signal);
  const order = ["province", "city", "county", "township"];
  const all = found.groups.filter((one) => order.includes(one.keys[0]) && one.values.area > 0).map((one) => ({ level: one.keys[0], number: one.values.count, label: one.labels[0] }));
  return all.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

const ofLevel = () => `level = '${view.level}'`;

async function outlines(signal) {
  const filter = view.within ? `${ofLevel()} AND adcode LIKE '${view.within}%'` : ofLevel();
  const query = new URLSearchParams({ filter, limit: MOST, "zoom-level": OUTLINE_ZOOM, properties: "adcode,name_zh,name_en,parent,geometry" });
  return once(atTime(`${address(config.urls.items, { id: DIVISIONS })}?${query}`), signal);
}

const bases = (signal) => once(statisticsUrl(DIVISIONS, { "group-by": DIVISIONS, level: view.level, filter: ofLevel(), within: view.within, measures: "area,sum:population", limit: MOST, "as-of": asOf() }), signal);

/** Classes of the subject, for the choice of one: [{key, label}]. */
export async function classesIn(asked, signal) {
  if (!asked.by) return [];
  const found = await once(statisticsUrl(asked.layer.id, { "group-by": asked.by, limit: 200, order: "key", "as-of": asOf() }), signal);
  return found.groups.filter((one) => one.keys[0] !== null).map((one) => ({ key: one.keys[0], label: one.labels[0] }));
}

/** What one division has of each class. */
export function breakdown(asked, code, signal) {
  return ask(PANEL, statisticsUrl(asked.layer.id, { "group-by": asked.by, within: code, measures: asked.measure, filter: asked.filter, limit: 12, "as-of": asOf() }), null, signal);
}

/** Everything that is shown: {asked, now, then, rows, outlines, bases}. */
export async function figures(signal) {
  const asked = subject();
  const then = view.then ? { "as-of": new Date(view.then).toISOString() } : null;
  const [now, before, drawn, by] = await Promise.all([ask(PANEL, figuresUrl(), null, signal), then ? ask(PANEL, figuresUrl(then), null, signal) : null, outlines(signal), bases(signal)]);
  return { asked, now, before, outlines: drawn, bases: by, rows: rowsOf(asked, now, before, drawn, by) };
}

/** Name, value and share of each division with an outline; what has no figure has null, which is no zero. */
function rowsOf(asked, now, before, drawn, by) {
  const at = (answer) => new Map((answer?.groups ?? []).map((one) => [one.keys[0], one.values[asked.measure]]));
  const [mine, former, area, people] = [at(now), at(before), valuesOf(by, "area"), valuesOf(by, "sum:population")];
  return drawn.features.map((one) => {
    const code = String(one.id);
    const base = { area: area.get(code) ?? null, people: people.get(code) ?? null };
    const [value, then] = [mine, former].map((found) => scaled(asked, found.get(code) ?? null, base));
    return { code, name: nameOf(one.properties, code), value: before ? difference(value, then) : value, now: value, then };
  });
}

const nameOf = (properties, code) => ({ zh: properties.name_zh || properties.name_en || code, en: properties.name_en || properties.name_zh || code });
const valuesOf = (answer, name) => new Map(answer.groups.map((one) => [one.keys[0], one.values[name]]));
const difference = (value, then) => (value === null || then === null ? null : value - then);

/** A figure in the unit that is shown, divided by area or people where that is asked for. */
function scaled(asked, value, base) {
  if (value === null || value === undefined) return null;
  if (!addsUp(asked) || view.per === "none") return value * factorOf(asked);
  const through = view.per === "area" ? base.area / 1e6 : base.people;
  if (!through) return null;
  if (view.per === "area") return (value * factorOf(asked)) / through;
  return (value / through) * (isSize(asked) ? 1 : PER_THOUSAND);
}

const isSize = (asked) => asked.measure === "area" || asked.measure === "length";

/** Whether a measure adds up, so that it may be divided by area or people. */
export const addsUp = (asked) => isSize(asked) || asked.measure === "count" || asked.measure.startsWith("sum:");

/** By what a figure of the service is multiplied to be shown. */
export function factorOf(asked) {
  if (asked.measure === "area" || (asked.measure === "sum:area" && unitOfMeasure(asked) === "m2")) return UNITS[view.unit];
  return asked.measure === "length" ? 1e-3 : 1;
}

/** Unit of the attribute or the band of a measure, as the layer file gives it. */
export function unitOfMeasure(asked) {
  const name = asked.measure.split(":")[1];
  return asked.layer.band?.unit ?? asked.layer.attributes?.find((one) => one.name === name)?.unit ?? null;
}
