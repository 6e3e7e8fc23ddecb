// Corrections and administration, for keys that hold a right: what this key may do today, and where it is done.

import { address, config, currentLanguage, t, words } from "../state.js";
import { button, copy, el, icon } from "../dom.js";
import { openPanel } from "../shell.js";

export const PANEL = "upkeep";
const COMMANDS = ["geoservice key create --name NAME --may-edit", "geoservice key list", "geoservice key revoke KEY_ID", "geoservice doctor", "geoservice ingest quarantine", "geoservice ingest withdraw EDITION --reason WHY", "geoservice layers check", "geoservice jobs schedule list"];
const RIGHTS = { load: "upkeep_right_load", edit: "upkeep_right_edit", observe: "upkeep_right_observe", alert: "upkeep_right_alert", release: "upkeep_right_release", situation: "upkeep_right_situation" };

const rights = () => config.reader.rights;
const holds = (name) => rights().some((one) => one.split(":")[0] === name);

/** Layers whose features this key may change. */
function editable() {
  const wide = rights().includes("edit");
  const opens = (layer) => wide || rights().includes(`edit:${layer.id}`) || rights().includes(`edit:${layer.theme}/`);
  return config.layers.filter((layer) => layer.kind === "vector" && opens(layer)).sort((a, b) => words(a.title).localeCompare(words(b.title)));
}

const page = (path) => `${path}?f=html&lang=${currentLanguage()}`;

function request(layer) {
  const items = new URL(address(config.urls.item, { id: layer.id, key: "ID" }), location.origin).href;
  return `curl -X PATCH '${items}' -H "X-API-Key: $KEY" -H 'If-Match: "…"' -H 'Content-Type: application/merge-patch+json' -d '{"properties": {"${layer.attributes.at(-1)?.name ?? "name"}": null}}'`;
}

function corrections() {
  const layers = editable();
  const choice = el("select", { id: "upkeep-layer" }, layers.map((one) => el("option", { value: one.id }, words(one.title))));
  const example = el("pre", { id: "upkeep-request" });
  const links = el("p", { className: "row wrap" });
  const fill = () => {
    const layer = layers.find((one) => one.id === choice.value);
    const home = address(config.urls.collection, { id: layer.id });
    example.textContent = request(layer);
    links.replaceChildren(el("a", { href: page(`${home}/schema`) }, t("upkeep_schema")), el("a", { href: page(`${home}/editions`) }, t("upkeep_editions")), el("a", { href: page(`${home}/loads`) }, t("upkeep_loads")));
  };
  choice.addEventListener("change", fill);
  if (layers.length) fill();
  const how = layers.length ? [el("div", { className: "field" }, el("label", { htmlFor: "upkeep-layer" }, t("upkeep_layer", { n: layers.length })), choice), el("p", { className: "hint" }, t("upkeep_request")), example,
    el("p", { className: "row wrap" }, el("button", { type: "button", onclick: () => copy(example.textContent) }, t("copy"))), links] : [el("p", {}, t("upkeep_no_layers"))];
  return section("upkeep_corrections", "upkeep_corrections_today", "upkeep_corrections_later", how);
}

function quarantine() {
  return section("upkeep_quarantine", "upkeep_quarantine_today", null, [config.loads.length ? button("jobs", () => openPanel("jobs")) : null]);
}

function administration() {
  const list = el("ul", { className: "upkeep-commands" }, COMMANDS.map((one) => el("li", {}, el("code", {}, one), el("span", { className: "hint" }, t(`upkeep_does_${one.split(" ").slice(1, 3).filter((word) => /^[a-z]/.test(word)).join("_")}`)))));
  return section("upkeep_administration", "upkeep_administration_today", "upkeep_administration_later", [list, el("p", { className: "row wrap" }, button("catalogue", () => openPanel("catalogue")), el("a", { href: page("/api") }, t("upkeep_api")))]);
}

function section(title, today, later, content) {
  return el("section", { className: "upkeep" }, el("h2", {}, t(title)), el("p", {}, t(today)), content, later ? el("p", { className: "upkeep-later" }, icon("info"), t(later)) : null);
}

function mine() {
  const found = Object.entries(RIGHTS).filter(([name]) => holds(name)).map(([name, key]) => el("li", {}, t(key), el("span", { className: "hint" }, rights().filter((one) => one.split(":")[0] === name).join(", "))));
  return el("section", { className: "upkeep" }, el("h2", {}, t("upkeep_mine")), el("p", { className: "hint" }, `${config.reader.name} · ${config.reader.label} · ${t(config.reader.clearance)}`), el("ul", { className: "plain" }, found));
}

/** Draw the panel. */
export function drawUpkeep(body) {
  if (!rights().length) {
    body.append(el("p", { className: "state" }, t("upkeep_forbidden")));
    return;
  }
  const parts = [mine(), holds("edit") ? corrections() : null, holds("load") ? quarantine() : null, holds("load") || holds("edit") ? administration() : null];
  body.append(...parts.filter(Boolean));
}
