// The report: one press makes it; then it can be opened, downloaded and shared.

import { config, currentLanguage, offers, t, words } from "../state.js";
import { button, copy, el, save, stateLine } from "../dom.js";
import { moment } from "../format.js";
import { request } from "../request.js";
import { answerBox } from "./answer_alert.js";
import { asImpactCsv } from "./csv.js";
import { flow, go } from "./flow.js";
import { questionOf } from "./ask_impact.js";
import { keepForm } from "../unlost.js";

const KINDS = [["pdf", "report_pdf"], ["html", "report_html"], ["xlsx", "report_xlsx"], ["gpkg", "report_gpkg"]];
const DAYS = [1, 7, 30];
const DAY = 86_400_000;
const PANEL = "hazards";
let made = null;

const fileName = (ending) => `${flow.exercise ? "exercise-" : ""}impact-${new Date().toISOString().slice(0, 16).replaceAll(/\D/g, "")}.${ending}`;

/** Run something with a line of progress; what went wrong is said there. */
async function busy(box, key, work) {
  const bar = el("progress", { "aria-label": t(key) });
  box.replaceChildren(el("p", { role: "status" }, t(key)), bar);
  try {
    await work();
    box.replaceChildren();
  } catch (error) {
    box.replaceChildren(stateLine("error", error.status === 406 || error.status === 404 ? t("report_unavailable") : error.message, () => busy(box, key, work)));
  }
}

async function direct(kind) {
  const asked = new URLSearchParams({ f: kind, lang: currentLanguage() });
  const answer = await request(PANEL, "POST", `${config.urls.impact}?${asked}`, questionOf(flow.zone));
  save(fileName(kind), await answer.blob());
}

function shared(box, report, answer) {
  const end = button("share_revoke", () => busy(box, "computing", async () => {
    await request(PANEL, "DELETE", `${config.urls.reports}/${encodeURIComponent(report.id)}/shares/${encodeURIComponent(answer.id)}`);
    setTimeout(() => box.replaceChildren(stateLine("empty", t("share_revoked"))), 0);
  }));
  box.replaceChildren(el("p", { className: "share-link" }, el("a", { href: answer.url, target: "_blank", rel: "noopener" }, answer.url)), el("p", { className: "hint" }, t("share_until", { time: moment(answer.expires) })),
    el("div", { className: "row wrap" }, button("copy_link", () => copy(answer.url)), end));
}

function shareBox(report) {
  const days = el("select", { id: "share-days" }, DAYS.map((n) => el("option", { value: n, selected: n === 7 }, t("share_days", { n }))));
  const said = el("div", { "aria-live": "polite" });
  const share = button("share_make", () => busy(said, "share_making", async () => {
    const expires = new Date(Date.now() + Number(days.value) * DAY).toISOString().replace(/\.\d+Z$/, "Z");
    const answer = await (await request(PANEL, "POST", `${config.urls.reports}/${encodeURIComponent(report.id)}/shares`, { expires })).json();
    // The line is put in after the progress has gone.
    setTimeout(() => shared(said, report, answer), 0);
  }));
  return el("div", { className: "section" }, el("h3", {}, t("share_title")), el("p", { className: "hint" }, t("share_note")), el("div", { className: "row wrap" }, el("label", { htmlFor: "share-days" }, t("share_for")), days, share), said);
}

function keptView(report) {
  const base = `${config.urls.reports}/${encodeURIComponent(report.id)}`;
  const link = ([kind, key]) => el("a", { className: "button-link", href: `${base}?f=${kind}`, download: kind === "html" ? null : fileName(kind), target: kind === "html" ? "_blank" : null, rel: "noopener" }, t(key));
  return el("div", { id: "report-kept" }, el("p", { className: "done" }, t("report_done", { id: report.id })),
    el("div", { className: "choices" }, [...KINDS, ["zip", "report_zip"]].map(link)), shareBox(report), answerBox(report),
    el("details", { className: "method" }, el("summary", {}, t("report_signature")), el("p", { className: "code" }, String(report.digest ?? "")), el("p", { className: "code" }, String(report.signature?.value ?? report.signature ?? ""))));
}

async function keep(note, title) {
  const body = { impact: questionOf(flow.zone), lang: currentLanguage(), ...(title ? { title } : {}), ...(note ? { note } : {}) };
  const answer = await request(PANEL, "POST", config.urls.reports, body);
  const found = await answer.json();
  made = { recipe: flow.recipe, report: found };
}

function makeBox(again) {
  const title = el("input", { type: "text", id: "report-title", maxLength: 200, value: `${t("report_of")} ${words(flow.zone.label)}`.slice(0, 200) });
  const note = el("textarea", { id: "report-note", rows: 3, maxLength: 2000 });
  const said = el("div", {});
  const start = el("button", { type: "button", className: "primary wide next-step", id: "report-make" }, t("report_make"));
  start.addEventListener("click", async () => {
    start.disabled = true;
    await busy(said, "report_making", () => keep(note.value.trim(), title.value.trim()));
    start.disabled = false;
    if (made?.recipe === flow.recipe) again();
  });
  const box = el("div", {}, start, said, el("details", { className: "more" }, el("summary", {}, t("report_options")),
    el("div", { className: "field" }, el("label", { htmlFor: "report-title" }, t("report_title")), title),
    el("div", { className: "field" }, el("label", { htmlFor: "report-note" }, t("report_remark")), note)));
  keepForm(`report-${JSON.stringify(flow.recipe).slice(0, 200)}`, box);
  return box;
}

function directBox(lead) {
  const said = el("div", {});
  const one = ([kind, key]) => el("button", { type: "button", className: kind === "pdf" ? "primary wide next-step" : "wide", dataset: { report: kind }, onclick: () => busy(said, "report_making", () => direct(kind)) }, t(key));
  return el("div", { className: "section" }, lead ? el("p", { className: "hint" }, t(lead)) : null, el("div", { className: "choices" }, KINDS.map(one)), said);
}

function dataBox(answer) {
  return el("div", { className: "section" }, el("h3", {}, t("report_data")), el("div", { className: "row wrap" },
    button("download_json", () => save(fileName("json"), new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" }))),
    button("download_csv", () => save(fileName("csv"), new Blob([asImpactCsv(answer)], { type: "text/csv" })))));
}

/** Draw the step of the report. */
export function reportView(zone, answer) {
  const box = el("div", {});
  const fill = () => {
    const mine = made?.recipe === flow.recipe ? made.report : null;
    // Where the service makes no reports the answer itself can still be taken along.
    if (!offers("reports")) { box.replaceChildren(el("p", { className: "hint" }, t("report_unavailable"))); return; }
    box.replaceChildren(...[mine ? keptView(mine) : config.reader.label ? makeBox(fill) : directBox("report_no_key"), config.reader.label && !mine ? el("details", { className: "more" }, el("summary", {}, t("report_once")), directBox(null)) : null].filter(Boolean));
  };
  fill();
  return [el("h2", { className: "zone-title" }, `${t("report_of")} ${words(zone.label)}`), flow.exercise ? el("p", { className: "caution" }, t("exercise_band")) : null,
    box, dataBox(answer), button("impact_back", () => go({ step: "impact" }))].filter(Boolean);
}
