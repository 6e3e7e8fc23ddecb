// From a recipe to a zone: what the alert, the kept zone, the place or the method makes of it.

import { address, config, layerById, t, words } from "../state.js";
import { titleOf } from "../format.js";
import { ask } from "../request.js";
import { atTime } from "../time/asked_time.js";
import { flow } from "./flow.js";

const PANEL = "hazards";

const isPast = (text) => !text || new Date(text).getTime() <= Date.now();

/** A zone that a method made, ready to be drawn and asked about. */
function ofHazard(hazard, recipe, alert = null) {
  return {
    recipe, hazard, alert,
    label: hazard.label,
    kind: hazard.kind,
    // What begins in the future, or says where something may go, is a forecast.
    forecast: !isPast(hazard.start) || hazard.method?.id === "typhoon-cone",
    screening: Boolean(hazard.screening),
    classes: hazard.classes,
    // The method was carried out and found nothing in danger: that is an answer, and not the same as an alert without a place.
    nothing: !hazard.classes.length,
    bounds: Boolean(hazard.low || hazard.high),
    notes: hazard.notes ?? [],
    method: hazard.method,
    body: { hazard },
  };
}

function ofPlace(recipe, label, geometry) {
  const one = { rank: 1, code: "zone", label, geometry };
  return { recipe, hazard: null, alert: null, label, kind: "place", forecast: false, screening: false, classes: [one], bounds: false, notes: [], method: null, body: recipe.body };
}

async function ofAlert(recipe) {
  const url = `${config.urls.alerts}/${encodeURIComponent(recipe.id)}`;
  const alert = await ask(PANEL, `${url}?f=json`);
  // An alert may name places that nobody knows where they are: then it has words, and no zone.
  if (!alert.areas.some((one) => one.bbox)) return { ...ofPlace(recipe, alert.headline, null), alert, classes: [] };
  return ofHazard(await ask(PANEL, `${url}/zone`), recipe, alert);
}

const ofKept = async (recipe) => ofHazard(await ask(PANEL, `${config.urls.hazards}/zones/${encodeURIComponent(recipe.id)}?f=json`), recipe);

async function ofMethod(recipe) {
  const status = flow.exercise ? "exercise" : "actual";
  return ofHazard(await ask(PANEL, `${config.urls.hazards}/zones/${encodeURIComponent(recipe.method)}?f=json`, { ...recipe.body, status }), recipe);
}

function boxRing([west, south, east, north]) {
  return { type: "Polygon", coordinates: [[[west, south], [east, south], [east, north], [west, north], [west, south]]] };
}

async function ofNamed(recipe) {
  const { bbox, adcode, feature } = recipe.body ?? {};
  if (!bbox && !adcode && !feature) throw new Error(t("zone_unknown"));
  if (bbox) return ofPlace(recipe, { zh: "当前视野", en: "The view of the map" }, boxRing(bbox));
  const [id, key] = adcode ? ["division", adcode] : [feature.collection, feature.id];
  const item = await ask(PANEL, atTime(address(config.urls.item, { id, key })));
  const layer = layerById(id);
  const name = layer ? titleOf(layer, item.properties, key) : key;
  return ofPlace(recipe, { zh: name, en: name }, item.geometry);
}

const WAYS = { alert: ofAlert, kept: ofKept, method: ofMethod, place: ofNamed };

/** Make the zone of a recipe. */
export async function resolve(recipe) {
  const way = Object.hasOwn(WAYS, recipe.way) ? WAYS[recipe.way] : null;
  if (!way) throw new Error(t("zone_unknown"));
  return way(recipe);
}

/** What a zone is called, in the reader's language. */
export const zoneTitle = (zone) => words(zone.label) || t("zone");
