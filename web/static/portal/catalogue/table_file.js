// The listed layers as a CSV file: what the reader sees, in both languages.

import { words } from "../state.js";

const HEAD = ["id", "title_zh", "title_en", "theme", "kind", "authority", "clearance", "edition", "committed", "cycle", "due", "overdue", "rows", "share", "basis", "source"];

function quoted(value) {
  const text = String(value ?? "");
  // A cell that begins like a formula is not to be run by a spreadsheet.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const line = (one) => [one.id, one.titles.zh, one.titles.en, one.theme, one.kind, words(one.authority.name) || one.authority.kind, one.clearance, one.edition?.number, one.edition?.committed,
  one.updateCycle, one.freshness?.due, one.freshness ? (one.freshness.overdue ? "yes" : "no") : "", one.itemCount, one.licence.share, one.licence.basis, one.edition?.source];

/** Collections as CSV, with a byte order mark for spreadsheets. */
export const asCsv = (collections) => `\ufeff${[HEAD, ...collections.map(line)].map((cells) => cells.map(quoted).join(",")).join("\r\n")}\r\n`;
