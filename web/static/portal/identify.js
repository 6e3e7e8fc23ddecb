// A click on the map is answered in the drawer: the top feature first, then what else is there.

import { address, announce, config, currentLanguage, offers, on, t, words } from "./state.js";
import { button, byId, copy, el, patiently, stateLine } from "./dom.js";
import { coordinates, isMany, number, titleOf, valueOf } from "./format.js";
import { boxOf, featuresAt, fitBox, leaflet, setHighlight } from "./map.js";
import { ask } from "./request.js";
import { closeDrawer, openDrawer } from "./shell.js";
import { swatch } from "./legend.js";
import { asOf, atTime } from "./time/asked_time.js";
import { editionAt, editionWords } from "./time/editions.js";

let pointer = true;
let latest = 0;
const takers = [];
let acting = true;

/** Whether the answer offers what other panels do with a feature; a map without panels has none of it. */
export const answerActions = (value) => { acting = value; };

/** Let another tool have the clicks, or give them back. */
export const setIdentifying = (value) => { pointer = value; };

/** Let a panel answer clicks on what it drew itself: `taker` gets the place and says whether the click was its own. */
export const takeClicks = (taker) => takers.push(taker);

const itemUrl = (layer, key) => address(config.urls.item, { id: layer.id, key });

function attributeName(attribute) {
  return attribute.title ? words(attribute.title) : attribute.name.replaceAll("_", " ");
}

function row(attribute, value) {
  const shown = valueOf(attribute, value);
  const code = shown.code ? el("span", { className: "code" }, shown.code) : null;
  return el("tr", {}, el("th", { scope: "row", title: attribute.name }, attributeName(attribute)), el("td", { className: shown.empty ? "empty" : "" }, shown.text, code));
}

/** The attributes of a feature as a table: code values spelt out, empty ones last. */
export function attributeTable(layer, properties) {
  const filled = layer.attributes.filter((one) => properties[one.name] !== null && properties[one.name] !== undefined);
  return el("table", { className: "attributes" }, el("tbody", {}, filled.map((one) => row(one, properties[one.name]))));
}

function actions({ layer, key, when }, geometry, latlng, properties) {
  const box = boxOf(geometry);
  const polygon = geometry?.type?.endsWith("Polygon");
  const zone = polygon ? button("use_zone", () => window.dispatchEvent(new CustomEvent("geoservice-zone", { detail: { layer: layer.id, key, geometry } }))) : null;
  const check = polygon && offers("compliance") ? button("check_feature", () => window.dispatchEvent(new CustomEvent("geoservice-check", { detail: { layer: layer.id, key, geometry } }))) : null;
  const danger = geometry ? button("use_danger", () => window.dispatchEvent(new CustomEvent("geoservice-emergency", { detail: { layer, key, geometry } }))) : null;
  if (!acting) return box ? el("div", { className: "row wrap" }, button("zoom_feature", () => fitBox(box))) : null;
  return el("div", { className: "row wrap" },
    box ? button("zoom_feature", () => fitBox(box)) : null,
    box ? button("print_this", () => window.dispatchEvent(new CustomEvent("geoservice-print", { detail: { layer, key, geometry, properties } }))) : null, zone, check, danger,
    button("copy_id", () => copy(String(key)), "quiet"),
    button("copy_link", () => copy(new URL(atTime(itemUrl(layer, key), when), location.origin).href), "quiet"),
    latlng ? button("copy_place", () => copy(coordinates(latlng.lng, latlng.lat, false)), "quiet") : null);
}

function source(layer, when = asOf()) {
  const line = el("p", { className: "source" });
  const write = () => { line.textContent = `${words(layer.title)} · ${words(layer.authority)} · ${editionWords(layer, when)}`; };
  write();
  if (when) editionAt(layer.id, when).then(write, () => {});
  return line;
}

/** How many features of which class something stands for; the most frequent classes when not all are told. */
function classRows(layer, properties) {
  const by = layer.attributes.find((one) => one.name === (layer.clusterBy ?? layer.legendBy));
  const told = properties.classes ? Object.entries(JSON.parse(properties.classes)) : [];
  const lines = told.map(([value, n]) => [by ? valueOf(by, value).text : value || t("no_value"), `${number(n, 0)} (${number((100 * n) / properties.count, 1)} %)`]);
  if (!told.length && by && properties.share !== undefined) lines.push([valueOf(by, properties[by.name]).text, `${number(100 * properties.share, 1)} %`]);
  return lines.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { className: "number" }, value)));
}

/** Show what stands for many features: their number and classes, and the way to the single ones. */
function showMany(found, list, latlng) {
  latest += 1;
  const { layer, properties } = found;
  const rows = classRows(layer, properties);
  const table = rows.length ? el("table", { className: "attributes" }, el("tbody", {}, rows)) : null;
  const closer = latlng ? button("zoom_in", () => leaflet.setView(latlng, Math.min(leaflet.getZoom() + 2, leaflet.getMaxZoom()))) : null;
  openDrawer(titleOf(layer, properties), source(layer, found.when), ...[table, el("p", { className: "hint" }, t("many_hint")), closer, list].filter(Boolean));
  setHighlight(found.geometry ?? null);
}

/** Show one feature in the drawer: what the tile knows at once, then everything the service tells, and `arrived` too. */
export async function showFeature(found, others = [], latlng = null, arrived = null) {
  const list = others.length ? alsoHere([found, ...others], found, latlng) : null;
  if (isMany(found)) { showMany(found, list, latlng); return; }
  const mine = ++latest;
  const { layer, key } = found;
  const body = el("div", {});
  openDrawer(titleOf(layer, found.properties ?? {}, key), source(layer, found.when), body, ...(list ? [list] : []));
  setHighlight(found.geometry ?? null);
  announce("identified", { layer, key });
  try {
    const item = await patiently(body, ask("identify", atTime(itemUrl(layer, key), found.when)));
    if (mine !== latest) return;
    byId("drawer-title").textContent = titleOf(layer, item.properties, key);
    setHighlight(item.geometry);
    byId("drawer").dataset.feature = `${layer.id}/${key}`;
    arrived?.(item);
    const link = el("p", {}, el("a", { href: atTime(`${itemUrl(layer, key)}?f=html&lang=${currentLanguage()}`, found.when) }, t("open_page")));
    body.replaceChildren(...[attributeTable(layer, item.properties), actions(found, item.geometry, latlng, item.properties), link].filter(Boolean));
  } catch (error) {
    if (mine === latest) body.replaceChildren(stateLine("error", error.message, () => showFeature(found, others, latlng)));
  }
}

function alsoHere(all, current, latlng) {
  const lines = all.filter((one) => one !== current).map((one) => el("li", {},
    el("button", { type: "button", className: "also", onclick: () => showFeature(one, all.filter((other) => other !== one), latlng) },
      one.layer.legend[0] ? swatch(one.layer.legend[0]) : null,
      el("span", {}, titleOf(one.layer, one.properties, one.key)), el("span", { className: "hint" }, words(one.layer.title)))));
  return el("section", {}, el("h2", {}, t("identify_more")), el("ul", { className: "plain" }, lines));
}

/** Tell what is drawn at a place; `view` names the map that was clicked when it is not the first one. */
export function whatIsAt(latlng, view = null) {
  const found = featuresAt(latlng, undefined, view);
  const at = el("p", { className: "number" }, `${coordinates(latlng.lng, latlng.lat, false)} · ${coordinates(latlng.lng, latlng.lat, true)}`);
  if (!found.length) {
    latest += 1;
    setHighlight({ type: "Point", coordinates: [latlng.lng, latlng.lat] });
    openDrawer(t("identify"), at, stateLine("empty", t("identify_none")));
    return;
  }
  showFeature(found[0], found.slice(1, 25), latlng);
}

function pointed(latlng) {
  if (!takers.some((taker) => taker(latlng))) whatIsAt(latlng);
}

/** Answer clicks, and the key that asks for the centre. */
export function startIdentify() {
  leaflet.on("click", (event) => { if (pointer) pointed(event.latlng.wrap()); });
  on("identify-centre", () => { if (pointer) pointed(leaflet.getCenter().wrap()); });
  on("drawer-closed", () => setHighlight(null));
  on("language", closeDrawer);
  // What the drawer tells is of another time.
  on("as-of", closeDrawer);
}
