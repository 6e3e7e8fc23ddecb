// Classes through time on the map: play, pause, step; it never starts by itself.

import { config, t, words } from "../state.js";
import { el, iconButton, patiently, stateLine } from "../dom.js";
import { moment, number } from "../format.js";
import { ask } from "../request.js";
import { classMark } from "./classes.js";
import { setMoment, showStations } from "./marks.js";
import { PANEL, choose, shownTime, utc, view } from "./view.js";

const HOUR = 3_600_000;
const EVERY = { 1: 1, 3: 1, 7: 3, 30: 6 };
const BEAT = 450;
const CALM_BEAT = 1500;
const INDICES = ["aqi", "surface-water", "thresholds"];
const NONE = "-";
let kept = null;
let latest = 0;

function url() {
  const days = Number(view.back) || 1;
  const end = Math.floor(shownTime() / HOUR) * HOUR;
  const asked = new URLSearchParams({ index: view.index, datetime: `${utc(end - days * 24 * HOUR)}/${utc(end)}`, every: String(EVERY[days] ?? 6) });
  return `${config.urls.frames}?${asked}`;
}

function classesAt(film, place) {
  const frame = film.frames[place];
  return new Map(film.stations.map((id, at) => [id, frame[at] === NONE ? null : Number(frame[at])]));
}

function legend(film, classOf) {
  const counts = new Map();
  for (const code of classOf.values()) counts.set(code, (counts.get(code) ?? 0) + 1);
  const lines = film.classes.map((one) => el("li", {}, classMark({ [film.index]: film }, film.index, one.code), el("span", { className: "legend-name" }, words(one.label)), el("span", { className: "count number" }, number(counts.get(one.code) ?? 0, 0))));
  return el("ul", { className: "legend" }, lines, el("li", {}, classMark({}, null, null), el("span", { className: "legend-name" }, t("env_film_none")), el("span", { className: "count number" }, number(counts.get(null) ?? 0, 0))));
}

function player(film) {
  const last = film.times.length - 1;
  const given = Number(view.frame);
  const slider = el("input", { type: "range", id: "env-frame", min: 0, max: last, value: view.frame !== "" && given <= last ? given : last, "aria-label": t("env_moment") });
  const said = el("output", { className: "number env-moment" });
  const classes = el("div", {});
  let timer = null;
  const show = () => {
    const place = Number(slider.value);
    const classOf = classesAt(film, place);
    setMoment(classOf, film.classes);
    said.textContent = moment(film.times[place]);
    slider.setAttribute("aria-valuetext", said.textContent);
    classes.replaceChildren(legend(film, classOf));
  };
  const rest = () => choose({ frame: slider.value });
  const stop = () => {
    clearInterval(timer);
    timer = null;
    toggle.replaceWith(toggle = iconButton("play", "time_play", start));
    rest();
  };
  const step = (by) => { slider.value = Math.max(0, Math.min(last, Number(slider.value) + by)); show(); };
  const advance = () => {
    // Another panel may stand here by now: then there is nothing to play any more.
    if (!slider.isConnected || Number(slider.value) >= last) return stop();
    return step(1);
  };
  const start = () => {
    if (Number(slider.value) >= last) slider.value = 0;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    timer = setInterval(advance, calm ? CALM_BEAT : BEAT);
    const pressed = document.activeElement === toggle;
    toggle.replaceWith(toggle = iconButton("stop", "time_stop", stop));
    if (pressed) toggle.focus();
    show();
  };
  let toggle = iconButton("play", "time_play", start);
  slider.addEventListener("input", show);
  slider.addEventListener("change", rest);
  const steps = [["env_step_back", "‹", -1], ["env_step_on", "›", 1]].map(([key, sign, by]) => el("button", { type: "button", className: "square", "aria-label": t(key), title: t(key), onclick: () => { if (timer) stop(); step(by); rest(); } }, sign));
  show();
  return el("div", { className: "env-player" }, el("div", { className: "row" }, steps[0], toggle, steps[1], said), slider, classes);
}

function pick(id, key, options, value, change) {
  const made = el("select", { id }, options.map(([name, text]) => el("option", { value: name, selected: name === value }, text)));
  made.addEventListener("change", () => change(made.value));
  return el("div", { className: "env-field" }, el("label", { htmlFor: id }, t(key)), made);
}

/** Draw the player, and the film on the map. */
export function drawFilm(box) {
  const body = el("div", {});
  const load = async () => {
    const [mine, asked] = [++latest, url()];
    try {
      if (kept?.url !== asked) kept = { url: asked, film: await patiently(body, ask(PANEL, asked)) };
      if (mine !== latest || !body.isConnected) return;
      showStations("circles");
      body.replaceChildren(kept.film.stations.length ? player(kept.film) : stateLine("empty", t("env_none")));
    } catch (error) {
      if (mine === latest) body.replaceChildren(stateLine("error", error.message, load));
    }
  };
  const backs = Object.keys(EVERY).map((days) => [days, t(`env_back_${days}`)]);
  box.replaceChildren(el("p", { className: "lead" }, t("env_film_lead")), el("div", { className: "env-filters" },
    pick("env-index", "env_index", INDICES.map((one) => [one, t(`env_index_${one.replace("-", "_")}`)]), view.index, (index) => choose({ index, frame: "" })),
    pick("env-back", "env_span", backs, view.back, (back) => choose({ back, frame: "" }))), body);
  load();
}
