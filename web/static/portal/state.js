// What the page knows: its configuration, the language in use, and small events between panels.

export const config = JSON.parse(document.getElementById("portal-config").textContent);
const listeners = new Map();
let language = config.language;

/** Call `listener` whenever `name` is announced. */
export function on(name, listener) {
  listeners.set(name, [...(listeners.get(name) ?? []), listener]);
}

/** Tell every listener of `name`. */
export function announce(name, detail) {
  for (const listener of listeners.get(name) ?? []) listener(detail);
}

export const currentLanguage = () => language;

/** Change the language of everything on the page. */
export function setLanguage(next) {
  language = next;
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  announce("language", next);
}

/** A word of the page in the language in use; `{n}` and the like are filled in. */
export function t(key, values = {}) {
  const found = config.texts[key]?.[language] ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text of a {zh, en} pair in the language in use. */
export const words = (pair) => (pair ? pair[language] || pair.zh || pair.en : "");

export const layerById = (id) => config.layers.find((layer) => layer.id === id);

/** A collection with rows: a layer of the map, or one without geometry. */
export const collectionById = (id) => layerById(id) ?? config.tables.find((table) => table.id === id);

/** Whether a part of the service, such as `situation`, answers here. */
export const offers = (part) => config.offers.includes(part);

/** Remember a choice of the reader, where the browser allows it. */
export function remember(name, value) {
  try {
    localStorage.setItem(`geoservice-${name}`, value);
  } catch {
    // Private windows may forbid storage; the choice then lasts as long as the page.
  }
}

/** A remembered choice, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(`geoservice-${name}`);
  } catch {
    return null;
  }
}

export const address = (pattern, values) =>
  pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? encodeURIComponent(values[name]) : whole));
