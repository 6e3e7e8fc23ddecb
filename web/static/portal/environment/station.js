// One station in the drawer: its class and how it came to be, its latest readings, its series.

import { address, config, currentLanguage, layerById, t, words } from "../state.js";
import { button, byId, copy, el, patiently, stateLine } from "../dom.js";
import { codeName, fine, moment, number } from "../format.js";
import { leaflet, setHighlight } from "../map.js";
import { closeDrawer, openDrawer, showRequests } from "../shell.js";
import { nowNote } from "../time/now_note.js";
import { classBadge } from "./classes.js";
import { learn, nameOf, stationName, unitWords } from "./names.js";
import { limitWords, seriesView } from "./series.js";
import { askStation } from "./source.js";
import { PANEL, choose, view } from "./view.js";

const CLOSE = 11;
let latest = 0;

const joined = (names) => names.join(currentLanguage() === "zh" ? "、" : ", ");

function itemRow(one) {
  return el("tr", {}, el("th", { scope: "row" }, nameOf(one.item)), el("td", { className: "number" }, `${number(one.compared, 3)} ${unitWords(one.unit)}`), el("td", { className: "number" }, one.score ?? (one.grade ? words(one.grade.label) : "–")));
}

/** How the index was worked out: edition, formula, each value. */
function reckoning(answer) {
  const edition = answer.edition;
  const missing = answer.missing.length ? el("p", { className: "hint" }, t("env_missing", { names: joined(answer.missing.map(nameOf)) })) : null;
  return el("details", { className: "fold" }, el("summary", {}, t("env_how")),
    el("p", {}, `${edition.standard}-${edition.edition} · ${words(edition.title)}`), edition.note ? el("p", { className: "hint" }, edition.note) : null,
    el("p", { className: "hint" }, answer.formula),
    el("div", { className: "table" }, el("table", {}, el("thead", {}, el("tr", {}, [["env_item", ""], ["env_value", "number"], ["env_score", "number"]].map(([key, kind]) => el("th", { scope: "col", className: kind }, t(key))))), el("tbody", {}, answer.items.map(itemRow)))),
    el("ul", { className: "plain hint" }, answer.items.map((one) => el("li", {}, `${nameOf(one.item)}: ${one.explain}`))), missing);
}

function verdict(station) {
  const indices = station.index ? { [station.index]: station.scale } : {};
  const parts = [classBadge(indices, station)];
  if (station.index) parts.push(el("p", { className: "hint" }, `${words(station.scale.title)} · ${moment(station.hour)}`));
  if (station.thresholds?.length) parts.push(el("p", {}, t("env_beyond", { names: joined(station.thresholds) })));
  else if (station.worst?.length) parts.push(el("p", {}, t("env_decided", { names: joined(station.worst.map(nameOf)) })));
  if (station.answer) parts.push(reckoning(station.answer));
  return el("section", {}, parts);
}

function reading(one) {
  const value = one.latest?.value;
  const shown = value === null || value === undefined ? t("no_value") : `${typeof value === "number" ? fine(value) : value} ${one.unit ?? ""}`;
  const quality = one.latest?.quality ? (codeName("observation-quality@1", one.latest.quality) ?? one.latest.quality) : t("env_no_quality");
  const when = one.latest ? moment(one.latest.datetime) : t("env_never");
  const limits = one.limits.map((limit) => `${limitWords(limit)} ${limit.side === "below" ? "≥" : "≤"} ${fine(limit.ownValue)}`).join(" · ");
  return el("tr", {}, el("th", { scope: "row" }, nameOf(one.property), el("span", { className: "hint env-under" }, limits)),
    el("td", { className: "number" }, shown, el("span", { className: "hint env-under" }, when)),
    el("td", {}, quality, one.stale ? el("span", { className: "hint env-under" }, t("env_stale")) : null));
}

function readings(station) {
  const head = [["env_property", ""], ["env_latest", "number"], ["env_quality", ""]].map(([key, kind]) => el("th", { scope: "col", className: kind }, t(key)));
  return el("section", {}, el("h2", {}, t("env_readings")), el("div", { className: "table" }, el("table", { className: "env-readings" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, station.measured.map(reading)))));
}

function ways(station) {
  const layer = station.layer ? layerById(station.layer.split("/").at(-1)) : null;
  const page = layer ? el("a", { href: `${address(config.urls.item, { id: layer.id, key: station.feature })}?f=html&lang=${currentLanguage()}` }, t("open_page")) : null;
  return el("div", { className: "row wrap" }, button("zoom_feature", () => leaflet.setView([station.point[1], station.point[0]], CLOSE)),
    button("api", () => showRequests(PANEL), "quiet"), button("copy_id", () => copy(station.id), "quiet"), page);
}

/** Show a station in the drawer; `name` is what the list knew. */
export async function openStation(id, name, point = null) {
  const mine = ++latest;
  choose({ station: id });
  const body = el("div", { className: "station" });
  openDrawer(name || id, nowNote() ?? "", body);
  if (point) setHighlight({ type: "Point", coordinates: point });
  try {
    const station = await patiently(body, askStation(id));
    if (mine !== latest || view.station !== id) return;
    for (const one of station.measured) learn(one.property, one.label);
    byId("drawer-title").textContent = stationName(station);
    setHighlight({ type: "Point", coordinates: station.point });
    const at = view.at ? el("p", { className: "hint" }, t("env_as_of", { time: moment(station.datetime) })) : null;
    body.replaceChildren(...[at, verdict(station), readings(station), seriesView(station), ways(station)].filter(Boolean));
  } catch (error) {
    if (mine === latest) body.replaceChildren(stateLine("error", error.message, () => openStation(id, name, point)));
  }
}

/** The drawer was closed, or shows something else. */
export function forgetStation() {
  latest += 1;
  if (view.station) choose({ station: "" });
}

/** Close the drawer if it shows a station. */
export function closeStation() {
  if (view.station) closeDrawer();
}
