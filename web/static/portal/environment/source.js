// What the service tells of stations, asked once for each question; the last answer stays while a new one fails.

import { address, config } from "../state.js";
import { ask } from "../request.js";
import { PANEL, utc, view } from "./view.js";

let kept = null;

/** The question that the choices make. */
export function stationsUrl() {
  const asked = new URLSearchParams();
  if (view.at) asked.set("datetime", utc(Date.parse(view.at)));
  for (const [name, value] of [["theme", view.theme], ["property", view.property], ["adcode", view.division]]) if (value) asked.set(name, value);
  return asked.size ? `${config.urls.stations}?${asked}` : config.urls.stations;
}

/** The last answer, or null: {url, found, when}. */
export const lastAnswer = () => kept;

/** Ask for the stations. */
export async function askStations(signal) {
  const url = stationsUrl();
  const found = await ask(PANEL, url, null, signal);
  kept = { url, found, when: Date.now() };
  return kept;
}

/** One station at the time that is shown. */
export function askStation(id, signal) {
  const asked = view.at ? `?datetime=${encodeURIComponent(utc(Date.parse(view.at)))}` : "";
  return ask(PANEL, address(config.urls.station, { id }) + asked, null, signal);
}

/** The address of a series: readings, or means over hours, days or months. */
export function seriesUrl(id, code, [from, to], step, format) {
  const asked = new URLSearchParams({ "parameter-name": code, datetime: `${utc(from)}/${utc(to)}`, f: format });
  if (step !== "raw") asked.set("average", step);
  return `${address(config.urls.locations, { id })}?${asked}`;
}

/** Times (ms) and values of a series; empty where there are none. */
export async function askSeries(id, code, span, step, signal) {
  const answer = await ask(PANEL, seriesUrl(id, code, span, step, "CoverageJSON"), null, signal);
  const one = answer.type === "Coverage" ? answer : answer.coverages?.[0];
  if (!one) return [];
  const values = one.ranges[code]?.values ?? [];
  return one.domain.axes.t.values.map((time, place) => ({ t: Date.parse(time), v: values[place] })).filter((point) => point.v !== null && point.v !== undefined);
}

/** Exceedances in an interval. */
export function askEvents(span, more, signal) {
  const asked = new URLSearchParams({ datetime: `${utc(span[0])}/${utc(span[1])}`, limit: "300", ...more });
  return ask(PANEL, `${config.urls.exceedances}?${asked}`, null, signal);
}
