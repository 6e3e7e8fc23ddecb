// The list of stations, the worst first: filters, what their signs mean, and the way to each.

import { address, config, currentLanguage, layerById, t, words } from "../state.js";
import { button, el, stateLine } from "../dom.js";
import { day, fine, moment, number, titleOf } from "../format.js";
import { ask } from "../request.js";
import { classMark, wordOf } from "./classes.js";
import { nameOf, stationName } from "./names.js";
import { PANEL, choose, view } from "./view.js";

const THEMES = ["air", "water", "hydrology", "weather", "noise", "other"];
const FIRST = 50;
const MORE = 200;
let text = "";
let divisions = null;

function field(id, key, control) {
  return el("div", { className: "env-field" }, el("label", { htmlFor: id }, t(key)), control);
}

function select(id, options, value, change) {
  const made = el("select", { id }, options.map(([name, said]) => el("option", { value: name, selected: name === value }, said)));
  made.addEventListener("change", () => change(made.value));
  return made;
}

function divisionSelect() {
  const layer = layerById("division");
  if (!layer?.edition) return null;
  const made = select("env-division", [["", t("env_everywhere")]], "", (division) => choose({ division }));
  divisions ??= ask(PANEL, `${address(config.urls.items, { id: "division" })}?limit=1000&properties=${["adcode", layer.label?.zh, layer.label?.en].filter(Boolean).join(",")}`);
  divisions.then((found) => {
    const names = found.features.map((one) => [String(one.properties.adcode ?? one.id), titleOf(layer, one.properties, one.id)]);
    made.append(...names.map(([code, name]) => el("option", { value: code, selected: code === view.division }, name)));
  }).catch(() => { divisions = null; made.disabled = true; });
  return field("env-division", "env_division", made);
}

function filters(found, redraw) {
  const search = el("input", { type: "text", id: "env-search", value: text, placeholder: t("env_search_hint"), autocomplete: "off", spellcheck: false });
  search.addEventListener("input", () => { text = search.value; redraw(); });
  const themes = [["", t("env_all")], ...THEMES.map((one) => [one, t(`env_theme_${one}`)])];
  const codes = [...new Set([...(found?.properties ?? []), ...(view.property ? [view.property] : [])])].map((one) => [one, nameOf(one)]);
  const chosen = [view.theme, view.property, view.division, text].filter(Boolean).length;
  return el("details", { className: "fold", open: innerWidth >= 700 || chosen > 0 }, el("summary", {}, t("env_filter")), el("div", { className: "env-filters" },
    field("env-theme", "env_theme", select("env-theme", themes, view.theme, (theme) => choose({ theme, property: "" }))),
    field("env-property", "env_property", select("env-property", [["", t("env_all")], ...codes], view.property, (property) => choose({ property }))),
    divisionSelect(), field("env-search", "env_search", search)));
}

/** What the signs mean, with the number of stations of each class. */
export function classLegend(found) {
  const lines = found.counts.map((one) => el("li", {}, classMark(found.indices, one.index, one.class), el("span", { className: "legend-name" },
    one.index ? `${words(found.indices[one.index].title)}: ${wordOf(found.indices, one.index, one.class)}` : t("env_unjudged")), el("span", { className: "count number" }, number(one.stations, 0))));
  const stale = found.stale ? el("li", {}, classMark(found.indices, null, null, true), el("span", { className: "legend-name" }, t("env_stale_legend")), el("span", { className: "count number" }, number(found.stale, 0))) : null;
  return el("details", { className: "fold env-legend" }, el("summary", {}, t("env_legend")), el("ul", { className: "legend" }, lines, stale));
}

function said(own) {
  const parts = [];
  if (own.reading?.mean !== undefined && own.reading.mean !== null) parts.push(`${nameOf(own.reading.property)} ${fine(own.reading.mean)} ${own.reading.unit}`);
  if (own.thresholds?.length) parts.push(own.thresholds.join(currentLanguage() === "zh" ? "、" : ", "));
  else if (own.worst?.length) parts.push(own.worst.map(nameOf).join(currentLanguage() === "zh" ? "、" : ", "));
  parts.push(own.datetime ? (own.stale ? t("env_last", { time: day(own.datetime) }) : moment(own.datetime)) : t("env_never"));
  return parts.join(" · ");
}

function row(found, one, open) {
  const own = one.properties;
  const value = own.value === null || own.value === undefined ? "" : String(own.value);
  return el("li", {}, el("button", { type: "button", className: "also env-row", dataset: { station: one.id }, "aria-current": view.station === one.id ? "true" : null, onclick: () => open(one) },
    classMark(found.indices, own.index, own.class, own.stale),
    el("span", { className: "env-name" }, stationName(own), el("span", { className: "hint" }, `${wordOf(found.indices, own.index, own.class)}${own.stale ? ` · ${t("env_stale")}` : ""} · ${said(own)}`)),
    el("strong", { className: "number" }, value)));
}

function rows(box, found, open) {
  const wanted = text.trim().toLocaleLowerCase();
  const kept = wanted ? found.features.filter((one) => `${one.properties.name} ${one.properties.name_zh ?? ""} ${one.id}`.toLocaleLowerCase().includes(wanted)) : found.features;
  const list = el("ul", { className: "plain env-list" }, kept.slice(0, FIRST).map((one) => row(found, one, open)));
  let shown = FIRST;
  const more = el("button", { type: "button", className: "wide" });
  const mark = () => { more.textContent = t("env_more", { n: number(kept.length - shown, 0) }); more.hidden = shown >= kept.length; };
  more.addEventListener("click", () => {
    list.append(...kept.slice(shown, shown + MORE).map((one) => row(found, one, open)));
    shown += MORE;
    mark();
  });
  mark();
  box.replaceChildren(kept.length ? list : stateLine("empty", t(wanted || view.theme || view.property || view.division ? "env_none_match" : "env_none")), more);
}

/** When nothing has reported lately: what that means, and the way to the last time that something did. */
function silence(found) {
  if (!found.newest || !found.features.length || found.stale < found.numberMatched) return null;
  const last = new Date(Date.parse(found.newest) + 3_599_000).toISOString();
  return el("div", { className: "env-silence", role: "status" }, el("p", {}, t("env_silence", { time: moment(found.newest) })), button("env_silence_go", () => choose({ at: last })));
}

/** Draw the list of an answer. */
export function stationList(box, answer, failure, open, again) {
  const found = answer?.found;
  const list = el("div", { className: "env-rows" });
  const count = found ? el("p", { className: "hint", role: "status" }, t("env_count", { n: number(found.numberMatched, 0) }), found.numberMatched > found.numberReturned ? ` ${t("env_cut", { n: number(found.numberReturned, 0) })}` : "") : null;
  const old = failure && found ? stateLine("error", t("env_old", { time: moment(new Date(answer.when).toISOString()), why: failure }), again) : null;
  box.replaceChildren(...[filters(found, () => found && rows(list, found, open)), old, failure && !found ? stateLine("error", failure, again) : null, found ? silence(found) : null, count, found ? classLegend(found) : null, list].filter(Boolean));
  if (found) rows(list, found, open);
}

