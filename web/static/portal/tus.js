// Resumable uploads by the tus protocol 1.0.0: what has arrived counts, whatever breaks in between.

import { config, t } from "./state.js";
import { RequestError } from "./request.js";

const VERSION = { "Tus-Resumable": "1.0.0" };
const PART = 4 << 20;
const PATIENCE = [1, 2, 4, 8, 15, 30, 60];
const AGAIN = new Set([0, 408, 409, 423, 429, 460, 500, 502, 503, 504]);

const fingerprint = (file) => `geoservice-upload-${config.reader.label}-${file.name}-${file.size}-${file.lastModified}`;

function recall(file) {
  try {
    return localStorage.getItem(fingerprint(file));
  } catch {
    return null;
  }
}

function keep(file, path) {
  try {
    if (path) localStorage.setItem(fingerprint(file), path);
    else localStorage.removeItem(fingerprint(file));
  } catch {
    // Without storage an upload can be resumed as long as the page is open.
  }
}

/** Text as base64 of its UTF-8 bytes. */
const base64 = (bytes) => btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));

async function call(method, path, headers = {}, body = undefined, signal = undefined) {
  try {
    return await fetch(path, { method, headers: { ...VERSION, ...headers }, body, signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { status: 0, ok: false, headers: new Headers(), json: async () => ({}) };
  }
}

async function failure(answer) {
  const problem = await answer.json().catch(() => ({}));
  const why = problem.detail || problem.title || answer.status;
  const words = { 0: t("error_network"), 401: t("job_forbidden"), 403: t("job_forbidden") };
  return new RequestError(words[answer.status] ?? t("error_load", { why }), answer.status);
}

async function begin(file, signal) {
  const name = base64(new TextEncoder().encode(file.name));
  const answer = await call("POST", config.urls.uploads, { "Upload-Length": String(file.size), "Upload-Metadata": `filename ${name}` }, undefined, signal);
  if (answer.status !== 201) throw await failure(answer);
  const path = new URL(answer.headers.get("Location"), location.href).pathname;
  keep(file, path);
  return path;
}

/** How many bytes have arrived; null when the service knows no such upload. */
async function arrived(path, signal) {
  const answer = await call("HEAD", path, {}, undefined, signal);
  return answer.ok ? Number(answer.headers.get("Upload-Offset")) : answer.status === 404 || answer.status === 410 ? null : undefined;
}

async function digest(part) {
  // Browsers offer this only on safe connections; without it the transport's own checks must do.
  if (!globalThis.crypto?.subtle) return {};
  const sum = await crypto.subtle.digest("SHA-256", await part.arrayBuffer());
  return { "Upload-Checksum": `sha256 ${base64(new Uint8Array(sum))}` };
}

async function send(file, path, offset, signal) {
  const part = file.slice(offset, offset + PART);
  const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset), ...(await digest(part)) };
  return call("PATCH", path, headers, part, signal);
}

const wait = (seconds, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, seconds * 1000);
  // Back online: no reason to wait any longer.
  addEventListener("online", done, { once: true });
  signal?.addEventListener("abort", () => { clearTimeout(timer); fail(new DOMException("aborted", "AbortError")); }, { once: true });
});

/**
 * Upload a file and give the id under which a job finds it.
 *
 * `told(bytes, waiting)` hears how many bytes have arrived, and whether the connection is being waited for.
 */
export async function uploadFile(file, told, signal) {
  let path = recall(file);
  let offset = path ? await arrived(path, signal) : null;
  if (offset === null || offset === undefined) {
    path = await begin(file, signal);
    offset = 0;
  }
  let failures = 0;
  while (offset < file.size) {
    told(offset, false);
    const answer = await send(file, path, offset, signal);
    if (answer.status === 204) {
      offset = Number(answer.headers.get("Upload-Offset"));
      failures = 0;
      continue;
    }
    if (!AGAIN.has(answer.status) || failures >= PATIENCE.length) throw await failure(answer);
    told(offset, answer.status === 0);
    await wait(PATIENCE[failures++], signal);
    const known = await arrived(path, signal);
    if (known === null) throw new RequestError(t("upload_lost"));
    offset = known ?? offset;
  }
  told(file.size, false);
  keep(file, null);
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Forget an upload that is no longer wanted. */
export async function forgetFile(file) {
  const path = recall(file);
  keep(file, null);
  if (path) await call("DELETE", path);
}
