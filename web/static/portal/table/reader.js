// CQL2 text back to rows. What cannot be shown as a row stays as text, and what would be misread is not read at all.

import { cql2Of, newGroup } from "./criteria.js";
import { dayAt, dayBefore } from "./days.js";

const TOKEN = /\s+|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|('(?:[^'\\]|''|\\[\s\S])*')|("(?:[^"]|"")*")|([\p{L}_][\w.:\p{L}]*)|(<=|>=|<>|[-+*/%^=<>(),])/uy;
const KEYWORDS = new Set(["AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "TRUE", "FALSE", "DIV"]);
const CALLS = new Set(["CASEI", "DATE", "TIMESTAMP", "S_WITHIN", "S_INTERSECTS", "S_DISJOINT"]);
const DEEPEST = 3;

/** The words of a filter, or null when something in it cannot be read. */
export function tokensOf(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) return null;
    const [whole, number, string, quoted, name, sign] = match;
    const token = tokenOf({ number, string, quoted, name, sign });
    if (token) found.push({ ...token, from: at, to: at + whole.length });
  }
  return joinSigns(found);
}

function tokenOf({ number, string, quoted, name, sign }) {
  if (number !== undefined) return { kind: "0", says: number };
  if (string !== undefined) return { kind: "t", says: string.slice(1, -1).replace(/''|\\([\s\S])/g, (pair) => (pair === "''" || pair === "\\'" ? "'" : pair)) };
  if (quoted !== undefined) return { kind: "n", says: quoted.slice(1, -1).replaceAll('""', '"') };
  if (sign !== undefined) return { kind: sign, says: sign };
  if (name === undefined) return null;
  const upper = name.toUpperCase();
  return KEYWORDS.has(upper) || CALLS.has(upper) ? { kind: upper, says: upper } : { kind: "n", says: name };
}

/** A sign in front of digits is a part of the number, where no number or name stands before it. */
function joinSigns(tokens) {
  const joined = [];
  for (const one of tokens) {
    const [last, before] = [joined.at(-1), joined.at(-2)];
    const leads = last?.kind === "-" && (!before || !["0", "n", "t", ")"].includes(before.kind));
    if (one.kind === "0" && leads) joined[joined.length - 1] = { ...one, says: `-${one.says}`, from: last.from };
    else joined.push(one);
  }
  return joined;
}

/** The places at which a word stands outside of all parentheses; the AND of a BETWEEN is none. */
function placesOf(tokens, word) {
  const places = [];
  let [depth, between] = [0, 0];
  tokens.forEach(({ kind }, at) => {
    if (kind === "(") depth += 1;
    if (kind === ")") depth -= 1;
    if (depth) return;
    if (kind === "BETWEEN") between += 1;
    else if (kind === "AND" && between) between -= 1;
    else if (kind === word) places.push(at);
  });
  return places;
}

function split(tokens, places) {
  const edges = [-1, ...places, tokens.length];
  return edges.slice(1).map((end, at) => tokens.slice(edges[at] + 1, end));
}

/** Whether the first parenthesis closes at the end. */
function wrapped(tokens) {
  if (tokens[0]?.kind !== "(" || tokens.at(-1)?.kind !== ")") return false;
  let depth = 0;
  return tokens.every(({ kind }, at) => {
    if (kind === "(") depth += 1;
    if (kind === ")") depth -= 1;
    return depth > 0 || at === tokens.length - 1;
  });
}

const unliteral = (pattern) => pattern.replace(/\\([\\%_])/g, "$1");
const SIGNS = { ">=": "at_least", "<=": "at_most", ">": "more", "<": "less", "=": "equals", "<>": "differs" };
const DAYS = { "=": "on", ">=": "from", "<=": "until" };
const PLACES = { S_WITHIN: "within", S_INTERSECTS: "meets", S_DISJOINT: "outside" };

/** [shape of the words, what it means: (texts and numbers, the kinds of all words, types) -> operator and values]. */
const SHAPES = [
  [/^n IS NULL$/, () => ["empty", []]],
  [/^n IS NOT NULL$/, () => ["filled", []]],
  [/^n = (TRUE|FALSE)$/, (_, kinds) => [kinds[2] === "TRUE" ? "yes" : "no", []]],
  [/^n (>=|<=|>|<|=|<>) 0$/, (said, kinds) => [SIGNS[kinds[1]], said]],
  [/^n BETWEEN 0 AND 0$/, (said) => ["between", said]],
  [/^n (=|<>) t$/, (said, kinds) => [SIGNS[kinds[1]], said]],
  [/^n (NOT )?LIKE t$/, ([pattern], kinds, type) => (type === "code" ? ["begins", [unliteral(pattern.slice(0, -1))]] : [kinds[1] === "NOT" ? "differs" : "equals", [unliteral(pattern)]])],
  [/^n IN \( t( , t)* \)$/, (said) => ["any_of", said]],
  [/^n NOT IN \( t( , t)* \)$/, (said) => ["none_of", said]],
  [/^CASEI \( n \) LIKE CASEI \( t \)$/, ([pattern]) => (pattern.startsWith("%") ? ["contains", [unliteral(pattern.slice(1, -1))]] : ["begins", [unliteral(pattern.slice(0, -1))]])],
  [/^CASEI \( n \) NOT LIKE CASEI \( t \)$/, ([pattern]) => ["contains_not", [unliteral(pattern.slice(1, -1))]]],
  [/^n (=|>=|<=) DATE \( t \)$/, (said, kinds) => [DAYS[kinds[1]], said]],
  [/^n BETWEEN DATE \( t \) AND DATE \( t \)$/, (said) => ["between", said]],
  [/^n >= TIMESTAMP \( t \)$/, ([at]) => ["from", [dayAt(at)]]],
  [/^n < TIMESTAMP \( t \)$/, ([at]) => ["until", [dayBefore(dayAt(at))]]],
  [/^n BETWEEN TIMESTAMP \( t \) AND TIMESTAMP \( t \)$/, ([low, high]) => (dayAt(low) === dayAt(high) ? ["on", [dayAt(low)]] : ["between", [dayAt(low), dayAt(high)]])],
];

function placeRow(tokens, text) {
  const operator = PLACES[tokens[0].kind];
  const [open, name, comma] = tokens.slice(1, 4);
  if (!operator || open?.kind !== "(" || name?.says !== "geometry" || comma?.kind !== "," || !wrapped(tokens.slice(1))) return null;
  return { name: "geometry", operator, values: [text.slice(tokens[4].from, tokens.at(-1).from).trim()] };
}

const bare = (text) => JSON.stringify(tokensOf(text)?.map(({ kind, says }) => [kind, says]));

/** A condition as a row, or null. It counts only when it would be written in the same words again. */
function row(tokens, text, types) {
  const said = text.slice(tokens[0].from, tokens.at(-1).to);
  const [name, sign, code] = tokens;
  // One code is a list of one.
  if (tokens.length === 3 && types[name.says] === "code" && sign.kind === "=" && code.kind === "t") return { name: name.says, operator: "any_of", values: [code.says] };
  const made = placeRow(tokens, text) ?? plainRow(tokens, types);
  try {
    return made && bare(cql2Of(made, types)) === bare(said) ? made : null;
  } catch {
    return null;
  }
}

function plainRow(tokens, types) {
  const kinds = tokens.map((one) => one.kind);
  const shape = SHAPES.find(([pattern]) => pattern.test(kinds.join(" ")));
  const name = tokens.find((one) => one.kind === "n")?.says;
  if (!shape || !(name in types)) return null;
  const values = tokens.filter((one) => one.kind === "t" || one.kind === "0").map((one) => one.says);
  const [operator, given] = shape[1](values, kinds, types[name]);
  return { name, operator, values: given };
}

function read(tokens, text, types, depth) {
  for (const [word, join] of [["OR", "or"], ["AND", "and"]]) {
    const places = placesOf(tokens, word);
    if (places.length) return newGroup(split(tokens, places).map((one) => read(one, text, types, depth + 1)), join);
  }
  if (wrapped(tokens)) return read(tokens.slice(1, -1), text, types, depth);
  if (tokens[0].kind === "NOT" && wrapped(tokens.slice(1))) return { ...grouped(read(tokens.slice(2, -1), text, types, depth)), not: true };
  return row(tokens, text, types) ?? { text: text.slice(tokens[0].from, tokens.at(-1).to) };
}

const grouped = (node) => (node.members && !node.not ? node : newGroup([node]));
const depthOf = (node) => (node.members ? 1 + Math.max(0, ...node.members.map(depthOf)) : 0);
const readable = (tokens) => tokens?.length && tokens.filter((one) => one.kind === "(").length === tokens.filter((one) => one.kind === ")").length;

/**
 * The rows of a filter: a group whose members are conditions, groups, and `{text}` for what is no row.
 *
 * Null for a text that is no filter, or one that is nested too deeply to be read as rows.
 */
export function rowsOf(text, types) {
  const tokens = tokensOf(text);
  if (!readable(tokens)) return null;
  try {
    const found = grouped(read(tokens, text, types, 0));
    return depthOf(found) <= DEEPEST ? found : null;
  } catch {
    return null;
  }
}
