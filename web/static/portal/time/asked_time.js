// The instant of system time that the whole map is asked about; without one, everything tells what holds now.

import { announce } from "../state.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { setTileQueryOfAll } from "../tile_query.js";

const NAME = "as-of";
let instant = null;

/** The instant that is asked about, as RFC 3339 text, or null for now. */
export const asOf = () => instant;

/** An address of the service that reads features, with the instant that is asked about; as it is when that is now. */
export function atTime(url, when = instant) {
  if (!when) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${NAME}=${encodeURIComponent(when)}`;
}

/** The body of a question with the instant that is asked about, unless it names one itself. */
export const atTimeBody = (body) => (instant && !body.as_of ? { ...body, as_of: instant } : body);

/** A text as an instant that has passed, or null when it is none. */
export function passed(text) {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) || time > Date.now() ? null : text;
}

/** Ask about an instant that has passed, or about now with null; false when it is neither. */
export function setAsOf(text) {
  if (text !== null && !passed(text)) return false;
  if (text === instant) return true;
  instant = text;
  setTileQueryOfAll(NAME, instant);
  writeLink();
  announce(NAME, instant);
  return true;
}

/** Take the instant from the address and keep it there. */
export function startAskedTime() {
  keepInLink(NAME, () => instant, (text) => setAsOf(passed(text)));
  setAsOf(passed(linked(NAME)));
}
