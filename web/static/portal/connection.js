// Whether the service answers: a calm line while it does not, and the map asked anew as soon as it does again.

import { config, currentLanguage, on, t } from "./state.js";
import { byId, notice } from "./dom.js";
import { redraw, shownLayers } from "./map.js";

const BEAT = 5000;
let since = null;
let asking = false;

async function answers() {
  try {
    return (await fetch(config.urls.health, { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

function tell() {
  const line = byId("connection");
  line.hidden = since === null;
  if (since !== null) line.textContent = t("connection_lost", { time: new Intl.DateTimeFormat(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { timeStyle: "short" }).format(since) });
}

/** Somebody got no answer: make sure of it, say so, and ask again until there is one. */
async function watch() {
  if (asking) return;
  asking = true;
  while (!(await answers())) {
    since ??= new Date();
    tell();
    await new Promise((done) => { setTimeout(done, BEAT); });
  }
  asking = false;
  if (since === null) return;
  since = null;
  tell();
  notice(t("connection_back"));
  for (const layer of shownLayers()) redraw(layer.id);
}

/** Listen for requests without an answer, and for what the browser knows of its network. */
export function startConnection() {
  on("unanswered", watch);
  on("language", tell);
  addEventListener("offline", watch);
}
