// The four figures of an impact answer, and the rows of its bars. Values only; nothing here touches the page.

const CROPLAND = "01";
const CRITICAL = ["facility", "dam", "power", "danger"];
const PEOPLE = ["population", "settlement"];

export const FIGURES = ["people", "cropland", "roads", "facilities"];

const sectionsOf = (answer, roles) => answer.sections.filter((one) => roles.includes(one.role));
const firstOk = (sections) => sections.find((one) => one.status === "ok" && one.total) ?? null;
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A figure without data has a status and no value: that is not zero. */
const missing = (id, sections) => ({ id, status: sections.some((one) => one.status === "unavailable") ? "unavailable" : "no-data", value: null, low: null, high: null, sections });

const told = (id, { value, low, high }, sections, more = {}) => ({ id, status: "ok", value, low: isNumber(low) ? low : null, high: isNumber(high) ? high : null, sections, ...more });

/** What people are told by where no section does: divisions of a census, whose severity classes bear no names. */
function asSection(answer, people) {
  const named = new Map(answer.zone.classes.map((one) => [one.rank, one.label]));
  const classes = (people.classes ?? []).map((one) => ({ ...one, label: named.get(one.rank) }));
  return { layer: people.layer, role: "population", title: null, status: "ok", edition: people.edition, explain: people.explain, classes, divisions: people.divisions ?? [] };
}

function people(answer) {
  const sections = sectionsOf(answer, PEOPLE);
  const found = answer.people;
  if (!found) return missing("people", sections);
  const own = sections.find((one) => one.layer === found.layer && one.measure === "sum" && one.status === "ok");
  return told("people", found, [own ?? asSection(answer, found)], { method: found.method ?? null, others: found.others ?? [] });
}

/** Cultivated land is the class 01 of GB/T 21010, with all that stands under it. */
const isCropland = (row) => String(row.code ?? "").startsWith(CROPLAND);

function added(rows) {
  const bound = (name) => (rows.length && rows.every((row) => isNumber(row[name])) ? rows.reduce((sum, row) => sum + row[name], 0) : null);
  return { value: rows.reduce((sum, row) => sum + row.value, 0), low: bound("low"), high: bound("high") };
}

function cropland(answer) {
  const sections = sectionsOf(answer, ["land"]);
  const section = firstOk(sections);
  if (!section) return missing("cropland", sections);
  return told("cropland", added(section.rows.filter(isCropland)), [section]);
}

function roads(answer) {
  const sections = sectionsOf(answer, ["road"]);
  const inside = firstOk(sections);
  const ways = answer.ways;
  if (!ways || ways.status !== "ok") return missing("roads", ways ? [{ status: ways.status, note: ways.note }] : sections);
  const bounds = { value: ways.closed_m, low: ways.closed_m_low, high: ways.closed_m_high };
  return told("roads", bounds, inside ? [inside] : [], { inside: inside?.total ?? null, explain: ways.explain ?? null });
}

function facilities(answer) {
  const sections = sectionsOf(answer, CRITICAL);
  const known = sections.filter((one) => one.status === "ok" && one.total);
  if (!known.length) return missing("facilities", sections);
  const unknown = sections.filter((one) => !known.includes(one));
  return told("facilities", added(known.map((one) => one.total)), known, { unknown });
}

const MAKERS = { people, cropland, roads, facilities };

/** The four figures: people, cropland (m2), roads cut (m), critical facilities. */
export const keyFigures = (answer) => FIGURES.map((id) => MAKERS[id](answer));

/** What an entry (a severity class or a division) of a section adds to a figure. */
function valueIn(id, entry) {
  return id === "cropland" ? added((entry.rows ?? []).filter(isCropland)) : { value: entry.value, low: entry.low ?? null, high: entry.high ?? null };
}

function merged(id, sections, name, keyOf) {
  const found = new Map();
  for (const entry of sections.flatMap((one) => one[name])) {
    const { value, low, high } = valueIn(id, entry);
    const mine = found.get(keyOf(entry)) ?? { label: entry.label, level: entry.level ?? null, rank: entry.rank ?? null, code: entry.code ?? null, value: 0, low: 0, high: 0 };
    found.set(keyOf(entry), {
      ...mine, value: mine.value + value,
      low: isNumber(low) && mine.low !== null ? mine.low + low : null,
      high: isNumber(high) && mine.high !== null ? mine.high + high : null,
    });
  }
  return [...found.values()];
}

/** The rows of the bars of a figure: by severity class (the worst first) and by division (the most first). */
export function barsOf(figure) {
  const sections = figure.sections.filter((one) => one.status === "ok");
  const classes = merged(figure.id, sections, "classes", (one) => one.rank).toSorted((a, b) => a.rank - b.rank);
  const divisions = merged(figure.id, sections, "divisions", (one) => one.code).filter((one) => one.value > 0).toSorted((a, b) => b.value - a.value);
  return { classes, divisions };
}

/** Sections that list single features which people may want to see or reach. */
export const listedSections = (answer) => answer.sections.filter((one) => one.status === "ok" && one.features.length && one.role !== "settlement");

/** Settlements that the zone cuts off, lies on, or puts farther from help. */
export const cutOff = (answer) => answer.ways?.settlements ?? [];
