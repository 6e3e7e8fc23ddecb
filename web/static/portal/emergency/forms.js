// Small forms made from the JSON Schema of a hazard method: what is needed on top, what has a good default folded away.

import { t } from "../state.js";
import { button, el } from "../dom.js";
import { coordinates } from "../format.js";
import { leaflet } from "../map.js";

const COMMON = ["label", "start", "end", "status"];
const DIGITS = 5;

/** A schema without the choice of null. */
function plain(schema) {
  const real = schema.anyOf?.find((one) => one.type !== "null");
  return real ? { ...real, default: schema.default, description: schema.description ?? real.description } : schema;
}

const kindOf = (schema) => {
  if (schema.enum) return "choice";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.type === "array" && (schema.items?.type === "number" || schema.prefixItems)) return "numbers";
  if (schema.type === "string") return schema.format === "date-time" ? "time" : "text";
  return null;
};

const title = (name) => t(`param_${name}`) === `param_${name}` ? name.replaceAll("_", " ") : t(`param_${name}`);

function numberField(id, schema, value) {
  const input = el("input", { type: "number", id, step: schema.type === "integer" ? 1 : "any", min: schema.minimum ?? schema.exclusiveMinimum ?? null, max: schema.maximum ?? null, value: value ?? "" });
  return { input, read: () => (input.value === "" ? null : Number(input.value)) };
}

function numbersField(id, schema, value) {
  const input = el("input", { type: "text", id, value: (value ?? []).join(", "), inputMode: "decimal" });
  return { input, read: () => (input.value.trim() === "" ? null : input.value.split(/[\s,，、]+/).filter(Boolean).map(Number)) };
}

function textField(id, schema, value) {
  const input = el("input", { type: "text", id, value: value ?? "" });
  return { input, read: () => input.value.trim() || null };
}

function timeField(id) {
  const input = el("input", { type: "datetime-local", id });
  return { input, read: () => (input.value ? new Date(input.value).toISOString() : null) };
}

function choiceField(id, schema, value) {
  const input = el("select", { id }, schema.enum.map((one) => el("option", { value: one, selected: one === value }, one)));
  return { input, read: () => input.value };
}

const FIELDS = { number: numberField, numbers: numbersField, text: textField, time: timeField, choice: choiceField };

function row(id, name, input, schema) {
  return el("div", { className: "field" }, el("label", { htmlFor: id, title: schema.description ?? "" }, title(name)), input);
}

/** A position: the centre of the map, until it is taken anew. */
function positionField(id) {
  let at = leaflet.getCenter().wrap();
  const said = el("output", { id, className: "number" });
  const tell = () => { said.textContent = coordinates(at.lng, at.lat, false); };
  tell();
  const take = button("form_here", () => { at = leaflet.getCenter().wrap(); tell(); });
  return { input: el("div", { className: "row wrap" }, said, take), read: () => [Number(at.lng.toFixed(DIGITS)), Number(at.lat.toFixed(DIGITS))] };
}

/** The view of the map as west, south, east, north. */
export function viewBox() {
  const bounds = leaflet.getBounds();
  const clip = (value, limit) => Math.max(-limit, Math.min(limit, Number(value.toFixed(6))));
  return [clip(bounds.getWest(), 180), clip(bounds.getSouth(), 90), clip(bounds.getEast(), 180), clip(bounds.getNorth(), 90)];
}

function boxField(id) {
  return { input: el("output", { id, className: "hint" }, t("form_view")), read: viewBox };
}

/** A field of its own making: features of a layer, a file, a pasted table. */
const own = (made, id) => made(id);

/** A form for a method: `top` names its fields in order, `given` holds values and makers of fields. */
export function methodForm(method, { top, given = {} }, submit) {
  const properties = method.parameters.properties;
  const readers = new Map();
  const field = (name) => {
    const schema = plain(properties[name]);
    const id = `form-${method.id}-${name}`;
    const set = given[name];
    const made = typeof set === "function" ? own(set, id) : name === "bbox" ? boxField(id) : name === "position" || name === "epicentre" ? positionField(id) : FIELDS[kindOf(schema)]?.(id, schema, set ?? schema.default);
    if (!made) return null;
    readers.set(name, { read: made.read, initial: JSON.stringify(made.read()), needed: top.includes(name) });
    return row(id, name, made.input, schema);
  };
  const main = top.map(field);
  const rest = Object.keys(properties).filter((name) => !top.includes(name) && !COMMON.includes(name) && given[name] !== null && name !== "bbox").map(field).filter(Boolean);
  const more = rest.length ? el("details", { className: "more" }, el("summary", {}, t("form_more", { n: rest.length })), rest) : null;
  const form = el("form", { className: "form method-form", dataset: { method: method.id } }, main, more, el("button", { type: "submit", className: "primary wide" }, t("form_make")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = {};
    for (const [name, { read, initial, needed }] of readers) {
      const value = read();
      // What was left as it is stays out: the service has the default, and says it in the zone.
      if (value !== null && (needed || JSON.stringify(value) !== initial)) body[name] = value;
    }
    submit(body);
  });
  return form;
}
