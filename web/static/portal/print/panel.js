// The panel that prints: what is on the paper, a frame on the map, a preview, and the file as the service makes it.

import { announce, layerById, on, t, words } from "../state.js";
import { button, byId, el, stateLine } from "../dom.js";
import { stationsShown } from "../environment/marks.js";
import { number, titleOf } from "../format.js";
import { boxOf, fitBox, leaflet } from "../map.js";
import { ask, request } from "../request.js";
import { closeDrawer, openDialog, openPanel, openPanelName, redraw } from "../shell.js";
import { clearFrame, frameBox, showFrame } from "./frame.js";
import { address, PANEL, PAPERS, question, SCALES, viewBox, wish, wishFor } from "./wish.js";

const CALM = 300;
const FEATURE = "#c2185b";
const AROUND = 0.15;
const LEAST = 0.0015;
const CRSS = ["EPSG:3857", "EPSG:4490"];
let plan = null;
let failure = null;
let timer = null;
let asked = null;
let making = null;
let made = null;
let unseen = false;

const scaled = (denominator) => `1 : ${number(denominator, 0)}`;

function choose(name, values, label) {
  const select = el("select", { id: `print-${name}`, onchange: () => { wishFor({ [name]: select.value }); plans(); } },
    values.map((value) => el("option", { value, selected: wish[name] === value }, label(value))));
  return el("div", { className: "field" }, el("label", { htmlFor: select.id }, t(`print_${name}`)), select);
}

function scales() {
  const all = wish.scale && !SCALES.includes(wish.scale) ? [...SCALES, wish.scale].sort((a, b) => a - b) : SCALES;
  const chosen = (event) => { wishFor({ scale: Number(event.target.value) || null, ...(Number(event.target.value) ? {} : { center: null }) }); plans(); };
  const select = el("select", { id: "print-scale", onchange: chosen }, el("option", { value: "", selected: !wish.scale }, t(wish.feature ? "print_fit_feature" : "print_fit")),
    all.map((one) => el("option", { value: String(one), selected: wish.scale === one }, scaled(one))));
  return el("div", { className: "field" }, el("label", { htmlFor: "print-scale" }, t("print_scale")), select);
}

function line(name, maxLength, lines = 1) {
  const members = { id: `print-${name}`, maxLength, value: wish[name], placeholder: t(`print_${name}_hint`), oninput: (event) => wishFor({ [name]: event.target.value }) };
  const field = lines > 1 ? el("textarea", { ...members, rows: lines }) : el("input", { type: "text", ...members });
  return el("div", { className: "field" }, el("label", { htmlFor: members.id }, t(`print_${name}`)), field);
}

const legend = () => el("label", { className: "choice" },
  el("input", { type: "checkbox", id: "print-legend", checked: wish.legend, onchange: (event) => wishFor({ legend: event.target.checked }) }), t("print_with_legend"));

function more() {
  return el("details", { className: "fold", id: "print-more" }, el("summary", {}, t("print_more_options")),
    choose("lang", ["", "zh", "en", "both"], (one) => t(one ? `print_lang_${one}` : "print_lang_page")),
    choose("crs", ["", ...CRSS], (one) => t(`print_crs_choice_${one.replace("EPSG:", "") || "usual"}`)),
    choose("grid", ["", "degrees", "metres", "none"], (one) => t(`print_grid_${one || "usual"}`)), 
    choose("dpi", ["", "300"], (one) => t(one ? "print_dpi_fine" : "print_dpi_usual")), legend(), line("remark", 600, 3));
}

/** Which paper, scale and CRS the plan came to, or why there is none. */
function told() {
  if (failure) return [stateLine("error", failure, plans)];
  if (!plan) return [el("p", { className: "hint" }, t("loading"))];
  const { paper, dpi } = plan;
  // What is left out is told before anything is made.
  const missing = plan.left_out.map(({ layer, more_than: n, scale }) => stateLine("warn", t("print_left_out", { layer: words(layerById(layer).title), n: number(n, 0), scale: number(scale, 0) })));
  return [...missing, el("p", { className: "hint" }, [scaled(plan.scale), plan.crs, `${number(paper.width_mm, 0)} × ${number(paper.height_mm, 0)} mm`, `${dpi.pdf} dpi`].join(" · "))];
}

function tell() {
  byId("print-told")?.replaceChildren(...told());
}

function result() {
  if (making) return [stateLine("loading", t("print_drawing")), button("cancel", () => making?.abort())];
  if (!made) return [];
  if (made.error) return [stateLine("error", made.error, () => make(made.form, made.more))];
  if (made.form === "preview") {
    const image = el("img", { src: made.url, alt: t("print_preview_of", { what: wish.title || t("print_untitled") }) });
    return [el("button", { type: "button", className: "print-preview", title: t("print_enlarge"), "aria-label": t("print_enlarge"), onclick: () => openDialog(t("print_preview"), el("img", { className: "print-large", src: made.url, alt: image.alt })) }, image)];
  }
  return [el("p", { role: "status" }, t("print_ready")), el("div", { className: "row wrap" },
    el("a", { href: made.url, download: made.name, id: "print-save" }, t("print_save", { name: made.name })),
    el("a", { href: made.url, target: "_blank", rel: "noopener" }, t("print_open")))];
}

function showResult() {
  byId("print-result")?.replaceChildren(...result());
  for (const one of document.querySelectorAll(".print-make button")) one.disabled = Boolean(making);
}

function forget() {
  if (made?.url) URL.revokeObjectURL(made.url);
  made = null;
}

const fileName = (form) => `${(wish.title || "map").replace(/[\\/:*?"<>|\s]+/g, "-").slice(0, 60)}.${form}`;

async function make(form, extra = {}) {
  forget();
  making = new AbortController();
  const mine = making;
  showResult();
  const kind = form === "preview" ? "png" : form;
  try {
    const answer = await request(PANEL, "POST", address(kind), question(form === "preview" ? { dpi: 72 } : extra), mine.signal);
    const url = URL.createObjectURL(await answer.blob());
    made = { form, url, name: fileName(kind) };
    if (form !== "preview") el("a", { href: url, download: made.name }).click();
  } catch (error) {
    if (error.name !== "AbortError") made = { form, more: extra, error: error.message };
  }
  if (making === mine) making = null;
  showResult();
}

async function planNow() {
  asked?.abort();
  asked = new AbortController();
  const mine = asked;
  try {
    plan = await ask(PANEL, address("json"), question(), mine.signal);
    failure = null;
    if (openPanelName() === PANEL) {
      showFrame(plan, moveTo);
      if (unseen) show();
      unseen = false;
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    [plan, failure] = [null, error.message];
    clearFrame();
  }
  tell();
}

/** Ask soon what the paper will show; many changes are one question. */
function plans() {
  clearTimeout(timer);
  timer = setTimeout(planNow, CALM);
}

function moveTo(center) {
  wishFor({ center: center.map((value) => Number(value.toFixed(6))), scale: plan?.scale ?? wish.scale });
  plans();
  redraw();
}

/** The frame comes to what the map shows now. */
function centre() {
  wishFor({ center: null, box: viewBox(), feature: null });
  plans();
  redraw();
}

/** A frame that was left elsewhere comes to where the map is; then the map shows all of it. */
function begin() {
  unseen = true;
  if (wish.feature) return;
  const view = leaflet.getBounds();
  const left = wish.center ? view.contains([wish.center[1], wish.center[0]]) : wish.box && view.intersects([[wish.box[1], wish.box[0]], [wish.box[3], wish.box[2]]]);
  if (!left) wishFor({ center: null, box: viewBox(), feature: null });
}

const show = () => { const box = frameBox(); if (box) fitBox(box, 19); };

/** The map of statistics that is printed, and how to leave it out. */
function colouredLine() {
  if (!wish.coloured) return null;
  const drop = () => { wishFor({ coloured: null, title: "" }); announce("coloured"); plans(); redraw(); };
  return el("p", { className: "row wrap", id: "print-coloured" }, el("span", {}, t("print_coloured", { what: wish.coloured.title })), button("print_coloured_drop", drop, "quiet"));
}

/** What stands on the map and not on the paper. */
const leftOut = () => (stationsShown() ? el("p", { className: "hint", id: "print-left-out" }, t("print_no_stations")) : null);

/** Fill the panel. */
export function drawPrint(body) {
  if (!frameBox()) begin();
  body.append(el("div", { className: "print" }, el("p", { className: "hint" }, t("print_about")), colouredLine(), leftOut(),
    el("div", { className: "print-pair" }, choose("paper", PAPERS, (one) => one), choose("orientation", ["landscape", "portrait"], (one) => t(`print_${one}`))),
    scales(), el("div", { id: "print-told", role: "status" }, told()),
    el("div", { className: "row wrap" }, button("print_centre", centre), button("print_show", show, "quiet")),
    line("title", 160), line("subtitle", 160), more(),
    el("div", { className: "row wrap print-make" }, button("print_preview", () => make("preview")), button("print_pdf", () => make("pdf"), "primary"), button("print_png", () => make("png", { dpi: 150 }))),
    el("div", { id: "print-result", "aria-live": "polite" }, result())));
  showResult();
  plans();
}

/** Print one feature: it is framed, named, and drawn on top. */
function printFeature({ layer, key, geometry, properties }) {
  const box = boxOf(geometry);
  if (!box) return;
  const wide = Math.max((box[2] - box[0]) * AROUND, LEAST);
  const high = Math.max((box[3] - box[1]) * AROUND, LEAST);
  const around = [box[0] - wide, box[1] - high, box[2] + wide, box[3] + high].map((value) => Number(value.toFixed(6)));
  const name = titleOf(layer, properties ?? {}, key);
  const subtitle = name === String(key) ? words(layer.title) : `${words(layer.title)} ${key}`;
  forget();
  wishFor({ box: around, center: null, scale: null, title: name.slice(0, 160), subtitle: subtitle.slice(0, 160),
    feature: { type: "Feature", properties: { colour: FEATURE }, geometry } });
  closeDrawer();
  fitBox(around);
  unseen = true;
  openPanel(PANEL);
}

/** Print a map of statistics as it stands on the map. */
function printColoured({ coloured, box, title, subtitle }) {
  forget();
  wishFor({ box, center: null, scale: null, feature: null, coloured, title: title.slice(0, 160), subtitle: subtitle.slice(0, 160) });
  unseen = true;
  openPanel(PANEL);
}

function byKey(event) {
  // A second press, while the panel is open, is left to the browser.
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "p" || openPanelName() === PANEL) return;
  if (document.querySelector("dialog[open]")) return;
  event.preventDefault();
  openPanel(PANEL);
}

/** Wire the panel. */
export function startPrint() {
  document.addEventListener("keydown", byKey);
  window.addEventListener("geoservice-print", (event) => printFeature(event.detail));
  on("print-coloured", printColoured);
  for (const name of ["shown", "tile-query", "flow"]) on(name, () => { if (openPanelName() === PANEL) plans(); });
  on("panel-closed", (name) => {
    if (name !== PANEL) return;
    clearFrame();
    making?.abort();
    // A feature was printed; what is printed next is something else.
    if (wish.feature || wish.coloured) wishFor({ feature: null, coloured: null, box: null, title: "", subtitle: "" });
    announce("coloured");
  });
}
