// What has been observed: floods, earthquakes, tracks and fires, each with its newest and a time slider.

import { address, announce, config, layerById, on, t, words } from "../state.js";
import { button, el, patiently, stateLine } from "../dom.js";
import { moment, titleOf, valueOf } from "../format.js";
import { boxOf, fitBox, isShown, setShown } from "../map.js";
import { ask } from "../request.js";
import { showFeature } from "../identify.js";
import { swatch } from "../legend.js";
import { atTime } from "../time/asked_time.js";
import { hasTimes } from "../time/has_times.js";
import { asDatetime, windowOf } from "../time/windows.js";

const LISTED = 8;
const REST = 500;

function toggle(layer, after) {
  const name = `hazard-${layer.id}`;
  const box = el("input", { type: "checkbox", id: name, checked: isShown(layer.id), disabled: !layer.edition });
  box.addEventListener("change", () => { setShown(layer.id, box.checked); after(); });
  const mark = layer.legend[0] ? swatch(layer.legend[0]) : null;
  return el("div", { className: "layer-head" }, box, mark, el("label", { htmlFor: name }, words(layer.title)), layer.edition ? null : el("span", { className: "hint" }, t("no_data")));
}

function itemsUrl(layer, span) {
  const asked = new URLSearchParams({ limit: "200" });
  if (span) asked.set("datetime", asDatetime(span));
  return atTime(`${address(config.urls.items, { id: layer.id })}?${asked}`);
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
    const found = await patiently(box, ask("hazards", itemsUrl(layer, windowOf(layer.id))));
    const newest = layer.time ? found.features.toSorted((a, b) => String(b.properties[layer.time]).localeCompare(String(a.properties[layer.time]))) : found.features;
    const lines = newest.slice(0, LISTED).map((one) => eventLine(layer, one));
    box.replaceChildren(lines.length ? el("ul", { className: "plain" }, lines) : stateLine("empty", t("hazard_items_none")));
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => eventList(layer, box)));
  }
}

/** A layer of hazards: its switch, the way to its time bar, its newest features. */
export function hazardBlock(layer) {
  const more = el("div", {});
  const fill = () => {
    if (!isShown(layer.id)) return more.replaceChildren();
    const list = el("div", { dataset: { hazardList: layer.id } });
    const times = hasTimes(layer) ? button("time_bar_open", () => announce("time-bar", layer.id)) : null;
    more.replaceChildren(...[times, list].filter(Boolean));
    return eventList(layer, list);
  };
  fill();
  return el("section", { className: "hazard", dataset: { hazard: layer.id } }, toggle(layer, fill), more);
}

/** The lists tell what the time bar shows, once it rests. */
let resting = null;
on("time-window", (id) => {
  clearTimeout(resting);
  resting = setTimeout(() => {
    const list = document.querySelector(`[data-hazard-list="${id}"]`);
    if (list) eventList(layerById(id), list);
  }, REST);
});
