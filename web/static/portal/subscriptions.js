// The panel of subscriptions: what is told to whom, how it fares, a new one, one less. For holders of a key.

import { config, currentLanguage, offers, t, words } from "./state.js";
import { button, byId, copy, el, patiently, stateLine } from "./dom.js";
import { startDrawing } from "./draw.js";
import { moment } from "./format.js";
import { leaflet } from "./map.js";
import { ask, request } from "./request.js";
import { closeDialog, openDialog, openPanelName, redraw } from "./shell.js";
import { keepForNow, keptForNow } from "./unlost.js";

export const PANEL = "subscriptions";
const SEVERITIES = ["Extreme", "Severe", "Moderate", "Minor"];
const SHOWN = 5;
const FORBIDDEN = 403;
const wish = { kind: "alert", way: "mail", address: "", area: "everywhere", drawn: null, code: "", severity: "", exercises: false, what: "any", property: "", above: "", layer: "" };
let outcome = null;
// What was chosen and written outlives a reload.
for (const [name, value] of Object.entries(keptForNow("subscription") ?? {})) if (name in wish) wish[name] = value;
addEventListener("pagehide", () => keepForNow("subscription", wish));

const again = () => { if (openPanelName() === PANEL) redraw(); };
const place = (id) => `${config.urls.subscriptions}/${encodeURIComponent(id)}`;
const layerName = (id) => words(config.layers.find((one) => one.id === id)?.title) || id;
const followed = () => config.layers.filter((one) => one.edition);

/** A choice; `redraws` says that other fields depend on it. */
function chooser(name, key, entries, redraws = false) {
  const id = `notice-${name}`;
  const options = entries.map(([value, label]) => el("option", { value, selected: value === wish[name] }, label));
  const box = el("select", { id, onchange: () => { wish[name] = box.value; if (redraws) { redraw(); byId(id)?.focus(); } } }, options);
  return el("div", { className: "field" }, el("label", { htmlFor: id }, t(key)), box);
}

function field(name, key, members = {}) {
  const id = `notice-${name}`;
  const box = el("input", { type: "text", id, value: wish[name], autocomplete: "off", spellcheck: false, maxLength: 200, required: true, oninput: () => { wish[name] = box.value; }, ...members });
  return el("div", { className: "field" }, el("label", { htmlFor: id }, t(key)), box);
}

function alertFields() {
  const levels = SEVERITIES.map((one) => [one, t(`severity_${one.toLowerCase()}`)]);
  const box = el("input", { type: "checkbox", id: "notice-exercises", checked: wish.exercises, onchange: () => { wish.exercises = box.checked; } });
  return [chooser("severity", "notice_least", [["", t("notice_any_severity")], ...levels]),
    el("label", { className: "choice", htmlFor: "notice-exercises" }, box, t("notice_exercises"))];
}

function excessFields() {
  const limit = field("above", "notice_above", { type: "number", step: "any" });
  return [chooser("what", "notice_what", [["any", t("notice_any_limit")], ["property", t("notice_property")], ["aqi", t("notice_aqi")]], true),
    wish.what === "property" ? field("property", "notice_code") : null, wish.what === "any" ? null : limit];
}

function layerFields() {
  if (!wish.layer) wish.layer = followed()[0]?.id ?? "";
  return [chooser("layer", "notice_layer", followed().map((one) => [one.id, words(one.title)]))];
}

function draw() {
  if (innerWidth < 700) byId("panel").dataset.height = "peek";
  const back = () => { if (innerWidth < 700) byId("panel").dataset.height = "half"; again(); };
  startDrawing((geometry) => { wish.drawn = geometry; back(); byId("notice-area")?.focus(); }, back);
}

function areaFields() {
  const ways = ["everywhere", "view", "drawn", "code"].map((one) => [one, t(`notice_area_${one}`)]);
  const drawn = el("div", { className: "row wrap" }, button("zone_draw", draw), el("span", { className: "hint", role: "status" }, t(wish.drawn ? "notice_area_ready" : "notice_area_missing")));
  return [chooser("area", "notice_area", ways, true), wish.area === "drawn" ? drawn : null,
    wish.area === "code" ? field("code", "notice_code_division", { inputMode: "numeric", maxLength: 12 }) : null];
}

function form() {
  const kinds = ["alert", "exceedance", "layer"].map((one) => [one, t(`notice_kind_${one}`)]);
  const special = { alert: alertFields, exceedance: excessFields, layer: layerFields }[wish.kind]();
  const mail = wish.way === "mail";
  const address = field("address", mail ? "notice_mail" : "notice_url", { type: mail ? "email" : "url", maxLength: mail ? 254 : 2000 });
  return el("form", { className: "form", onsubmit: add }, chooser("kind", "notice_kind", kinds, true), special, areaFields(),
    chooser("way", "notice_way", [["mail", t("notice_way_mail")], ["url", t("notice_way_url")]], true), address,
    el("button", { type: "submit", className: "primary" }, t("notice_add")));
}

function area() {
  if (wish.area === "drawn") return wish.drawn ? { zone: wish.drawn } : undefined;
  if (wish.area === "code") return { adcode: wish.code.trim() };
  if (wish.area === "everywhere") return undefined;
  const bounds = leaflet.getBounds();
  const clip = (value, limit) => Math.max(-limit, Math.min(limit, Number(value.toFixed(6))));
  return { bbox: [clip(bounds.getWest(), 180), clip(bounds.getSouth(), 90), clip(bounds.getEast(), 180), clip(bounds.getNorth(), 90)] };
}

/** What the service gets; undefined members are left out of JSON. */
function body() {
  const to = wish.way === "mail" ? { mail: wish.address.trim(), lang: currentLanguage() } : { url: wish.address.trim() };
  const common = { kind: wish.kind, ...to, area: area() };
  if (wish.kind === "layer") return { ...common, collections: [wish.layer] };
  if (wish.kind === "alert") return { ...common, severity: wish.severity || undefined, exercises: wish.exercises };
  if (wish.what === "any") return common;
  return { ...common, ...(wish.what === "aqi" ? { index: "aqi" } : { property: wish.property.trim() }), above: Number(wish.above) };
}

/** Why a subscription was refused, without the words for what could not be loaded. */
function refusal(error) {
  if (error.status === FORBIDDEN) return t(wish.way === "mail" ? "notice_no_mail" : "notice_no_host");
  return error.message.replace(t("error_load", { why: "" }), "");
}

async function add(event) {
  event.preventDefault();
  const submit = event.target.querySelector("[type=submit]");
  if (wish.area === "drawn" && !wish.drawn) {
    outcome = stateLine("error", t("notice_area_missing"));
    return again();
  }
  submit.disabled = true;
  try {
    outcome = made(await ask(PANEL, config.urls.subscriptions, body()));
    wish.address = "";
  } catch (error) {
    outcome = stateLine("error", refusal(error));
  }
  again();
  byId("notice-outcome")?.focus();
  return null;
}

function made(told) {
  if (!told.secret) return stateLine("done", t("notice_asked", { mail: told.mail }));
  return el("div", {}, stateLine("done", t("notice_signing_key")), el("pre", {}, told.secret), button("copy", () => copy(told.secret)));
}

function about(one) {
  if (one.kind === "layer") return one.collections.map(layerName).join(", ");
  if (one.kind === "alert") return one.severity ? `${t("notice_least")} ${t(`severity_${one.severity.toLowerCase()}`)}` : t("notice_any_severity");
  const what = one.index ? t("notice_aqi") : one.property;
  return what ? `${what} ${one.above === undefined ? "" : `> ${one.above}`}` : t("notice_any_limit");
}

function where(one) {
  if (!one.area) return t("notice_area_everywhere");
  return words(one.area.label) || one.area.origin;
}

function remove(one) {
  const sure = button("notice_remove", async () => {
    closeDialog();
    try {
      await request(PANEL, "DELETE", place(one.id));
      outcome = stateLine("done", t("notice_removed"));
    } catch (error) {
      outcome = stateLine("error", error.message);
    }
    again();
    byId("notice-outcome")?.focus();
  }, "primary");
  openDialog(t("notice_remove"), el("p", {}, t("notice_remove_sure", { to: one.mail ?? one.url })), el("div", { className: "row" }, button("cancel", closeDialog), sure));
}

/** The latest deliveries, asked for when somebody looks. */
function deliveries(one) {
  const list = el("ul", { className: "plain" });
  const line = (each) => el("li", {}, el("span", { className: `badge job-${each.state}` }, t(`notice_delivery_${each.state}`)), " ",
    el("span", {}, moment(each.created)), each.error ? el("span", { className: "hint" }, ` ${each.error}`) : null);
  const box = el("details", { className: "more" }, el("summary", {}, t("notice_deliveries")), list);
  box.addEventListener("toggle", () => {
    if (!box.open) return;
    patiently(list, ask(PANEL, `${place(one.id)}/deliveries`)).then(
      (told) => list.replaceChildren(...(told.deliveries.length ? told.deliveries.slice(0, SHOWN).map(line) : [el("li", { className: "hint" }, t("notice_deliveries_none"))])),
      (error) => list.replaceChildren(el("li", {}, stateLine("error", error.message))));
  });
  return box;
}

function item(one) {
  return el("li", { className: "notice-item", dataset: { subscription: one.id } },
    el("div", { className: "row wrap" }, el("strong", {}, t(`notice_kind_${one.kind}`)), el("span", { className: `badge notice-${one.state}` }, t(`notice_state_${one.state}`)),
      one.exercises ? el("span", { className: "badge badge-exercise" }, t("notice_with_exercises")) : null),
    el("p", {}, `${about(one)} · ${where(one)}`), el("p", { className: "hint" }, one.mail ?? one.url), deliveries(one),
    el("button", { type: "button", onclick: () => remove(one), "aria-label": `${t("notice_remove")}: ${one.mail ?? one.url}` }, t("notice_remove")));
}

function mine() {
  const list = el("ul", { className: "plain", id: "notice-list" });
  patiently(list, ask(PANEL, config.urls.subscriptions)).then(
    (told) => list.replaceChildren(...(told.subscriptions.length ? told.subscriptions.map(item) : [el("li", {}, stateLine("empty", t("notice_none")))])),
    (error) => list.replaceChildren(el("li", {}, stateLine("error", error.message, again))));
  return el("section", {}, el("h2", {}, t("notice_mine")), list);
}

/** Whether there is anything to subscribe to here. */
export const subscribes = () => offers("subscriptions");

/** Fill the panel. */
export function drawSubscriptions(panel) {
  if (!config.reader.label) {
    panel.append(stateLine("empty", t("notice_no_key")));
    return;
  }
  const said = el("div", { id: "notice-outcome", tabIndex: -1, "aria-live": "polite" }, outcome);
  panel.append(said, mine(), el("section", {}, el("h2", {}, t("notice_new")), form()));
}
