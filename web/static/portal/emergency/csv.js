// An impact answer as CSV: a line per total, group, severity class, division and listed feature.

const HEAD = ["layer", "role", "kind", "code", "label_zh", "label_en", "count", "value", "low", "high", "unit", "lon", "lat", "edition", "status"];

function quoted(value) {
  const text = String(value ?? "");
  // A cell that begins like a formula is not to be run by a spreadsheet.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function lines(section) {
  const { layer, role, unit, edition, status, title } = section;
  const tail = [edition?.number, status];
  const figure = (kind, code, label, one) => [layer, role, kind, code, label?.zh, label?.en, one?.count, one?.value, one?.low, one?.high, unit, "", "", ...tail];
  const feature = (one) => [layer, role, "feature", one.id, one.label.zh, one.label.en, 1, "", "", "", "", one.lon, one.lat, ...tail];
  return [
    figure("total", "", title, section.total),
    ...section.rows.map((one) => figure("group", one.code, one.label, one)),
    ...section.classes.map((one) => figure("class", one.code, one.label, one)),
    ...section.divisions.map((one) => figure("division", one.code, one.label, one)),
    ...section.features.map(feature),
  ];
}

/** The answer as CSV, with a byte order mark for spreadsheets. */
export function asImpactCsv(answer) {
  const cut = (answer.ways?.settlements ?? []).map((one) => [answer.ways.network, "settlement", one.situation, one.id, one.label.zh, one.label.en, 1, one.people, "", "", "persons", one.lon, one.lat, answer.ways.edition, answer.ways.status]);
  return `\ufeff${[HEAD, ...answer.sections.flatMap(lines), ...cut].map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}
