// Rows as files: what is chosen, or all that pass; small ones at once, large ones made by the service in the background.

import { config, t, words } from "../state.js";
import { byId, el, notice, save, stateLine } from "../dom.js";
import { number } from "../format.js";
import { ask, request } from "../request.js";
import { openDialog } from "../shell.js";
import { asOf } from "../time/asked_time.js";
import { judged } from "./expert.js";
import { PANEL, asked, itemsOf } from "./rows.js";

/** Rows of a file that is sent at once: the service says how many. */
const mostOf = (format) => (format === "json" ? config.mostRows.geojson : config.mostRows.file);
const PAUSE = 1500;
const WAITING = ["accepted", "running"];
const FORMATS = [["csv", "CSV"], ["xlsx", "Excel (XLSX)"], ["gpkg", "GeoPackage"], ["json", "GeoJSON"], ["shapefile", "Shapefile"], ["flatgeobuf", "FlatGeobuf"], ["parquet", "GeoParquet"], ["dxf", "DXF"]];
/** What holds rows without geometry. */
const PLACELESS = ["csv", "xlsx", "gpkg", "json", "parquet"];
const ENDINGS = { json: "geojson", shapefile: "zip", flatgeobuf: "fgb" };

const itemsUrl = (wanted, format) => `${itemsOf(wanted.layer)}?${asked({
  f: format, limit: mostOf(format), ids: wanted.ids?.join(","), filter: wanted.ids ? null : wanted.condition,
  sortby: wanted.sort ? `${wanted.sort.descending ? "-" : ""}${wanted.sort.name}` : null,
})}`;

async function direct(wanted, format, said) {
  said.replaceChildren(stateLine("loading", t("export_making")));
  const answer = await request(PANEL, "GET", itemsUrl(wanted, format));
  const named = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  save(named ?? `${wanted.layer.id}.${ENDINGS[format] ?? format}`, await answer.blob());
  const credit = answer.headers.get("Geoservice-Edition");
  said.replaceChildren(stateLine("done", credit ? t("export_done_edition", { n: credit }) : t("export_done")));
}

const pathOf = (link) => new URL(link.href).pathname;

/** Ask how far a file is until it is made or will not be; a lost connection is told, and does not end the waiting. */
async function awaited(made, own, said) {
  while (WAITING.includes(made.status)) {
    said.replaceChildren(stateLine("loading", `${made.message} ${made.rows ? t("table_rows", { n: number(made.rows, 0) }) : ""}`));
    await new Promise((done) => { setTimeout(done, PAUSE); });
    try {
      made = await ask(PANEL, own);
    } catch (error) {
      if (error.status) throw error;
      said.replaceChildren(stateLine("warn", t("export_lost")));
      await new Promise((done) => { setTimeout(done, PAUSE); });
    }
  }
  return made;
}

/** A file of any size: asked for, waited for, handed out by a link; also when the window was closed meanwhile. */
async function background(wanted, format, said) {
  const body = { collection: wanted.layer.id, f: format === "json" ? "geojson" : format, ...(wanted.condition ? { filter: wanted.condition } : {}), ...(asOf() ? { "as-of": asOf() } : {}) };
  const begun = await ask(PANEL, `${config.urls.root.replace(/\/$/, "")}/exports`, body);
  const made = await awaited(begun, pathOf(begun.links.find((one) => one.rel === "self")), said);
  const file = made.links.find((one) => one.rel === "enclosure");
  if (!file) throw new Error(made.exception?.detail ?? made.message);
  const fetched = () => el("a", { href: pathOf(file), download: "", className: "export-file" }, t("export_fetch"));
  said.replaceChildren(stateLine("done", `${made.message} ${t("table_rows", { n: number(made.rows, 0) })}`), fetched());
  if (!said.isConnected || !byId("dialog").open) notice(t("export_ready", { what: words(wanted.layer.title) }), "done", fetched());
}

/** Which way a file can be had: at once, in the background, or not at all with the reason in words. */
function wayOf(wanted, format, count) {
  const most = mostOf(format);
  if (wanted.ids || (count && count.n <= most)) return { go: direct };
  if (config.reader.label) return { go: background, note: t("export_background", { n: number(most, 0) }) };
  return { note: t("export_too_many", { n: number(most, 0) }) };
}

function countWords(wanted, count) {
  if (wanted.ids) return t("export_chosen", { n: number(wanted.ids.length, 0) });
  if (!count) return t("export_unknown");
  return t(count.exact ? "export_rows" : "export_rows_about", { n: number(count.n, 0) });
}

function drawForm(box, wanted, count) {
  const said = el("div", { "aria-live": "polite" });
  const note = el("p", { className: "hint" });
  const select = el("select", { id: "export-format" }, FORMATS.filter(([value]) => wanted.layer.geometry || PLACELESS.includes(value)).map(([value, name]) => el("option", { value }, name)));
  const go = el("button", { type: "submit", className: "primary" }, t("export_go"));
  const judge = () => {
    const way = wayOf(wanted, select.value, count);
    note.textContent = way.note ?? (wanted.layer.geometry ? t("export_crs") : "");
    go.disabled = !way.go;
    said.replaceChildren();
  };
  const form = el("form", { className: "form" }, el("p", { id: "export-count" }, countWords(wanted, count)), el("label", { htmlFor: "export-format" }, t("export_format")), select, note, go, said);
  select.addEventListener("change", judge);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      await wayOf(wanted, select.value, count).go(wanted, select.value, said);
    } catch (error) {
      said.replaceChildren(stateLine("error", error.message));
      if (!said.isConnected || !byId("dialog").open) notice(error.message, "error");
    }
    go.disabled = false;
  });
  judge();
  box.replaceChildren(form);
  select.focus();
}

/** Offer a layer's rows as a file: those with `ids`, or all that meet `condition`. */
export async function showExport(wanted) {
  const box = el("div", {}, stateLine("loading", t("loading")));
  openDialog(`${t("table_export")} · ${words(wanted.layer.title)}`, box);
  let count = wanted.total;
  try {
    if (!wanted.ids && !count?.exact) count = await judged(wanted.layer, wanted.condition, PANEL);
    drawForm(box, wanted, count);
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => { byId("dialog").close(); showExport(wanted); }));
  }
}
