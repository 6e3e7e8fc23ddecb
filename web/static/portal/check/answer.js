// The verdict on a red line: the word first, then rule by rule, the overlaps, and the report to take away.

import { config, currentLanguage, offers, t, words } from "../state.js";
import { el, shape, stateLine } from "../dom.js";
import { moment, number } from "../format.js";
import { request } from "../request.js";
import { atTimeBody } from "../time/asked_time.js";
import { PANEL, questionAbout } from "./question.js";

const ORDER = ["conflict", "no-data", "attention", "clear"];
const ROLES = ["control", "land", "ownership", "planning", "approval", "protected"];
const SIGNS = {
  clear: "M3 8.5l3.2 3.2L13 5", attention: "M8 3v6M8 11.5v1.5", conflict: "M4 4l8 8M12 4l-8 8",
  "no-data": "M6 6a2 2 0 1 1 2.6 1.9C8 8.2 8 8.6 8 9.5M8 12v1",
};
const FORMS = [["pdf", "report_pdf", true], ["html", "report_html", false], ["xlsx", "report_xlsx", true], ["gpkg", "report_gpkg", true]];

const key = (verdict) => `check_${verdict.replaceAll("-", "_")}`;

function sign(verdict) {
  const drawing = shape("svg", { class: "verdict-sign", viewBox: "0 0 16 16", "aria-hidden": "true" });
  drawing.append(shape("path", { d: SIGNS[verdict], fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round" }));
  return drawing;
}

const size = (area) => `${number(area.ha, 4)} ${t("ha")} · ${number(area.mu, 2)} ${t("mu")}`;

function head(answer) {
  const tally = ORDER.map((verdict) => [verdict, answer.rules.filter((one) => one.verdict === verdict).length]).filter(([, n]) => n);
  return el("section", { className: `verdict verdict-${answer.verdict}`, id: "check-verdict", role: "status" },
    el("p", { className: "verdict-word" }, sign(answer.verdict), t(key(answer.verdict))), el("p", {}, words(answer.summary)),
    answer.as_of ? el("p", { className: "hint" }, t("as_of_told", { time: moment(answer.as_of) })) : null,
    el("ul", { className: "tally" }, tally.map(([verdict, n]) => el("li", {}, sign(verdict), t(key(verdict)), " ", el("strong", {}, String(n))))),
    el("p", { className: "number" }, el("strong", {}, size(answer.red_line.area)), ` (${number(answer.red_line.area.m2, 2)} m²)`));
}

function rule(one) {
  return el("li", { className: `rule rule-${one.verdict}` }, el("p", {}, sign(one.verdict), el("strong", {}, words(one.title)), " ", el("span", { className: "hint" }, t(key(one.verdict)))),
    one.area ? el("p", { className: "number" }, size(one.area)) : null, el("p", { className: "hint" }, words(one.text)), el("p", { className: "source" }, one.source));
}

function rules(answer) {
  const sorted = ORDER.flatMap((verdict) => answer.rules.filter((one) => one.verdict === verdict));
  return el("section", { className: "section" }, el("h2", {}, t("check_rules")), el("ul", { className: "plain" }, sorted.map(rule)));
}

function row(one, whole) {
  const name = words(one.label);
  const code = one.code && one.code !== name ? el("span", { className: "code" }, one.code) : null;
  const share = whole > 0 ? `${number((100 * one.m2) / whole, 2)} %` : "–";
  return el("tr", {}, el("th", { scope: "row" }, name, code), [number(one.ha, 4), number(one.mu, 2), share].map((text) => el("td", { className: "number" }, text)));
}

function overlap(section, whole) {
  const edition = section.edition ? `${t("edition_no", { n: section.edition.number })} · ${moment(section.edition.committed)}` : "";
  const title = el("h3", {}, words(section.title));
  if (section.status !== "ok") return el("div", {}, title, el("p", { className: "nodata" }, t("no_data")));
  if (!section.rows.length) return el("div", {}, title, el("p", { className: "hint" }, t("check_nothing")), el("p", { className: "source" }, edition));
  const heads = ["check_class", "ha", "mu", "check_share"].map((one, at) => el("th", { scope: "col", className: at ? "number" : "" }, t(one)));
  return el("div", {}, title, el("div", { className: "table", tabIndex: 0, role: "group", "aria-label": words(section.title) }, el("table", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, section.rows.map((one) => row(one, whole))))),
    el("p", { className: "source" }, edition));
}

function overlaps(answer) {
  const whole = answer.red_line.area.m2;
  const parts = ROLES.map((role) => [role, answer.sections.filter((one) => one.role === role)]).filter(([, found]) => found.length);
  return parts.map(([role, found]) => el("section", { className: "section" }, el("h2", {}, t(`check_role_${role}`)), found.map((one) => overlap(one, whole))));
}

/** Make a file of the verdict and hand it over, or open the page that can be printed. */
async function make(line, form, keep) {
  const { url, body } = questionAbout(line, form);
  const blob = await (await request(PANEL, "POST", url, body)).blob();
  const link = el("a", { href: URL.createObjectURL(blob), ...(keep ? { download: `compliance.${form}` } : { target: "_blank", rel: "noopener" }) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function keepReport(line, said) {
  const body = { compliance: atTimeBody(line.body), lang: currentLanguage(), title: t("check_title") };
  const kept = await (await request(PANEL, "POST", config.urls.reports, body)).json();
  const page = `${config.urls.reports}/${encodeURIComponent(kept.id)}?f=html`;
  said.replaceChildren(el("p", { className: "done", role: "status" }, t("report_done", { id: kept.id })), el("p", {}, el("a", { href: page, target: "_blank", rel: "noopener" }, t("report_html"))));
}

function files(line) {
  const said = el("div", {});
  const busy = async (work) => {
    said.replaceChildren(stateLine("loading", t("report_making")));
    try {
      await work();
      if (said.querySelector(".state-loading")) said.replaceChildren();
    } catch (error) {
      said.replaceChildren(stateLine("error", error.message, () => busy(work)));
    }
  };
  const one = ([form, name, keep]) => el("button", { type: "button", className: form === "pdf" ? "primary" : "", dataset: { check: form }, onclick: () => busy(() => make(line, form, keep)) }, t(name));
  const kept = config.reader.label && offers("reports") && !line.file
    ? el("button", { type: "button", id: "check-keep", onclick: () => busy(() => keepReport(line, said)) }, t("check_keep")) : null;
  return el("section", { className: "section" }, el("h2", {}, t("check_files")), el("div", { className: "row wrap" }, FORMS.map(one), kept), said);
}

/** The answer, the worst first. */
export function checkAnswer(answer, line) {
  return [line.name ? el("p", { className: "hint" }, line.name) : null, head(answer), files(line), rules(answer), ...overlaps(answer),
    el("p", { className: "hint" }, t("check_note"))].filter(Boolean);
}
