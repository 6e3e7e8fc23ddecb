// The daily question of a land officer: does this red line touch what it must not? Drawn, picked on the map, or from a file.

import { offers, on, t } from "../state.js";
import { button, byId, el, stateLine } from "../dom.js";
import { startDrawing } from "../draw.js";
import { dropZone } from "../drop_zone.js";
import { keepInLink, linked, writeLink } from "../link.js";
import { boxOf, fitBox, leaflet } from "../map.js";
import { request } from "../request.js";
import { closeDrawer, openPanel, openPanelName, redraw } from "../shell.js";
import { checkAnswer } from "./answer.js";
import { PANEL, questionAbout } from "./question.js";

const RED = { color: "#c0392b", weight: 3, fill: false, interactive: false };
const MEDIA = { txt: "text/plain", zip: "application/zip" };
const DATUMS = ["cgcs2000", "xian1980", "beijing1954", "newbeijing"];
const LARGEST = 5_000_000;
let line = null;
let answer = null;
let failure = null;
let pending = null;
let drawn = null;

function outline(geometry) {
  drawn?.remove();
  drawn = geometry ? L.geoJSON(geometry, { style: RED, interactive: false }).addTo(leaflet) : null;
}

async function judge() {
  pending?.abort();
  pending = new AbortController();
  const mine = pending;
  [answer, failure] = [null, null];
  show();
  try {
    const { url, body } = questionAbout(line);
    answer = await (await request(PANEL, "POST", url, body, mine.signal)).json();
    if (answer.outline) line.geometry = answer.outline;
    outline(line.geometry);
    const box = boxOf(line.geometry);
    if (box) fitBox(box);
  } catch (error) {
    if (error.name === "AbortError") return;
    failure = error.message;
  }
  if (pending === mine) pending = null;
  show();
}

function show() {
  if (openPanelName() === PANEL) redraw();
  else openPanel(PANEL);
  writeLink();
}

/** Judge an area: `body` as the service takes it, `geometry` for the map. */
function take(asked) {
  line = asked;
  outline(asked.geometry ?? null);
  judge();
}

function forget() {
  pending?.abort();
  line = answer = failure = pending = null;
  outline(null);
  show();
}

function draw() {
  const narrow = innerWidth < 700;
  const raise = () => { if (narrow) byId("panel").dataset.height = "half"; };
  if (narrow) byId("panel").dataset.height = "peek";
  startDrawing((geometry) => { raise(); take({ body: { zone: geometry }, geometry, kept: true }); }, raise);
}

function takeFile(file, options) {
  const media = MEDIA[file.name.split(".").at(-1).toLowerCase()];
  if (!media) failure = t("check_file_kind");
  else if (file.size > LARGEST) failure = t("check_file_large");
  if (!media || file.size > LARGEST) { line = null; show(); return; }
  take({ file: new Blob([file], { type: media }), name: file.name, options });
}

function fileBox() {
  const crs = el("input", { type: "text", id: "check-crs", maxLength: 20, placeholder: "EPSG:4547" });
  const datum = el("select", { id: "check-datum" }, ["", ...DATUMS].map((one) => el("option", { value: one }, t(one ? `check_${one}` : "check_stated"))));
  const options = () => Object.fromEntries([["crs", crs.value.trim()], ["datum", datum.value]].filter(([, value]) => value));
  const drop = dropZone({ id: "check-file", title: t("check_file"), note: t("check_file_hint"), accept: ".txt,.zip" }, ([file]) => takeFile(file, options()));
  return el("div", {}, drop, el("details", { className: "more" }, el("summary", {}, t("check_options")),
    el("div", { className: "field" }, el("label", { htmlFor: "check-crs" }, t("check_crs")), crs),
    el("div", { className: "field" }, el("label", { htmlFor: "check-datum" }, t("check_datum")), datum)));
}

const choose = () => [el("p", { className: "lead" }, t("check_lead")), failure ? stateLine("error", failure) : null,
  el("div", { className: "choices" }, button("check_draw", draw, "primary wide")), fileBox(), el("p", { className: "hint" }, t("check_pick"))];

/** Draw the panel. */
export function drawCheck(body) {
  const again = button("check_again", forget);
  if (pending) wait(body);
  else if (answer) body.append(...checkAnswer(answer, line), again);
  else if (line && !failure) judge();
  else if (failure && line) body.append(stateLine("error", failure, judge), again);
  else body.append(...choose().filter(Boolean));
}

function dated() {
  if (!line) return;
  pending?.abort();
  [answer, failure, pending] = [null, null, null];
  if (openPanelName() === PANEL) judge();
}

function wait(body) {
  const mine = pending;
  body.append(button("cancel", forget));
  setTimeout(() => { if (pending === mine && openPanelName() === PANEL) body.prepend(stateLine("loading", t("computing"))); }, 400);
}

const written = () => (line?.kept && line.geometry?.type === "Polygon" ? line.geometry.coordinates[0].slice(0, -1).flat().join(",") : null);

/** A red line from the address: longitudes and latitudes of its corners in turn. */
function read(text) {
  const numbers = (text ?? "").split(",").map(Number);
  if (numbers.length < 6 || numbers.length % 2 || !numbers.every(Number.isFinite)) return null;
  const ring = Array.from({ length: numbers.length / 2 }, (_, at) => [numbers[2 * at], numbers[2 * at + 1]]);
  return { type: "Polygon", coordinates: [[...ring, ring[0]]] };
}

/** Take areas from the map, and the red line that the address keeps. */
export function startCheck() {
  keepInLink("redline", written);
  window.addEventListener("geoservice-check", ({ detail }) => {
    closeDrawer();
    take({ body: { feature: { collection: detail.layer, id: String(detail.key) } }, geometry: detail.geometry });
  });
  // A verdict is of the date that the map shows.
  on("as-of", dated);
  on("panel-closed", (name) => { if (name === PANEL && !answer) outline(null); });
  const geometry = offers("compliance") ? read(linked("redline")) : null;
  if (geometry) take({ body: { zone: geometry }, geometry, kept: true });
}
