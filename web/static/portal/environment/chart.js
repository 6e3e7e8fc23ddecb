// A series as a line: gaps stay gaps, limits are dashed lines with their names, times beyond a limit are shaded.

import { t } from "../state.js";
import { el, shape } from "../dom.js";
import { fine, moment, number } from "../format.js";
import { axisText, timeTicks, valueTicks } from "./axis.js";

const HEIGHT = 190;
const EDGE = { left: 46, right: 12, top: 12, bottom: 24 };
const FAR = 2.5;
const PER_PIXEL = 2;

/** Which limits are drawn: those that the values come near to; the others would flatten the line. */
export function nearLimits(limits, values) {
  const top = Math.max(...values, 0);
  return limits.filter((one) => one.ownValue <= FAR * top || one.side === "below");
}

function scaleOf(points, limits) {
  const values = [...points.map((one) => one.v), ...limits.map((one) => one.ownValue)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const from = low >= 0 && low < 0.6 * high ? 0 : low;
  const spare = (high - from || Math.abs(high) || 1) * 0.06;
  return [from === 0 ? 0 : from - spare, high + spare];
}

/** Lowest and highest of each pixel, in the order of time, when there are more readings than pixels. */
function thinned(points, x, width) {
  if (points.length <= PER_PIXEL * width) return points;
  const bins = new Map();
  for (const one of points) {
    const place = Math.round(x(one.t));
    const bin = bins.get(place) ?? { low: one, high: one };
    if (one.v < bin.low.v) bin.low = one;
    if (one.v > bin.high.v) bin.high = one;
    bins.set(place, bin);
  }
  return [...bins.values()].flatMap(({ low, high }) => (low === high ? [low] : low.t < high.t ? [low, high] : [high, low]));
}

function pathOf(points, gap, x, y) {
  let path = "";
  let last = null;
  for (const one of points) {
    const joined = last !== null && one.t - last <= gap;
    path += `${joined ? "L" : "M"}${x(one.t).toFixed(1)} ${y(one.v).toFixed(1)}`;
    last = one.t;
  }
  return path;
}

/** Readings without a neighbour would be lines without length. */
const lonely = (points, gap) => points.filter((one, at) => (at === 0 || one.t - points[at - 1].t > gap) && (at === points.length - 1 || points[at + 1].t - one.t > gap));

function axes(board, { x, y, span, scale, width }) {
  for (const value of valueTicks(...scale)) {
    board.append(shape("line", { class: "chart-grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
    board.append(textAt(EDGE.left - 6, y(value) + 4, number(value, 3), "end"));
  }
  for (const time of timeTicks(span, (width - EDGE.left) / 68)) {
    board.append(shape("line", { class: "chart-tick", x1: x(time), x2: x(time), y1: HEIGHT - EDGE.bottom, y2: HEIGHT - EDGE.bottom + 4 }));
    board.append(textAt(x(time), HEIGHT - 6, axisText(time, span), "middle"));
  }
}

function textAt(x, y, words, anchor, kind = "chart-text") {
  const made = shape("text", { class: kind, x, y, "text-anchor": anchor });
  made.textContent = words;
  return made;
}

function limitLines(board, limits, { x, y, span, width }) {
  for (const one of limits) {
    board.append(shape("line", { class: "chart-limit", x1: x(span[0]), x2: width - EDGE.right, y1: y(one.ownValue), y2: y(one.ownValue) }));
    board.append(textAt(width - EDGE.right - 2, y(one.ownValue) - 4, `${one.label} ${fine(one.ownValue)}`, "end", "chart-text chart-limit-text"));
  }
}

function shades(board, events, { x, span }) {
  for (const one of events) {
    const [from, to] = [Math.max(Date.parse(one.begin), span[0]), Math.min(Date.parse(one.end), span[1])];
    board.append(shape("rect", { class: "chart-beyond", x: x(from), y: EDGE.top, width: Math.max(x(to) - x(from), 2), height: HEIGHT - EDGE.top - EDGE.bottom }));
  }
}

/** The reading under the pointer or the slider: a line, a dot, and its words. */
function cursor(board, points, { x, y, width }, unit) {
  const line = shape("line", { class: "chart-cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: "hidden" });
  const dot = shape("circle", { class: "chart-dot", r: 3.5, visibility: "hidden" });
  board.append(line, dot);
  const said = el("output", { className: "number chart-said" });
  const slider = el("input", { type: "range", min: 0, max: points.length - 1, value: points.length - 1, "aria-label": t("env_reading") });
  const show = (place) => {
    const one = points[place];
    for (const [part, at] of [[line, { x1: x(one.t), x2: x(one.t) }], [dot, { cx: x(one.t), cy: y(one.v) }]]) {
      for (const [name, value] of Object.entries({ ...at, visibility: "visible" })) part.setAttribute(name, value);
    }
    said.textContent = `${moment(new Date(one.t).toISOString())}: ${number(one.v, 3)} ${unit}`;
    slider.setAttribute("aria-valuetext", said.textContent);
    slider.value = place;
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  board.addEventListener("pointermove", (event) => {
    const box = board.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    let best = 0;
    for (let place = 1; place < points.length; place += 1) if (Math.abs(x(points[place].t) - at) < Math.abs(x(points[best].t) - at)) best = place;
    show(best);
  });
  show(points.length - 1);
  return el("div", { className: "chart-reader" }, slider, said);
}

/** A chart of readings `points` ({t: ms, v}) in `span`; further apart than `gap` (ms) they are not joined. */
export function lineChart({ points, gap, span, unit, limits, events, label, width }) {
  const scale = scaleOf(points, limits);
  const x = (time) => EDGE.left + ((time - span[0]) / (span[1] - span[0])) * (width - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - ((value - scale[0]) / (scale[1] - scale[0])) * (HEIGHT - EDGE.top - EDGE.bottom);
  const frame = { x, y, span, scale, width };
  const board = shape("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label });
  shades(board, events, frame);
  axes(board, frame);
  const few = thinned(points, x, width);
  board.append(shape("path", { class: "chart-line", d: pathOf(few, Math.max(gap, (span[1] - span[0]) / width), x, y) }));
  for (const one of lonely(points, gap).slice(0, 500)) board.append(shape("circle", { class: "chart-lonely", cx: x(one.t), cy: y(one.v), r: 1.8 }));
  limitLines(board, limits, frame);
  return el("div", { className: "chart-box" }, board, cursor(board, points, frame, unit));
}
