// The panel of jobs: choose a layer, drop files, watch them being loaded, look at what came of it.

import { address, config, currentLanguage, t, words } from "./state.js";
import { byId, el, icon, notice, patiently, stateLine } from "./dom.js";
import { dropZone } from "./drop_zone.js";
import { ask } from "./request.js";
import { moment, number } from "./format.js";
import { openPanelName, redraw } from "./shell.js";
import { drawResult, forgetPlaces } from "./result.js";
import { forgetFile, uploadFile } from "./tus.js";

const choice = { layer: "", files: [], dry: false, repair: true, owner: "", mapping: "" };
const RECENT = 8;
let work = null;

const layerOf = (id) => config.loads.find((one) => one.id === id);
const bytes = (size) => (size < 1024 ? `${size} B` : size < 1 << 20 ? `${number(size / 1024, 1)} KiB` : `${number(size / (1 << 20), 1)} MiB`);

/** Files that make one source: those of the same stem, such as the parts of a shapefile. */
export function families(files) {
  const found = new Map();
  for (const file of files) {
    const stem = file.name.replace(/(\.shp)?\.[^.]+$/i, "").toLowerCase();
    found.set(stem, [...(found.get(stem) ?? []), file]);
  }
  return [...found.values()];
}

function again() {
  if (openPanelName() === "jobs") redraw();
}

function pick(files) {
  // A file that is chosen again was corrected meanwhile.
  const names = new Set([...files].map((one) => one.name));
  choice.files = [...choice.files.filter((one) => !names.has(one.name)), ...files];
  again();
}

const files = () => dropZone({ id: "job-files", title: t("job_drop"), note: t("job_drop_note"), multiple: true }, pick);

/** What a family is called: its file, or its stem with the endings of its parts. */
function called(group) {
  const ending = (file) => file.name.match(/\.[^.]+$/)?.[0] ?? "";
  if (group.length === 1) return [el("span", {}, group[0].name)];
  const stem = group[0].name.slice(0, group[0].name.length - ending(group[0]).length);
  return [el("span", {}, stem), " ", el("span", { className: "hint" }, group.map(ending).join(" "))];
}

function fileList() {
  const drop = (group) => { choice.files = choice.files.filter((one) => !group.includes(one)); group.forEach(forgetFile); again(); };
  const line = (group) => el("li", { className: "row" }, el("span", { className: "grow" }, ...called(group)),
    el("span", { className: "hint number" }, bytes(group.reduce((sum, one) => sum + one.size, 0))),
    el("button", { type: "button", className: "quiet square", "aria-label": `${t("remove")} ${group[0].name}`, onclick: () => drop(group) }, icon("close")));
  return el("ul", { className: "files" }, families(choice.files).map(line));
}

function chooser(id, label, value, entries, changed) {
  const options = entries.map(([key, name]) => el("option", { value: key, selected: key === value }, name));
  const box = el("select", { id }, options);
  box.addEventListener("change", () => changed(box.value));
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), box);
}

function tick(id, label, name) {
  const box = el("input", { type: "checkbox", id, checked: choice[name], onchange: () => { choice[name] = box.checked; } });
  return el("div", { className: "row" }, box, el("label", { htmlFor: id }, label));
}

function form() {
  const sorted = [...config.loads].sort((a, b) => words(a.title).localeCompare(words(b.title), currentLanguage()));
  const layers = [["", t("job_choose")], ...sorted.map((one) => [one.id, words(one.title)])];
  const owner = el("input", { type: "text", id: "job-owner", value: choice.owner, maxLength: 200, oninput: () => { choice.owner = owner.value; } });
  const mappings = [["", t("job_by_name")], ...(layerOf(choice.layer)?.mappings ?? []).map((name) => [name, name])];
  const more = el("details", { className: "more" }, el("summary", {}, t("job_options")),
    tick("job-repair", t("job_repair"), "repair"),
    chooser("job-mapping", t("job_mapping"), choice.mapping, mappings, (value) => { choice.mapping = value; }),
    el("div", { className: "field" }, el("label", { htmlFor: "job-owner" }, t("job_owner")), owner));
  const ready = choice.layer && choice.files.length;
  return el("form", { className: "form", onsubmit: (event) => { event.preventDefault(); start(); } },
    chooser("job-layer", t("job_layer"), choice.layer, layers, (value) => { choice.layer = value; choice.mapping = ""; again(); }),
    files(), choice.files.length ? fileList() : null, tick("job-dry", t("job_dry"), "dry"), more,
    el("button", { type: "submit", className: "primary", disabled: !ready }, t("job_start")));
}

/** Upload every family and make its job, one after the other. */
async function start() {
  const stop = new AbortController();
  work = { layer: choice.layer, stop, stage: "uploading", done: 0, total: choice.files.reduce((sum, one) => sum + one.size, 0), waiting: false, job: null, errors: [], reports: [] };
  const groups = families(choice.files);
  forgetPlaces();
  again();
  try {
    for (const group of groups) await attempt(group, work);
  } catch {
    work.errors.push(t("job_cancelled"));
  }
  work.stage = "over";
  again();
}

/** Load a family. One that fails stays in the list of files and does not keep the others from being loaded. */
async function attempt(group, here) {
  try {
    await load(group, here);
    choice.files = choice.files.filter((one) => !group.includes(one));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    here.errors.push(`${group[0].name}: ${error.message}`);
    here.stage = "uploading";
  }
}

async function load(group, here) {
  const uploads = [];
  for (const file of group) {
    const before = here.done;
    uploads.push(await uploadFile(file, (arrived, waiting) => { here.done = before + arrived; here.waiting = waiting; step(); }, here.stop.signal));
    here.done = before + file.size;
  }
  const options = { repair: choice.repair, dry_run: choice.dry, ...(choice.owner.trim() ? { owner: choice.owner.trim() } : {}) };
  const body = { layer: choice.layer, uploads, options, ...(choice.mapping ? { mapping: choice.mapping } : {}) };
  here.job = await ask("jobs", config.urls.jobs, body);
  here.stage = "working";
  again();
  here.job = await follow(here.job, (job) => { here.job = job; step(); });
  // The stream speaks the browser's language; the reason of a refusal is asked for in that of the page.
  if (here.job.exception) here.job = await ask("jobs", address(config.urls.job, { id: here.job.jobID }));
  here.reports.push(here.job);
  here.stage = "uploading";
}

/** Hear of a job until it is over. A broken stream comes back by itself; one that was closed is asked for once more. */
function follow(job, told) {
  return new Promise((done, fail) => {
    const stream = new EventSource(`${address(config.urls.job, { id: job.jobID })}/events`);
    stream.addEventListener("progress", (event) => told(JSON.parse(event.data)));
    stream.addEventListener("end", (event) => { stream.close(); done(JSON.parse(event.data)); });
    stream.addEventListener("error", async () => {
      if (stream.readyState !== EventSource.CLOSED) return;
      try {
        const found = await ask("jobs", address(config.urls.job, { id: job.jobID }));
        if (found.finished) done(found);
        else setTimeout(() => follow(found, told).then(done, fail), 3000);
      } catch (error) {
        fail(error);
      }
    });
  });
}

async function cancel() {
  if (work?.stage === "uploading") work.stop.abort();
  else if (work?.job) {
    const path = address(config.urls.job, { id: work.job.jobID });
    await fetch(path, { method: "DELETE", credentials: "same-origin" }).catch(() => notice(t("error_network"), "error"));
  }
}

function stepText() {
  if (!navigator.onLine || work.waiting) return t("job_offline");
  if (work.stage === "uploading") return t("job_uploading", { done: bytes(work.done), total: bytes(work.total) });
  if (work.job.status === "accepted") return t("job_waiting");
  const phase = work.job.phase ? t(`phase_${work.job.phase}`) : t("phase_starting");
  return work.job.rows ? t("job_phase_rows", { phase, rows: number(work.job.rows, 0) }) : phase;
}

function stepShare() {
  if (work.stage === "uploading") return work.total ? (work.done / work.total) * 100 : 100;
  return work.job.progress ?? 0;
}

/** Bring the running step up to date without drawing the whole panel again. */
function step() {
  const bar = byId("job-progress");
  if (!bar) return;
  bar.value = stepShare();
  byId("job-step").textContent = stepText();
}

function running() {
  const bar = el("progress", { id: "job-progress", max: 100, value: stepShare(), "aria-labelledby": "job-step" });
  return el("section", { className: "job-now" }, el("h2", {}, words(layerOf(work.layer).title)),
    el("p", { id: "job-step", role: "status" }, stepText()), bar, el("button", { type: "button", onclick: cancel }, t("cancel")));
}

function over() {
  const fresh = el("button", { type: "button", onclick: () => { work = null; forgetPlaces(); again(); } }, t("job_another"));
  const errors = work.errors.map((one) => stateLine("error", one));
  return el("section", { className: "job-now" }, errors, work.reports.map((job) => drawResult(job, layerOf(work.layer))), fresh);
}

function recent() {
  const list = el("ul", { className: "jobs" });
  const line = (job) => {
    const layer = layerOf(job.collection);
    const report = job.links.find((one) => one.rel.endsWith("/results"));
    const home = job.links.find((one) => one.rel === "collection");
    // A load that was refused is told about in the list of the layer's loads.
    const place = report ? new URL(report.href).pathname : job.finished && home ? `${new URL(home.href).pathname}/loads` : null;
    const href = place ? `${place}?f=html&lang=${currentLanguage()}` : null;
    const what = job.processID === "replay" ? t("job_replay") : job.processID === "withdrawal" ? t("job_withdrawal") : job.source;
    const name = `${layer ? words(layer.title) : job.collection} · ${what}`;
    return el("li", {}, el("span", { className: `badge job-${job.state}` }, t(`job_state_${job.state}`)), href ? el("a", { href }, name) : el("span", {}, name),
      el("span", { className: "hint" }, moment(job.created)));
  };
  patiently(list, ask("jobs", `${config.urls.jobs}?limit=${RECENT}`)).then(
    ({ jobs }) => list.replaceChildren(...(jobs.length ? jobs.map(line) : [stateLine("empty", t("jobs_none"))])),
    (error) => list.replaceChildren(stateLine("error", error.status === 403 || error.status === 401 ? t("job_forbidden") : error.message, again)));
  return el("section", {}, el("h2", {}, t("jobs_recent")), list);
}

/** Draw the panel. */
export function drawJobs(body) {
  if (!config.loads.length) {
    body.append(stateLine("empty", t("job_forbidden")));
    return;
  }
  const top = !work ? form() : work.stage === "over" ? over() : running();
  body.append(...[top, work && work.stage !== "over" ? null : recent()].filter(Boolean));
}

for (const name of ["online", "offline"]) addEventListener(name, step);
