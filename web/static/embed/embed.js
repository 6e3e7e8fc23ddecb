// The small map for other pages: layers as the address names them, a legend, what a click finds, the way to the portal.

import { config, currentLanguage, t, words } from "../portal/state.js";
import { byId, el, notice } from "../portal/dom.js";
import { startIdentify, answerActions } from "../portal/identify.js";
import { legendList, startLegend, swatch } from "../portal/legend.js";
import { leaflet, startMap } from "../portal/map.js";
import { closeDrawer } from "../portal/shell.js";
import { setAsOf } from "../portal/time/asked_time.js";

const asked = config.embed;

function legend() {
  return config.layers.map((layer) => el("section", { className: "layer" },
    el("div", { className: "layer-head" }, layer.legend.length === 1 ? swatch(layer.legend[0]) : null, el("strong", {}, words(layer.title))),
    layer.edition ? null : el("p", { className: "hint" }, t("no_data")), legendList(layer)));
}

function toggleLegend() {
  const panel = byId("panel");
  panel.hidden = !panel.hidden;
  byId("legend-open").setAttribute("aria-expanded", String(!panel.hidden));
  if (panel.hidden) { byId("legend-open").focus({ preventScroll: true }); return; }
  byId("panel-body").replaceChildren(...legend());
  byId("panel-title").focus({ preventScroll: true });
}

/** What readers must know: that layers are missing, filtered, or of the past. */
function note() {
  const told = [asked.missing ? t("embed_missing", { n: asked.missing }) : "", config.layers.length ? "" : t("embed_none"),
    asked.asOf ? t("embed_as_of", { when: asked.asOf }) : "", Object.keys(asked.filters).length ? t("embed_filtered") : ""].filter(Boolean);
  byId("embed-note").textContent = told.join(" ");
  byId("embed-note").hidden = !told.length;
}

/** Filters and the instant as they stand in the address of the portal. */
function kept() {
  const told = Object.keys(asked.filters).length ? `&filter=${encodeURIComponent(JSON.stringify(asked.filters))}` : "";
  return asked.asOf ? `${told}&as-of=${encodeURIComponent(asked.asOf)}` : told;
}

/** The portal with the same view. */
function portalLink() {
  const at = leaflet.getCenter();
  const link = byId("portal-link");
  const here = new URL(link.href);
  here.searchParams.set("lang", currentLanguage());
  here.hash = `map=${leaflet.getZoom().toFixed(2)}/${at.lat.toFixed(5)}/${at.lng.toFixed(5)}${kept()}&layers=${config.layers.map((one) => one.id).join(",")}`;
  link.href = here.href;
}

function frame() {
  const view = leaflet.getBounds();
  const box = config.sample;
  byId("fiction").hidden = !(box && leaflet.getZoom() >= 7 && view.intersects([[box[1], box[0]], [box[3], box[2]]]));
  const names = new Set(config.layers.flatMap((layer) => (layer.licence.attribution ?? "").split(";")).map((one) => one.trim()).filter(Boolean));
  byId("credits").textContent = names.size ? `${t("attribution")}: ${[...names].join(" · ")}` : "";
  portalLink();
}

/** The box of everything that the layers have, where no place was named. */
function everything() {
  const boxes = config.layers.map((layer) => layer.edition?.bbox).filter((box) => box && box[0] <= box[2]);
  if (!boxes.length) return;
  leaflet.fitBounds([[Math.min(...boxes.map((b) => b[1])), Math.min(...boxes.map((b) => b[0]))], [Math.max(...boxes.map((b) => b[3])), Math.max(...boxes.map((b) => b[2]))]], { animate: false });
}

async function start() {
  answerActions(false);
  await startMap();
  if (asked.place) leaflet.setView([asked.place[1], asked.place[2]], asked.place[0], { animate: false });
  else everything();
  // What a click finds is of that time too.
  if (asked.asOf) setAsOf(asked.asOf);
  startLegend();
  startIdentify();
  leaflet.on("moveend", frame);
  frame();
  note();
  byId("legend-open").addEventListener("click", toggleLegend);
  byId("panel-close").addEventListener("click", toggleLegend);
  byId("drawer-close").addEventListener("click", closeDrawer);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (!byId("drawer").hidden) closeDrawer();
    else if (!byId("panel").hidden) toggleLegend();
  });
  document.querySelector(".leaflet-container").setAttribute("aria-label", t("map_label"));
  for (const [name, key] of [["in", "zoom_in"], ["out", "zoom_out"]]) {
    const one = document.querySelector(`.leaflet-control-zoom-${name}`);
    one?.setAttribute("aria-label", t(key));
    if (one) one.title = t(key);
  }
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  console.error(error);
  notice(t("error_load", { why: error.message }), "error");
});
