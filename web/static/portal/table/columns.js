// Which columns of a layer's table are shown; remembered on this device.

import { recall, remember, t, words } from "../state.js";
import { el } from "../dom.js";
import { openDialog } from "../shell.js";
import { attributeTitle } from "./cells.js";

const nameOf = (layer) => `columns-${layer.id}`;

function hiddenOf(layer) {
  try {
    const read = JSON.parse(recall(nameOf(layer)) ?? "[]");
    return new Set(Array.isArray(read) ? read : []);
  } catch {
    return new Set();
  }
}

/** The columns that are shown, in the order of the layer file; at least one is. */
export function columnsOf(layer) {
  const hidden = hiddenOf(layer);
  const shown = layer.attributes.filter((one) => !hidden.has(one.name));
  return shown.length ? shown : layer.attributes.slice(0, 1);
}

/** Let the reader choose columns; `changed` is called after each choice. */
export function chooseColumns(layer, changed) {
  const boxes = new Map();
  const keep = () => {
    remember(nameOf(layer), JSON.stringify([...boxes].filter(([, box]) => !box.checked).map(([name]) => name)));
    changed();
  };
  const line = (one) => {
    const hidden = hiddenOf(layer).has(one.name);
    const box = el("input", { type: "checkbox", checked: !hidden, onchange: keep });
    boxes.set(one.name, box);
    return el("li", {}, el("label", { className: "choice" }, box, el("span", { className: "grow" }, attributeTitle(one)), el("span", { className: "code" }, one.name)));
  };
  const list = el("ul", { className: "plain column-list" }, layer.attributes.map(line));
  const all = el("button", { type: "button", onclick: () => { for (const box of boxes.values()) box.checked = true; keep(); } }, t("table_columns_all"));
  openDialog(`${t("table_columns")} · ${words(layer.title)}`, list, el("div", { className: "row" }, all));
}
