// Asking what a zone hits: the answer, or the job that makes it when the zone is too large to wait for.

import { config, t } from "../state.js";
import { ask, RequestError } from "../request.js";
import { atTimeBody } from "../time/asked_time.js";

const BEAT = 1500;
const PANEL = "hazards";

const pause = (time, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, time);
  signal?.addEventListener("abort", () => { clearTimeout(timer); fail(new DOMException("given up", "AbortError")); }, { once: true });
});

/** Paths of links are asked for here, whatever name the service is reached by. */
export const pathOf = (href) => { const url = new URL(href, location.origin); return `${url.pathname}${url.search}`; };

/** Wait for a job and fetch what it made. */
export async function jobResult(job, signal, told = null) {
  let now = job;
  const monitor = pathOf(job.links.find((one) => one.rel === "monitor" || one.rel === "self").href);
  for (;;) {
    now = await ask(PANEL, monitor, null, signal);
    told?.(now);
    const results = now.links?.find((one) => one.rel.endsWith("/results") || one.rel === "results");
    if (results && ["done", "successful"].includes(now.state ?? now.status)) return ask(PANEL, pathOf(results.href), null, signal);
    if (["failed", "refused", "cancelled", "dismissed"].includes(now.state ?? now.status)) throw new RequestError(t("error_load", { why: now.exception?.detail ?? now.exception?.title ?? now.state }));
    await pause(BEAT, signal);
  }
}

/** The body of the question about a zone. */
export const questionOf = (zone) => ({ ...atTimeBody(zone.body), explain: true });

/** What a zone hits. */
export async function askImpact(zone, signal, told = null) {
  const answer = await ask(PANEL, config.urls.impact, questionOf(zone), signal);
  return answer.sections ? answer : jobResult(answer, signal, told);
}

/** What differs between two zones. */
export const askComparison = (first, second, signal) => ask(PANEL, `${config.urls.impact}/compare`, { first: atTimeBody(first.body), second: atTimeBody(second.body) }, signal);
