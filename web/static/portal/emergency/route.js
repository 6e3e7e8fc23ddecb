// Ways to help around a zone: the nearest hospitals that are still reached, drawn and told.

import { config, t, words } from "../state.js";
import { button, el, patiently, stateLine } from "../dom.js";
import { fine, number } from "../format.js";
import { boxOf, fitBox, leaflet, setHighlight } from "../map.js";
import { ask } from "../request.js";
import { openDrawer } from "../shell.js";
import { atTimeBody } from "../time/asked_time.js";
import { flow } from "./flow.js";

const COUNT = 3;
const HOSPITALS = "hospital";
const MINUTE = 60;
const STYLE = { color: "#0b5ea8", weight: 5, opacity: 0.9, interactive: false };
const CASING = { color: "#ffffff", weight: 8, opacity: 0.9, interactive: false };
let drawn = null;

/** Take the way off the map. */
export function forgetWay() {
  drawn?.remove();
  drawn = null;
}

function drawWay(geometry, from) {
  forgetWay();
  drawn = L.featureGroup([L.geoJSON(geometry, { style: CASING, interactive: false }), L.geoJSON(geometry, { style: STYLE, interactive: false }),
    L.circleMarker([from[1], from[0]], { radius: 7, color: "#fff", weight: 2, fillColor: STYLE.color, fillOpacity: 1, interactive: false })]).addTo(leaflet);
  const box = boxOf(geometry);
  if (box) fitBox(box, 15);
}

/** Closures of all parts of the zone: roads that meet it are taken as closed. */
const closures = () => flow.zone.classes.filter((one) => one.geometry).map((one) => ({ zone: one.geometry }));

function lineOf(found, from) {
  const own = found.properties;
  const name = words(own.name) || String(own.facility);
  const told = [t("way_minutes", { n: number(own.duration_s / MINUTE, 0) }), `${fine(own.distance_m / 1000)} ${t("km")}`].join(" · ");
  return el("li", { className: "way" }, el("span", { className: "grow" }, el("strong", {}, name), el("span", { className: "hint block" }, told)),
    el("button", { type: "button", "aria-label": `${t("way_show")}: ${name}`, onclick: () => drawWay(found.geometry, from) }, t("way_show")));
}

function fill(box, answer, from) {
  const ways = answer.features.filter((one) => one.properties.type === "way");
  if (!ways.length) {
    const key = `way_${String(answer.reason ?? "").replaceAll("-", "_")}`;
    box.replaceChildren(stateLine("error", t(config.texts[key] ? key : "way_none")));
    return;
  }
  box.replaceChildren(el("p", { className: "hint" }, t("way_note")), el("ul", { className: "ways" }, ways.map((one) => lineOf(one, from))),
    button("way_clear", () => { forgetWay(); setHighlight(null); }, "quiet"));
  drawWay(ways[0].geometry, from);
}

/** Find the nearest hospitals outside of the zone that a place still reaches. */
export async function reachHospitals(label, lon, lat) {
  const box = el("div", {});
  openDrawer(t("way_title", { name: words(label) }), box);
  setHighlight({ type: "Point", coordinates: [lon, lat] });
  const body = { place: [lon, lat], facilities: HOSPITALS, count: COUNT, closures: closures() };
  try {
    fill(box, await patiently(box, ask("hazards", `${config.urls.routing}/nearest`, atTimeBody(body))), [lon, lat]);
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => reachHospitals(label, lon, lat)));
  }
}
