// Figures and charts of one column, for the rows that pass the filter; a click on a bar narrows the filter.

import { recall, remember, t, words } from "../state.js";
import { el, patiently, stateLine } from "../dom.js";
import { fine, hectares, number } from "../format.js";
import { ask } from "../request.js";
import { attributeTitle, figure, isNumeric, unitOf } from "./cells.js";
import { histogram, ranked } from "./bars.js";
import { narrowed } from "./narrow.js";
import { PANEL, asked, statisticsOf } from "./rows.js";

const GROUPS = 20;
const MANY = 60;
const BINS = 20;
const SIZES = { polygon: "area", any: "area", line: "length" };
let latest = 0;

const isTime = (attribute) => ["date", "datetime"].includes(attribute.type);
const chosenName = (layer) => `chart-${layer.id}`;

function chosenOf(layer) {
  const said = layer.attributes.find((one) => one.name === recall(chosenName(layer)));
  return said ?? layer.attributes.find((one) => one.name === layer.legendBy) ?? layer.attributes.find(isNumeric) ?? layer.attributes[0];
}

/** How a column is looked at: bars by size rather than by number, times by month rather than by year. */
const wish = { by: "count", period: "year" };

function question(layer, attribute, condition) {
  const { name } = attribute;
  const about = { filter: condition };
  if (isNumeric(attribute)) {
    const kinds = ["sum", "mean", "min", "max", "missing"].map((kind) => `${kind}:${name}`);
    return { ...about, measures: ["count", ...kinds].join(","), bins: `${name}:${BINS}` };
  }
  const size = SIZES[layer.geometry];
  const first = wish.by === "size" && size ? [size, "count"] : ["count", size];
  const grouped = { "group-by": name, measures: [...first.filter(Boolean), `missing:${name}`].join(",") };
  return isTime(attribute) ? { ...about, ...grouped, period: wish.period, order: "key", limit: MANY } : { ...about, ...grouped, limit: GROUPS };
}

const urlOf = (layer, values) => `${statisticsOf(layer)}?${asked(values)}`;

/** A size in the units that officers use. */
export function sizeWords(measure, value) {
  if (value === null || value === undefined) return t("no_value");
  if (measure === "area") return `${hectares(value)} ${t("ha")}`;
  if (measure === "length") return `${fine(value / 1000)} ${t("km")}`;
  return number(value, 0);
}

function facts(attribute, found) {
  const told = (kind) => found.total[`${kind}:${attribute.name}`];
  const unit = unitOf(attribute);
  const value = (kind) => (told(kind) === null || told(kind) === undefined ? t("no_value") : `${figure(attribute, told(kind), kind === "mean" ? 2 : 4)}${unit ? ` ${unit}` : ""}`);
  const rows = [["stat_count", number(found.total.count, 0)], ["stat_missing", number(told("missing"), 0)]];
  if (isNumeric(attribute)) rows.push(["stat_min", value("min")], ["stat_mean", value("mean")], ["stat_max", value("max")], ["stat_sum", value("sum")]);
  else rows.push(["stat_groups", number(found.numberOfGroups, 0)]);
  for (const size of ["area", "length"]) if (found.total[size] !== undefined) rows.push([`stat_${size}`, sizeWords(size, found.total[size])]);
  return el("dl", { className: "stat-facts" }, rows.map(([key, text]) => el("div", {}, el("dt", {}, t(key)), el("dd", { className: "number", dataset: { stat: key } }, text))));
}

function source(layer, found) {
  const edition = found.edition ? t("edition_no", { n: found.edition.number }) : t("no_data");
  return el("p", { className: "source" }, `${words(layer.title)} · ${words(layer.authority)} · ${edition}`);
}

function entries(layer, attribute, found) {
  const measure = found.measures[0].name;
  const known = found.groups.map((one) => ({ key: one.keys[0], name: one.keys[0] === null ? t("no_value") : words(one.labels[0]), code: attribute.type === "code" ? one.keys[0] : null, value: one.values[measure], count: one.values.count }));
  return { measure, known };
}

function asTable(head, rows) {
  return el("details", { className: "fold" }, el("summary", {}, t("chart_table")), el("div", { className: "table stat-table", tabIndex: 0, role: "group", "aria-label": t("chart_table") }, el("table", {},
    el("thead", {}, el("tr", {}, head.map((one, at) => el("th", { scope: "col", className: at ? "number" : "" }, one)))),
    el("tbody", {}, rows.map(([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name), values.map((one) => el("td", { className: "number" }, one))))))));
}

function drawGroups(layer, attribute, found, narrow) {
  const { measure, known } = entries(layer, attribute, found);
  const rest = found.rest ? el("p", { className: "hint" }, t("chart_rest", { n: number(found.rest.groups, 0), count: number(found.rest.values.count, 0) })) : null;
  const head = [attributeTitle(attribute), t("stat_count"), ...(measure === "count" ? [] : [t(`stat_${measure}`)])];
  const rows = known.map((one) => [one.name, number(one.count, 0), ...(measure === "count" ? [] : [sizeWords(measure, one.value)])]);
  return [ranked(known, (one) => sizeWords(measure, one.value), narrow), rest, asTable(head, rows)];
}

function drawBins(layer, attribute, found, narrow) {
  const { edges, counts } = found.histogram;
  const bins = counts.map((count, at) => ({ from: edges[at], to: edges[at + 1], count }));
  const said = (one) => `${figure(attribute, one.from)} – ${figure(attribute, one.to)}`;
  const unit = unitOf(attribute);
  return [histogram(bins, { label: `${attributeTitle(attribute)}${unit ? ` (${unit})` : ""}`, said, edge: (value) => figure(attribute, value, 3) }, narrow),
    asTable([attributeTitle(attribute), t("stat_count")], bins.map((one) => [said(one), number(one.count, 0)]))];
}

function fill(box, layer, attribute, found, values, condition) {
  const narrow = (one) => narrowed(layer, attribute, one, wish.period);
  const none = !found.total.count;
  const chart = none ? [stateLine("empty", t("chart_none"))] : found.histogram ? drawBins(layer, attribute, found, narrow) : drawGroups(layer, attribute, found, narrow);
  const csv = el("a", { href: urlOf(layer, { ...values, f: "csv" }), download: "" }, t("download_csv"));
  box.replaceChildren(facts(attribute, found), el("div", { className: "stat-chart" }, chart.filter(Boolean), none ? null : el("p", { className: "hint" }, t("chart_hint"))), el("div", { className: "row wrap stat-foot" }, source(layer, found), csv));
  box.dataset.ready = condition;
}

function choice(id, key, options, chosen, changed) {
  const select = el("select", { id }, options.map(([value, name]) => el("option", { value, selected: value === chosen }, name)));
  select.addEventListener("change", () => changed(select.value));
  return el("div", { className: "stat-choice" }, el("label", { htmlFor: id }, t(key)), select);
}

function choices(layer, attribute, again) {
  const size = SIZES[layer.geometry];
  const made = [choice("chart-column", "chart_column", layer.attributes.map((one) => [one.name, attributeTitle(one)]), attribute.name, (name) => { remember(chosenName(layer), name); again("chart-column"); })];
  if (isTime(attribute)) made.push(choice("chart-period", "chart_period", ["year", "month", "day"].map((one) => [one, t(`chart_${one}`)]), wish.period, (value) => { wish.period = value; again("chart-period"); }));
  else if (!isNumeric(attribute) && size) made.push(choice("chart-by", "chart_by", [["count", t("stat_count")], ["size", t(`stat_${size}`)]], wish.by, (value) => { wish.by = value; again("chart-by"); }));
  return el("div", { className: "row wrap stat-choices" }, made);
}

/** Draw the charts of a layer for the rows that meet `condition` ("" for all). */
export async function drawCharts(body, { layer, condition }) {
  const mine = ++latest;
  const attribute = chosenOf(layer);
  const box = el("div", { className: "stat-box" });
  const again = (id) => {
    body.replaceChildren();
    drawCharts(body, { layer, condition });
    document.getElementById(id)?.focus();
  };
  const values = question(layer, attribute, condition);
  body.append(el("div", { className: "stat", dataset: { layer: layer.id } }, choices(layer, attribute, again), box));
  try {
    const found = await patiently(box, ask(PANEL, urlOf(layer, values)));
    if (mine === latest) fill(box, layer, attribute, found, values, condition);
  } catch (error) {
    if (mine === latest) box.replaceChildren(stateLine("error", error.message, () => again("chart-column")));
  }
}
