// The filter as CQL2 text: shown for whoever wants to copy it, written by whoever knows it, judged by the service.

import { address, config, currentLanguage, t } from "../state.js";
import { copy, el, stateLine } from "../dom.js";
import { ask } from "../request.js";
import { BUILDER, asked, itemsOf, statisticsOf } from "./rows.js";

const UNKNOWN = 400;

/** Ask the service whether it understands a filter, and how many rows pass: {n, exact}, or null where it cannot say. */
export async function judged(layer, text, panel = BUILDER) {
  try {
    const { total } = await ask(panel, `${statisticsOf(layer)}?${asked({ measures: "count", filter: text })}`);
    return { n: total.count, exact: true };
  } catch (error) {
    // A count that takes too long is no reason not to filter.
    if (error.status === UNKNOWN) throw error;
    return roughly(layer, text, panel);
  }
}

async function roughly(layer, text, panel) {
  const found = await ask(panel, `${itemsOf(layer)}?${asked({ limit: 1, skipGeometry: "true", filter: text })}`);
  const more = found.links.some((one) => one.rel === "next");
  if (!more) return { n: found.features.length, exact: true };
  const n = found.numberMatched ?? found.numberMatchedEstimate;
  return n === undefined ? null : { n, exact: found.numberMatched !== undefined };
}

/**
 * The field for CQL2 text.
 *
 * `text` is what the rows say now; `take` gets what was written once the service has understood it.
 */
export function expertField(layer, text, open, take) {
  const said = el("div", { "aria-live": "polite" });
  const field = el("textarea", { id: "filter-text", rows: 4, spellcheck: false, value: text, maxLength: 100_000, "aria-describedby": "filter-text-hint" });
  const use = el("button", { type: "button" }, t("filter_text_use"));
  use.addEventListener("click", async () => {
    use.disabled = true;
    said.replaceChildren();
    try {
      const wanted = field.value.trim();
      if (wanted) await judged(layer, wanted);
      take(wanted);
    } catch (error) {
      said.replaceChildren(stateLine("error", error.message));
      field.setAttribute("aria-invalid", "true");
    }
    use.disabled = false;
  });
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
  const names = `${address(config.urls.collection, { id: layer.id })}/queryables?f=html&lang=${currentLanguage()}`;
  return el("details", { className: "filter-expert", open }, el("summary", {}, t("filter_text")),
    el("label", { className: "spoken", htmlFor: "filter-text" }, t("filter_text")), field, said,
    el("div", { className: "row wrap" }, use, el("button", { type: "button", className: "quiet", onclick: () => copy(field.value) }, t("copy")), el("a", { href: names }, t("filter_names"))),
    el("p", { className: "hint", id: "filter-text-hint" }, t("filter_text_hint")));
}
