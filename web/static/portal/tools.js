// The panel of tools: measure, grids over the map, places that were kept, and a link to what is seen.

import { announce, on, recall, remember, t } from "./state.js";
import { button, byId, copy, el, iconButton, stateLine } from "./dom.js";
import { isOn, setGrid } from "./grid.js";
import { startMeasure, startMeasuring } from "./measure.js";
import { giveAway } from "./print/share.js";
import { PANEL as SUBSCRIPTIONS, subscribes } from "./subscriptions.js";
import { hasHeights, isShaded, setShade } from "./relief/heights.js";
import { openPanelName, openPanel, redraw } from "./shell.js";
import { nowNote } from "./time/now_note.js";
import { pushUndo } from "./undo.js";

const MOST = 30;

function kept() {
  try {
    const read = JSON.parse(recall("bookmarks") ?? "[]");
    return Array.isArray(read) ? read.filter((one) => typeof one?.name === "string" && typeof one?.hash === "string") : [];
  } catch {
    return [];
  }
}

function keep(list) {
  remember("bookmarks", JSON.stringify(list.slice(0, MOST)));
  if (openPanelName() === "toolbox") redraw();
}

function unkeep(one) {
  const before = kept();
  keep(before.filter((other) => other.name !== one.name));
  pushUndo(t("bookmark_removed", { name: one.name }), () => keep(before));
}

function bookmark(event) {
  event.preventDefault();
  const name = byId("bookmark-name").value.trim();
  if (name) keep([{ name, hash: location.hash }, ...kept().filter((one) => one.name !== name)]);
}

const grid = (name) => el("label", { className: "choice" },
  el("input", { type: "checkbox", id: `grid-${name}`, checked: isOn(name), onchange: (event) => setGrid(name, event.target.checked) }), t(`grid_${name}`));

function bookmarks() {
  const lines = kept().map((one) => el("li", { className: "row" },
    el("button", { type: "button", className: "also", onclick: () => { location.hash = one.hash; } }, one.name),
    iconButton("close", "bookmark_remove", () => unkeep(one))));
  const form = el("form", { className: "row", onsubmit: bookmark },
    el("label", { className: "spoken", htmlFor: "bookmark-name" }, t("bookmark_name")),
    el("input", { type: "text", id: "bookmark-name", maxLength: 80, placeholder: t("bookmark_name"), required: true }), el("button", { type: "submit" }, t("bookmark_keep")));
  return el("section", {}, el("h2", {}, t("bookmarks")), form,
    lines.length ? el("ul", { className: "plain" }, lines) : stateLine("empty", t("bookmarks_none")));
}

const times = () => el("section", {}, el("h2", {}, t("times_and_sides")), el("div", { className: "row wrap" }, button("as_of_title", () => announce("choose-as-of")),
  ["swipe", "beside", "changes"].map((mode) => button(`compare_${mode}`, () => announce("compare-start", mode)))), el("p", { className: "hint" }, t("compare_hint")));

const land = () => (hasHeights ? el("section", {}, el("h2", {}, t("relief_section")), el("div", { className: "row wrap" }, button("relief_open", () => announce("relief-open"))),
  el("label", { className: "choice" }, el("input", { type: "checkbox", id: "shade", checked: isShaded(), onchange: (event) => setShade(event.target.checked) }), t("relief_shade")), nowNote()) : null);

const subscriptions = () => el("section", {}, el("h2", {}, t("subscriptions")), el("div", { className: "row wrap" }, button("notice_open", () => openPanel(SUBSCRIPTIONS))),
  el("p", { className: "hint" }, t("notice_hint")));

/** Fill the panel. */
export function drawTools(body) {
  body.append(el("div", { className: "toolbox" },
    el("section", {}, el("h2", {}, t("measuring")), el("div", { className: "row wrap" }, button("measure_line", () => startMeasure("line")), button("measure_area", () => startMeasure("area"))), el("p", { className: "hint" }, t("measure_rule"))),
    el("section", {}, el("h2", {}, t("grids")), grid("graticule"), grid("sheets")),
    el("section", {}, el("h2", {}, t("share_view")), el("div", { className: "row wrap" }, button("copy_link", () => copy(location.href))), el("p", { className: "hint" }, t("share_hint"))),
    times(), land(), giveAway(), bookmarks(), subscribes() ? subscriptions() : null));
}

/** Wire the key that measures. */
export function startTools() {
  startMeasuring();
  on("as-of", () => { if (openPanelName() === "toolbox") redraw(); });
  on("measure", () => { openPanel("toolbox", false); startMeasure("line"); });
}
