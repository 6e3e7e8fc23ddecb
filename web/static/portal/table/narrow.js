// A bar of a chart as a condition, put beside the filter that a layer has already.

import { cql2Of, isGroup, newGroup, typesOf } from "./criteria.js";
import { dayAfter } from "./days.js";
import { filterOf, setLayerFilter } from "./filters.js";
import { rowsOf } from "./reader.js";

const FIRST = { year: (key) => `${key}-01-01`, month: (key) => `${key}-01`, day: (key) => key };

/** First day behind a period that begins on a day. */
function behind(day, period) {
  const [year, month] = day.split("-").map(Number);
  if (period === "day") return dayAfter(day);
  const next = period === "year" ? [year + 1, 1] : month === 12 ? [year + 1, 1] : [year, month + 1];
  return `${String(next[0]).padStart(4, "0")}-${String(next[1]).padStart(2, "0")}-01`;
}

function ofPeriod(attribute, key, period) {
  const from = FIRST[period](key);
  const to = behind(from, period);
  // The service counts by days of UTC, and so the bar stands for exactly these moments.
  if (attribute.type === "datetime") return { text: `${attribute.name} >= TIMESTAMP('${from}T00:00:00Z') AND ${attribute.name} < TIMESTAMP('${to}T00:00:00Z')` };
  return { text: `${attribute.name} >= DATE('${from}') AND ${attribute.name} < DATE('${to}')` };
}

/** The conditions that a bar stands for. */
export function conditionsOf(attribute, bar, period) {
  const { name, type } = attribute;
  if (bar.from !== undefined) return [{ name, operator: "at_least", values: [String(bar.from)] }, { name, operator: "less", values: [String(bar.to)] }];
  if (bar.key === null) return [{ name, operator: "empty", values: [] }];
  if (type === "code") return [{ name, operator: "any_of", values: [bar.key] }];
  if (type === "boolean") return [{ name, operator: bar.key === "true" ? "yes" : "no", values: [] }];
  if (type === "date" || type === "datetime") return [ofPeriod(attribute, bar.key, period)];
  return [{ name, operator: "equals", values: [bar.key] }];
}

/** Narrow the filter of a layer to one bar of the chart of an attribute. */
export function narrowed(layer, attribute, bar, period) {
  const types = typesOf(layer);
  const text = filterOf(layer.id);
  const now = text ? rowsOf(text, types) ?? newGroup([{ text }]) : newGroup([]);
  const open = isGroup(now) && now.join === "and" && !now.not;
  const rows = newGroup([...(open ? now.members : [now]), ...conditionsOf(attribute, bar, period)]);
  setLayerFilter(layer.id, cql2Of(rows, types));
}
