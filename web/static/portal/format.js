// Numbers, times, coordinates and code values in words.

import { config, currentLanguage, t } from "./state.js";

const locale = () => (currentLanguage() === "zh" ? "zh-CN" : "en-GB");
const MU_PER_M2 = 3 / 2000;

/** A number with grouped digits and at most `digits` decimals. */
export const number = (value, digits = 2) => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

/** Digits that a magnitude deserves: whole numbers when large, some decimals when small. */
export const fine = (value) => number(value, Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

/** An area in m2 as hectares. */
export const hectares = (m2) => fine(m2 / 10000);

/** An area in m2 as mu (1 mu = 2000/3 m2). */
export const mu = (m2) => fine(m2 * MU_PER_M2);

/** A moment in the reader's language and time zone, to the minute. */
export function moment(text) {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return text;
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return String(text);
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(date);
}

/** Only the day of a moment. */
export const day = (text) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium" }).format(new Date(text));

/** Longitude and latitude in degrees, or in degrees, minutes and seconds. */
export function coordinates(lon, lat, sexagesimal) {
  const wrapped = ((((lon + 180) % 360) + 360) % 360) - 180;
  if (!sexagesimal) return `${lat.toFixed(5)}°, ${wrapped.toFixed(5)}°`;
  return `${dms(lat, "N", "S")} ${dms(wrapped, "E", "W")}`;
}

function dms(value, plus, minus) {
  const tenths = Math.round(Math.abs(value) * 36000);
  const [degrees, minutes, seconds] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
  const pad = (part, size) => String(part).padStart(size, "0");
  return `${degrees}°${pad(minutes, 2)}′${pad(seconds.toFixed(1), 4)}″${value < 0 ? minus : plus}`;
}

/** The name of a code, or null when the list does not know it. */
export function codeName(list, code) {
  const pair = config.codelists[list]?.[code];
  return pair ? pair[currentLanguage() === "zh" ? 0 : 1] : null;
}

/** A value of an attribute in words: {text, code}; the code stands beside its name in grey. */
export function valueOf(attribute, value) {
  if (value === null || value === undefined || value === "") return { text: t("no_value"), empty: true };
  if (attribute.type === "code") {
    const name = codeName(attribute.list, String(value));
    return name ? { text: name, code: String(value) } : { text: String(value) };
  }
  if (attribute.type === "boolean") return { text: t(value === true || value === "true" ? "yes" : "no") };
  if (attribute.type === "datetime" || attribute.type === "date") return { text: moment(String(value)) };
  if (attribute.type === "number" || attribute.type === "integer") return { text: numeric(attribute, Number(value)) };
  return { text: String(value) };
}

function numeric(attribute, value) {
  if (attribute.unit === "m2") return `${number(value, 1)} m² (${hectares(value)} ${t("ha")})`;
  const shown = attribute.type === "integer" && !attribute.unit && attribute.name.match(/season|year|commissioned/) ? String(value) : number(value, 4);
  return attribute.unit ? `${shown} ${attribute.unit}` : shown;
}

/** The class of a feature in words, where the layer's legend is by class. */
function className(layer, properties) {
  const by = layer.attributes?.find((one) => one.name === layer.legendBy && one.list);
  return by ? codeName(by.list, String(properties[by.name])) : null;
}

/** Whether something drawn stands for many features: a cluster of points or a cell of a mosaic. */
export const isMany = (found) => found.key === undefined && found.properties?.count !== undefined;

/** What to call a feature: its label in the reader's language, else its key. */
export function titleOf(layer, properties, key) {
  if (isMany({ key, properties: properties ?? {} })) return t("many_features", { n: number(properties.count, 0) });
  const names = layer.label ? [properties[layer.label[currentLanguage()]], properties[layer.label.zh], properties[layer.label.en]] : [];
  const own = names.find((name) => name !== null && name !== undefined && name !== "");
  const told = own ?? properties.headline ?? properties.place ?? className(layer, properties);
  return String(told ?? key ?? properties.key ?? "");
}
