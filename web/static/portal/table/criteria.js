// The conditions of a filter as rows, and the CQL2 text (OGC 21-065r2) that says the same. Knows no page and no network.

import { dayAfter, dayOf, endOfDay, startOfDay } from "./days.js";

const EMPTY = ["empty", "filled"];
const NUMBERS = ["at_least", "at_most", "between", "equals", "differs", "more", "less", ...EMPTY];
const DAYS = ["on", "from", "until", "between", "last", ...EMPTY];

/** What can be asked of an attribute, by its type; the first is the one that is asked most. */
export const OPERATORS = {
  text: ["contains", "begins", "equals", "contains_not", "differs", ...EMPTY],
  code: ["any_of", "none_of", "begins", ...EMPTY],
  number: NUMBERS,
  integer: NUMBERS,
  boolean: ["yes", "no", ...EMPTY],
  date: DAYS,
  datetime: DAYS,
  geometry: ["within", "meets", "outside"],
};

const BARE = new Set(["empty", "filled", "yes", "no"]);
const KEYWORDS = /^(and|or|not|like|between|in|is|null|true|false|div)$/i;

/** How many values an operator wants; Infinity stands for a list. */
export const valuesOf = (operator) => (BARE.has(operator) ? 0 : operator === "between" ? 2 : /_of$/.test(operator) ? Infinity : 1);

/** A new condition on an attribute, with its first operator and no values. */
export const newCondition = (attribute) => ({ name: attribute.name, operator: OPERATORS[attribute.type][0], values: [] });

/** Conditions that hold together (`and`) or one by one (`or`), or the contrary of that. */
export const newGroup = (members = [], join = "and", not = false) => ({ join, not, members });

export const isGroup = (node) => Array.isArray(node.members);

/** Name of a property as CQL2 writes it. */
export const named = (name) => (/^[a-z]\w*$/i.test(name) && !KEYWORDS.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** A text for LIKE in which nothing but what is written stands for itself. */
const literally = (text) => text.replace(/[\\%_]/g, (sign) => `\\${sign}`);

/** A backslash in front of a quote would end nothing, so a text with one is compared by LIKE. */
const same = (name, value, differs) => (value.includes("\\")
  ? `${named(name)} ${differs ? "NOT LIKE" : "LIKE"} ${quoted(literally(value))}`
  : `${named(name)} ${differs ? "<>" : "="} ${quoted(value)}`);

const like = (name, pattern, not = "") => `CASEI(${named(name)}) ${not}LIKE CASEI(${quoted(pattern)})`;
const listed = (name, values, not) => `${named(name)} ${not}IN (${values.map((one) => quoted(String(one))).join(", ")})`;

const TEXT = {
  contains: (name, [value]) => like(name, `%${literally(value)}%`),
  contains_not: (name, [value]) => like(name, `%${literally(value)}%`, "NOT "),
  begins: (name, [value]) => like(name, `${literally(value)}%`),
  equals: (name, [value]) => same(name, value, false),
  differs: (name, [value]) => same(name, value, true),
};

const CODE = {
  any_of: (name, values) => listed(name, values, ""),
  none_of: (name, values) => listed(name, values, "NOT "),
  begins: (name, [value]) => `${named(name)} LIKE ${quoted(`${literally(value)}%`)}`,
};

const SIGNS = { at_least: ">=", at_most: "<=", more: ">", less: "<", equals: "=", differs: "<>" };
const NUMBER = {
  ...Object.fromEntries(Object.entries(SIGNS).map(([operator, sign]) => [operator, (name, [value]) => `${named(name)} ${sign} ${value}`])),
  between: (name, [low, high]) => `${named(name)} BETWEEN ${low} AND ${high}`,
};

const BOOLEAN = { yes: (name) => `${named(name)} = TRUE`, no: (name) => `${named(name)} = FALSE` };

const date = (text) => `DATE('${text}')`;
const DATE = {
  on: (name, [value]) => `${named(name)} = ${date(value)}`,
  from: (name, [value]) => `${named(name)} >= ${date(value)}`,
  until: (name, [value]) => `${named(name)} <= ${date(value)}`,
  between: (name, [low, high]) => `${named(name)} BETWEEN ${date(low)} AND ${date(high)}`,
  last: (name, [value]) => `${named(name)} >= ${date(dayOf(value))}`,
};

// Days are those of the reader's clock, as the table shows them.
const moment = (text) => `TIMESTAMP('${text}')`;
const DATETIME = {
  on: (name, [value]) => `${named(name)} BETWEEN ${moment(startOfDay(value))} AND ${moment(endOfDay(value))}`,
  from: (name, [value]) => `${named(name)} >= ${moment(startOfDay(value))}`,
  until: (name, [value]) => `${named(name)} < ${moment(startOfDay(dayAfter(value)))}`,
  between: (name, [low, high]) => `${named(name)} BETWEEN ${moment(startOfDay(low))} AND ${moment(endOfDay(high))}`,
  last: (name, [value]) => `${named(name)} >= ${moment(startOfDay(dayOf(value)))}`,
};

const GEOMETRY = {
  within: (name, [shape]) => `S_WITHIN(${named(name)}, ${shape})`,
  meets: (name, [shape]) => `S_INTERSECTS(${named(name)}, ${shape})`,
  outside: (name, [shape]) => `S_DISJOINT(${named(name)}, ${shape})`,
};

const WRITE = { text: TEXT, code: CODE, number: NUMBER, integer: NUMBER, boolean: BOOLEAN, date: DATE, datetime: DATETIME, geometry: GEOMETRY };
const NULLS = { empty: (name) => `${named(name)} IS NULL`, filled: (name) => `${named(name)} IS NOT NULL` };

/** Whether a condition says enough to be asked. */
export function isComplete(node) {
  if (node.text !== undefined) return node.text.trim() !== "";
  const wanted = valuesOf(node.operator);
  const given = node.values.filter((one) => one !== "" && one !== null && one !== undefined);
  return wanted === Infinity ? given.length > 0 : given.length >= wanted;
}

function conditionText(node, types) {
  if (node.text !== undefined) return node.text.trim();
  const write = NULLS[node.operator] ?? WRITE[types[node.name]][node.operator];
  return write(node.name, node.values);
}

/**
 * The CQL2 text of conditions; "" when none of them says enough.
 *
 * `types` gives the type of each attribute by its name. A member `{text}` is CQL2 that rows cannot show.
 */
export function cql2Of(node, types, inner = false) {
  if (!isGroup(node)) return isComplete(node) ? conditionText(node, types) : "";
  const said = node.members.map((one) => [one, cql2Of(one, types, true)]).filter(([, text]) => text);
  if (!said.length) return "";
  // What somebody wrote may hold an OR, so that it needs parentheses between others.
  const parts = said.map(([one, text]) => (one.text !== undefined && (inner || said.length > 1) ? `(${text})` : text));
  const joined = parts.join(` ${node.join.toUpperCase()} `);
  if (node.not) return `NOT (${joined})`;
  return inner && parts.length > 1 ? `(${joined})` : joined;
}

/** How many conditions of a tree say enough. */
export const countOf = (node) => (isGroup(node) ? node.members.reduce((sum, one) => sum + countOf(one), 0) : Number(isComplete(node)));

/** Type of each attribute of a layer by its name; the geometry is one of them. */
export const typesOf = (layer) => ({ ...Object.fromEntries(layer.attributes.map((one) => [one.name, one.type])), geometry: "geometry" });
