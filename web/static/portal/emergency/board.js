// The situation board: what is going on, by region, the worst first; it fills the screen and keeps itself up to date.

import { t, words } from "../state.js";
import { byId, button, el, patiently, stateLine } from "../dom.js";
import { moment } from "../format.js";
import { openPanel } from "../shell.js";
import { levelMark, statusMark } from "./alerts.js";
import { nowNote } from "../time/now_note.js";
import { flow, go } from "./flow.js";
import { follow, heard, liveLine } from "./live.js";
import { openWall } from "./wall.js";
import { readSituation } from "./situation.js";

let stop = null;
let opener = null;

function leave(recipe, step) {
  closeBoard();
  openPanel("hazards");
  go({ recipe, zone: null, answer: null, step });
}

function card(event) {
  const name = words(event.title);
  const times = [event.since ? t("alert_sent", { time: moment(event.since) }) : null, event.until ? t("alert_until", { time: moment(event.until) }) : null].filter(Boolean).join(" · ");
  const ways = event.recipe ? el("div", { className: "row wrap" }, el("button", { type: "button", "aria-label": `${t("board_zone")}: ${name}`, onclick: () => leave(event.recipe, "zone") }, t("board_zone")),
    el("button", { type: "button", className: "primary", "aria-label": `${t("impact_go")}: ${name}`, onclick: () => leave(event.recipe, "impact") }, t("impact_go"))) : null;
  return el("li", { className: "alert" }, el("div", { className: "row wrap" }, event.severity || event.colour ? levelMark(event) : null, statusMark(event), el("span", { className: "hint" }, t(`event_${event.kind.replaceAll("-", "_")}`))),
    el("h3", {}, name), el("p", { className: "hint" }, times), ways);
}

function region(one) {
  return el("section", { className: "board-region" }, one.name ? el("h2", {}, words(one.name), el("span", { className: "hint" }, ` ${one.events.length}`)) : null, el("ul", { className: "alerts" }, one.events.map(card)));
}

async function load(box) {
  try {
    const regions = (await patiently(box, readSituation())).filter((one) => one.events.length);
    heard();
    box.replaceChildren(...(regions.length ? regions.map(region) : [stateLine("empty", t("board_none"))]));
  } catch (error) {
    heard(false);
    if (!box.querySelector(".board-region")) box.replaceChildren(stateLine("error", error.message, () => load(box)));
  }
}

/** Close the board and give the focus back. */
export function closeBoard() {
  stop?.();
  stop = null;
  byId("board").close();
  byId("board").replaceChildren();
  opener?.focus?.({ preventScroll: true });
}

/** Open the board over the whole screen. */
export function openBoard() {
  opener = document.activeElement;
  const box = el("div", { className: "board-regions" });
  byId("board").replaceChildren(
    el("header", { className: "board-head" }, el("h1", { id: "board-title" }, t("board_title")), flow.exercise ? el("strong", { className: "board-exercise" }, t("exercise_band")) : null, liveLine(), button("wall_open", () => { closeBoard(); openWall(); }), button("close", closeBoard)), nowNote() ?? "", box);
  byId("board").showModal();
  byId("board").oncancel = (event) => { event.preventDefault(); closeBoard(); };
  stop = follow(() => load(box));
  load(box);
}
