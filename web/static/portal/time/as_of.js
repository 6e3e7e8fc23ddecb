// The whole map as it was: the button in the bar, the window in which one chooses, and the band that says so.

import { on, t, words } from "../state.js";
import { button, byId, el, icon, notice, stateLine } from "../dom.js";
import { moment } from "../format.js";
import { leaflet, shownLayers, tileZoom } from "../map.js";
import { askedFrom } from "../tile_query.js";
import { closeDialog, openDialog } from "../shell.js";
import { asOf, passed, setAsOf } from "./asked_time.js";
import { editionAt, editionsOf, knownEditionAt } from "./editions.js";

const LISTED = 40;
const NAMED = 3;

/** A time as a field for local dates and times wants it. */
export function local(text) {
  const time = text ? new Date(text) : new Date();
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

const fromLocal = (text) => new Date(text).toISOString().replace(/\.\d+Z$/, "Z");

function editionLine({ layer, one }, choose) {
  return el("li", {}, el("button", { type: "button", className: "also", onclick: () => choose(one.committed) },
    el("span", {}, words(layer.title), el("span", { className: "code" }, t("edition_no", { n: one.number }))), el("span", { className: "hint" }, moment(one.committed))));
}

async function listEditions(box, layers, choose) {
  const answers = await Promise.allSettled(layers.map((layer) => editionsOf(layer.id)));
  const found = answers.flatMap((answer, place) => (answer.status === "fulfilled" ? answer.value.map((one) => ({ layer: layers[place], one })) : []));
  const newest = found.sort((a, b) => Date.parse(b.one.committed) - Date.parse(a.one.committed)).slice(0, LISTED);
  const failed = answers.some((answer) => answer.status === "rejected");
  box.replaceChildren(...[newest.length ? el("ul", { className: "plain edition-list", tabIndex: 0, "aria-label": t("as_of_editions") }, newest.map((each) => editionLine(each, choose))) : null,
    failed ? stateLine("error", t("as_of_partly")) : null, !newest.length && !failed ? stateLine("empty", t("as_of_none")) : null].filter(Boolean));
}

/** Ask for an instant in a window: `done` gets it as text, or null for now. */
export function chooseInstant(title, value, done) {
  const field = el("input", { type: "datetime-local", id: "as-of-time", value: local(value), max: local(null), required: true });
  const said = el("div", { "aria-live": "polite" });
  const choose = (text) => { closeDialog(); done(text); };
  const form = el("form", { className: "form" }, el("p", {}, t("as_of_lead")), el("label", { htmlFor: "as-of-time" }, t("as_of_label")), field, said,
    el("div", { className: "row wrap" }, el("button", { type: "submit", className: "primary" }, t("as_of_show")), button("as_of_now", () => choose(null))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value ? fromLocal(field.value) : "";
    if (passed(text)) choose(text);
    else said.replaceChildren(stateLine("error", t("as_of_bad")));
  });
  const list = el("div", {}, stateLine("loading", t("loading")));
  openDialog(title, form, el("section", {}, el("h2", {}, t("as_of_editions")), list));
  field.focus();
  listEditions(list, shownLayers().filter((layer) => layer.edition), choose);
}

/** Layers that are on and cannot answer here: those that want a closer look, those that were not there yet. */
function silent() {
  const shown = shownLayers();
  const far = shown.filter((layer) => askedFrom(layer.id) > tileZoom());
  const later = shown.filter((layer) => knownEditionAt(layer.id, asOf()) === null);
  return { far: far.filter((layer) => !later.includes(layer)), later };
}

function names(layers) {
  const told = layers.slice(0, NAMED).map((layer) => words(layer.title)).join(t("names_comma"));
  return layers.length > NAMED ? t("as_of_and_more", { names: told, n: layers.length - NAMED }) : told;
}

function closer(far) {
  const zoom = Math.max(...far.map((layer) => askedFrom(layer.id)));
  return button("as_of_closer", () => leaflet.setZoom(zoom + 1));
}

function fill(band) {
  const { far, later } = silent();
  const zoom = far.length ? Math.max(...far.map((layer) => askedFrom(layer.id))) : 0;
  const notes = [far.length ? el("span", { className: "past-note" }, t("as_of_far", { names: names(far), z: zoom })) : null, far.length ? closer(far) : null,
    later.length ? el("span", { className: "past-note" }, t("as_of_later", { names: names(later) })) : null];
  band.replaceChildren(...[icon("clock"), el("strong", { role: "status" }, t("as_of_band", { time: moment(asOf()) })), ...notes, el("span", { className: "push" }),
    button("as_of_change", openChooser), button("as_of_back", () => setAsOf(null), "primary")].filter(Boolean));
}

function openChooser() {
  chooseInstant(t("as_of_title"), asOf(), (text) => { if (!setAsOf(text)) notice(t("as_of_bad"), "error"); });
}

let band = null;

function draw() {
  const past = Boolean(asOf());
  document.body.classList.toggle("past", past);
  byId("as-of").setAttribute("aria-pressed", String(past));
  byId("as-of-words").textContent = past ? moment(asOf()) : t("as_of_now");
  byId("as-of").setAttribute("aria-label", `${t("as_of_title")}: ${byId("as-of-words").textContent}`);
  if (past && !band) {
    band = el("section", { className: "past-band", id: "as-of-band", "aria-label": t("as_of_title") });
    document.querySelector(".bar").after(band);
  }
  if (!past && band) {
    band.remove();
    band = null;
  }
  if (band) fill(band);
}

/** Which editions held then is read for the layers that are on; the band is drawn again when that is known. */
async function readEditions() {
  const instant = asOf();
  if (!instant) return;
  await Promise.allSettled(shownLayers().filter((layer) => layer.edition).map((layer) => editionAt(layer.id, instant)));
  if (asOf() === instant) draw();
}

function changed() {
  draw();
  leaflet.invalidateSize({ animate: false });
  readEditions();
}

/** Wire the button of the bar and the band. */
export function startAsOf() {
  byId("as-of").addEventListener("click", openChooser);
  on("choose-as-of", openChooser);
  on("as-of", changed);
  on("language", draw);
  on("shown", () => { if (band) { fill(band); readEditions(); } });
  leaflet.on("zoomend", () => { if (band) fill(band); });
  changed();
}
