// The frame around the map: panels, drawer, dialog, bottom sheet, theme, language, keys.

import { announce, config, currentLanguage, on, recall, remember, setLanguage, t } from "./state.js";
import { byId, el, stateLine } from "./dom.js";
import { copy } from "./dom.js";
import { keepInLink, linked, writeLink } from "./link.js";
import { requestsOf } from "./request.js";

const panels = new Map();
const HEIGHTS = ["peek", "half", "full"];
const FIRST = "layers";
let open = null;
let opener = null;
let awaited = null;

/** Register a panel: `draw(body)` fills it, `title` is a key of the texts. */
export const addPanel = (name, title, draw) => panels.set(name, { title, draw });

export const openPanelName = () => open;

/** Open a panel; opening the open one closes it. One that has not arrived yet opens when it does. */
export function togglePanel(name) {
  if (!panels.has(name)) awaited = name;
  else if (open === name) closePanel();
  else openPanel(name);
}

/** Open a panel and move the focus to its title. */
export function openPanel(name, focus = true) {
  open = name;
  remember("panel", "open");
  byId("panel").hidden = false;
  if (!byId("panel").dataset.height) byId("panel").dataset.height = "half";
  mark();
  redraw();
  writeLink();
  if (focus) byId("panel-title").focus({ preventScroll: true });
}

export function closePanel() {
  const name = open;
  open = null;
  byId("panel").hidden = true;
  mark();
  writeLink();
  announce("panel-closed", name);
  document.querySelector(`[data-panel="${name}"]`)?.focus({ preventScroll: true });
}

/** Draw the open panel again. */
export function redraw() {
  if (!open) return;
  byId("panel-title").textContent = t(panels.get(open).title);
  byId("panel-body").replaceChildren();
  panels.get(open).draw(byId("panel-body"));
}

function mark() {
  for (const one of document.querySelectorAll("button[data-panel]")) {
    one.setAttribute("aria-pressed", String(one.dataset.panel === open));
    if (one.dataset.panel === open) one.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  document.body.dataset.panel = open ?? "";
}

/** Fill and open the drawer on the right. */
export function openDrawer(title, ...content) {
  if (byId("drawer").hidden) opener = document.activeElement;
  byId("drawer-title").textContent = title;
  byId("drawer-body").replaceChildren(...content);
  byId("drawer").hidden = false;
  byId("drawer-body").scrollTop = 0;
}

export function closeDrawer() {
  if (byId("drawer").hidden) return;
  byId("drawer").hidden = true;
  announce("drawer-closed");
  opener?.focus?.({ preventScroll: true });
}

/** Show a modal dialog. */
export function openDialog(title, ...content) {
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...content);
  byId("dialog").showModal();
}

export const closeDialog = () => byId("dialog").close();

/** Show the requests that a panel made; of the open one when none is named. */
export function showRequests(name = open) {
  const made = requestsOf(name).map((one) => {
    const line = one.body ? `${one.method} ${one.url}\n${one.body}` : `${one.method} ${one.url}`;
    const curl = one.body ? `curl -X POST -H 'Content-Type: application/json' -d '${one.body.replaceAll("'", "'\\''")}' '${one.url}'` : `curl '${one.url}'`;
    const buttons = el("div", { className: "row" }, el("button", { type: "button", onclick: () => copy(one.url) }, t("copy_link")),
      el("button", { type: "button", onclick: () => copy(curl) }, `${t("copy")} curl`));
    return el("div", { className: "request" }, el("pre", {}, line), buttons);
  });
  openDialog(t("api_title"), ...(made.length ? made : [stateLine("empty", t("api_none"))]));
}

function retext() {
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  for (const one of document.querySelectorAll("[data-t-label]")) one.setAttribute("aria-label", t(one.dataset.tLabel));
  for (const one of document.querySelectorAll("[data-t-title]")) one.title = t(one.dataset.tTitle);
  document.querySelector(".leaflet-container").setAttribute("aria-label", t("map_label"));
  const [zoomIn, zoomOut] = [document.querySelector(".leaflet-control-zoom-in"), document.querySelector(".leaflet-control-zoom-out")];
  for (const [one, key] of [[zoomIn, "zoom_in"], [zoomOut, "zoom_out"]]) {
    one?.setAttribute("aria-label", t(key));
    if (one) one.title = t(key);
  }
  document.title = `${t("name")} · geoservice`;
  byId("user-name").textContent = config.reader.name ?? t("sign_in");
  // On a telephone only the icon is left.
  byId("user").setAttribute("aria-label", byId("user-name").textContent);
}

function switchLanguage() {
  const next = currentLanguage() === "zh" ? "en" : "zh";
  const here = new URL(location.href);
  here.searchParams.set("lang", next);
  history.replaceState(null, "", here);
  setLanguage(next);
}

function switchTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  remember("theme", next);
  announce("theme", next);
}

function nextHeight() {
  const panel = byId("panel");
  panel.dataset.height = HEIGHTS[(HEIGHTS.indexOf(panel.dataset.height) + 1) % HEIGHTS.length];
}

function back() {
  if (!byId("drawer").hidden) closeDrawer();
  else if (open) closePanel();
  else announce("back");
}

const KEYS = { l: () => togglePanel("layers"), q: () => togglePanel("query"), c: () => togglePanel("check"), h: () => togglePanel("hazards"), e: () => togglePanel("environment"), s: () => togglePanel("statistics"), k: () => togglePanel("catalogue"), u: () => config.reader.rights.length && togglePanel("upkeep"), j: () => config.loads.length && togglePanel("jobs"), i: () => announce("identify-centre"), "/": () => announce("search"), t: () => togglePanel("toolbox"), m: () => announce("measure"), v: () => announce("compare-start", "swipe"), d: () => announce("relief-open"), Escape: back };

function key(event) {
  // A dialog, the board too, answers its own keys: Esc takes one step back, not two.
  if (document.querySelector("dialog[open]")) return;
  const writing = event.target.closest?.("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || (writing && event.key !== "Escape")) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** Wire the frame. */
export function startShell() {
  for (const one of document.querySelectorAll("button[data-panel]")) one.addEventListener("click", () => togglePanel(one.dataset.panel));
  byId("panel-close").addEventListener("click", closePanel);
  byId("panel-api").addEventListener("click", () => showRequests());
  byId("panel-size").addEventListener("click", nextHeight);
  byId("drawer-close").addEventListener("click", closeDrawer);
  byId("dialog-close").addEventListener("click", closeDialog);
  byId("language").addEventListener("click", switchLanguage);
  byId("theme").addEventListener("click", switchTheme);
  document.addEventListener("keydown", key);
  on("language", () => { retext(); redraw(); });
  retext();
  keepInLink("panel", () => (open === FIRST ? null : open), (name) => { if (panels.has(name)) openPanel(name, false); });
  on("panel-closed", () => remember("panel", "closed"));
}

const opensByItself = () => recall("panel") !== "closed" && innerWidth >= 700;

/** Open the panel of layers, unless the reader closed it or the address names another one. */
export function openFirst() {
  if (!linked("panel") && opensByItself()) openPanel(FIRST, false);
}

/** Open the panel that was asked for while the others were on their way, or that the address names. */
export function openLinked() {
  const wanted = awaited ?? linked("panel");
  if (panels.has(wanted)) openPanel(wanted, awaited !== null);
  else if (wanted && opensByItself()) openPanel(FIRST, false);
}
