// What came of a load: verdict, numbers, findings with their places on the map, and the way to the map and the report.

import { address, config, currentLanguage, t, words } from "./state.js";
import { el, patiently, stateLine } from "./dom.js";
import { ask } from "./request.js";
import { number } from "./format.js";
import { fitBox, leaflet } from "./map.js";

const COLOURS = { error: "#a3201d", warning: "#b06a00", info: "#57606a" };
const PARTS = ["inserted", "updated", "unchanged", "quarantined", "not_selected"];
const MOST = 200;
let drawn = null;

/** Take the places of findings off the map. */
export function forgetPlaces() {
  drawn?.remove();
  drawn = null;
}

function showPlaces(findings) {
  forgetPlaces();
  drawn = L.featureGroup();
  for (const one of findings) {
    const filled = one.severity === "error";
    const colour = COLOURS[one.severity];
    const style = { radius: 7, color: filled ? "#ffffff" : colour, weight: filled ? 1.5 : 3, fillColor: filled ? colour : "#ffffff", fillOpacity: 0.95 };
    for (const [lon, lat] of one.places.slice(0, MOST)) L.circleMarker([lat, lon], style).bindTooltip(() => document.createTextNode(words(one.title))).addTo(drawn);
  }
  drawn.addTo(leaflet);
  const box = drawn.getBounds();
  if (box.isValid()) fitBox([box.getWest(), box.getSouth(), box.getEast(), box.getNorth()], 16);
}

function verdict(report, job) {
  const { counts, outcome } = report;
  if (report.problem) return ["error", job.exception?.detail || `${report.problem.title}. ${report.problem.detail ?? ""}`];
  if (!counts) return ["empty", t("job_done")];
  const good = counts.inserted + counts.updated + counts.unchanged;
  const key = outcome === "dry-run" ? "result_dry" : counts.quarantined ? "result_some" : "result_all";
  return [counts.quarantined ? "warn" : "empty", t(key, { good: number(good, 0), read: number(counts.read, 0), bad: number(counts.quarantined, 0) })];
}

function sums(counts) {
  const rows = [...PARTS, "deleted"].filter((name) => counts[name]).map((name) => el("tr", {}, el("th", { scope: "row" }, t(`row_${name}`)), el("td", { className: "number" }, number(counts[name], 0))));
  return el("table", { className: "counts" }, el("tbody", {}, rows));
}

function findingList(findings) {
  const line = (one) => {
    const places = one.places.length ? el("button", { type: "button", className: "quiet", onclick: () => showPlaces([one]) }, t("show_place")) : null;
    return el("li", {}, el("span", { className: `badge finding-${one.severity}` }, t(`finding_${one.severity}`)), el("span", { className: "grow" }, words(one.title)), el("span", { className: "number" }, number(one.count, 0)), el("span", { className: "place" }, places));
  };
  const list = (some) => el("ul", { className: "result-findings" }, some.map(line));
  // What the loader only wants to have said is folded away, so that it hides neither faults nor buttons.
  const notes = findings.filter((one) => one.severity === "info");
  const faults = findings.filter((one) => one.severity !== "info");
  return [faults.length ? list(faults) : null,
    notes.length ? el("details", { className: "more" }, el("summary", {}, t("result_notes", { n: number(notes.length, 0) })), list(notes)) : null];
}

function ways(report, layer) {
  const page = `${address(config.urls.load, { number: report.number })}?f=html&lang=${currentLanguage()}`;
  const shown = report.extent && report.outcome !== "dry-run" && layer.kind !== "table";
  // The page knows editions and extents as they were when it was made, so it is fetched anew.
  const open = () => {
    location.hash = `box=${report.extent.join(",")}&layers=${layer.id}`;
    location.reload();
  };
  return el("p", { className: "row wrap" }, shown ? el("button", { type: "button", className: "primary", onclick: open }, t("show_on_map")) : null, el("a", { href: page }, t("load_report")));
}

function fill(box, report, layer, job) {
  const [kind, sentence] = verdict(report, job);
  box.replaceChildren(...[stateLine(kind, sentence), report.counts && sums(report.counts), ...findingList(report.findings), ways(report, layer)].filter(Boolean));
  if (report.findings.some((one) => one.places.length)) showPlaces(report.findings);
}

/** The result of a job that is over. */
export function drawResult(job, layer) {
  const box = el("div", { className: "result" });
  const head = el("h2", {}, `${words(layer.title)} · ${job.source}`);
  const link = job.links.find((one) => one.rel.endsWith("/results"));
  if (!link) {
    const said = job.exception?.detail || job.exception?.title;
    box.append(stateLine(job.state === "cancelled" ? "empty" : "error", said || t(`job_state_${job.state}`)));
  } else {
    const get = ask("jobs", new URL(link.href).pathname);
    patiently(box, get).then((report) => fill(box, report, layer, job), (error) => box.replaceChildren(stateLine("error", error.message)));
  }
  return el("div", {}, head, box);
}
