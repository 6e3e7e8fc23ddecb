// The way in: the table, the builder and the charts are fetched when somebody first wants them.

import { collectionById, on } from "../state.js";
import { keepInLink, linked } from "../link.js";
import { notice } from "../dom.js";
import { anyFilter } from "./filters.js";

let open = null;
let tab = "rows";
let overviewing = false;

/** Open the table of a layer at the bottom, or its charts. */
export async function openTable(id, wanted = "rows", focus = true) {
  try {
    const { showTable } = await import("./pane.js");
    await showTable(id, wanted, focus);
  } catch (error) {
    notice(error.message, "error");
  }
}

/** Whether a layer has rows to list. */
export const hasRows = (layer) => Boolean(layer.attributes?.length && layer.edition);

/** What passes is drawn from rows where tiles cannot; fetched with the first filter. */
async function overview() {
  if (overviewing || !anyFilter()) return;
  overviewing = true;
  const { startOverview } = await import("./overview.js");
  startOverview();
}

async function follow(text) {
  const [id, wanted] = (text ?? "").split(":");
  const layer = collectionById(id);
  if (layer && hasRows(layer)) openTable(id, wanted === "charts" ? "charts" : "rows", false);
  else if (open) (await import("./pane.js")).closeTable();
}

/** Take the open table from the address, and keep it there. */
export function startTable() {
  on("table", (next) => { [open, tab] = [next, "rows"]; });
  on("table-tab", (next) => { tab = next; });
  keepInLink("table", () => (open && tab !== "rows" ? `${open}:${tab}` : open), follow);
  on("filtered", overview);
  overview();
  follow(linked("table"));
}
