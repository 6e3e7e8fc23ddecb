// A time window over the period of a layer: two sliders and a player.

import { t } from "./state.js";
import { el, icon } from "./dom.js";
import { moment } from "./format.js";

const STEPS = 200;
const FRAMES = 40;
const BEAT = 250;

/** A slider for the window [from, to] of a layer's period; `apply` filters the map, `settled` follows when it rests. */
export function timeSlider(layer, interval, given, apply, settled) {
  const [first, last] = interval.map((text) => new Date(text).getTime());
  const span = Math.max(last - first, 1);
  const timeOf = (step) => (Number(step) >= STEPS ? last : first + (span * Number(step)) / STEPS);
  const stepOf = (time) => Math.round(((time - first) / span) * STEPS);
  const range = (name, key, value) => el("input", { type: "range", id: `${name}-${layer.id}`, min: 0, max: STEPS, value, "aria-label": t(key) });
  const from = range("from", "time_from", given ? stepOf(given[0]) : 0);
  const to = range("to", "time_to", given ? stepOf(given[1]) : STEPS);
  const said = el("output", { className: "number" });
  const whole = () => Number(from.value) === 0 && Number(to.value) === STEPS;
  const draw = () => {
    const [start, end] = [timeOf(from.value), timeOf(to.value)];
    said.textContent = whole() ? t("time_all") : `${moment(new Date(start).toISOString())} – ${moment(new Date(end).toISOString())}`;
    for (const one of [from, to]) one.setAttribute("aria-valuetext", moment(new Date(timeOf(one.value)).toISOString()));
    apply(whole() ? null : [start, end]);
  };
  const player = play(to, from, draw, settled);
  from.addEventListener("input", () => { if (Number(from.value) > Number(to.value)) to.value = from.value; draw(); });
  to.addEventListener("input", () => { if (Number(to.value) < Number(from.value)) from.value = to.value; draw(); });
  for (const one of [from, to]) one.addEventListener("change", settled);
  draw();
  const line = (key, input) => el("label", { className: "time-line" }, el("span", {}, t(key)), input);
  return el("div", { className: "time", dataset: { time: layer.id } }, line("time_from", from), line("time_to", to), el("div", { className: "row" }, player, said));
}

function play(to, from, draw, settled) {
  let timer = null;
  const mark = () => {
    made.replaceChildren(icon(timer ? "stop" : "play"));
    made.setAttribute("aria-label", t(timer ? "time_stop" : "time_play"));
  };
  const stop = () => { clearInterval(timer); timer = null; mark(); settled(); };
  const advance = () => {
    // The panel may have been redrawn without this slider: then there is nothing to play any more.
    if (!made.isConnected || Number(to.value) >= STEPS) return stop();
    to.value = Math.min(STEPS, Number(to.value) + STEPS / FRAMES);
    return draw();
  };
  const made = el("button", { type: "button", className: "quiet square" });
  made.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(to.value) >= STEPS) to.value = from.value;
    timer = setInterval(advance, BEAT);
    return mark();
  });
  mark();
  return made;
}
