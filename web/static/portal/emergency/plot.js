// Plotting: officers draw marks that all others see at once; each can be taken back, none is lost.

import { config, offers, t, words } from "../state.js";
import { button, byId, el, notice, stateLine } from "../dom.js";
import { moment } from "../format.js";
import { leaflet, setHighlight } from "../map.js";
import { startDrawing } from "../draw.js";
import { ask, request } from "../request.js";
import { exerciseId } from "./exercise.js";
import { flow } from "./flow.js";
import { follow } from "./live.js";

const PANEL = "hazards";
const RIGHT = "situation";
const SHAPES = ["point", "line", "area"];
const NEAR = 14;
const open = { symbol: null, shape: "point", shown: false };
let symbols = null;
let stop = null;

/** Whether the reader may plot here: not among alerts of exercises that have no situation of their own. */
export const mayPlot = () => offers("situation") && config.reader.rights.includes(RIGHT) && (!flow.exercise || exerciseId());

const marksUrl = () => `${config.urls.situation}/marks`;
const markUrl = (id) => `${marksUrl()}/${encodeURIComponent(id)}`;

async function known() {
  symbols ??= (await ask(PANEL, `${config.urls.situation}/symbols`)).marks;
  return symbols;
}

/** Change the latest version of a mark: what somebody else has changed in the meantime is not overwritten. */
async function change(id, version, method, path = "") {
  try {
    await request(PANEL, method, `${markUrl(id)}${path}`, null, null, { "If-Match": `"${version}"` });
    return true;
  } catch (error) {
    notice(error.message, "error");
    return false;
  }
}

/** Say what was done, with the way back. */
const say = (key, back) => notice(el("span", {}, t(key), " ", button("plot_undo", back)), "undo");

async function take(feature) {
  const { id, properties: { version } } = feature;
  if (await change(id, version, "DELETE")) say("plot_deleted", () => change(id, version + 1, "POST", "/undo"));
}

async function send(body) {
  try {
    const made = await ask(PANEL, marksUrl(), body);
    say("plot_done", () => change(made.id, made.properties.version, "DELETE"));
  } catch (error) {
    notice(error.message, "error");
  }
}

function draw(form) {
  const sheet = byId("panel");
  const narrow = innerWidth < 700;
  if (narrow) sheet.dataset.height = "peek";
  const back = () => { if (narrow) sheet.dataset.height = "half"; };
  const told = Object.fromEntries(new FormData(form));
  const played = exerciseId();
  startDrawing((geometry) => {
    back();
    send({ symbol: told.symbol, label: told.label.trim(), note: told.note.trim(), author: config.reader.label, geometry, ...(played ? { exercise: played } : {}) });
  }, back, { kind: told.shape });
}

function field(id, key, control) {
  return el("div", { className: "field" }, el("label", { htmlFor: id }, t(key)), control);
}

function form(list) {
  const symbol = el("select", { id: "plot-symbol", name: "symbol" }, list.map((one) => el("option", { value: one.code, selected: one.code === open.symbol }, words(one.title))));
  const shape = el("select", { id: "plot-shape", name: "shape" }, SHAPES.map((kind) => el("option", { value: kind, selected: kind === open.shape }, t(`plot_${kind}`))));
  const made = el("form", { className: "form" }, field("plot-symbol", "plot_symbol", symbol), field("plot-shape", "plot_shape", shape),
    field("plot-label", "plot_label", el("input", { id: "plot-label", name: "label", maxLength: 200, autocomplete: "off" })),
    field("plot-note", "plot_note", el("textarea", { id: "plot-note", name: "note", rows: 2, maxLength: 4000 })),
    el("button", { type: "submit", className: "primary" }, t("plot_draw")));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    Object.assign(open, { symbol: symbol.value, shape: shape.value });
    draw(made);
  });
  return made;
}

function show(feature) {
  const at = L.geoJSON(feature).getBounds().getCenter();
  leaflet.setView(at, Math.max(leaflet.getZoom(), NEAR));
  setHighlight(feature.geometry);
}

function line(feature) {
  const own = feature.properties;
  const name = [words(own.symbolTitle), own.label].filter(Boolean).join(" · ");
  const act = (key, onclick) => el("button", { type: "button", className: "quiet", "aria-label": `${t(key)}: ${name}`, onclick }, t(key));
  return el("li", { dataset: { mark: feature.id } }, el("span", {}, name, el("span", { className: "hint block" }, [own.author, moment(own.changed ?? own.created)].filter(Boolean).join(" · "))),
    el("span", { className: "acts" }, act("show", () => show(feature)), own.version > 1 ? act("plot_back", () => change(feature.id, own.version, "POST", "/undo")) : null, act("plot_delete", () => take(feature))));
}

async function load(list) {
  const played = exerciseId();
  try {
    const found = await ask(PANEL, `${marksUrl()}${played ? `?exercise=${encodeURIComponent(played)}` : ""}`);
    list.replaceChildren(...(found.features.length ? found.features.map(line) : [el("li", { className: "hint" }, t("plot_none"))]));
  } catch (error) {
    if (!list.children.length) list.replaceChildren(el("li", {}, stateLine("error", error.message)));
  }
}

/** The place for plotting in the panel; null for those who may not. */
export function plotBox() {
  if (!mayPlot()) return null;
  const place = el("div", {});
  const list = el("ul", { className: "facilities", "aria-label": t("plot_list") });
  known().then((found) => place.replaceChildren(form(found))).catch((error) => place.replaceChildren(stateLine("error", error.message)));
  stop?.();
  stop = follow(() => {
    if (list.isConnected) load(list);
    else { stop?.(); stop = null; }
  });
  load(list);
  const box = el("details", { className: "hazard plot", open: open.shown }, el("summary", {}, el("h2", {}, t("plot_title"))), place, list);
  box.addEventListener("toggle", () => { open.shown = box.open; });
  return box;
}
