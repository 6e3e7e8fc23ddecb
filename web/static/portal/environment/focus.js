// Controls are drawn anew when a choice changes; whoever works by keyboard stays where they were.

import { byId } from "../dom.js";

/** Do something that draws controls anew, and give the focus back to the one that has the same id. */
export function keepingFocus(work) {
  const before = document.activeElement?.id;
  work();
  const after = before ? byId(before) : null;
  if (after && after !== document.activeElement) after.focus({ preventScroll: true });
}
