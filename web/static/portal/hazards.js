// The hazards panel: alerts first, then floods, earthquakes, tracks and fires, each with a time slider.

import { address, config, currentLanguage, t, words } from "./state.js";
import { button, el, icon, patiently, stateLine } from "./dom.js";
import { codeName, moment, titleOf, valueOf } from "./format.js";
import { boxOf, fitBox, isShown, setFilter, setShown } from "./map.js";
import { ask } from "./request.js";
import { showFeature } from "./identify.js";
import { swatch } from "./legend.js";
import { timeSlider } from "./time.js";

const COLOURS = ["red", "orange", "yellow", "blue"];
const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor"];
const NOTABLE = { Exercise: "exercise", Test: "test", Draft: "draft", System: "system" };
const LISTED = 8;
const windows = new Map();

const hazardLayers = () => config.layers.filter((layer) => layer.hazard);

function inForce(alert, now = Date.now()) {
  const own = alert.properties;
  if (own.msg_type === "Cancel") return false;
  return !own.expires || new Date(own.expires).getTime() > now;
}

/** An alert may tell the same in several languages: keep the reader's, or else the first. */
function inLanguage(alerts) {
  const told = new Map();
  for (const alert of alerts) {
    const { identifier, area_number: area } = alert.properties;
    const name = identifier ? `${identifier} ${area}` : String(alert.id);
    const mine = String(alert.properties.language ?? "").toLowerCase().startsWith(currentLanguage());
    if (!told.has(name) || mine) told.set(name, alert);
  }
  return [...told.values()];
}

function rank(alert) {
  const colour = COLOURS.indexOf(alert.properties.colour);
  const severity = SEVERITIES.indexOf(alert.properties.severity);
  return [Number(alert.properties.status in NOTABLE), severity < 0 ? SEVERITIES.length : severity, colour < 0 ? COLOURS.length : colour, -new Date(alert.properties.sent ?? 0).getTime()];
}

function worstFirst(a, b) {
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((value, place) => value !== right[place]);
  return at < 0 ? 0 : left[at] - right[at];
}

function colourMark(colour) {
  if (!COLOURS.includes(colour)) return null;
  return el("span", { className: `warning warning-${colour}` }, icon("hazards"), t(`colour_${colour}`));
}

function severityWord(layer, value) {
  const list = layer.attributes.find((one) => one.name === "severity")?.list;
  return value ? (list ? (codeName(list, value) ?? value) : value) : null;
}

function alertCard(layer, alert) {
  const own = alert.properties;
  const mark = NOTABLE[own.status] ? el("span", { className: "badge badge-exercise" }, t(NOTABLE[own.status])) : null;
  const times = [own.sent ? t("alert_sent", { time: moment(own.sent) }) : null, own.expires ? t("alert_until", { time: moment(own.expires) }) : null].filter(Boolean).join(" · ");
  const buttons = alert.geometry
    ? el("div", { className: "row wrap" }, button("alert_show", () => showAlert(layer, alert), "primary"), button("alert_zone", () => askAlert(layer, alert)))
    : el("p", { className: "hint" }, t("alert_nowhere"));
  return el("li", { className: "alert", dataset: { status: own.status ?? "" } },
    el("div", { className: "row wrap" }, colourMark(own.colour), mark, el("span", { className: "hint" }, severityWord(layer, own.severity))),
    el("h3", {}, own.headline || own.event || alert.id),
    own.area_desc ? el("p", {}, own.area_desc) : null, el("p", { className: "hint" }, times),
    own.description ? el("details", {}, el("summary", {}, t("details")), el("p", {}, own.description), own.instruction ? el("p", { className: "instruction" }, own.instruction) : null) : null, buttons);
}

function showAlert(layer, alert) {
  if (!isShown(layer.id)) setShown(layer.id, true);
  const box = boxOf(alert.geometry);
  if (box) fitBox(box, 13);
  showFeature({ layer, key: alert.id, properties: alert.properties, geometry: alert.geometry });
}

function askAlert(layer, alert) {
  const box = boxOf(alert.geometry);
  if (box) fitBox(box, 13);
  window.dispatchEvent(new CustomEvent("geoservice-zone", { detail: { layer: layer.id, key: alert.id, geometry: alert.geometry } }));
}

function alertsBlock(layer) {
  const list = el("div", {});
  const url = `${address(config.urls.items, { id: layer.id })}?limit=200`;
  const load = async () => {
    try {
      const found = await patiently(list, ask("hazards", url));
      const sorted = inLanguage(found.features).toSorted(worstFirst);
      const [active, past] = [sorted.filter((one) => inForce(one)), sorted.filter((one) => !inForce(one))];
      const pastBox = past.length ? el("details", { className: "past", open: !active.length }, el("summary", {}, `${t("alerts_past")} (${past.length})`), el("ul", { className: "alerts" }, past.slice(0, 50).map((one) => alertCard(layer, one)))) : null;
      const activeBox = active.length ? el("ul", { className: "alerts" }, active.map((one) => alertCard(layer, one))) : stateLine("empty", t("alerts_none"));
      list.replaceChildren(...[activeBox, pastBox].filter(Boolean));
    } catch (error) {
      list.replaceChildren(stateLine("error", error.message, load));
    }
  };
  if (layer.edition) load();
  else list.append(stateLine("empty", t("no_data_long")));
  return list;
}

function toggle(layer, after) {
  const name = `hazard-${layer.id}`;
  const box = el("input", { type: "checkbox", id: name, checked: isShown(layer.id), disabled: !layer.edition });
  box.addEventListener("change", () => { setShown(layer.id, box.checked); after(); });
  const mark = layer.legend[0] ? swatch(layer.legend[0]) : null;
  return el("div", { className: "layer-head" }, box, mark, el("label", { htmlFor: name }, words(layer.title)), layer.edition ? null : el("span", { className: "hint" }, t("no_data")));
}

/** Draw only what happened in a window of time. Tiles carry times as ISO 8601 text in UTC, which sorts as time does. */
function applyWindow(layer, span) {
  windows.set(layer.id, span);
  if (!span) return setFilter(layer.id, null);
  const [from, to] = span.map((time) => new Date(time).toISOString().replace(/\.\d+Z$/, "Z"));
  const value = ["to-string", ["get", layer.time]];
  return setFilter(layer.id, ["all", [">=", value, from], ["<=", value, to]]);
}

function itemsUrl(layer, span) {
  const asked = new URLSearchParams({ limit: "200" });
  if (span) asked.set("datetime", span.map((time) => new Date(time).toISOString().replace(/\.\d+Z$/, "Z")).join("/"));
  return `${address(config.urls.items, { id: layer.id })}?${asked}`;
}

function graded(layer) {
  const name = layer.hazard.severity;
  return layer.attributes.find((one) => one.name === name) ?? null;
}

function eventLine(layer, feature) {
  const grade = graded(layer);
  const own = feature.properties;
  const strength = grade && own[grade.name] !== null && own[grade.name] !== undefined ? `${valueOf(grade, own[grade.name]).text}` : null;
  const open = () => {
    if (!isShown(layer.id)) setShown(layer.id, true);
    const box = boxOf(feature.geometry);
    if (box) fitBox(box, 9);
    showFeature({ layer, key: feature.id, properties: own, geometry: feature.geometry });
  };
  return el("li", {}, el("button", { type: "button", className: "also", onclick: open },
    strength ? el("span", { className: "strength" }, strength) : null, el("span", {}, titleOf(layer, own, feature.id)),
    layer.time && own[layer.time] ? el("span", { className: "hint" }, moment(String(own[layer.time]))) : null));
}

async function eventList(layer, box) {
  try {
    const found = await patiently(box, ask("hazards", itemsUrl(layer, windows.get(layer.id))));
    const newest = layer.time ? found.features.toSorted((a, b) => String(b.properties[layer.time]).localeCompare(String(a.properties[layer.time]))) : found.features;
    const lines = newest.slice(0, LISTED).map((one) => eventLine(layer, one));
    box.replaceChildren(lines.length ? el("ul", { className: "plain" }, lines) : stateLine("empty", t("hazard_items_none")));
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => eventList(layer, box)));
  }
}

function hazardBlock(layer) {
  const more = el("div", {});
  const fill = () => {
    if (!isShown(layer.id)) return more.replaceChildren();
    const list = el("div", {});
    const interval = layer.edition?.interval;
    const slider = layer.time && interval ? timeSlider(layer, interval, windows.get(layer.id), (span) => applyWindow(layer, span), () => eventList(layer, list)) : null;
    more.replaceChildren(...[slider, list].filter(Boolean));
    return eventList(layer, list);
  };
  fill();
  return el("section", { className: "hazard", dataset: { hazard: layer.id } }, toggle(layer, fill), more);
}

/** Draw the hazards panel. */
export function drawHazards(body) {
  const layers = hazardLayers();
  if (!layers.length) return body.append(stateLine("empty", t("hazard_none")));
  const alerts = layers.filter((layer) => layer.hazard.role === "alert");
  for (const layer of alerts) body.append(el("section", { className: "hazard" }, el("h2", {}, t("alerts")), toggle(layer, () => {}), alertsBlock(layer)));
  body.append(...layers.filter((layer) => layer.hazard.role !== "alert").map(hazardBlock));
  return undefined;
}
