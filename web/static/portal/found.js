// What the search found, on the map and in the drawer.

import { config, layerById, t } from "./state.js";
import { button, byId, copy, el, notice } from "./dom.js";
import { coordinates, number } from "./format.js";
import { showFeature, whatIsAt } from "./identify.js";
import { boxOf, fitBox, leaflet, setHighlight } from "./map.js";
import { ask } from "./request.js";
import { openDrawer } from "./shell.js";

const NEAR = 15;

const row = (name, value) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { className: "number" }, value));
const table = (rows) => el("table", { className: "attributes" }, el("tbody", {}, rows));

function moveTo([lon, lat]) {
  leaflet.setView([lat, lon], Math.max(leaflet.getZoom(), NEAR), { animate: false });
}

async function feature(one) {
  const layer = layerById(one.collection);
  if (one.point) moveTo(one.point);
  if (!layer) { if (one.point) point(one.point, one.name, []); return; }
  await showFeature({ layer, key: one.key, properties: {}, geometry: one.point ? { type: "Point", coordinates: one.point } : null }, [], null, (item) => {
    const box = boxOf(item.geometry);
    if (box) fitBox(box, NEAR + 2);
  });
}

function point(at, title, rows) {
  moveTo(at);
  setHighlight({ type: "Point", coordinates: at });
  const written = coordinates(at[0], at[1], false);
  const actions = el("div", { className: "row wrap" }, button("here", () => whatIsAt({ lng: at[0], lat: at[1] })), button("copy_place", () => copy(written), "quiet"));
  openDrawer(title, table([row(t("degrees"), written), row(t("dms"), coordinates(at[0], at[1], true)), ...rows]), actions);
}

function projected(reading) {
  const zones = [["zone_3", reading.gauss_krueger?.["3_degree"]], ["zone_6", reading.gauss_krueger?.["6_degree"]]];
  return zones.filter(([, zone]) => zone).map(([key, zone]) => row(t(key, { zone: zone.zone, cm: zone.central_meridian }),
    el("span", {}, `X ${zone.northing.toFixed(2)}`, el("br"), `Y ${zone.easting_with_zone.toFixed(2)}`)));
}

function reading(one) {
  const sheets = Object.entries(one.reading.sheets ?? {}).filter(([scale]) => Number(scale.split(":")[1]) >= 5000);
  point(one.point, one.name, projected(one.reading));
  byId("drawer-body").append(...linked("sheets_here", sheets));
}

function address(one) {
  const { line, level, confidence, feature: source } = one.address;
  const rows = [row(t("address_line"), line), row(t("address_level"), t(`level_${level}`)), row(t("address_sure"), `${number(100 * confidence, 0)} %`)];
  point(one.point, line, rows);
  if (source && layerById(source.collection)) {
    const more = button("details", () => feature({ collection: source.collection, key: source.id, point: one.point, name: line }));
    byId("drawer-body").querySelector(".row").append(more);
  }
}

/** Show a map sheet by its number of today or of before 1992. */
export async function sheetOf(name) {
  try {
    sheet(await ask("search", `${config.urls.sheet.replace("{number}", encodeURIComponent(name))}?f=geojson`));
  } catch (error) {
    notice(error.message, "error");
  }
}

const link = (name) => el("button", { type: "button", className: "quiet link", onclick: () => sheetOf(name) }, name);

/** Sheets as a table: what each is to this place, and the way to it. */
function linked(title, pairs, spelt = (name) => name) {
  const rows = pairs.map(([name, number]) => row(spelt(name), link(number)));
  return rows.length ? [el("section", {}, el("h2", {}, t(title)), table(rows))] : [];
}

function sheet(found) {
  const { scale, former_number: former, neighbours = {}, lies_in: above = {} } = found.properties;
  const [west, south, east, north] = found.bbox;
  const corners = `${coordinates(west, south, true)} – ${coordinates(east, north, true)}`;
  const rows = [row(t("sheet_scale"), `1 : ${number(scale, 0)}`), former ? row(t("sheet_former"), former) : null, row(t("dms"), corners)];
  const zone = button("use_zone", () => window.dispatchEvent(new CustomEvent("geoservice-zone", { detail: { body: { sheet: found.id }, geometry: found.geometry } })));
  openDrawer(`${t("found_sheet")} ${found.id}`, table(rows.filter(Boolean)), el("div", { className: "row wrap" }, zone, button("copy_id", () => copy(found.id), "quiet")),
    ...linked("sheet_above", Object.entries(above)), ...linked("sheet_around", Object.entries(neighbours), t));
  setHighlight(found.geometry);
  fitBox(found.bbox);
}

const WAYS = { name: feature, code: feature, address, coordinates: reading, sheet: (one) => sheet(one.sheet) };

/** Go to what was found and tell about it. */
export function goTo(one) {
  return WAYS[one.kind](one);
}
