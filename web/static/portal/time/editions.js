// The editions of layers: which one held at an instant. Read once for each layer, and only when somebody asks.

import { address, config, t } from "../state.js";
import { moment } from "../format.js";
import { ask } from "../request.js";
import { asOf } from "./asked_time.js";

const PANEL = "layers";
const MOST_PAGES = 5;
const known = new Map();
const settled = new Map();

async function read(id) {
  const found = [];
  let url = `${address(config.urls.collection, { id })}/editions?limit=1000&f=json`;
  for (let page = 0; url && page < MOST_PAGES; page += 1) {
    const answer = await ask(PANEL, url);
    found.push(...answer.editions.map(({ number, committed, inserted, updated, deleted }) => ({ number, committed, inserted, updated, deleted })));
    const next = answer.links?.find((one) => one.rel === "next")?.href;
    url = next ? new URL(next, location.origin).pathname + new URL(next, location.origin).search : null;
  }
  settled.set(id, found);
  return found;
}

/** The editions of a layer, newest first: number, instant, and how many rows it changed where that may be known. */
export function editionsOf(id) {
  if (!known.has(id)) known.set(id, read(id).catch((error) => { known.delete(id); throw error; }));
  return known.get(id);
}

/** Read them again, because there is a newer one. */
export function forgetEditions(id) {
  known.delete(id);
  settled.delete(id);
}

const before = (editions, instant) => editions.find((one) => Date.parse(one.committed) <= Date.parse(instant)) ?? null;

/** The edition that held at an instant; null when nothing had been loaded then. */
export const editionAt = async (id, instant) => before(await editionsOf(id), instant);

/** The same from what has been read already: undefined while that is not known. */
export function knownEditionAt(id, instant) {
  return settled.has(id) ? before(settled.get(id), instant) : undefined;
}

/** The edition of a layer in words: the latest one, or that of the time which the map is asked about. */
export function editionWords(layer, when = asOf()) {
  if (!when) return layer.edition ? t("edition_no", { n: layer.edition.number }) : "";
  const held = knownEditionAt(layer.id, when);
  if (held === undefined) return t("as_of_told_map", { time: moment(when) });
  return held ? t("edition_no", { n: held.number }) : t("as_of_not_yet");
}
