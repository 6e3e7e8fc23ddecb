// Ways to a zone without an alert: drawn, the view, a division, a kept zone, around a feature, or by a method.

import { address, config, currentLanguage, layerById, t, words } from "../state.js";
import { button, byId, el, patiently, stateLine } from "../dom.js";
import { codeName, moment, number, titleOf, valueOf } from "../format.js";
import { leaflet } from "../map.js";
import { startDrawing } from "../draw.js";
import { dropZone } from "../drop_zone.js";
import { ask } from "../request.js";
import { atTime } from "../time/asked_time.js";
import { go } from "./flow.js";
import { methodForm, viewBox } from "./forms.js";

const MANY = 1000;
const FEW = 100;
const RINGS = [1000, 3000, 5000];
const LEVEL = 3;
let methods = null;

/** Take a zone by its recipe and go to its step. */
export const take = (recipe) => go({ recipe, zone: null, answer: null, step: "zone" });

const made = (method, body) => take({ way: "method", method, body });

function draw() {
  const sheet = byId("panel");
  const narrow = innerWidth < 700;
  if (narrow) sheet.dataset.height = "peek";
  const back = () => { if (narrow) sheet.dataset.height = "half"; };
  startDrawing((area) => {
    back();
    made("drawn", { classes: [{ code: "drawn", label: { zh: "手绘区域", en: "Drawn area" }, area }], label: { zh: "手绘区域", en: "Drawn area" } });
  }, back);
}

function divisionName(layer, feature) {
  const list = layer.attributes.find((one) => one.name === "level")?.list;
  const level = list ? codeName(list, feature.properties.level) : null;
  const name = titleOf(layer, feature.properties, feature.id);
  return level ? `${name} (${level})` : name;
}

/** A choice of the features of a layer, filled when it is first looked at. */
function chooser(id, key, options, chosen) {
  const select = el("select", { id }, el("option", { value: "" }, t("zone_pick")));
  const box = el("div", { className: "field" }, el("label", { htmlFor: id }, t(key)), select);
  options().then((found) => {
    select.append(...found.map(([value, name]) => el("option", { value }, name)));
    if (!found.length) box.remove();
  }).catch((error) => box.append(stateLine("error", error.message)));
  select.addEventListener("change", () => { if (select.value) chosen(select.value); });
  return box;
}

function divisions() {
  const layer = layerById("division");
  if (!layer?.edition) return null;
  const url = atTime(`${address(config.urls.items, { id: "division" })}?limit=${MANY}`);
  return chooser("emergency-division", "zone_division", async () => (await ask("hazards", url)).features.map((one) => [String(one.properties.adcode ?? one.id), divisionName(layer, one)]),
    (adcode) => take({ way: "place", body: { adcode } }));
}

function keptZones() {
  return chooser("emergency-kept", "zone_kept", async () => {
    const { zones } = await ask("hazards", `${config.urls.hazards}/zones?limit=${FEW}`);
    return zones.map((one) => [one.id, `${t(`kind_${one.kind.replaceAll("-", "_")}`)} · ${moment(one.kept)}`]);
  }, (id) => take({ way: "kept", id }));
}

/** A field of features of a layer: the newest, or the largest, stands first and is chosen. */
function featureField(layerId, sort, nameOf) {
  return (id) => {
    const select = el("select", { id });
    const layer = layerById(layerId);
    const url = atTime(`${address(config.urls.items, { id: layerId })}?limit=${FEW}${sort ? `&sortby=${sort}` : ""}`);
    ask("hazards", url).then((found) => select.append(...found.features.map((one) => el("option", { value: String(one.id) }, nameOf(layer, one))))).catch(() => {});
    return { input: select, read: () => select.value || null };
  };
}

function quakeName(layer, one) {
  const grade = layer.attributes.find((each) => each.name === layer.hazard?.severity);
  const time = layer.time && one.properties[layer.time] ? moment(String(one.properties[layer.time])) : "";
  return [grade ? `M${valueOf(grade, one.properties[grade.name]).text}` : null, titleOf(layer, one.properties, one.id), time].filter(Boolean).join(" · ");
}

function fileField(id) {
  let text = null;
  const said = el("output", { className: "code" });
  const drop = dropZone({ id, title: t("form_file"), accept: ".xml" }, async ([file]) => { text = await file.text(); said.textContent = file.name; });
  return { input: el("div", {}, drop, said), read: () => text };
}

/** Fixes of a cyclone as lines: time, longitude, latitude, then radii by wind such as `34:200,180,150,170`. */
function fixesField(id) {
  const input = el("textarea", { id, rows: 5, placeholder: "2026-08-01T00:00Z 125.0 24.5 34:220 50:110 64:60" });
  const fix = (line) => {
    const [time, lon, lat, ...winds] = line.trim().split(/\s+/);
    const radii = Object.fromEntries(winds.map((one) => one.split(":")).map(([wind, sizes]) => [wind, (sizes ?? "").split(",").map(Number)]));
    return { time, lon: Number(lon), lat: Number(lat), radii };
  };
  return { input: el("div", {}, input, el("p", { className: "hint" }, t("form_fixes"))), read: () => (input.value.trim() ? input.value.trim().split("\n").map(fix) : null) };
}

function centrePoint(id) {
  let at = leaflet.getCenter().wrap();
  const said = el("output", { id, className: "number" });
  const tell = () => { said.textContent = `${number(at.lat, 4)}°, ${number(at.lng, 4)}°`; };
  tell();
  return { input: el("div", { className: "row wrap" }, said, button("form_here", () => { at = leaflet.getCenter().wrap(); tell(); })), read: () => ({ type: "Point", coordinates: [Number(at.lng.toFixed(6)), Number(at.lat.toFixed(6))] }) };
}

/** How each method is asked for: the fields that stand on top, with values where there is a good one. */
function formsOf() {
  const quakes = layerById("earthquake");
  const dams = layerById("dam");
  const quakeTime = quakes?.time ?? "time";
  return {
    ...(quakes?.edition ? { "earthquake#event": { key: "form_quake_event", top: ["event"], given: { event: featureField("earthquake", `-${quakeTime}`, quakeName), epicentre: null, magnitude: null } } } : {}),
    "earthquake#place": { key: "form_quake_place", top: ["epicentre", "magnitude"], given: { magnitude: 7, event: null } },
    "typhoon-wind": { top: ["fixes"], given: { fixes: fixesField } },
    "typhoon-cone": { top: ["fixes"], given: { fixes: fixesField, errors: null } },
    "flood-extent": { top: ["bbox"], given: { ids: null } },
    "river-flood": { top: ["bbox", "level"], given: { level: LEVEL, ids: null, dem: null } },
    ...(dams?.edition ? { "dam-break": { top: ["id"], given: { id: featureField("dam", null, (layer, one) => titleOf(layer, one.properties, one.id)), position: null, collection: null, dem: null } } } : {}),
    fire: { top: ["bbox"], given: {} },
    buffer: { top: ["geometry", "radii"], given: { geometry: centrePoint, radii: RINGS, ids: null, collection: null, by: null } },
    shakemap: { top: ["grid_xml"], given: { grid_xml: fileField } },
  };
}

function methodBox(method, name, plan) {
  const title = plan.key ? t(plan.key) : words(method.title);
  const fold = el("details", { className: "method-fold", dataset: { form: name } }, el("summary", {}, title));
  fold.addEventListener("toggle", () => {
    if (!fold.open || fold.children.length > 1) return;
    const body = plan.fixed ?? {};
    fold.append(el("p", { className: "hint" }, words(method.abstract)), method.screening ? el("p", { className: "caution" }, t("zone_screening")) : "", methodForm(method, plan, (given) => made(method.id, { ...body, ...given })));
  });
  return fold;
}

async function fillMethods(box) {
  try {
    methods ??= (await patiently(box, ask("hazards", `${config.urls.hazards}/methods`))).methods;
    const byName = new Map(methods.map((one) => [one.id, one]));
    const found = Object.entries(formsOf()).filter(([name]) => byName.has(name.split("#")[0]));
    box.replaceChildren(...found.map(([name, plan]) => methodBox(byName.get(name.split("#")[0]), name, plan)), el("p", { className: "hint" }, t("form_others")));
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => fillMethods(box)));
  }
}

/** The ways to a zone without an alert. */
export function zonePick() {
  const box = el("div", { className: "methods" });
  const fold = el("details", { className: "method-fold", id: "zone-methods" }, el("summary", {}, t("zone_by_method")), box);
  fold.addEventListener("toggle", () => { if (fold.open && !box.children.length) fillMethods(box); });
  return el("section", { className: "hazard zone-pick", lang: currentLanguage() === "zh" ? "zh-CN" : "en" }, el("h2", {}, t("zone_own")),
    el("div", { className: "choices two" }, button("zone_draw", draw), button("zone_view", () => take({ way: "place", body: { bbox: viewBox() } }))),
    divisions(), keptZones(), fold, el("p", { className: "hint" }, t("zone_from_feature")));
}

/** The zone around a feature of the map: itself where it is an area, rings around it where it is a point or a line. */
export function takeFeature(layer, key, geometry) {
  if (geometry?.type?.endsWith("Polygon")) return take({ way: "place", body: { feature: { collection: layer.id, id: String(key) } } });
  return made("buffer", { collection: layer.id, ids: [String(key)], radii: RINGS });
}
