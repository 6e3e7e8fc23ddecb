// Rows of quarantine mended on the page of their load: a form with what the source said, saved and loaded again.

const table = document.getElementById("mend");
const words = table ? JSON.parse(table.dataset.words) : {};
const PATIENCE = 700;

function el(tag, members = {}, ...children) {
  const made = Object.assign(document.createElement(tag), members);
  made.append(...children);
  return made;
}

/** Ask the service; what it refuses becomes an error with its own sentence. */
async function ask(url, method = "GET", body = null) {
  const headers = { Accept: "application/json", "Accept-Language": document.documentElement.lang };
  const options = body ? { method, body: JSON.stringify(body), headers: { ...headers, "Content-Type": "application/json" } } : { method, headers };
  let answer;
  try {
    answer = await fetch(url, { ...options, credentials: "same-origin" });
  } catch {
    throw new Error(words.network);
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail ?? told.title ?? String(answer.status));
  return told;
}

/** A field of the source, or its geometry as the only one of several lines. */
function line(row, name, label, value) {
  const id = `mend-${row}-${name}`;
  const box = el(name === "" ? "textarea" : "input", { id, value: value ?? "", spellcheck: false });
  if (name === "") box.rows = 4;
  else box.type = "text";
  return { name, box, before: box.value, whole: el("div", { className: "mend-field" }, el("label", { htmlFor: id }, label), box) };
}

function linesOf(row) {
  const said = { ...row.fields, ...row.mended?.fields };
  // Fields with a $ come from the reader, not from the source.
  const fields = Object.entries(said).filter(([name]) => !name.startsWith("$"));
  const lines = fields.map(([name, value]) => line(row.id, name, name, value));
  const shape = row.mended?.geometry ?? row.geometry;
  // A table without places has neither.
  if (shape || row.crs) lines.push(line(row.id, "", words.geometry.replace("{crs}", row.crs ?? words.crs), shape));
  return lines;
}

/** What was changed, as the service wants it; an emptied field has no value. */
function changes(lines) {
  const changed = lines.filter((one) => one.box.value !== one.before);
  const fields = Object.fromEntries(changed.filter((one) => one.name).map((one) => [one.name, one.box.value === "" ? null : one.box.value]));
  const shape = changed.find((one) => !one.name && one.box.value.trim());
  return { ...(Object.keys(fields).length ? { fields } : {}), ...(shape ? { geometry: shape.box.value } : {}) };
}

async function finished(job) {
  const address = `${table.dataset.jobs}/${job.jobID}`;
  for (let now = job; ; now = await ask(address)) {
    if (now.finished) return now;
    await new Promise((again) => setTimeout(again, PATIENCE));
  }
}

async function send(number, lines, status) {
  const said = changes(lines);
  status.textContent = words.sending;
  if (Object.keys(said).length) await ask(`${table.dataset.rows}/${number}`, "PATCH", said);
  status.textContent = words.loading;
  const job = await finished(await ask(`${table.dataset.rows}/replay`, "POST", { ids: [Number(number)] }));
  if (job.exception) throw new Error(job.exception.detail ?? job.exception.title);
  // The page tells what became of the row, and of the others, in the reader's language.
  location.hash = "by-hand";
  location.reload();
}

function form(row, close) {
  const lines = linesOf(row);
  const status = el("p", { className: "hint" });
  status.setAttribute("role", "status");
  const press = el("button", { type: "submit", className: "primary" }, words.send);
  const made = el("form", { className: "mend-form" }, el("div", { className: "mend-fields" }, ...lines.map((one) => one.whole)),
    status, el("p", { className: "row" }, press, el("button", { type: "button", onclick: close }, words.close)));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    press.disabled = true;
    status.className = "hint";
    try {
      await send(row.id, lines, status);
    } catch (error) {
      status.className = "mend-error";
      status.textContent = words.failed.replace("{why}", () => error.message);
      press.disabled = false;
    }
  });
  return made;
}

function offer(cell) {
  const button = el("button", { type: "button" }, words.open);
  button.setAttribute("aria-expanded", "false");
  let below = null;
  const close = () => {
    below?.remove();
    below = null;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  };
  button.addEventListener("click", async () => {
    if (below) return close();
    below = el("tr", { className: "mend-row" }, el("td", { colSpan: 4 }));
    cell.closest("tr").after(below);
    button.setAttribute("aria-expanded", "true");
    const place = below.firstChild;
    try {
      const made = form(await ask(`${table.dataset.rows}/${cell.dataset.row}`), close);
      place.append(made);
      made.querySelector("input, textarea").focus();
    } catch (error) {
      place.append(el("p", { className: "mend-error" }, words.failed.replace("{why}", () => error.message)));
    }
  });
  cell.append(button);
}

for (const cell of table?.querySelectorAll("[data-row]") ?? []) offer(cell);
