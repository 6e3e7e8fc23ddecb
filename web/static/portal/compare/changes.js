// What changed in a layer between two dates: drawn on the map by tiles, told in the drawer with counts and a list.

import { address, config, layerById, t, words } from "../state.js";
import { button, el, patiently, stateLine } from "../dom.js";
import { moment, number, titleOf } from "../format.js";
import { boxOf, fitBox, gl, opacityOf, setOpacity, shownLayers, tileZoom } from "../map.js";
import { showFeature, takeClicks } from "../identify.js";
import { ask } from "../request.js";
import { closeDrawer, openDrawer } from "../shell.js";
import { chooseInstant } from "../time/as_of.js";
import { editionAt, editionsOf } from "../time/editions.js";
import { withQuery } from "../tile_query.js";

export const PANEL = "compare";
const SOURCE = "compare-changes";
const LISTED = 100;
const FADED = 0.35;
// Told apart by people who see colours otherwise, too: blue, orange, grey; what is gone is dashed as well.
const LOOKS = [["inserted", "created", "#1b6ec2"], ["updated", "updated", "#d9730d"], ["deleted", "deleted", "#4a4a4a"]];
const page = JSON.parse(document.getElementById("map-style").textContent);
let shown = null;
let latest = 0;

const colour = ["match", ["get", "change"], ...LOOKS.flatMap(([name, , hue]) => [name, hue]), "#000000"];
const gone = ["==", ["get", "change"], "deleted"];
const candidates = () => config.layers.filter((layer) => layer.kind === "vector" && layer.edition);

function drawnLayers(id) {
  const one = { source: SOURCE, "source-layer": id };
  return [
    { ...one, id: `${SOURCE}-fill`, type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": colour, "fill-opacity": 0.35 } },
    { ...one, id: `${SOURCE}-line`, type: "line", filter: ["all", ["!=", ["geometry-type"], "Point"], ["!", gone]], paint: { "line-color": colour, "line-width": 2 } },
    { ...one, id: `${SOURCE}-gone`, type: "line", filter: ["all", ["!=", ["geometry-type"], "Point"], gone], paint: { "line-color": colour, "line-width": 2, "line-dasharray": [2, 1.5] } },
    { ...one, id: `${SOURCE}-circle`, type: "circle", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-color": colour, "circle-radius": 6, "circle-stroke-color": "#ffffff", "circle-stroke-width": 1.5 } },
  ];
}

function takeOff() {
  for (const one of drawnLayers("")) if (gl.getLayer(one.id)) gl.removeLayer(one.id);
  if (gl.getSource(SOURCE)) gl.removeSource(SOURCE);
  if (shown) setOpacity(shown.id, shown.opacity);
  shown = null;
}

function draw(layer, since, until) {
  takeOff();
  const { tiles, minzoom, maxzoom } = page.sources[layer.id];
  gl.addSource(SOURCE, { type: "vector", tiles: tiles.map((one) => withQuery(one, [["between", `${since}/${until}`]])), minzoom: Math.max(minzoom, layer.exactFrom), maxzoom });
  for (const one of drawnLayers(layer.id)) gl.addLayer(one);
  shown = { id: layer.id, opacity: opacityOf(layer.id), since, until };
  setOpacity(layer.id, shown.opacity * FADED);
}

function swatch(hue, dashed) {
  const made = el("span", { className: `change-swatch${dashed ? " change-gone" : ""}`, "aria-hidden": "true" });
  made.style.setProperty("--hue", hue);
  return made;
}

function legend(counts) {
  const lines = LOOKS.map(([name, action, hue]) => el("li", { dataset: { change: name } }, swatch(hue, name === "deleted"), el("span", { className: "legend-name" }, t(`change_${name}`)),
    el("span", { className: "count number" }, number(counts[action] ?? 0, 0))));
  return el("ul", { className: "legend", id: "change-legend", "aria-label": t("change_legend") }, lines);
}

/** One change opens as the feature is, or, when it is gone, as it was. */
function open(layer, one, times) {
  const when = one.action === "deleted" ? times.from : times.to;
  const go = (geometry) => { const box = boxOf(geometry); if (box) fitBox(box, 16); };
  if (one.feature?.geometry) go(one.feature.geometry);
  showFeature({ layer, key: one.id, properties: one.feature?.properties ?? {}, geometry: one.feature?.geometry ?? null, when }, [], null, (item) => go(item.geometry));
}

function list(layer, changes, times) {
  const lines = changes.map((one) => {
    const [name] = LOOKS.find(([, action]) => action === one.action);
    return el("li", {}, el("button", { type: "button", className: "also", onclick: () => open(layer, one, times) },
      el("span", {}, titleOf(layer, one.feature?.properties ?? {}, one.id)), el("span", { className: "hint" }, t(`change_${name}`))));
  });
  return el("ul", { className: "plain", id: "change-list" }, lines);
}

async function tell(layer, since, until, times) {
  const mine = ++latest;
  const body = el("div", {});
  const url = `${address(config.urls.collection, { id: layer.id })}/changes?since=${since}&until=${until}&limit=${LISTED}&counts=true`;
  openDrawer(t("changes_of", { name: words(layer.title) }), el("p", { className: "source" }, `${moment(times.from)} – ${times.to ? moment(times.to) : t("as_of_now")} · ${t("changes_editions", { a: since, b: until })}`), body);
  try {
    const answer = await patiently(body, ask(PANEL, url));
    if (mine !== latest) return;
    const total = Object.values(answer.counts).reduce((sum, n) => sum + n, 0);
    const more = total > answer.changes.length ? el("p", { className: "hint" }, t("changes_listed", { n: number(answer.changes.length, 0), m: number(total, 0) })) : null;
    const far = tileZoom() < layer.exactFrom ? el("p", { className: "hint" }, t("as_of_far", { names: words(layer.title), z: layer.exactFrom })) : null;
    body.replaceChildren(...[legend(answer.counts), far, total ? list(layer, answer.changes, times) : stateLine("empty", t("changes_none")), more].filter(Boolean));
  } catch (error) {
    if (mine === latest) body.replaceChildren(stateLine("error", error.message, () => tell(layer, since, until, times)));
  }
}

/** Read which editions held at both dates, draw what lies between them and tell it. */
async function show(chosen) {
  const layer = layerById(chosen.layer);
  try {
    const [first, last] = await Promise.all([editionAt(layer.id, chosen.from), chosen.to ? editionAt(layer.id, chosen.to) : editionsOf(layer.id).then((all) => all[0])]);
    const [since, until] = [first?.number ?? 0, last?.number ?? 0];
    if (!since || since >= until) {
      takeOff();
      openDrawer(t("changes_of", { name: words(layer.title) }), stateLine("empty", t(since ? "changes_none" : "changes_before")));
      return;
    }
    draw(layer, since, until);
    await tell(layer, since, until, chosen);
  } catch (error) {
    openDrawer(t("changes_of", { name: words(layer.title) }), stateLine("error", error.message, () => show(chosen)));
  }
}

/** A layer and an earlier date that make a good beginning: the topmost layer with a past, and its edition before the latest. */
async function first(chosen) {
  const others = candidates();
  const on = shownLayers().filter((layer) => others.includes(layer));
  for (const layer of chosen.layer ? [layerById(chosen.layer)] : [...on].sort((a, b) => Number(b.id === "landuse_patch") - Number(a.id === "landuse_patch"))) {
    const editions = await editionsOf(layer.id);
    if (editions.length > 1 || chosen.layer) return { layer: layer.id, from: chosen.from ?? (editions[1] ?? editions[0])?.committed ?? null };
  }
  return { layer: (on[0] ?? others[0])?.id ?? null, from: null };
}

/** Start showing changes; what is missing in `chosen` is filled with what makes sense. */
export async function startChanges(chosen, settled) {
  const mine = ++latest;
  try {
    const found = await first(chosen);
    if (mine !== latest) return;
    Object.assign(chosen, found);
  } catch (error) {
    openDrawer(t("compare_changes"), stateLine("error", error.message, () => startChanges(chosen, settled)));
    return;
  }
  settled();
  if (chosen.layer && chosen.from) show(chosen);
  else openDrawer(t("compare_changes"), stateLine("empty", t("changes_no_past")));
}

/** Take the changes off the map. */
export function endChanges() {
  latest += 1;
  if (!shown) return;
  takeOff();
  closeDrawer();
}

function dateButton(key, chosen, name, settled) {
  const words = chosen[name] ? moment(chosen[name]) : name === "to" ? t("as_of_now") : t("changes_pick");
  const put = (text) => { chosen[name] = name === "from" && !text ? chosen.from : text; settled(); show(chosen); };
  return el("button", { type: "button", className: "compare-date", dataset: { date: key }, onclick: () => chooseInstant(t(key), chosen[name], put) }, `${t(key)}: `, el("strong", {}, words));
}

/** The part of the bar in which layer and dates are chosen. */
export function changesPart(chosen, settled) {
  const options = candidates().map((layer) => el("option", { value: layer.id, selected: layer.id === chosen.layer }, words(layer.title)));
  const select = el("select", { id: "changes-layer", "aria-label": t("layer") }, options);
  select.addEventListener("change", () => { Object.assign(chosen, { layer: select.value, from: null, to: null }); startChanges(chosen, settled); });
  return el("div", { className: "row wrap compare-sides" }, select, dateButton("changes_from", chosen, "from", settled), dateButton("changes_to", chosen, "to", settled),
    chosen.from ? button("changes_tell", () => show(chosen)) : null);
}

/** Clicks on what the changes draw: gone features are not on the map itself. */
takeClicks((latlng) => {
  if (!shown) return false;
  const at = gl.project([latlng.lng, latlng.lat]);
  const box = [[at.x - 4, at.y - 4], [at.x + 4, at.y + 4]];
  const [found] = gl.queryRenderedFeatures(box, { layers: drawnLayers("").map((one) => one.id) });
  if (!found?.properties.key) return false;
  const layer = layerById(shown.id);
  const edition = found.properties.change === "deleted" ? shown.since : shown.until;
  editionsOf(layer.id).then((all) => showFeature({ layer, key: found.properties.key, properties: found.properties, geometry: found.geometry, when: all.find((one) => one.number === edition)?.committed ?? null }));
  return true;
});
