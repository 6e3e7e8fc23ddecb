// What is done with the map: search, identify, queries, hazards, environment, tools. Fetched after the first map.

import { startConnection } from "./connection.js";
import { drawCheck, startCheck } from "./check/panel.js";
import { PANEL as CHECK } from "./check/question.js";
import { startComparing } from "./compare/compare.js";
import { startEnvironment, drawEnvironment, readEnvironment } from "./environment/panel.js";
import { startGrid } from "./grid.js";
import { drawHazards, startHazards } from "./hazards.js";
import { startIdentify } from "./identify.js";
import { drawJobs } from "./jobs.js";
import { drawQuery, startQuery } from "./query.js";
import { startShade } from "./relief/heights.js";
import { startRelief } from "./relief/relief.js";
import { startSearch } from "./search.js";
import { addPanel, openLinked } from "./shell.js";
import { drawSubscriptions, PANEL as SUBSCRIPTIONS } from "./subscriptions.js";
import { startAsOf } from "./time/as_of.js";
import { startAskedTime } from "./time/asked_time.js";
import { startTimeBar } from "./time/time_bar.js";
import { drawTools, startTools } from "./tools.js";
import { startUndo } from "./undo.js";

/** Add the panels, open the one that the address names, and wire the tools. */
export function startWork() {
  addPanel("query", "query", drawQuery);
  addPanel(CHECK, "check_title", drawCheck);
  addPanel("hazards", "hazards", drawHazards);
  addPanel("environment", "environment", drawEnvironment);
  addPanel("toolbox", "toolbox", drawTools);
  addPanel("jobs", "jobs", drawJobs);
  addPanel(SUBSCRIPTIONS, "subscriptions", drawSubscriptions);
  startConnection();
  readEnvironment();
  // Before anything is asked: it may be about another time.
  startAskedTime();
  startShade();
  startAsOf();
  startSearch();
  startGrid();
  startTools();
  openLinked();
  startHazards();
  startEnvironment();
  startIdentify();
  startQuery();
  startCheck();
  startTimeBar();
  startComparing();
  startRelief();
  startUndo();
}
