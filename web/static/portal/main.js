// Starts the portal: the map first, then the panels.

import { config, t } from "./state.js";
import { byId, notice } from "./dom.js";
import { drawHazards, startHazards } from "./hazards.js";
import { drawEnvironment, readEnvironment, startEnvironment } from "./environment/panel.js";
import { startIdentify } from "./identify.js";
import { drawJobs } from "./jobs.js";
import { startLegend } from "./legend.js";
import { startLink } from "./link.js";
import { fitBox, startMap } from "./map.js";
import { drawQuery, startQuery } from "./query.js";
import { startSearch } from "./search.js";
import { startSession } from "./session.js";
import { addPanel, redraw, startShell } from "./shell.js";
import { drawSubscriptions, PANEL as SUBSCRIPTIONS } from "./subscriptions.js";
import { startStatus } from "./status.js";
import { startGrid } from "./grid.js";
import { drawTools, startTools } from "./tools.js";
import { drawLayers, startTree } from "./tree.js";

const WORLD = [-150, -45, 170, 70];

async function start() {
  startSession();
  const ready = startMap();
  addPanel("layers", "layers", drawLayers);
  addPanel("query", "query", drawQuery);
  addPanel("hazards", "hazards", drawHazards);
  addPanel("environment", "environment", drawEnvironment);
  addPanel("toolbox", "toolbox", drawTools);
  addPanel("jobs", "jobs", drawJobs);
  addPanel(SUBSCRIPTIONS, "subscriptions", drawSubscriptions);
  readEnvironment();
  startStatus();
  startTree();
  startSearch();
  startGrid();
  startTools();
  startShell();
  byId("go-world").addEventListener("click", () => fitBox(WORLD));
  byId("go-sample")?.addEventListener("click", () => fitBox(config.sample));
  await ready;
  if (!startLink()) fitBox(config.sample ?? WORLD);
  startHazards();
  redraw();
  startLegend();
  startEnvironment();
  startIdentify();
  startQuery();
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => {
  console.error(error);
  notice(t("error_load", { why: error.message }), "error");
});
