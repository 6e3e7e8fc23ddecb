// Giving the map away: as a picture, as a link, and as one line for other pages.

import { config, currentLanguage, t } from "../state.js";
import { button, copy, el, notice, save } from "../dom.js";
import { leaflet, shownLayers } from "../map.js";
import { request } from "../request.js";
import { openDialog, openPanel } from "../shell.js";
import { tileQuery } from "../tile_query.js";
import { PANEL } from "./wish.js";

const MOST = 2000;
const DIGITS = 6;

/** What the map shows as west, south, east, north. */
function box() {
  const view = leaflet.getBounds();
  const limit = (value, most) => Math.max(-most, Math.min(most, value)).toFixed(DIGITS);
  return [limit(view.getWest(), 180), limit(view.getSouth(), 85), limit(view.getEast(), 180), limit(view.getNorth(), 85)].join(",");
}

const drawable = () => shownLayers().map((layer) => layer.id);

function pictureAddress() {
  const size = leaflet.getSize();
  const share = Math.min(1, MOST / Math.max(size.x, size.y));
  const asked = new URLSearchParams({ bbox: box(), width: Math.round(size.x * share), height: Math.round(size.y * share), ratio: 2, lang: currentLanguage(), f: "png" });
  if (drawable().length) asked.set("layers", drawable().join(","));
  return `${config.urls.picture}?${asked}`;
}

async function savePicture() {
  try {
    // A picture by its address shows all rows as they are now; what is filtered is printed instead.
    if (drawable().some((id) => tileQuery(id).length)) { notice(t("export_filtered"), "error"); openPanel(PANEL); return; }
    const answer = await request("toolbox", "GET", pictureAddress());
    save("map.png", await answer.blob());
    notice(t("export_saved"));
  } catch (error) {
    notice(error.message, "error");
  }
}

/** The address of the small map with what is seen now. */
export function embedAddress(theme = "") {
  const at = leaflet.getCenter().wrap();
  const asked = new URLSearchParams({ map: `${leaflet.getZoom().toFixed(2)}/${at.lat.toFixed(5)}/${at.lng.toFixed(5)}`, layers: drawable().join(","), lang: currentLanguage() });
  let past = null;
  for (const id of drawable()) {
    for (const [name, value] of tileQuery(id)) {
      if (name === "filter") asked.append("filter", `${id}:${value}`);
      if (name === "as-of") past = value;
    }
  }
  if (past) asked.set("as-of", past);
  if (theme) asked.set("theme", theme);
  // Commas and slashes may stand in a query as they are, and are easier to read.
  return new URL(`${config.urls.embed}?${String(asked).replaceAll("%2C", ",").replaceAll("%2F", "/")}`, location.origin).href;
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

/** The one line that shows the map in another page. */
export const embedLine = (theme = "") => `<iframe src="${escaped(embedAddress(theme))}" title="${escaped(t("name"))}" width="800" height="500" loading="lazy" style="border:0"></iframe>`;

function embed() {
  const shown = el("pre", { id: "embed-line", tabIndex: 0 }, embedLine());
  const theme = el("select", { id: "embed-theme", onchange: () => { shown.textContent = embedLine(theme.value); } },
    ["", "light", "dark"].map((value) => el("option", { value }, t(`embed_theme_${value || "reader"}`))));
  openDialog(t("embed_title"), el("p", {}, t("embed_about")), el("div", { className: "field" }, el("label", { htmlFor: "embed-theme" }, t("embed_theme")), theme), shown,
    el("div", { className: "row wrap" }, button("embed_copy", () => copy(shown.textContent), "primary"), el("a", { href: embedAddress(), target: "_blank", rel: "noopener" }, t("embed_try"))),
    el("p", { className: "hint" }, t("embed_hint")));
}

/** The part of the panel of tools that prints and gives away. */
export function giveAway() {
  return el("section", {}, el("h2", {}, t("print_section")),
    el("div", { className: "row wrap" }, button("print_open_panel", () => openPanel(PANEL), "primary"), button("export_picture", savePicture), button("embed_open", embed)),
    el("p", { className: "hint" }, t("print_hint")));
}
