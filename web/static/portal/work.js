// What is done with the map: search, identify, queries, hazards, environment, tools. Fetched after the first map.

import { drawCatalogue, startCatalogue } from "./catalogue/panel.js";
import { PANEL as CATALOGUE, readCatalogue } from "./catalogue/view.js";
import { startConnection } from "./connection.js";
import { drawCheck, startCheck } from "./check/panel.js";
import { PANEL as CHECK } from "./check/question.js";
import { startComparing } from "./compare/compare.js";
import { startEnvironment, drawEnvironment, readEnvironment } from "./environment/panel.js";
import { startGrid } from "./grid.js";
import { drawHazards, startHazards } from "./hazards.js";
import { startIdentify } from "./identify.js";
import { drawJobs } from "./jobs.js";
import { drawPrint, startPrint } from "./print/panel.js";
import { PANEL as PRINT } from "./print/wish.js";
import { drawQuery, startQuery } from "./query.js";
import { startShade } from "./relief/heights.js";
import { startRelief } from "./relief/relief.js";
import { startSearch } from "./search.js";
import { addPanel, openLinked } from "./shell.js";
import { drawStatistics, startStatistics } from "./statistics/panel.js";
import { PANEL as STATISTICS, readStatistics } from "./statistics/view.js";
import { drawSubscriptions, PANEL as SUBSCRIPTIONS } from "./subscriptions.js";
import { startAsOf } from "./time/as_of.js";
import { startAskedTime } from "./time/asked_time.js";
import { startTimeBar } from "./time/time_bar.js";
import { startTable } from "./table/entry.js";
import { drawTools, startTools } from "./tools.js";
import { startUndo } from "./undo.js";
import { drawUpkeep, PANEL as UPKEEP } from "./upkeep/panel.js";

/** Add the panels, open the one that the address names, and wire the tools. */
export function startWork() {
  addPanel("query", "query", drawQuery);
  addPanel(CHECK, "check_title", drawCheck);
  addPanel("hazards", "hazards", drawHazards);
  addPanel("environment", "environment", drawEnvironment);
  addPanel(STATISTICS, "statistics", drawStatistics);
  addPanel("toolbox", "toolbox", drawTools);
  addPanel("jobs", "jobs", drawJobs);
  addPanel(CATALOGUE, "catalogue", drawCatalogue);
  addPanel(UPKEEP, "upkeep", drawUpkeep);
  addPanel(PRINT, "print_panel", drawPrint);
  addPanel(SUBSCRIPTIONS, "subscriptions", drawSubscriptions);
  startConnection();
  readEnvironment();
  // Before anything is asked: it may be about another time.
  startAskedTime();
  startShade();
  startAsOf();
  readStatistics();
  readCatalogue();
  startSearch();
  startGrid();
  startTools();
  startPrint();
  openLinked();
  startHazards();
  startEnvironment();
  startIdentify();
  startStatistics();
  startCatalogue();
  startQuery();
  startTable();
  startCheck();
  startTimeBar();
  startComparing();
  startRelief();
  startUndo();
}
