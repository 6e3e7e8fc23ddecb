// Whether what is seen is up to date: a stream of news, a look every minute where there is none, and words for both.

import { config, currentLanguage, offers, on, t } from "../state.js";
import { el } from "../dom.js";
import { flow } from "./flow.js";

const EVERY = 60_000;
const SOON = 300;
// A look every minute, or a word of the stream every 15 seconds (geoservice/api/job_events.py): three of them missed.
const STALE = 150_000;
const QUIET = 50_000;
const NEWS = ["changed", "board", "event", "over", "unit", "mark"];
const ALL = "all";
const listeners = new Set();
let source = null;
let streaming = false;
let seen = null;
let failed = false;
let soon = null;

function state() {
  if (navigator.onLine === false) return "offline";
  if (failed || (seen && Date.now() - seen > (streaming ? QUIET : STALE))) return "stale";
  return streaming ? "live" : "minute";
}

function tell() {
  for (const one of document.querySelectorAll("[data-live]")) fill(one);
}

const clock = (time) => new Date(time).toLocaleTimeString(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function fill(line) {
  line.dataset.live = state();
  const words = { live: "live_stream", minute: "live_minute", stale: "live_stale", offline: "live_offline" };
  line.replaceChildren(el("span", { className: "live-dot", "aria-hidden": "true" }), t(words[state()], { time: seen ? clock(seen) : "–" }));
}

/** A line that says how fresh the panel is; it keeps itself up to date while it is on the page. */
export function liveLine() {
  const line = el("p", { className: "live", dataset: { live: "" }, role: "status" });
  fill(line);
  return line;
}

/** Note that the service has answered (or has not). */
export function heard(well = true) {
  failed = !well;
  if (well) seen = Date.now();
  tell();
}

function ring() {
  clearTimeout(soon);
  // News come in bursts: one look answers all of them.
  soon = setTimeout(() => { for (const listener of listeners) listener(); }, SOON);
}

/** News of what is real, of one exercise, or of the alerts of all of them. */
function address() {
  if (flow.exercise === ALL || !offers("situation")) return config.urls.alert_news;
  return flow.exercise ? `${config.urls.news}?exercise=${encodeURIComponent(flow.exercise)}` : config.urls.news;
}

function disconnect() {
  source?.close();
  source = null;
  streaming = false;
}

function connect() {
  if (source || !listeners.size) return;
  source = new EventSource(address());
  source.onopen = () => { streaming = true; alive(); };
  source.onerror = () => {
    streaming = false;
    if (source?.readyState === EventSource.CLOSED) source = null;
    tell();
  };
  source.addEventListener("alive", alive);
  for (const name of NEWS) source.addEventListener(name, ring);
}

function alive() {
  // What had failed is looked at anew: a stream that speaks says that the service is back.
  if (failed) ring();
  else heard();
}

/** Call `listener` when something has changed, and every minute where no stream tells; returns how to stop. */
export function follow(listener) {
  listeners.add(listener);
  connect();
  return () => {
    listeners.delete(listener);
    if (!listeners.size) disconnect();
  };
}

/** Keep the words true as time goes by and the network comes and goes. */
export function startLive() {
  addEventListener("online", () => { connect(); ring(); });
  addEventListener("offline", tell);
  on("flow", (change) => { if ("exercise" in change) { disconnect(); connect(); } });
  setInterval(() => {
    tell();
    if (document.hidden || (streaming && state() === "live")) return;
    connect();
    ring();
  }, EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && listeners.size) ring(); });
}
