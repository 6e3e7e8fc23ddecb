// The query panel has two ways: filter a layer and list its rows, or choose a zone and get what lies inside it.

import { address, config, layerById, on, recall, remember, t } from "./state.js";
import { button, byId, el, stateLine } from "./dom.js";
import { titleOf, codeName } from "./format.js";
import { boxOf, leaflet, setHighlight } from "./map.js";
import { answerView } from "./answer.js";
import { startDrawing } from "./draw.js";
import { ask } from "./request.js";
import { pushUndo } from "./undo.js";
import { keepForNow, keptForNow } from "./unlost.js";
import { atTime } from "./time/asked_time.js";
import { closeDrawer, openPanel, openPanelName, redraw } from "./shell.js";
import { keepingFocus } from "./environment/focus.js";

const WAYS = ["filter", "zone"];
let way = recall("query-way") === "filter" ? "filter" : "zone";
let answer = null;
let outline = null;
let pending = null;
let failure = null;
let zone = null;
let stale = false;
const KEPT = "query-zone";

function forget() {
  const dropped = zone;
  pending?.abort();
  answer = zone = failure = pending = null;
  setZone(null);
  keepForNow(KEPT, null);
  redraw();
  if (dropped) pushUndo(t("zone_dropped"), () => askZone(dropped.body, dropped.geometry));
}

function setZone(geometry) {
  outline?.remove();
  outline = geometry ? L.geoJSON(geometry, { style: { color: "#0078ff", weight: 2.5, dashArray: "6 4", fillOpacity: 0.06, interactive: false }, interactive: false }).addTo(leaflet) : null;
}

/** Ask what lies in a zone. `body` is what the service gets, `geometry` what the map shows. */
export async function askZone(body, geometry) {
  pending?.abort();
  pending = new AbortController();
  const mine = pending;
  [zone, answer, failure, stale] = [{ body, geometry }, null, null, false];
  keepForNow(KEPT, zone);
  setWay("zone");
  setZone(geometry);
  setHighlight(null);
  if (openPanelName() === "query") redraw();
  else openPanel("query");
  try {
    answer = await ask("query", atTime(config.urls.analysis), body, mine.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    failure = error.message;
  }
  if (pending === mine) pending = null;
  if (openPanelName() === "query") redraw();
}

/** The outline of a zone that is named by a feature, as it was; others stay as they are. */
async function outlineThen({ body, geometry }, signal) {
  const [id, key] = body.adcode ? ["division", body.adcode] : [body.feature?.collection, body.feature?.id];
  if (!key) return geometry;
  try {
    return (await ask("query", atTime(address(config.urls.item, { id, key })), null, signal)).geometry ?? geometry;
  } catch {
    // What the analysis says of such a zone is shown; the outline stays until then.
    return geometry;
  }
}

/** Ask about the zone again: the map shows another date. */
async function askAgain() {
  const [mine, former] = [new AbortController(), zone];
  [pending, stale] = [mine, false];
  const geometry = await outlineThen(former, mine.signal);
  if (pending === mine) askZone(former.body, geometry);
}

/** An answer is of the date that it was asked at, and never stands beside a map of another one. */
function dated() {
  const open = openPanelName() === "query";
  if (!zone) { if (open) redraw(); return; }
  pending?.abort();
  [answer, failure, pending, stale] = [null, null, null, true];
  if (open) redraw();
}

function draw() {
  if (innerWidth < 700) byId("panel").dataset.height = "peek";
  startDrawing((geometry) => {
    if (innerWidth < 700) byId("panel").dataset.height = "half";
    askZone({ zone: geometry }, geometry);
  }, () => { if (innerWidth < 700) byId("panel").dataset.height = "half"; });
}

function view() {
  const bounds = leaflet.getBounds();
  const clip = (value, limit) => Math.max(-limit, Math.min(limit, Number(value.toFixed(6))));
  const [west, south, east, north] = [clip(bounds.getWest(), 180), clip(bounds.getSouth(), 90), clip(bounds.getEast(), 180), clip(bounds.getNorth(), 90)];
  const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  askZone({ bbox: [west, south, east, north] }, { type: "Polygon", coordinates: [ring] });
}

function place(feature) {
  const box = boxOf(feature.geometry);
  if (box) leaflet.fitBounds([[box[1], box[0]], [box[3], box[2]]], { maxZoom: 15, animate: false });
}

function chooser(id, key, layerId, bodyOf, wordsOf) {
  const layer = layerById(layerId);
  if (!layer?.edition) return null;
  const select = el("select", { id }, el("option", { value: "" }, t("zone_pick")));
  const box = el("div", { className: "field" }, el("label", { htmlFor: id }, t(key)), select);
  let features = [];
  const url = atTime(`${address(config.urls.items, { id: layerId })}?limit=1000`);
  ask("query", url).then((found) => {
    features = found.features.filter((one) => one.geometry);
    select.append(...features.map((one, at) => el("option", { value: String(at) }, wordsOf(layer, one))));
    if (!features.length) box.remove();
  }).catch((error) => box.append(stateLine("error", error.message)));
  select.addEventListener("change", () => {
    const chosen = features[Number(select.value)];
    if (select.value === "" || !chosen) return;
    place(chosen);
    askZone(bodyOf(chosen), chosen.geometry);
  });
  return box;
}

function divisionWords(layer, feature) {
  const list = layer.attributes.find((one) => one.name === "level")?.list;
  const level = list ? codeName(list, feature.properties.level) : null;
  return level ? `${titleOf(layer, feature.properties, feature.id)} (${level})` : titleOf(layer, feature.properties, feature.id);
}

function choose(body) {
  body.append(
    el("p", { className: "lead" }, t("answer_empty")),
    el("div", { className: "choices" }, button("zone_draw", draw, "primary wide"), button("zone_view", view, "wide")),
    ...[chooser("zone-division", "zone_division", "division", (one) => ({ adcode: String(one.properties.adcode ?? one.id) }), divisionWords),
      chooser("zone-alert", "zone_alert", "cap_alert", (one) => ({ alert: String(one.id) }), (layer, one) => titleOf(layer, one.properties, one.id))].filter(Boolean));
}

function setWay(name) {
  way = name;
  remember("query-way", name);
}

function ways() {
  const choice = (name) => el("button", { type: "button", id: `query-way-${name}`, "aria-pressed": String(way === name), onclick: () => keepingFocus(() => { setWay(name); redraw(); }) }, t(`query_way_${name}`));
  return el("div", { className: "ways", role: "group", "aria-label": t("query") }, WAYS.map(choice));
}

/** The builder is fetched when it is first wanted. */
async function drawFilter(body) {
  try {
    const { drawBuilder } = await import("./table/builder.js");
    if (body.isConnected) drawBuilder(body);
  } catch (error) {
    body.append(stateLine("error", error.message, redraw));
  }
}

async function openFilter(id) {
  setWay("filter");
  const { chooseLayer } = await import("./table/builder.js");
  chooseLayer(id);
  if (innerWidth < 700) byId("panel").dataset.height = "full";
  openPanel("query");
}

/** Draw the query panel. */
export function drawQuery(body) {
  const content = el("div", {});
  body.append(ways(), content);
  if (way === "filter") drawFilter(content);
  else drawZone(content);
}

function drawZone(body) {
  if (stale && zone) askAgain();
  if (failure) body.append(stateLine("error", failure, () => askZone(zone.body, zone.geometry)), button("new_zone", forget));
  else if (pending) wait(body);
  else if (answer) body.append(...answerView(answer, forget));
  else choose(body);
}

/** Say that the answer is on its way, but only if it is slow and still awaited. */
function wait(body) {
  const mine = pending;
  setTimeout(() => {
    if (pending === mine && openPanelName() === "query") body.replaceChildren(stateLine("loading", t("computing")), button("cancel", forget));
  }, 400);
}

/** Take zones from other panels, and the one that was there before the page was loaded again. */
export function startQuery() {
  const before = keptForNow(KEPT);
  if (before?.body && before.geometry && openPanelName() === "query") askZone(before.body, before.geometry);
  window.addEventListener("geoservice-zone", ({ detail }) => {
    closeDrawer();
    const body = detail.body ?? (detail.layer === "cap_alert" ? { alert: String(detail.key) } : { feature: { collection: detail.layer, id: String(detail.key) } });
    askZone(body, detail.geometry);
  });
  on("as-of", dated);
  on("filter-wanted", openFilter);
  on("panel-closed", (name) => { if (name === "query" && !answer) setZone(null); });
}

