// Classes of indices as people see them: a shape for the index, a number in it, a colour, and always the word.

import { t, words } from "../state.js";
import { el, shape } from "../dom.js";

const SHAPES = { aqi: "circle", "surface-water": "diamond", thresholds: "hexagon" };
const NONE = "#8b949e";
const DARK = "#1f2328";
const ROMAN = ["", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ", "Ⅵ"];
const MIDDLE = 140;

/** The shape of an index; what has none is a square. */
export const shapeOf = (index) => SHAPES[index] ?? "square";

/** What stands in the shape of a class. */
export const signOf = (index, code) => (code ? (index === "surface-water" ? ROMAN[code] : String(code)) : "");

/** The colour of a class, from what the service told of the index. */
export function colourOf(indices, index, code) {
  return indices?.[index]?.classes.find((one) => one.code === code)?.colour ?? NONE;
}

/** The word of a class. */
export function wordOf(indices, index, code) {
  const found = indices?.[index]?.classes.find((one) => one.code === code);
  return found ? words(found.label) : t("env_unjudged");
}

/** Ink that can be read on a colour. */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > MIDDLE ? DARK : "#ffffff";
}

const OUTLINES = {
  circle: null,
  diamond: "12,1.500 22.500,12 12,22.500 1.500,12",
  hexagon: "12,1.500 21.500,7 21.500,17 12,22.500 2.500,17 2.500,7",
  square: "5,5 19,5 19,19 5,19",
};

/** Corners of a shape in a square of 24; null for the circle. */
export const cornersOf = (kind) => OUTLINES[kind]?.split(" ").map((pair) => pair.split(",").map(Number)) ?? null;

/** The sign of a class as a small picture: stale ones are hollow. */
export function classMark(indices, index, code, stale = false) {
  const colour = colourOf(indices, index, code);
  const kind = shapeOf(index);
  const paint = { fill: stale ? "#ffffff" : colour, stroke: stale ? colour : DARK, "stroke-width": stale ? 3.5 : 1 };
  const body = OUTLINES[kind] ? shape("polygon", { points: OUTLINES[kind], ...paint }) : shape("circle", { cx: 12, cy: 12, r: 10, ...paint });
  const ring = stale ? body.cloneNode() : null;
  ring?.setAttribute("stroke", DARK);
  ring?.setAttribute("stroke-width", 5.5);
  const sign = shape("text", { x: 12, y: 16.2, "text-anchor": "middle", "font-size": 12, "font-weight": 600, fill: stale ? DARK : inkOn(colour) });
  sign.textContent = signOf(index, code);
  const box = shape("svg", { class: "class-mark", width: 24, height: 24, viewBox: "-2 -2 28 28", "aria-hidden": "true" });
  box.append(...[ring, body, sign].filter(Boolean));
  return box;
}

/** Sign and word of a class, and the value of the index where it is a number. */
export function classBadge(indices, judged) {
  const value = judged.value === null || judged.value === undefined ? null : el("strong", { className: "number" }, String(judged.value));
  const stale = judged.stale ? el("span", { className: "badge" }, t("env_stale")) : null;
  return el("p", { className: "class-badge" }, classMark(indices, judged.index, judged.class, judged.stale), el("span", {}, wordOf(indices, judged.index, judged.class)), value, stale);
}
