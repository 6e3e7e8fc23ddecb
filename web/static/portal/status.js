// The status bar: scale, cursor coordinates, zoom, where the data come from; and the mark on fictional data.

import { config, on, recall, remember, t } from "./state.js";
import { byId } from "./dom.js";
import { coordinates, number } from "./format.js";
import { gaussKrueger, sheetAt, suiting } from "./notation.js";
import { leaflet, scaleAtCentre, shownLayers, tileZoom } from "./map.js";

const STEPS = [1, 2, 5];
const WIDEST = 110;
const NOTATIONS = ["degrees", "dms", "projected"];
let notation = NOTATIONS.includes(recall("coordinates")) ? recall("coordinates") : "degrees";
let cursor = null;

function roundLength(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return STEPS.filter((step) => step * power <= metres).at(-1) * power;
}

function scale() {
  const { metres, denominator } = scaleAtCentre();
  const length = roundLength(metres * WIDEST);
  byId("scale-bar").style.width = `${Math.round(length / metres)}px`;
  byId("scale-length").textContent = length >= 1000 ? `${number(length / 1000, 0)} km` : `${number(length, 2)} m`;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(denominator)) - 1);
  byId("scale-number").textContent = `1 : ${number(Math.round(denominator / digits) * digits, 0)}`;
  byId("zoom-level").textContent = `${t("zoom")} ${number(tileZoom(), 1)}`;
}

function written({ lng, lat }) {
  const metres = notation === "projected" ? gaussKrueger(lng, lat) : null;
  if (metres) return `X ${metres.northing.toFixed(1)} Y ${metres.easting.toFixed(1)}`;
  return coordinates(lng, lat, notation === "dms");
}

function place() {
  const at = (cursor ?? leaflet.getCenter()).wrap();
  byId("coordinates").textContent = written(at);
  const scale = suiting(scaleAtCentre().denominator);
  const sheet = sheetAt(at.lng, at.lat, scale);
  byId("sheet-at").textContent = sheet ? `${t("sheet_at")} ${sheet}` : "";
}

function credits() {
  const view = leaflet.getBounds();
  const meets = (box) => !box || box[0] > box[2] || view.intersects([[box[1], box[0]], [box[3], box[2]]]);
  const seen = shownLayers().filter((layer) => tileZoom() >= layer.fromZoom && meets(layer.edition?.bbox));
  const names = new Set(seen.flatMap((layer) => (layer.licence.attribution ?? "").split(";")).map((name) => name.trim()).filter(Boolean));
  byId("credits").textContent = names.size ? `${t("attribution")}: ${[...names].join(" · ")}` : "";
  byId("credits").title = byId("credits").textContent;
  const reviews = new Set(seen.map((layer) => layer.review).filter(Boolean));
  byId("review").textContent = reviews.size ? `${t("review")} ${[...reviews].join("、")}` : "";
}

function fiction() {
  const box = config.sample;
  const inside = box && leaflet.getBounds().intersects([[box[1], box[0]], [box[3], box[2]]]);
  byId("fiction").hidden = !(inside && tileZoom() >= 6);
}

/** Wire the status bar. */
export function startStatus() {
  const all = () => { scale(); place(); credits(); fiction(); };
  leaflet.on("zoom moveend zoomend resize", all);
  leaflet.on("mousemove", (event) => { cursor = event.latlng; place(); });
  leaflet.on("mouseout", () => { cursor = null; place(); });
  leaflet.on("move", () => { if (!cursor) place(); });
  byId("coordinates").addEventListener("click", () => {
    notation = NOTATIONS[(NOTATIONS.indexOf(notation) + 1) % NOTATIONS.length];
    remember("coordinates", notation);
    place();
  });
  on("shown", credits);
  on("language", all);
  all();
}

