// Fields for the values of a condition, suited to the type of what is asked: texts, numbers with units, days, codes.

import { config, currentLanguage, t } from "../state.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { attributeTitle, unitOf } from "./cells.js";
import { valuesOf } from "./criteria.js";

const LONG = 120;
const MU = 2000 / 3;
const AREAS = { m2: 1, mu: MU, ha: 10_000 };

function put(node, at, value, changed) {
  node.values[at] = value;
  changed();
}

const spoken = (attribute, key) => `${attributeTitle(attribute)}: ${t(key)}`;

function textField(node, attribute, changed) {
  return el("input", { type: "text", value: node.values[0] ?? "", maxLength: 200, "aria-label": spoken(attribute, "filter_value"), placeholder: t("filter_value"), oninput: (event) => put(node, 0, event.target.value, changed) });
}

/** A number; an area can be written in mu or hectares and is asked in square metres. */
function numberField(node, at, attribute, changed, size) {
  const key = valuesOf(node.operator) === 2 ? ["filter_low", "filter_high"][at] : "filter_value";
  const given = node.values[at];
  const input = el("input", { type: "number", step: "any", value: given === undefined || given === "" ? "" : Number((given / size()).toPrecision(12)), "aria-label": spoken(attribute, key), placeholder: t(key) });
  input.addEventListener("input", () => put(node, at, input.value === "" || !Number.isFinite(input.valueAsNumber) ? "" : String(Number((input.valueAsNumber * size()).toPrecision(12))), changed));
  return input;
}

function numberFields(node, attribute, changed) {
  const box = el("span", { className: "filter-values" });
  let size = AREAS[node.unit] ?? 1;
  const fill = () => {
    const fields = Array.from({ length: valuesOf(node.operator) }, (_, at) => numberField(node, at, attribute, changed, () => size));
    box.replaceChildren(...(fields.length === 2 ? [fields[0], el("span", {}, t("filter_and")), fields[1]] : fields), unit());
  };
  const unit = () => {
    if (attribute.unit !== "m2") return el("span", { className: "hint" }, unitOf(attribute));
    const choice = el("select", { "aria-label": spoken(attribute, "unit") }, Object.keys(AREAS).map((name) => el("option", { value: name, selected: (node.unit ?? "m2") === name }, name === "m2" ? "m²" : t(name))));
    choice.addEventListener("change", () => { node.unit = choice.value; size = AREAS[choice.value]; fill(); });
    return choice;
  };
  fill();
  return box;
}

function dayField(node, at, attribute, changed) {
  const key = valuesOf(node.operator) === 2 ? ["filter_first", "filter_last"][at] : "filter_day";
  return el("input", { type: "date", value: node.values[at] ?? "", "aria-label": spoken(attribute, key), onchange: (event) => put(node, at, event.target.value, changed) });
}

function dayFields(node, attribute, changed) {
  if (node.operator === "last") {
    const input = el("input", { type: "number", min: 0, step: 1, value: node.values[0] ?? "", "aria-label": spoken(attribute, "filter_days"), oninput: (event) => put(node, 0, /^\d{1,5}$/.test(event.target.value) ? event.target.value : "", changed) });
    return el("span", { className: "filter-values" }, input, el("span", { className: "hint" }, t("filter_days_unit")));
  }
  const fields = Array.from({ length: valuesOf(node.operator) }, (_, at) => dayField(node, at, attribute, changed));
  return el("span", { className: "filter-values" }, fields.length === 2 ? [fields[0], el("span", {}, t("filter_and")), fields[1]] : fields);
}

/** The codes of a list by code; a code that others begin with is the head of its family. */
function namesOf(list) {
  const known = Object.entries(config.codelists[list] ?? {}).sort(([one], [other]) => (one < other ? -1 : 1));
  return known.map(([code, pair]) => ({
    code, name: pair[currentLanguage() === "zh" ? 0 : 1], all: `${code} ${pair.join(" ")}`.toLowerCase(),
    family: /^\d+$/.test(code) ? known.map(([other]) => other).filter((other) => other !== code && other.startsWith(code)) : [],
  }));
}

function chosenWords(node, attribute) {
  const known = config.codelists[attribute.list] ?? {};
  // The head of a family says it all.
  const heads = namesOf(attribute.list).filter((one) => one.family.length && [one.code, ...one.family].every((code) => node.values.includes(code)));
  const told = new Set(heads.flatMap((one) => one.family));
  const names = node.values.filter((code) => !told.has(code)).map((code) => known[code]?.[currentLanguage() === "zh" ? 0 : 1] ?? code);
  if (!names.length) return t("filter_choose");
  return names.length > 3 ? `${names.slice(0, 3).join(", ")} +${number(names.length - 3, 0)}` : names.join(", ");
}

/** Codes with their names, to be searched and ticked. */
function codeField(node, attribute, changed) {
  const said = el("span", {}, chosenWords(node, attribute));
  const all = namesOf(attribute.list);
  const list = el("ul", { className: "plain filter-codes", "aria-label": attributeTitle(attribute) });
  // The head of a family stands for all that belong to it.
  const tick = (one, value) => {
    const own = [one.code, ...one.family];
    const others = node.values.filter((code) => !own.includes(code));
    node.values = value ? [...others, ...own] : others;
    for (const box of list.querySelectorAll("input")) box.checked = node.values.includes(box.value);
    said.textContent = chosenWords(node, attribute);
    changed();
  };
  const line = (one) => el("li", { className: one.family.length ? "code-head" : "" }, el("label", { className: "choice" },
    el("input", { type: "checkbox", value: one.code, checked: node.values.includes(one.code), onchange: (event) => tick(one, event.target.checked) }), el("span", { className: "grow" }, one.name), el("span", { className: "code" }, one.code)));
  const fill = (wanted) => {
    const found = all.filter((one) => one.all.includes(wanted.trim().toLowerCase()));
    const rest = found.length - LONG;
    const note = rest > 0 ? t("more", { n: number(rest, 0) }) : found.length ? null : t("filter_no_code");
    list.replaceChildren(...found.slice(0, LONG).map(line), ...(note ? [el("li", { className: "hint" }, note)] : []));
  };
  const search = el("input", { type: "text", "aria-label": `${attributeTitle(attribute)}: ${t("filter_code_search")}`, placeholder: t("filter_code_search"), oninput: (event) => fill(event.target.value) });
  fill("");
  return el("details", { className: "filter-pick", open: !node.values.length }, el("summary", {}, said), search, list);
}

const FIELDS = { text: textField, number: numberFields, integer: numberFields, date: dayFields, datetime: dayFields };

/** The fields of a condition, or null where its operator wants no value; `changed` is called after each change. */
export function valueFields(node, attribute, changed) {
  const wanted = valuesOf(node.operator);
  if (!wanted) return null;
  if (attribute.type === "code") return wanted === Infinity ? codeField(node, attribute, changed) : textField(node, attribute, changed);
  return FIELDS[attribute.type]?.(node, attribute, changed) ?? null;
}
