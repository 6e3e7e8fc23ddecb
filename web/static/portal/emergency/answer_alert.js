// From a kept report to the draft of an alert: it answers the alert whose zone it is, and somebody else releases it.

import { config, t, words } from "../state.js";
import { button, el, stateLine } from "../dom.js";
import { request } from "../request.js";
import { flow } from "./flow.js";
import { forgetForm, keepForm } from "../unlost.js";

const PANEL = "hazards";
const HOURS = [3, 6, 12, 24];
const HOUR = 3_600_000;
const CHOICES = {
  category: [["Geo", "Met", "Safety", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "Other"], "Met"],
  severity: [["Extreme", "Severe", "Moderate", "Minor", "Unknown"], "Severe"],
  urgency: [["Immediate", "Expected", "Future", "Unknown"], "Immediate"],
  certainty: [["Observed", "Likely", "Possible", "Unlikely", "Unknown"], "Likely"],
};

/** What the first block of an alert says, where the zone is one of an alert. */
const former = () => flow.zone?.alert?.alert?.info?.[0] ?? {};

function choice(name) {
  const [values, usual] = CHOICES[name];
  const known = [former()[name]].flat()[0];
  const chosen = values.includes(known) ? known : usual;
  const options = values.map((value) => el("option", { value, selected: value === chosen }, t(`${name}_${value.toLowerCase()}`)));
  return el("div", { className: "field" }, el("label", { htmlFor: `draft-${name}` }, t(`draft_${name}`)), el("select", { id: `draft-${name}` }, options));
}

function event(language) {
  const value = (flow.zone.label[language] || words(flow.zone.label)).slice(0, 200);
  const input = el("input", { type: "text", id: `draft-event-${language}`, maxLength: 200, required: true, value });
  return el("div", { className: "field" }, el("label", { htmlFor: input.id }, t(`draft_event_${language}`)), input);
}

function body(form) {
  const value = (name) => form.querySelector(`#draft-${name}`).value.trim();
  const alert = {
    status: flow.exercise ? "Exercise" : "Actual",
    category: [value("category")],
    event: { zh: value("event-zh"), en: value("event-en") },
    severity: value("severity"),
    urgency: value("urgency"),
    certainty: value("certainty"),
    expires: new Date(Date.now() + Number(value("hours")) * HOUR).toISOString().replace(/\.\d+Z$/, "+00:00"),
  };
  return { alert, about: flow.zone?.alert?.id ? [flow.zone.alert.id] : [] };
}

function written(draft) {
  const key = draft.content.msgType === "Update" ? "draft_update" : "draft_alert";
  const address = draft.links.find((one) => one.rel === "self").href;
  return el("p", { className: "done" }, `${t(key)} `, el("a", { href: address, target: "_blank", rel: "noopener" }, draft.id));
}

/** The part of a kept report that drafts an alert. */
export function answerBox(report) {
  const said = el("div", { "aria-live": "polite" });
  const hours = el("select", { id: "draft-hours" }, HOURS.map((n) => el("option", { value: n, selected: n === 6 }, t("draft_hours", { n }))));
  const write = button("draft_write", null);
  write.type = "submit";
  const form = el("form", { id: "draft-form" }, event("zh"), event("en"), Object.keys(CHOICES).map(choice),
    el("div", { className: "field" }, el("label", { htmlFor: "draft-hours" }, t("draft_expires")), hours), el("div", { className: "row wrap" }, write), said);
  keepForm(`draft-${report.id}`, form);
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    write.disabled = true;
    said.replaceChildren(el("p", { role: "status" }, t("draft_writing")));
    try {
      const answer = await request(PANEL, "POST", `${config.urls.reports}/${encodeURIComponent(report.id)}/alert-draft`, body(form));
      said.replaceChildren(written(await answer.json()));
      forgetForm(`draft-${report.id}`);
    } catch (error) {
      said.replaceChildren(stateLine("error", error.status === 403 ? t("draft_right") : error.message));
    }
    write.disabled = false;
  });
  return el("details", { className: "more", id: "draft-alert" }, el("summary", {}, t("draft_title")), el("p", { className: "hint" }, t("draft_note")), form);
}
