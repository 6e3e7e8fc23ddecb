// What figures can be told of: subjects that are asked for often, and the measures of every layer that has data.

import { config, layerById, t, words } from "../state.js";
import { view } from "./view.js";

const PRESETS = [
  { id: "land", layer: "landuse_patch", measure: "area" },
  { id: "cropland", layer: "landuse_patch", measure: "area", filter: "class_code LIKE '01%'" },
  { id: "parcels", layer: "landuse_patch", measure: "count" },
  { id: "buildings", layer: "building", measure: "count" },
  { id: "roads", layer: "road", measure: "length" },
  { id: "population", layer: "population", measure: "sum:people" },
  { id: "hospitals", layer: "hospital", measure: "count" },
  { id: "schools", layer: "school", measure: "count" },
];
const OWN = "layer:";
const SIZES = { polygon: ["area"], line: ["length"], any: ["area", "length"] };
const NUMBERS = ["integer", "number"];

const loaded = (id) => Boolean(layerById(id)?.edition);

/** Subjects that are asked for often and have data here. */
export const presets = () => PRESETS.filter((one) => loaded(one.layer));

/** Layers of which figures can be told. */
export const layersWithFigures = () => config.layers.filter((one) => one.edition && one.id !== "division" && (one.kind === "vector" || one.band)).sort((a, b) => words(a.title).localeCompare(words(b.title)));

/** Name of a layer as a subject. */
export const ownSubject = (id) => `${OWN}${id}`;

/** What is asked about now: {id, layer, measure, filter, by}; null when nothing is loaded. */
export function subject() {
  const often = presets();
  const own = view.subject.startsWith(OWN) ? layerById(view.subject.slice(OWN.length)) : null;
  const preset = often.find((one) => one.id === view.subject) ?? (own?.edition ? null : often[0] ?? null);
  const layer = preset ? layerById(preset.layer) : own ?? layersWithFigures()[0];
  if (!layer) return null;
  const offered = measuresOf(layer);
  const wanted = view.measure || preset?.measure;
  return { id: preset?.id ?? ownSubject(layer.id), layer, measure: offered.includes(wanted) ? wanted : offered[0], filter: preset?.filter ?? null, by: preset?.filter ? null : classesOf(layer) };
}

/** The attribute whose classes can be told apart: the one that the legend shows, else the first of codes. */
function classesOf(layer) {
  const codes = (layer.attributes ?? []).filter((one) => one.type === "code");
  return (codes.find((one) => one.name === layer.legendBy) ?? codes[0])?.name ?? null;
}

/** Measures of a layer as the service names them. */
export function measuresOf(layer) {
  if (layer.band) return layer.band.list ? ["area"] : [...(layer.band.adds ? [`sum:${layer.band.name}`] : []), `mean:${layer.band.name}`, `max:${layer.band.name}`];
  const numbers = layer.attributes.filter((one) => NUMBERS.includes(one.type)).map((one) => one.name);
  return ["count", ...(SIZES[layer.geometry] ?? []), ...numbers.flatMap((name) => [`sum:${name}`, `mean:${name}`])];
}

/** A measure in words. */
export function measureName(layer, measure) {
  const [kind, name] = measure.split(":");
  if (!name) return t(`stats_${kind}`);
  const attribute = layer.attributes?.find((one) => one.name === name);
  const title = layer.band?.title ?? attribute?.title;
  return t(`stats_${kind}_of`, { what: title ? words(title) : name });
}

/** A subject in words. */
export const subjectName = (one) => (one.id.startsWith(OWN) ? words(one.layer.title) : t(`stats_subject_${one.id}`));

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** The filter of what is asked, as CQL2; null without one. */
export function filterOf(asked) {
  const only = asked.by && view.only ? `${asked.by} = ${quoted(view.only)}` : null;
  return [asked.filter, only].filter(Boolean).join(" AND ") || null;
}
