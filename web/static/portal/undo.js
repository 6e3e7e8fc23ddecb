// Taking back what hurts: a removed bookmark, a dropped zone, layers switched off. Others put their own things here.

import { t } from "./state.js";
import { button, notice } from "./dom.js";

const MOST = 30;
const stack = [];

/** Whether something can be taken back. */
export const canUndo = () => stack.length > 0;

/** Take back the last thing that was done; false when there is none. */
export function undo() {
  const last = stack.pop();
  if (!last) return false;
  last.back();
  notice(t("undone", { what: last.what }));
  return true;
}

/** Remember how to take something back, and offer it: `what` says in the reader's words what was done. */
export function pushUndo(what, back) {
  const entry = { what, back };
  stack.push(entry);
  if (stack.length > MOST) stack.shift();
  const again = button("undo", () => {
    const place = stack.indexOf(entry);
    if (place < 0) return;
    stack.splice(place, 1);
    back();
    notice(t("undone", { what }));
  });
  notice(what, "undo", again);
}

function key(event) {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "z") return;
  // While somebody writes, the browser takes back what was written.
  if (event.target.closest?.("input:not([type=checkbox], [type=range], [type=radio]), textarea, select, [contenteditable]")) return;
  if (undo()) event.preventDefault();
}

/** Wire the keys. */
export function startUndo() {
  document.addEventListener("keydown", key);
}
