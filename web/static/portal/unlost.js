// What lasts as long as the window, through a reload: a zone, a measurement, a form that is half written.

const PREFIX = "geoservice-kept-";
const FIELDS = "input:not([type=password], [type=file], [type=hidden]), textarea, select";

/** Keep a value (JSON) under a name; null forgets it. */
export function keepForNow(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(PREFIX + name);
    else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage may be forbidden or full; the page works without.
  }
}

/** What was kept under a name, or null. */
export function keptForNow(name) {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

const valueOf = (field) => (field.type === "checkbox" || field.type === "radio" ? field.checked : field.value);

function put(field, value) {
  if (field.type === "checkbox" || field.type === "radio") field.checked = value === true;
  else if (field.tagName !== "SELECT" || [...field.options].some((one) => one.value === value)) field.value = String(value);
}

/** Keep what is written into a form: fields are told apart by id or name. Call it when the form is filled for the first time. */
export function keepForm(name, form) {
  const fields = () => [...form.querySelectorAll(FIELDS)].filter((field) => field.id || field.name);
  const label = (field) => field.id || `${field.name}=${field.type === "radio" ? field.value : ""}`;
  const before = keptForNow(`form-${name}`);
  if (before) for (const field of fields()) if (label(field) in before) put(field, before[label(field)]);
  form.addEventListener("input", () => keepForNow(`form-${name}`, Object.fromEntries(fields().map((field) => [label(field), valueOf(field)]))));
}

/** Forget a form that was sent or given up. */
export const forgetForm = (name) => keepForNow(`form-${name}`, null);
