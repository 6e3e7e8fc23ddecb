// Starts the portal: the map and its layers first, then everything that is done with them.

import { config, t } from "./state.js";
import { byId, notice } from "./dom.js";
import { startLegend } from "./legend.js";
import { followLink, startLink } from "./link.js";
import { fitBox, startMap } from "./map.js";
import { startOpacity } from "./opacity.js";
import { startSession } from "./session.js";
import { addPanel, openFirst, redraw, startShell } from "./shell.js";
import { startStack } from "./stack.js";
import { startStatus } from "./status.js";
import { startFilters } from "./table/filters.js";
import { drawLayers, startTree } from "./tree.js";

const WORLD = [-150, -45, 170, 70];

/** The map with its layers; `work.js` is asked for meanwhile and run afterwards. */
async function start() {
  startSession();
  const ready = startMap();
  addPanel("layers", "layers", drawLayers);
  startStatus();
  startTree();
  startShell();
  openFirst();
  byId("go-world").addEventListener("click", () => fitBox(WORLD));
  byId("go-sample")?.addEventListener("click", () => fitBox(config.sample));
  await ready;
  if (!followLink()) fitBox(config.sample ?? WORLD);
  startStack();
  startOpacity();
  startFilters();
  redraw();
  startLegend();
  performance.mark("geoservice-map");
  const { startWork } = await import("./work.js");
  startWork();
  startLink();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  console.error(error);
  notice(t("error_load", { why: error.message }), "error");
});
