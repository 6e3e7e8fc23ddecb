// Where files are given: dropped, or chosen by a click or the keyboard.

import { el, icon } from "./dom.js";

/**
 * A field for files. Its look and words are the portal's own: those of browsers follow the system's language.
 *
 * @param {{id: string, title: string, note?: string, accept?: string, multiple?: boolean}} what Id of the field, words, kinds of files.
 * @param {(files: File[]) => void} pick Gets the files that were given.
 */
export function dropZone({ id, title, note = "", accept = "", multiple = false }, pick) {
  // Who closes the browser's dialog without a choice gives none.
  const given = (files) => { if (files.length) pick([...files]); };
  const input = el("input", { type: "file", id, accept, multiple, className: "unseen", onchange: () => given(input.files) });
  const zone = el("label", { className: "drop", htmlFor: id }, icon("jobs"), el("span", { className: "drop-title" }, title), note ? el("span", { className: "hint" }, note) : null);
  const stop = (event) => { event.preventDefault(); zone.classList.toggle("over", event.type === "dragover"); };
  for (const name of ["dragover", "dragleave", "drop"]) zone.addEventListener(name, stop);
  zone.addEventListener("drop", (event) => given(event.dataTransfer.files));
  return el("div", {}, input, zone);
}
