// Elements made from plain values. Text always goes in as text: nothing that comes from data is read as markup.

import { t } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; `on…` members become listeners, `dataset` and boolean attributes are understood. */
export function el(tag, members = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(members)) put(made, name, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function put(made, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(made.dataset, value);
  else if (name === "style") for (const [property, text] of Object.entries(value)) made.style.setProperty(property, text);
  else if (name in made && name !== "list" && name !== "role") made[name] = value;
  else made.setAttribute(name, value === true ? "" : value);
}

/** An icon of the page's sprite. */
export function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

/** A small SVG shape for legends. */
export function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A button with an icon and a spoken name. */
export const iconButton = (name, key, onclick) =>
  el("button", { type: "button", className: "quiet square", "aria-label": t(key), title: t(key), onclick }, icon(name));

/** A button with words. */
export const button = (key, onclick, className = "") => el("button", { type: "button", className, onclick }, t(key));

export const byId = (id) => document.getElementById(id);

/** A line that tells the state of a panel: loading, empty, or an error with a way to try again. */
export function stateLine(kind, message, retry = null) {
  const line = el("p", { className: `state state-${kind}`, role: kind === "error" ? "alert" : "status" }, message);
  if (retry) line.append(" ", button("retry", retry));
  return line;
}

/** Show "loading" only when it takes longer than people notice. */
export function patiently(box, work) {
  const timer = setTimeout(() => box.replaceChildren(stateLine("loading", t("loading"))), 400);
  return work.finally(() => clearTimeout(timer));
}

/** A short message over the map that goes away by itself; `action` is a button that belongs to it. */
export function notice(message, kind = "info", action = null) {
  const line = el("div", { className: `notice notice-${kind}` }, message, action);
  action?.addEventListener("click", () => line.remove());
  byId("notices").replaceChildren(line);
  setTimeout(() => line.remove(), kind === "info" ? 4000 : 9000);
}

/** Copy text and say so. */
export async function copy(text) {
  await navigator.clipboard.writeText(text);
  notice(t("copied"));
}

const KEPT = 60_000;

/** Hand a file to the reader under a name; the browser has a minute to take it. */
export function save(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}
