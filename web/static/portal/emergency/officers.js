// Units and plotted marks on the map: where people are and what officers have drawn, told by the situation's stream.

import { address, config, offers, on, t, words } from "../state.js";
import { moment } from "../format.js";
import { leaflet } from "../map.js";
import { ask } from "../request.js";
import { exerciseId } from "./exercise.js";
import { follow } from "./live.js";
import { flow } from "./flow.js";

const UNIT = { radius: 8, color: "#ffffff", weight: 2.5, fillColor: "#0b5ea8", fillOpacity: 1 };
const LOST = { ...UNIT, color: "#0b5ea8", fillColor: "#ffffff" };
const MARK = { color: "#5b2a86", weight: 3, fillColor: "#5b2a86", fillOpacity: 0.12, radius: 7 };
let group = null;
let stop = null;

function unitWords({ properties: own }) {
  const said = [own.name, words(own.kindTitle), words(own.statusTitle), moment(own.time)];
  return said.filter(Boolean).join(" · ");
}

const markWords = ({ properties: own }) => [words(own.symbolTitle), own.label, own.note].filter(Boolean).join(" · ");

/** A layer of a feature with its words; text stays text. */
function drawn(feature, style, said) {
  const pointToLayer = (_, at) => L.circleMarker(at, style);
  return L.geoJSON(feature, { style, pointToLayer }).bindTooltip(() => document.createTextNode(said));
}

const askFor = (what) => ask("hazards", address(`${config.urls.situation}/${what}${exerciseId() ? "?exercise={id}" : ""}`, { id: exerciseId() ?? "" }));

async function load() {
  // An exercise that is known by its alerts alone has no units of its own, and those that are real do not belong there.
  if (flow.exercise && !exerciseId()) { group?.clearLayers(); return; }
  try {
    const [units, marks] = await Promise.all([askFor("units"), askFor("marks")]);
    group ??= L.featureGroup().addTo(leaflet);
    group.clearLayers();
    for (const one of marks.features) drawn(one, MARK, markWords(one)).addTo(group);
    for (const one of units.features) drawn(one, one.properties.stale ? LOST : UNIT, `${unitWords(one)}${one.properties.stale ? ` · ${t("unit_old")}` : ""}`).addTo(group);
  } catch {
    // The line on top of the panel says that the service does not answer; what was drawn stays.
  }
}

/** Draw units and marks and keep them up to date, from the first look at hazards on. */
export function startOfficers() {
  if (stop || !offers("situation")) return;
  stop = follow(load);
  load();
}

/** Take units and marks off the map; nothing is listened to any more. */
export function stopOfficers() {
  stop?.();
  stop = null;
  group?.clearLayers();
}

on("flow", (change) => { if (stop && "exercise" in change) load(); });
