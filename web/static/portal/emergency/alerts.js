// Alerts: the worst of those in force first; exercises only in an exercise. What they say goes in as text.

import { config, currentLanguage, t, words } from "../state.js";
import { button, el, icon, patiently, stateLine } from "../dom.js";
import { codeName, moment } from "../format.js";
import { redraw } from "../map.js";
import { ask } from "../request.js";
import { nowNote } from "../time/now_note.js";
import { flow, go } from "./flow.js";
import { follow, heard, liveLine } from "./live.js";

const COLOURS = ["red", "orange", "yellow", "blue"];
const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor", "Unknown"];
const NOTABLE = { Exercise: "exercise", Test: "test", Draft: "draft", System: "system" };
const LAYER = "cap_alert";
const MOST = 200;
const PAST = 50;
let stop = null;

const rankOf = (list, value) => (list.includes(value) ? list.indexOf(value) : list.length);

/** The worst first, and of equals the newest. */
export function worstFirst(a, b) {
  return rankOf(SEVERITIES, a.severity) - rankOf(SEVERITIES, b.severity)
    || rankOf(COLOURS, a.colour?.toLowerCase()) - rankOf(COLOURS, b.colour?.toLowerCase())
    || new Date(b.sent) - new Date(a.sent);
}

/** Alerts of the mode that the page is in; `state` is `active`, or `all` for those that are over, too. */
export async function readAlerts(state = "active") {
  const asked = new URLSearchParams({ f: "json", limit: String(MOST), state, status: flow.exercise ? "Exercise" : "Actual" });
  const found = await ask("hazards", `${config.urls.alerts}?${asked}`);
  return found.alerts.toSorted(worstFirst);
}

const severityName = (value) => codeName("cap-severity@1.2", value) ?? t(`severity_${String(value).toLowerCase()}`);

/** The level of a warning: its colour with word and icon, or its severity where it has no colour. */
export function levelMark(alert) {
  const colour = alert.colour?.toLowerCase();
  if (COLOURS.includes(colour)) return el("span", { className: `warning warning-${colour}` }, icon("hazards"), t(`colour_${colour}`));
  return el("span", { className: `warning warning-plain severity-${String(alert.severity).toLowerCase()}` }, icon("hazards"), severityName(alert.severity));
}

/** A mark for what is not meant in earnest. */
export const statusMark = (alert) => (NOTABLE[alert.status] ? el("span", { className: "badge badge-exercise" }, t(NOTABLE[alert.status])) : null);

function times(alert) {
  const until = alert.ended ?? alert.ends;
  const end = alert.state === "cancelled" ? "alert_cancelled" : alert.state === "updated" ? "alert_updated" : alert.state === "expired" ? "alert_expired" : "alert_until";
  return [t("alert_sent", { time: moment(alert.sent) }), until ? t(end, { time: moment(until) }) : null].filter(Boolean).join(" · ");
}

/** Go to the zone of an alert. */
export const openAlert = (id) => go({ recipe: { way: "alert", id }, zone: null, answer: null, step: "zone" });

function card(alert) {
  const title = words(alert.headline) || alert.identifier;
  const open = el("button", { type: "button", className: "primary", "aria-label": `${t("alert_open")}: ${title}`, onclick: () => openAlert(alert.id) }, t("alert_open"));
  const ahead = alert.state === "ahead" ? el("span", { className: "badge" }, t("alert_ahead")) : null;
  const coloured = alert.colour ? el("span", { className: "hint" }, severityName(alert.severity)) : null;
  return el("li", { className: "alert", dataset: { status: alert.status, alert: alert.id } },
    el("div", { className: "row wrap" }, levelMark(alert), statusMark(alert), ahead, coloured),
    el("h3", {}, title), el("p", { className: "hint" }, times(alert)), open);
}

function fill(list, alerts) {
  const standing = (one) => ["active", "ahead"].includes(one.state);
  const [active, past] = [alerts.filter(standing), alerts.filter((one) => !standing(one) && one.state !== "notice")];
  const none = stateLine("empty", t(flow.exercise ? "alerts_none_exercise" : "alerts_none"));
  const open = list.querySelector("details.past")?.open;
  const over = past.length ? el("details", { className: "past", open }, el("summary", {}, `${t("alerts_past")} (${past.length})`), el("ul", { className: "alerts" }, past.slice(0, PAST).map(card))) : null;
  list.replaceChildren(...[active.length ? el("ul", { className: "alerts" }, active.map(card)) : none, over].filter(Boolean));
}

async function load(list) {
  try {
    const alerts = await patiently(list, readAlerts("all"));
    heard();
    // A look that changed nothing must not take the focus away from whoever is reading.
    const told = JSON.stringify([currentLanguage(), alerts]);
    if (list.dataset.told === told) return;
    if (list.dataset.told) redraw(LAYER);
    list.dataset.told = told;
    fill(list, alerts);
  } catch (error) {
    heard(false);
    if (list.dataset.told) return;
    list.replaceChildren(stateLine("error", error.message, () => load(list)));
  }
}

/** The list of alerts with the state of its news. */
export function alertList() {
  const list = el("div", { className: "alert-list" });
  stop?.();
  stop = follow(() => {
    if (list.isConnected) load(list);
    else { stop?.(); stop = null; }
  });
  load(list);
  return el("section", { className: "hazard", "aria-labelledby": "alerts-title" }, el("h2", { id: "alerts-title" }, t(flow.exercise ? "alerts_exercise" : "alerts")), nowNote(), liveLine(), list);
}

/** The block of an alert in the reader's language, or else its first. */
export function infoOf(alert) {
  const blocks = alert.alert.info ?? [];
  return blocks.find((one) => String(one.language ?? "").toLowerCase().startsWith(currentLanguage())) ?? blocks[0] ?? {};
}

const said = (kind, value) => (value && config.texts[`${kind}_${value.toLowerCase()}`] ? t(`${kind}_${value.toLowerCase()}`) : value);

/** What an alert says, in plain words. */
export function alertWords(alert) {
  const info = infoOf(alert);
  const areas = [...new Set((info.area ?? []).map((one) => one.areaDesc))].filter(Boolean).join("、");
  const facts = [
    ["alert_where", areas],
    ["alert_when", [info.onset ?? info.effective ?? alert.begins, alert.ends].filter(Boolean).map(moment).join(" – ")],
    ["alert_urgency", [said("urgency", info.urgency), said("certainty", info.certainty)].filter(Boolean).join(" · ")],
    ["alert_sender", info.senderName ?? alert.sender],
    ["alert_signature", t(`signature_${alert.signature}`)],
  ].filter(([, value]) => value);
  return el("div", { className: "alert-words" },
    el("div", { className: "row wrap" }, levelMark(alert), statusMark(alert), el("span", { className: "hint" }, info.event ?? "")),
    info.description ? el("p", { className: "said" }, info.description) : null,
    info.instruction ? el("p", { className: "said instruction" }, info.instruction) : null,
    el("dl", { className: "facts" }, facts.flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)])),
    el("p", {}, el("a", { href: `${config.urls.alerts}/${encodeURIComponent(alert.id)}?f=html&lang=${currentLanguage()}` }, t("alert_page"))));
}

/** A way back to the list. */
export const backToAlerts = () => button("alerts_back", () => go({ step: "alerts" }), "quiet");
