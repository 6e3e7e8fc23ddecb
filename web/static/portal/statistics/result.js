// What the panel shows of its figures: legend, ranked bars, table, the division that is chosen, and where it all comes from.

import { address, config, currentLanguage, t, words } from "../state.js";
import { button, el, patiently, shape, stateLine } from "../dom.js";
import { day, fine, moment } from "../format.js";
import { markDivision } from "./choropleth.js";
import { breakdown, factorOf, figuresUrl } from "./source.js";
import { measureName, subjectName } from "./subjects.js";
import { choose, view } from "./view.js";
import { classWords, figure, manyWords, signed, unitWords, withUnit } from "./words.js";

const MOST_BARS = 15;
const PERCENT = 100;
let all = false;

const told = (row, found) => (found.before ? signed(row.value) : figure(row.value));

function swatch(colour) {
  const box = shape("svg", { class: "swatch", width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" });
  box.append(shape("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: colour ?? "none", stroke: "#4b5560", "stroke-width": 0.8 }));
  if (!colour) for (const x of [0, 6, 12, 18]) box.append(shape("path", { d: `M${x} 14L${x + 8} 2`, stroke: "#7d8791", "stroke-width": 1.4 }));
  return box;
}

/** The classes with their ends and numbers of divisions. */
export function legend(found, classes) {
  const nothing = found.rows.filter((row) => row.value === null).length;
  const items = classes.map((one) => el("li", {}, swatch(one.colour), el("span", { className: "legend-name number" }, classWords(one, Boolean(found.before))), el("span", { className: "count number" }, manyWords(one.count))));
  if (nothing) items.push(el("li", { id: "stats-nothing" }, swatch(null), el("span", { className: "legend-name" }, t("no_data_short")), el("span", { className: "count number" }, manyWords(nothing))));
  return el("section", { className: "stats-legend" }, el("h2", {}, legendTitle(found)), el("ul", { className: "legend", "aria-label": t("stats_classes") }, items));
}

/** What the classes tell, with the unit. */
export function legendTitle(found) {
  const unit = unitWords(found.asked);
  return t(found.before ? "stats_legend_change" : "stats_legend", { what: headline(found), unit: unit ? ` (${unit})` : "" });
}

const headline = (found) => `${subjectName(found.asked)} · ${measureName(found.asked.layer, found.asked.measure)}`;

/** The divisions as bars, the largest first; each leads to its division. */
export function bars(found, colourOf, again) {
  const known = found.rows.filter((row) => row.value !== null).sort((a, b) => b.value - a.value);
  const most = Math.max(...known.map((row) => Math.abs(row.value)), 0) || 1;
  const shown = all ? known : known.slice(0, MOST_BARS);
  const items = shown.map((row) => el("li", {}, bar(row, found, colourOf(row.code), Math.abs(row.value) / most)));
  const more = known.length > MOST_BARS ? button(all ? "stats_fewer" : "stats_more", () => { all = !all; again(); }, "quiet") : null;
  return el("section", {}, el("h2", {}, t("stats_ranked")), el("ol", { className: "stats-bars" }, items), more);
}

function bar(row, found, colour, share) {
  const name = words(row.name);
  const mark = (code) => () => { markDivision(code); point(code); };
  return el("button", {
    type: "button", className: "stats-bar", dataset: { code: row.code }, onclick: () => choose({ within: view.within, chosen: row.code }),
    onmouseenter: mark(row.code), onfocus: mark(row.code), onmouseleave: mark(null), onblur: mark(null), "aria-label": `${name} ${told(row, found)} ${unitWords(found.asked)}`,
  }, el("span", { className: "stats-name" }, name), el("span", { className: "stats-value number" }, told(row, found)),
    el("span", { className: "stats-track", "aria-hidden": "true" }, el("span", { className: "stats-fill", style: { width: `${Math.max(share * PERCENT, 0.5)}%`, "background-color": colour } })));
}

/** Mark a division in bars and table. */
export function point(code) {
  for (const one of document.querySelectorAll(".stats-bar[data-code], .stats-table tr[data-code]")) one.classList.toggle("is-lit", one.dataset.code === code);
}

const COLUMNS = { name: (row) => words(row.name), value: (row) => row.value, now: (row) => row.now, then: (row) => row.then };

function sorted(rows) {
  const [by, up] = [COLUMNS[view.sort] ?? COLUMNS.value, view.down === "no"];
  const known = rows.filter((row) => by(row) !== null);
  const order = typeof by(known[0] ?? rows[0]) === "string" ? (a, b) => by(a).localeCompare(by(b)) : (a, b) => by(a) - by(b);
  known.sort((a, b) => (up ? order(a, b) : order(b, a)));
  return [...known, ...rows.filter((row) => by(row) === null)];
}

/** All divisions as a table that can be sorted and fetched. */
export function table(found) {
  const unit = unitWords(found.asked);
  const names = found.before ? ["name", "now", "then", "value"] : ["name", "value"];
  const rows = sorted(found.rows).map((row) => el("tr", { dataset: { code: row.code } }, el("th", { scope: "row" }, words(row.name), el("span", { className: "code" }, row.code)),
    names.slice(1).map((name) => el("td", { className: `number${row[name] === null ? " nodata" : ""}` }, name === "value" ? told(row, found) : figure(row[name])))));
  const body = el("table", { className: "stats-table" }, el("caption", { className: "spoken" }, headline(found)), el("thead", {}, el("tr", {}, names.map((name) => head(name, unit, found)))), el("tbody", {}, rows));
  return el("details", { className: "fold", id: "stats-table" }, el("summary", {}, t("stats_table", { n: rows.length })), files(), el("div", { className: "table", tabIndex: 0, role: "region", "aria-label": t("stats_table", { n: rows.length }) }, body));
}

function head(name, unit, found) {
  const key = name === "name" ? "stats_division" : name === "value" && found.before ? "stats_change" : `stats_col_${name}`;
  const mine = view.sort === name;
  const way = mine ? (view.down === "no" ? "ascending" : "descending") : "none";
  const flip = () => choose({ sort: name, down: mine && view.down === "yes" ? "no" : name === "name" && !mine ? "no" : "yes" });
  const sign = mine ? (view.down === "no" ? " ▲" : " ▼") : "";
  return el("th", { scope: "col", className: name === "name" ? "" : "number", "aria-sort": way }, el("button", { type: "button", className: "stats-sort", dataset: { sort: name }, onclick: flip }, `${t(key)}${name !== "name" && unit ? ` (${unit})` : ""}`, el("span", { "aria-hidden": "true" }, sign)));
}

function files() {
  const link = (f) => el("a", { href: figuresUrl({ f }), download: "" }, f.toUpperCase());
  return el("p", { className: "row wrap" }, el("span", { className: "hint" }, t("stats_download")), link("csv"), link("xlsx"));
}

/** Who answers for the figures, which editions were read, and how they were made. */
export function sources(found) {
  const { now, before, asked, bases } = found;
  const edition = (one) => (one ? `${t("edition_no", { n: one.number })}, ${day(one.committed)}` : t("no_data_long"));
  const rows = [["authority", words(asked.layer.authority)], ["edition", edition(now.edition)], ["stats_divisions", edition(now.groupBy[0]?.edition)],
    ...(before ? [["stats_then", `${moment(before.asOf)} · ${edition(before.edition)}`]] : []), ...(view.per === "head" ? [["stats_people", `${words(bases.authority?.name) || ""} · ${edition(bases.edition)}`]] : [])];
  const page = `${address(config.urls.collection, { id: asked.layer.id })}?f=html&lang=${currentLanguage()}`;
  const method = Object.entries(now.method).map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", { lang: "en" }, text)));
  return el("section", { className: "stats-source" }, el("dl", { className: "facts" }, rows.flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)])),
    el("details", { className: "fold" }, el("summary", {}, t("stats_method")), el("dl", { className: "stats-method" }, method)), el("p", {}, el("a", { href: page }, t("open_page"))));
}

/** One division: its figures, what it has of each class, and the way down. */
export function chosen(found, row, below, close) {
  const { asked } = found;
  const parts = el("div", {});
  if (asked.by && !view.then) classes(asked, row, parts);
  const down = below ? button("stats_down", () => choose({ level: below.level, within: row.code, chosen: "" }), "primary") : null;
  const lines = found.before ? [["stats_col_now", withUnit(row.now, asked)], ["stats_col_then", withUnit(row.then, asked)], ["stats_change", signed(row.value)]] : [[null, withUnit(row.value, asked)]];
  return el("section", { className: "stats-chosen", id: "stats-chosen", tabIndex: -1, "aria-label": words(row.name) }, el("div", { className: "row" }, el("h2", {}, words(row.name), el("span", { className: "code" }, row.code)), el("button", { type: "button", className: "quiet", onclick: close }, t("close"))),
    lines.map(([key, value]) => el("p", { className: "figure" }, key ? el("span", { className: "hint" }, `${t(key)} `) : null, value)), down, parts);
}

function classes(asked, row, box) {
  patiently(box, breakdown(asked, row.code)).then((answer) => {
    const known = answer.groups.filter((one) => one.values[asked.measure] !== null);
    const most = Math.max(...known.map((one) => one.values[asked.measure]), 0) || 1;
    const items = known.map((one) => el("li", { className: "stats-part" }, el("span", { className: "stats-name" }, one.labels[0][currentLanguage()], one.keys[0] ? el("span", { className: "code" }, one.keys[0]) : null),
      el("span", { className: "stats-value number" }, fine(one.values[asked.measure] * factorOf(asked))), el("span", { className: "stats-track", "aria-hidden": "true" }, el("span", { className: "stats-fill", style: { width: `${(one.values[asked.measure] / most) * PERCENT}%` } }))));
    const rest = answer.rest ? el("p", { className: "hint" }, t("stats_rest", { n: answer.rest.groups, value: fine(answer.rest.values[asked.measure] * factorOf(asked)) })) : null;
    box.replaceChildren(...[el("h3", {}, t("stats_by_class")), items.length ? el("ul", { className: "stats-bars" }, items) : stateLine("empty", t("no_data_short")), rest].filter(Boolean));
  }, (error) => box.replaceChildren(stateLine("error", error.message)));
}
