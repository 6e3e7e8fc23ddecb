// Sign in with an API key, sign out. The key goes to the service once; a cookie that scripts cannot read remembers it.

import { config, t } from "./state.js";
import { byId, el, stateLine } from "./dom.js";
import { openDialog } from "./shell.js";

async function send(method, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  try {
    return await fetch(config.urls.session, { method, headers, body: body ? JSON.stringify(body) : undefined, credentials: "same-origin" });
  } catch {
    return null;
  }
}

function signInForm() {
  const field = el("input", { type: "password", id: "api-key", name: "key", autocomplete: "current-password", required: true, spellcheck: false });
  const said = el("div", { "aria-live": "polite" });
  const submit = el("button", { type: "submit", className: "primary" }, t("sign_in"));
  const form = el("form", { className: "form" }, el("p", {}, t("sign_in_note")), el("label", { htmlFor: "api-key" }, t("api_key")), field, said, submit);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    const answer = await send("POST", { key: field.value.trim() });
    submit.disabled = false;
    if (answer?.ok) location.reload();
    else said.replaceChildren(stateLine("error", t(answer ? "sign_in_bad" : "error_network")));
  });
  openDialog(t("sign_in"), form);
  field.focus();
}

function accountDialog() {
  const leave = el("button", { type: "button", className: "primary" }, t("sign_out"));
  leave.addEventListener("click", async () => {
    const answer = await send("DELETE");
    if (answer?.ok) location.reload();
  });
  const facts = el("dl", { className: "facts" }, el("dt", {}, t("key_id")), el("dd", { className: "code" }, config.reader.label), el("dt", {}, t("clearance")), el("dd", {}, t(config.reader.clearance)));
  openDialog(config.reader.name, facts, leave);
}

/** Wire the button of the bar. */
export function startSession() {
  byId("user").addEventListener("click", () => (config.reader.label ? accountDialog() : signInForm()));
}
