// What stands in a cell of the table and in a head: values in words, units, empty ones as a dash.

import { t, words } from "../state.js";
import { el } from "../dom.js";
import { number, valueOf } from "../format.js";

const YEARS = /season|year|commissioned/;
const NUMERIC = ["number", "integer"];

/** The name of an attribute in the reader's language. */
export const attributeTitle = (attribute) => (attribute.title ? words(attribute.title) : attribute.name.replaceAll("_", " "));

export const isNumeric = (attribute) => NUMERIC.includes(attribute.type);

/** A unit as people write it. */
export const unitOf = (attribute) => (attribute.unit ? attribute.unit.replace(/^m2$/, "m²").replace(/^km2$/, "km²").replace(/^m3/, "m³") : "");

/** A number of an attribute; years are not grouped. */
export const figure = (attribute, value, digits = 4) => (attribute.type === "integer" && !attribute.unit && YEARS.test(attribute.name) ? String(value) : number(value, digits));

/** The pieces of a cell: {text, code, empty}. */
export function cellOf(attribute, value) {
  if (value === null || value === undefined || value === "") return { text: "–", empty: true };
  if (isNumeric(attribute)) return { text: figure(attribute, Number(value)) };
  return valueOf(attribute, value);
}

/** What a cell holds, as elements. */
export function cellContent(attribute, value) {
  const { text, code, empty } = cellOf(attribute, value);
  if (empty) return [el("span", { "aria-hidden": "true" }, text), el("span", { className: "spoken" }, t("no_value"))];
  return code ? [text, el("span", { className: "code" }, code)] : [text];
}
