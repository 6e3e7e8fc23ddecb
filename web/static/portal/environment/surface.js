// A surface between stations on the map, or its error; what is out of reach of any station stays empty.

import { config, t } from "../state.js";
import { el, patiently, stateLine } from "../dom.js";
import { fine, moment, number } from "../format.js";
import { gl } from "../map.js";
import { ask, request } from "../request.js";
import { belowStations } from "./marks.js";
import { nameOf, unitWords } from "./names.js";
import { PANEL, choose, shownTime, utc, view } from "./view.js";

const SOURCE = "environment-surface";
const LEAST = 4;
const STEPS = [0, 0.25, 0.5, 0.75, 1];
const LEVEL = 1e-4;
let latest = 0;

const RADIANS = Math.PI / 180;
const mercator = (latitude) => Math.log(Math.tan(Math.PI / 4 + (latitude * RADIANS) / 2));
const latitude = (y) => (2 * Math.atan(Math.exp(y)) - Math.PI / 2) / RADIANS;

function url(format) {
  const asked = new URLSearchParams({ property: view.property, datetime: utc(shownTime()), average: "hour", method: view.method, f: format });
  if (format === "png") asked.set("show", view.of);
  return `${config.urls.interpolation}?${asked}`;
}

/** The picture has rows of equal latitude; the map wants rows of equal Mercator northing. */
function inMercator(picture, [, south, , north]) {
  const board = document.createElement("canvas");
  [board.width, board.height] = [picture.width, picture.height];
  const brush = board.getContext("2d");
  const [top, bottom] = [mercator(north), mercator(south)];
  for (let row = 0; row < board.height; row += 1) {
    const at = latitude(top + ((row + 0.5) / board.height) * (bottom - top));
    const from = Math.min(picture.height - 1, Math.floor(((north - at) / (north - south)) * picture.height));
    brush.drawImage(picture, 0, from, picture.width, 1, 0, row, board.width, 1);
  }
  return board;
}

/** Take the surface from the map. */
export function clearSurface() {
  latest += 1;
  if (gl.getLayer(SOURCE)) gl.removeLayer(SOURCE);
  if (gl.getSource(SOURCE)) gl.removeSource(SOURCE);
}

function put(canvas, [west, south, east, north]) {
  if (gl.getLayer(SOURCE)) gl.removeLayer(SOURCE);
  if (gl.getSource(SOURCE)) gl.removeSource(SOURCE);
  gl.addSource(SOURCE, { type: "canvas", canvas, animate: false, coordinates: [[west, north], [east, north], [east, south], [west, south]] });
  gl.addLayer({ id: SOURCE, type: "raster", source: SOURCE, paint: { "raster-opacity": 0.72, "raster-fade-duration": 0 } }, belowStations());
}

/** The values along a scale, with the digits that tell them apart; a single one where nothing varies. */
function graded(low, high) {
  const width = high - low;
  if (width <= Math.abs(high) * LEVEL) return [fine(high)];
  const digits = Math.max(0, 2 - Math.floor(Math.log10(width)));
  return STEPS.map((share) => number(low + share * width, Math.min(digits, 12)));
}

function ramp(facts) {
  const error = view.of === "error";
  const [low, high] = (error ? facts.errorRange : facts.range) ?? [0, 0];
  const colours = facts.colours[view.of];
  const bar = el("div", { className: "env-ramp", "aria-hidden": "true", style: { background: `linear-gradient(90deg, ${colours.join(", ")})` } });
  const values = el("div", { className: "env-ramp-values number" }, graded(low, high).map((said) => el("span", {}, said)));
  return el("div", { role: "group", "aria-label": t("env_legend") }, el("p", {}, `${t(error ? "env_error" : "env_value")} · ${nameOf(facts.property)} (${unitWords(facts.unit)})`), bar, values,
    el("p", { className: "row hint" }, el("span", { className: "env-nothing", "aria-hidden": "true" }), t("env_out_of_reach", { km: number(facts.reach / 1000, 1) })));
}

function facts(told) {
  const missed = told.crossValidation;
  const pairs = [["env_method", told.method.id === "kriging" ? t("env_kriging") : t("env_rbf")], ["env_library", told.method.library], ["env_time", moment(told.datetime)],
    ["env_stations", number(told.stations.length, 0)], ["env_missed", `${fine(missed.rootMeanSquare)} ${unitWords(told.unit)}`], ["env_not_used", number(told.notUsed.length, 0)]];
  const rows = told.stations.map((one) => el("tr", {}, el("th", { scope: "row" }, one.name), el("td", { className: "number" }, fine(one.value)), el("td", { className: "number" }, fine(one.leftOut))));
  const head = [["env_station", ""], ["env_value", "number"], ["env_left_out", "number"]].map(([key, kind]) => el("th", { scope: "col", className: kind }, t(key)));
  return [el("dl", { className: "facts" }, pairs.flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)])),
    el("details", { className: "fold" }, el("summary", {}, t("env_table")), el("div", { className: "table env-table", tabIndex: 0, role: "region", "aria-label": t("env_table") }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)))),
    el("p", {}, el("a", { href: url("geotiff"), download: `${told.property}.tif` }, t("env_geotiff")))];
}

async function make(box) {
  const mine = ++latest;
  try {
    const both = Promise.all([ask(PANEL, url("json")), request(PANEL, "GET", url("png")).then((answer) => answer.blob()).then(createImageBitmap)]);
    const [told, picture] = await patiently(box, both);
    if (mine !== latest) return;
    put(inMercator(picture, told.bbox), told.bbox);
    box.replaceChildren(ramp(told), ...facts(told));
  } catch (error) {
    if (mine !== latest) return;
    clearSurface();
    box.replaceChildren(stateLine(error.status === 404 ? "empty" : "error", error.status === 404 ? t("env_too_few", { n: LEAST }) : error.message, () => make(box)));
  }
}

function pick(id, key, options, value, change) {
  const made = el("select", { id }, options.map(([name, text]) => el("option", { value: name, selected: name === value }, text)));
  made.addEventListener("change", () => change(made.value));
  return el("div", { className: "env-field" }, el("label", { htmlFor: id }, t(key)), made);
}

/** Draw the choices of a surface, and the surface. */
export function drawSurface(box, properties) {
  const body = el("div", { className: "env-surface" });
  const options = [...new Set([...properties, ...(view.property ? [view.property] : [])])].map((one) => [one, nameOf(one)]);
  box.replaceChildren(el("p", { className: "lead" }, t("env_surface_lead")), el("div", { className: "env-filters" },
    pick("env-surface-property", "env_property", [["", t("env_pick")], ...options], view.property, (property) => choose({ property })),
    pick("env-method", "env_method", [["kriging", t("env_kriging")], ["rbf", t("env_rbf")]], view.method, (method) => choose({ method })),
    pick("env-of", "env_show", [["value", t("env_value")], ["error", t("env_error")]], view.of, (of) => choose({ of }))), body);
  if (!view.property) { clearSurface(); body.replaceChildren(stateLine("empty", t("env_surface_pick"))); }
  else make(body);
}

