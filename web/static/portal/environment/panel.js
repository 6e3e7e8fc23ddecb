// The environment panel: stations worst first, exceedances, classes through time, surfaces between stations.

import { config, currentLanguage, on, t } from "../state.js";
import { button, el, patiently } from "../dom.js";
import { moment } from "../format.js";
import { nowNote } from "../time/now_note.js";
import { takeClicks } from "../identify.js";
import { fitBox } from "../map.js";
import { openPanelName } from "../shell.js";
import { drawEvents } from "./events.js";
import { drawFilm } from "./film.js";
import { keepingFocus } from "./focus.js";
import { stationList } from "./list.js";
import { stationName } from "./names.js";
import { setStations, showStations, stationAt } from "./marks.js";
import { askStations, lastAnswer, stationsUrl } from "./source.js";
import { forgetStation, openStation } from "./station.js";
import { clearSurface, drawSurface } from "./surface.js";
import { PANEL, TABS, choose, startView, view } from "./view.js";

const ASKED = ["theme", "property", "division", "at"];
const QUIET = ["station", "code", "step", "span", "frame"];
const AGAIN = 300_000;
const WIDEST = 14;
let started = false;
let pending = null;
let failure = null;
let box = null;
let drawn = "";

function boxOfAll(features) {
  const [x, y] = [0, 1].map((at) => features.map((one) => one.geometry.coordinates[at]));
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

function tabs() {
  return el("div", { className: "env-tabs", role: "group", "aria-label": t("environment") }, TABS.map((name) =>
    el("button", { type: "button", id: `env-tab-${name}`, "aria-pressed": String(view.tab === name), onclick: () => choose({ tab: name }) }, t(`env_tab_${name}`))));
}

function localText(time) {
  const at = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 16);
}

function timeRow() {
  const input = el("input", { type: "datetime-local", id: "env-at", value: view.at ? localText(Date.parse(view.at)) : "" });
  input.addEventListener("change", () => choose({ at: input.value ? new Date(input.value).toISOString() : "" }));
  const now = view.at ? button("env_now", () => choose({ at: "" })) : null;
  return el("div", { className: "row wrap env-when" }, el("label", { htmlFor: "env-at" }, t("env_at")), input, now ?? el("span", { className: "badge" }, t("env_is_now")));
}

function mapRow(features) {
  const check = el("input", { type: "checkbox", id: "env-shown", checked: view.shown === "yes" });
  check.addEventListener("change", () => choose({ shown: check.checked ? "yes" : "no" }));
  const zoom = features.length ? button("env_zoom", () => fitBox(boxOfAll(features), WIDEST), "quiet") : null;
  return el("div", { className: "layer-head" }, check, el("label", { htmlFor: "env-shown" }, t("env_on_map")), zoom);
}

const open = (one) => {
  openStation(one.id, stationName(one.properties), one.geometry.coordinates);
  for (const row of document.querySelectorAll(".env-row[data-station]")) row.setAttribute("aria-current", String(row.dataset.station === one.id));
};

function fill(content) {
  const answer = lastAnswer();
  const draw = {
    stations: () => stationList(content, answer, failure, open, () => load()),
    events: () => drawEvents(content, open),
    film: () => drawFilm(content),
    surface: () => drawSurface(content, answer?.found.properties ?? []),
  };
  draw[view.tab]();
}

function marks() {
  if (!started) return;
  const answer = lastAnswer();
  if (answer && drawn !== `${answer.when} ${currentLanguage()}`) {
    setStations(answer.found.features, answer.found.indices);
    drawn = `${answer.when} ${currentLanguage()}`;
  }
  showStations(view.shown !== "yes" ? "none" : view.tab === "film" ? "circles" : "symbols");
  if (view.tab !== "surface") clearSurface();
}

function redraw() {
  if (openPanelName() !== PANEL || !box?.isConnected) return;
  keepingFocus(() => {
    const content = el("div", { className: "env-content" });
    box.replaceChildren(nowNote() ?? "", tabs(), timeRow(), mapRow(lastAnswer()?.found.features ?? []), content);
    marks();
    if (pending && !lastAnswer()) patiently(content, pending.work.catch(() => {}));
    else fill(content);
  });
}

async function load() {
  pending?.control.abort();
  const mine = { control: new AbortController() };
  mine.work = askStations(mine.control.signal);
  pending = mine;
  try {
    await mine.work;
    failure = null;
  } catch (error) {
    if (error.name === "AbortError") return;
    failure = error.message;
  }
  if (pending !== mine) return;
  pending = null;
  redraw();
}

/** Draw the panel. */
export function drawEnvironment(body) {
  box = el("div", { className: "env" });
  body.append(box);
  if (!pending && lastAnswer()?.url !== stationsUrl()) load();
  redraw();
}

function changed(changes) {
  const names = Object.keys(changes);
  if (names.every((name) => QUIET.includes(name))) return;
  if (names.some((name) => ASKED.includes(name))) {
    load();
    if (view.station && "at" in changes) openStation(view.station, "");
  }
  redraw();
}

function clicked(latlng) {
  const found = openPanelName() === PANEL || view.shown === "yes" ? stationAt(latlng) : null;
  if (found) open(found);
  else forgetStation();
  return Boolean(found);
}

/** Take what the address says, before the panels are drawn. */
export const readEnvironment = startView;

/** Start once the map is there. */
export function startEnvironment() {
  started = true;
  takeClicks(clicked);
  on("environment", changed);
  on("drawer-closed", forgetStation);
  on("language", () => {
    // The drawer is closed with the language; a station comes back in the new one.
    const id = view.station;
    if (id) setTimeout(() => openStation(id, ""));
  });
  if (openPanelName() === PANEL) redraw();
  if (view.station && config.urls.station) openStation(view.station, "");
  setInterval(() => { if (!view.at && openPanelName() === PANEL && !document.hidden && !pending) load(); }, AGAIN);
}
