// Where the search asks: names, codes, addresses, coordinates and map sheets, each a request of its own.

import { config, currentLanguage, layerById, t, words } from "./state.js";
import { ask } from "./request.js";
import { leaflet } from "./map.js";
import { atTime } from "./time/asked_time.js";

const COORDINATES = /^(geo:|[+-]?\d)|[北南东西NSEW]|\d\s*[°度]/u;
const PAIR = /\d[^\d.]+[+-]?\d/u;
const SHEET = /^[A-O](\d{2}|\d{2}[B-I]\d{6}|\d{2}[JK]\d{8}|-\d{1,2}(-[\w()]+)*)$/iu;
const CODE = /^(?=.*\d)[\w.:|-]{3,80}$/u;
const ADDRESS = /\p{Script=Han}.*(\d|[路街巷弄号村组镇乡])/u;

/** Which collection or kind something was found in, in words. */
function titleOf(collection) {
  const layer = layerById(collection);
  return layer ? words(layer.title) : collection;
}

async function names(q, signal) {
  const { lng, lat } = leaflet.getCenter().wrap();
  const near = leaflet.getZoom() > 6 ? `&near=${lng.toFixed(5)},${lat.toFixed(5)}` : "";
  const answer = await ask("search", atTime(`${config.urls.names}?q=${encodeURIComponent(q)}&limit=8${near}&f=json`), null, signal);
  return answer.results.map((one) => ({
    kind: "name", name: one.name, marks: one.marks, other: one.names?.[currentLanguage()], about: titleOf(one.collection),
    collection: one.collection, key: one.id, point: one.point, distance: one.distance,
  }));
}

async function codes(q, signal) {
  const answer = await ask("search", atTime(`${config.urls.search}?ids=${encodeURIComponent(q)}&limit=5&skipGeometry=true&f=json`), null, signal);
  return answer.features.map((one) => {
    const label = layerById(one.collection)?.label;
    return { kind: "code", name: String(one.id), other: label ? one.properties[label[currentLanguage()]] : null, about: titleOf(one.collection), collection: one.collection, key: String(one.id) };
  });
}

async function addresses(q, signal) {
  const answer = await ask("search", `${config.urls.geocode}?q=${encodeURIComponent(q)}&limit=3&f=json`, null, signal);
  return answer.results.map((one) => ({ kind: "address", name: one.line, about: `${t("found_address")} · ${t(`level_${one.level}`)}`, point: one.point, address: one }));
}

async function coordinates(q, signal) {
  const answer = await ask("search", `${config.urls.coordinates}?q=${encodeURIComponent(q)}&f=json`, null, signal);
  return answer.readings.map((one) => ({
    kind: "coordinates", name: one.dms[currentLanguage()], about: one.certain ? t("found_coordinates") : `${t("found_coordinates")} · ${t(orderOf(one))}`,
    point: [one.lon, one.lat], reading: one,
  }));
}

const orderOf = (reading) => (/^(lat|north)/u.test(reading.order) ? "read_as_latlon" : "read_as_lonlat");

async function sheets(q, signal) {
  const feature = await ask("search", `${config.urls.sheet.replace("{number}", encodeURIComponent(q))}?f=geojson`, null, signal);
  return [{ kind: "sheet", name: feature.id, about: `${t("found_sheet")} · 1:${feature.properties.scale.toLocaleString("en")}`, sheet: feature }];
}

/** The questions that a text may be, the surest first. */
export function questionsOf(q) {
  const asked = [];
  if (COORDINATES.test(q) && (PAIR.test(q) || q.startsWith("geo:"))) asked.push(coordinates);
  if (SHEET.test(q)) asked.push(sheets);
  if (CODE.test(q)) asked.push(codes);
  // A number behind Chinese words is that of a door more often than part of a name.
  return [...asked, ...(!ADDRESS.test(q) ? [names] : /\d/u.test(q) ? [addresses, names] : [names, addresses])];
}

/** Whether a text is looked up among addresses, which are those of today. */
export const byAddress = (q) => questionsOf(q).includes(addresses);

/** Everything that a text may mean: what was found, the surest first, and how many sources could not answer. */
export async function find(q, signal) {
  const answers = await Promise.allSettled(questionsOf(q).map((question) => question(q, signal)));
  signal.throwIfAborted();
  const found = answers.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  // A text that is no sheet number or no point is refused, and that is no failure.
  const failed = answers.filter((one) => one.status === "rejected" && !(one.reason.status >= 400 && one.reason.status < 500));
  const seen = new Set();
  const once = found.filter((one) => {
    const name = one.collection ? `${one.collection}/${one.key}` : `${one.kind}/${one.name}`;
    return !seen.has(name) && seen.add(name);
  });
  return { found: once, failed: failed.length };
}
