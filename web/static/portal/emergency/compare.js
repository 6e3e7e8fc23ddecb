// Comparing: this zone with another one, or with itself as the base stood at another time.

import { config, t, words } from "../state.js";
import { el, patiently, stateLine } from "../dom.js";
import { fine, hectares, number } from "../format.js";
import { ask } from "../request.js";
import { askComparison } from "./ask_impact.js";
import { readAlerts } from "./alerts.js";
import { flow } from "./flow.js";
import { drawZone } from "./zone_map.js";
import { resolve, zoneTitle } from "./zones.js";

const write = (section, value) => {
  if (value === null || value === undefined) return t("no_data_here");
  if (section.unit === "m2") return `${hectares(value)} ${t("ha")}`;
  if (section.unit === "m") return `${fine(value / 1000)} ${t("km")}`;
  return number(value, 0);
};

const signed = (section, value) => {
  if (value === null || value === undefined) return t("no_data_here");
  if (value === 0) return t("compare_same");
  return `${value > 0 ? "+" : "−"}${write(section, Math.abs(value))}`;
};

function table(answer, first, second) {
  const head = el("tr", {}, [t("layer"), first, second, t("compare_difference")].map((name, place) => el("th", { scope: "col", className: place ? "number" : "" }, name)));
  const lines = answer.sections.map((one) => el("tr", {}, el("th", { scope: "row" }, words(one.title), one.same_edition ? null : el("span", { className: "hint block" }, t("compare_editions"))),
    [write(one, one.first), write(one, one.second), signed(one, one.difference)].map((value) => el("td", { className: "number" }, value))));
  return el("div", { className: "table" }, el("table", { id: "comparison" }, el("thead", {}, head), el("tbody", {}, lines)));
}

async function compare(box, other, names) {
  try {
    const answer = await patiently(box, askComparison(other, flow.zone));
    box.replaceChildren(table(answer, ...names));
  } catch (error) {
    box.replaceChildren(stateLine("error", error.message, () => compare(box, other, names)));
  }
}

async function choices(select) {
  const [alerts, kept] = await Promise.all([readAlerts("all").catch(() => []), ask("hazards", `${config.urls.hazards}/zones?limit=50`).then((found) => found.zones).catch(() => [])]);
  const recipe = flow.recipe;
  const same = (way, id) => recipe.way === way && recipe.id === id;
  const options = [...alerts.filter((one) => !same("alert", one.id)).map((one) => [`alert:${one.id}`, words(one.headline)]),
    ...kept.filter((one) => !same("kept", one.id)).map((one) => [`kept:${one.id}`, `${one.method} · ${one.id.slice(0, 8)}`])];
  select.append(...options.map(([value, name]) => el("option", { value }, name)));
}

/** The fold in which one compares; the first of both is the other zone, or the earlier time. */
export function compareBox(zone) {
  const box = el("div", { "aria-live": "polite" });
  const select = el("select", { id: "compare-zone" }, el("option", { value: "" }, t("zone_pick")));
  select.addEventListener("change", async () => {
    if (!select.value) { drawZone("second", null); box.replaceChildren(); return; }
    const [way, id] = [select.value.slice(0, select.value.indexOf(":")), select.value.slice(select.value.indexOf(":") + 1)];
    try {
      const other = await resolve({ way, id });
      drawZone("second", other);
      compare(box, other, [zoneTitle(other), zoneTitle(zone)]);
    } catch (error) {
      box.replaceChildren(stateLine("error", error.message));
    }
  });
  const time = el("input", { type: "datetime-local", id: "compare-time" });
  time.addEventListener("change", () => {
    const at = new Date(time.value);
    if (Number.isNaN(at.getTime())) return;
    compare(box, { body: { ...zone.body, as_of: at.toISOString() } }, [t("compare_then"), t("now")]);
  });
  const fold = el("details", { className: "section compare" }, el("summary", {}, t("compare_title")),
    el("div", { className: "field" }, el("label", { htmlFor: "compare-zone" }, t("compare_zone")), select),
    el("div", { className: "field" }, el("label", { htmlFor: "compare-time" }, t("compare_time")), time), box);
  fold.addEventListener("toggle", () => { if (fold.open && select.options.length === 1) choices(select); });
  return fold;
}
