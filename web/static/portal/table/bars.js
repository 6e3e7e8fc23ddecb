// Two charts whose bars are buttons: ranked bars of classes, and a histogram with its axes.

import { t } from "../state.js";
import { el, shape } from "../dom.js";
import { number } from "../format.js";
import { valueTicks } from "../environment/axis.js";

const WIDTH = 640;
const HEIGHT = 170;
const EDGE = { left: 52, right: 12, top: 10, bottom: 26 };
const LABELS = 7;

/** Bars of classes, in the order given; `said` writes a value, `narrow` is called with the class of a bar. */
export function ranked(entries, said, narrow) {
  const top = Math.max(...entries.map((one) => one.value ?? 0), 0) || 1;
  const line = (one) => {
    const name = el("span", { className: "bar-name" }, one.name, one.code && one.code !== one.name ? el("span", { className: "code" }, one.code) : null);
    const bar = el("span", { className: "bar-track", "aria-hidden": "true" }, el("span", { className: "bar-fill" }));
    bar.firstChild.style.inlineSize = `${Math.max(0.5, (100 * (one.value ?? 0)) / top)}%`;
    return el("li", {}, el("button", { type: "button", className: "quiet bar-line", title: t("chart_narrow", { what: one.name }), onclick: () => narrow(one) }, name, bar, el("span", { className: "bar-value number" }, said(one))));
  };
  return el("ul", { className: "plain bars" }, entries.map(line));
}

function write(board, x, y, words, anchor) {
  const made = shape("text", { class: "chart-text", x, y, "text-anchor": anchor });
  made.textContent = words;
  board.append(made);
}

function axes(board, bins, top, { x, y }, edge) {
  for (const value of valueTicks(0, top).filter(Number.isInteger)) {
    board.append(shape("line", { class: "chart-grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(value), y2: y(value) }));
    write(board, EDGE.left - 6, y(value) + 4, number(value, 0), "end");
  }
  const edges = [...bins.map((one) => one.from), bins.at(-1).to];
  const step = Math.ceil(edges.length / LABELS);
  edges.forEach((value, at) => {
    if (at % step) return;
    board.append(shape("line", { class: "chart-tick", x1: x(at), x2: x(at), y1: HEIGHT - EDGE.bottom, y2: HEIGHT - EDGE.bottom + 4 }));
    write(board, x(at), HEIGHT - 7, edge(value), at === 0 ? "start" : "middle");
  });
}

/** The arrow keys go from bar to bar; one of them is reached by Tab. */
function walk(event, bars, at) {
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (to === undefined || !bars[to]) return;
  event.preventDefault();
  event.stopPropagation();
  bars[at].setAttribute("tabindex", "-1");
  bars[to].setAttribute("tabindex", "0");
  bars[to].focus();
}

function barOf(one, at, { x, y, said, tell, narrow }) {
  const words = t("chart_bin", { range: said(one), n: number(one.count, 0) });
  const bar = shape("g", { class: "bin", role: "button", tabindex: at ? -1 : 0, "aria-label": words });
  const title = shape("title", {});
  title.textContent = words;
  bar.append(title, shape("rect", { class: "bin-reach", x: x(at), y: EDGE.top, width: x(at + 1) - x(at), height: HEIGHT - EDGE.top - EDGE.bottom }),
    shape("rect", { class: "bin-fill", x: x(at) + 1, y: y(one.count), width: Math.max(1, x(at + 1) - x(at) - 2), height: Math.max(one.count ? 1 : 0, HEIGHT - EDGE.bottom - y(one.count)) }));
  const act = () => { if (one.count) narrow(one); };
  bar.addEventListener("click", act);
  bar.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); } });
  for (const name of ["focus", "pointerenter"]) bar.addEventListener(name, () => tell(words));
  return bar;
}

/** How many rows have values in which range; `said` writes a range, `edge` a number of the axis. */
export function histogram(bins, { label, said, edge }, narrow) {
  const top = Math.max(...bins.map((one) => one.count), 1);
  const x = (at) => EDGE.left + (at / bins.length) * (WIDTH - EDGE.left - EDGE.right);
  const y = (count) => HEIGHT - EDGE.bottom - (count / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const board = shape("svg", { class: "chart histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": label });
  const told = el("p", { className: "hint number bin-said", "aria-hidden": "true" }, label);
  axes(board, bins, top, { x, y }, edge);
  const bars = bins.map((one, at) => barOf(one, at, { x, y, said, narrow, tell: (words) => { told.textContent = words; } }));
  bars.forEach((bar, at) => bar.addEventListener("keydown", (event) => walk(event, bars, at)));
  board.append(...bars);
  return el("div", { className: "chart-box" }, board, told);
}
