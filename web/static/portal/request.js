// Requests to the service, remembered per panel so that each panel can show what it asked for.

import { announce, currentLanguage, t } from "./state.js";

const made = new Map();

/** What went wrong, in words for the reader. */
export class RequestError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Requests that a panel made, newest first. */
export const requestsOf = (panel) => made.get(panel) ?? [];

function keep(panel, entry) {
  const others = requestsOf(panel).filter((one) => one.url !== entry.url || one.body !== entry.body);
  made.set(panel, [entry, ...others].slice(0, 5));
}

/** Ask for JSON. `panel` names who asks; a `body` makes it a POST. */
export async function ask(panel, url, body = null, signal = null) {
  const answer = await request(panel, body === null ? "GET" : "POST", url, body, signal);
  return answer.json();
}

/** Send a request, with further headers if need be, and take its answer as it is; what is no success is thrown. A `Blob` goes as the file it is. */
export async function request(panel, method, url, body = null, signal = null, more = {}) {
  const file = body instanceof Blob;
  const text = body === null || file ? body : JSON.stringify(body);
  keep(panel, { method, url: new URL(url, location.origin).href, body: file ? t("request_file", { media: body.type }) : text });
  const answer = await send(method, url, text, signal, file ? { "Content-Type": body.type, ...more } : more);
  if (!answer.ok) throw new RequestError(await reason(answer), answer.status);
  return answer;
}

async function send(method, url, text, signal, more) {
  // Files are asked for by `f` in their address; problems come as JSON all the same.
  const headers = { Accept: "application/geo+json, application/json, */*;q=0.5", "Accept-Language": currentLanguage(), ...(text === null ? {} : { "Content-Type": "application/json" }), ...more };
  const options = text === null ? { method, headers } : { method, body: text, headers };
  try {
    return await fetch(url, { ...options, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    announce("unanswered");
    throw new RequestError(t("error_network"));
  }
}

async function reason(answer) {
  if (answer.status === 401 || answer.status === 403) return t("error_forbidden");
  try {
    const problem = await answer.json();
    return t("error_load", { why: problem.detail || problem.title || answer.status });
  } catch {
    return t("error_load", { why: answer.status });
  }
}
