"""Tables of reports: an impact answer as what people read, numbers with units and without false digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.numbers import percent, plain
from web.texts import text as say

Json = dict[str, Any]
Titles = Mapping[str, Mapping[str, Json]]
"""Bilingual titles of attributes by layer."""
MOST_ROWS = 40
"""Rows of a table on paper; the workbook has them all."""
_MOST_COLUMNS = 6
_FEW_ATTRIBUTES = 4
_SQUARE_KILOMETRE, _HECTARE, _KILOMETRE = 1e6, 1e4, 1e3
_LARGE, _LEAST = 100.0, 0.05
_FIRST = ("population", "settlement", "building", "road", "land", "facility", "dam", "railway", "protected")
"""Roles in the order in which divisions are compared by them."""
SHADES = ("#8c1d18", "#c9402a", "#e8784a", "#f2ad74", "#f8d9ae", "#fbeed9")
"""Colours of severity, from the worst class on; where there are more classes the last one is repeated."""


@dataclass(frozen=True, slots=True)
class Column:
    """Heading of a column, and whether it holds numbers."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its cells, the share (0 to 1) that its bar shows, a colour of its own, whether it is a sum."""

    cells: tuple[str, ...]
    share: float | None = None
    colour: str | None = None
    total: bool = False
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table: caption, columns, rows, what is said below it. `bars` puts a bar beside the numbers."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    bars: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is seen first: heading, value with its unit, what stands below."""

    title: str
    value: str
    below: str = ""


UNHURT = "#5d6b7a"
"""Colour of where was looked for danger in vain."""


def shade(rank: int) -> str:
    """Colour of a severity class."""
    return SHADES[min(max(rank, 1), len(SHADES)) - 1]


def words(value: Json | None, language: str) -> str:
    """A bilingual text of an answer."""
    if not value:
        return ""
    return str(value.get("zh" if language == "zh" else "en") or value.get("en") or "")


def amount(value: float | None, unit: str, language: str) -> str:
    """A figure with its unit: areas in km2 or ha, lengths in km, what is counted or summed as a whole number."""
    if value is None:
        return "–"
    if unit == "m2":
        large = abs(value) >= _SQUARE_KILOMETRE * _LARGE
        size, name = (value / _SQUARE_KILOMETRE, "km2") if large else (value / _HECTARE, "ha")
        return f"{_short(size)} {say(f'report_unit_{name}', language)}"
    if unit == "m":
        return f"{_short(value / _KILOMETRE)} {say('report_unit_km', language)}"
    if is_people(unit):
        return f"{round(value):,} {say('report_unit_people', language)}"
    return plain(float(value)) if unit == "1" else f"{plain(float(value))} {unit}"


def is_people(unit: str) -> bool:
    """Whether a unit counts people."""
    return "people" in unit or unit == "人"


def between(figure: Json, unit: str, language: str) -> str:
    """The bounds of a figure in words; empty where they are not known."""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return ""
    ends = [amount(one, unit, language) for one in sorted((low, high))]
    if ends[0] == ends[1]:
        return ""
    return say("report_range", language).format(**dict(zip(("low", "high"), ends, strict=True)))


def _short(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) < _LEAST:
        return f"< {_LEAST:g}"
    return f"{value:,.0f}" if abs(value) >= _LARGE * 10 else f"{value:,.1f}" if abs(value) >= 1 else plain(value)


def answered(answer: Json) -> list[Json]:
    """The sections that have figures."""
    return [one for one in answer["sections"] if one["status"] == "ok" and one.get("total")]


def tiles(answer: Json, language: str) -> list[Tile]:
    """What is said first: people, area, and totals of the layers that matter most."""
    found = []
    people = answer.get("people")
    if people is not None:
        unit = "people"
        said = amount(people["value"], unit, language)
        found.append(Tile(say("report_people", language), said, between(people, unit, language)))
    found.append(_area_tile(answer["zone"], language))
    for section in answered(answer):
        # People and settlements were told already.
        if section["role"] not in ("population", "settlement", "land", "protected"):
            below = _capacity(section, language) or between(section["total"], section["unit"], language)
            value = amount(section["total"]["value"], section["unit"], language)
            found.append(Tile(words(section["title"], language), value, below))
    return [*found[:9], *_ways_tiles(answer.get("ways"), language)]


def _area_tile(zone: Json, language: str) -> Tile:
    classes = zone["classes"]
    bounds = {}
    if classes and all(one.get("low_m2") is not None and one.get("high_m2") is not None for one in classes):
        bounds = {name: sum(one[f"{name}_m2"] for one in classes) for name in ("low", "high")}
    below = between(bounds, "m2", language)
    return Tile(say("report_area", language), amount(zone["area_m2"], "m2", language), below)


def _ways_tiles(ways: Json | None, language: str) -> Iterator[Tile]:
    if ways is None or ways["status"] != "ok":
        return
    yield Tile(say("report_cut", language), amount(ways["closed_m"], "m", language))
    people = say("report_isolated_people", language).format(n=f"{round(ways['isolated_people']):,}")
    yield Tile(say("report_isolated", language), str(ways["isolated"]), people if ways["isolated"] else "")


def _capacity(section: Json, language: str) -> str:
    held = section.get("capacity")
    if not held:
        return ""
    said = say("report_capacity", language).format(
        title=words(held["title"], language), n=amount(held["value"], held["unit"], language)
    )
    return said + (say("report_capacity_unknown", language).format(n=held["unknown"]) if held.get("unknown") else "")


def zone_table(zone: Json, language: str) -> Table:
    """The severity classes and their areas."""
    rows = []
    whole = zone["area_m2"] or 1.0
    for one in zone["classes"]:
        bounds = {"low": one.get("low_m2"), "high": one.get("high_m2")}
        area = amount(one["area_m2"], "m2", language)
        cells = (words(one["label"], language), area, between(bounds, "m2", language))
        rows.append(Row(cells, one["area_m2"] / whole, shade(one["rank"])))
    rows.append(Row((say("report_total", language), amount(zone["area_m2"], "m2", language), ""), total=True))
    heads = (("report_class", False), ("report_area", True), ("report_low_high", True))
    return Table(say("report_classes", language), _columns(heads, language), tuple(rows), bars=True)


def people_table(answer: Json, language: str) -> Table | None:
    """People by class, as bars; None where nothing says how many."""
    people = answer.get("people")
    section = next((one for one in answered(answer) if people and one["layer"] == people["layer"]), None)
    if section is None or not section.get("classes"):
        return None
    most = max((one["value"] for one in section["classes"]), default=0.0) or 1.0
    rows = tuple(
        Row(
            (words(one["label"], language), amount(one["value"], "people", language)),
            one["value"] / most,
            shade(one["rank"]),
        )
        for one in section["classes"]
    )
    heads = (("report_class", False), ("report_inhabitants", True))
    note = words(section.get("note"), language)
    return Table(
        say("report_people_by_class", language), _columns(heads, language), rows, (note,) if note else (), bars=True
    )


def overview(answer: Json, language: str) -> Table:
    """All layers with figures: total, bounds, and what lies in each class."""
    classes = answer["zone"]["classes"][:_MOST_COLUMNS]
    single = len(classes) < 2  # noqa: PLR2004 - one class says what the total says
    rows = []
    for section in answered(answer):
        told = {one["rank"]: one["value"] for one in section.get("classes", ())}
        unit = section["unit"]
        cells = [words(section["title"], language), amount(section["total"]["value"], unit, language)]
        cells.append(between(section["total"], unit, language))
        cells += [] if single else [amount(told.get(one["rank"], 0.0), unit, language) for one in classes]
        rows.append(Row(tuple(cells)))
    heads = [Column(say("report_object", language)), Column(say("report_total", language), number=True)]
    heads.append(Column(say("report_low_high", language), number=True))
    heads += [] if single else [Column(words(one["label"], language), number=True) for one in classes]
    return Table(say("report_overview", language), tuple(heads), tuple(rows), (say("report_overview_note", language),))


def divisions(answer: Json, language: str) -> Table | None:
    """Divisions with the layers that matter most, those with the greatest figures first."""
    order = {role: place for place, role in enumerate(_FIRST)}
    sections = [one for one in answered(answer) if one.get("divisions")]
    sections.sort(key=lambda one: order.get(one["role"], len(order)))
    chosen = sections[:_MOST_COLUMNS]
    if not chosen:
        return None
    names: dict[str | None, str] = {}
    told = [{one.get("code"): one for one in section["divisions"]} for section in chosen]
    for figures in told:
        names |= {code: words(one["label"], language) for code, one in figures.items() if code not in names}
    listed = sorted(
        names, key=lambda code: (code is None, *(-_value(figures.get(code)) for figures in told), code or "")
    )
    rows = [
        Row(
            (
                names[code] or say("report_outside", language),
                *(_cell(f.get(code), s["unit"], language) for f, s in zip(told, chosen, strict=True)),
            )
        )
        for code in listed
    ]
    heads = [
        Column(say("report_division", language)),
        *(Column(words(s["title"], language), number=True) for s in chosen),
    ]
    return cut(Table(say("report_divisions", language), tuple(heads), tuple(rows)), language)


def _value(figure: Json | None) -> float:
    return 0.0 if figure is None else float(figure["value"])


def _cell(figure: Json | None, unit: str, language: str) -> str:
    return "0" if figure is None else amount(figure["value"], unit, language)


def details(answer: Json, language: str, titles: Titles) -> list[Table]:
    """A table per layer that tells groups or lists features; `titles` has those of attributes by layer."""
    made = []
    for section in answered(answer):
        groups = section.get("groups") or section.get("rows") or ()
        if groups:
            made.append(_grouped(section, groups, language))
        if section.get("features"):
            made.append(_listed(section, language, titles.get(section["layer"], {})))
    return made


def _grouped(section: Json, groups: Sequence[Json], language: str) -> Table:
    unit, whole = section["unit"], section["total"]["value"] or 1.0
    area = unit == "m2"
    rows = []
    for one in groups:
        share = min(max(one["value"] / whole, 0.0), 1.0)
        cells = [words(one["label"], language), amount(one["value"], unit, language)]
        cells += [f"{one['mu']:,.2f}"] if area and one.get("mu") is not None else ["–"] if area else []
        rows.append(Row((*cells, percent(share)), share))
    heads = [Column(say("report_group", language)), Column(say("report_total", language), number=True)]
    heads += [Column(say("report_mu", language), number=True)] if area else []
    heads.append(Column(say("report_share", language), number=True))
    notes = tuple(filter(None, (words(section.get("note"), language), _capacity(section, language))))
    return cut(Table(words(section["title"], language), tuple(heads), tuple(rows), notes, bars=True), language)


def _listed(section: Json, language: str, titles: Mapping[str, Json]) -> Table:
    features = section["features"]
    names = list(dict.fromkeys(name for one in features for name in one.get("attributes", {})))[:_FEW_ATTRIBUTES]
    rows = [
        Row((words(one.get("label"), language) or one["id"], *(plain(one["attributes"].get(n, "")) for n in names)))
        for one in features
    ]
    heads = [Column(say("report_name", language)), *(Column(words(titles.get(n), language) or n) for n in names)]
    total = section.get("features_total") or len(features)
    said = say("report_listed", language).format(n=min(len(features), MOST_ROWS), total=total)
    notes = tuple(filter(None, (said, _capacity(section, language))))
    return cut(Table(words(section["title"], language), tuple(heads), tuple(rows), notes), language, told=True)


def ways_table(ways: Json, language: str) -> Table | None:
    """Settlements whose ways are cut."""
    settlements = ways.get("settlements") or ()
    if not settlements:
        return None
    rows = []
    for one in settlements:
        minutes = "–" if one.get("minutes") is None else plain(one["minutes"])
        before = "" if one.get("minutes_before") is None else f" ({plain(one['minutes_before'])})"
        people = "–" if one.get("people") is None else f"{round(one['people']):,}"
        situation = say(f"report_situation_{one['situation']}", language)
        nearest = words(one.get("nearest_label"), language) or "–"
        rows.append(Row((words(one["label"], language), situation, people, nearest, minutes + before)))
    heads = (
        ("report_name", False), ("report_situation", False), ("report_inhabitants", True),
        ("report_nearest", False), ("report_minutes", True),
    )  # fmt: skip
    return cut(Table(say("report_ways", language), _columns(heads, language), tuple(rows)), language)


def needs_table(needs: Sequence[Json], language: str) -> Table | None:
    """What people need."""
    if not needs:
        return None
    rows = tuple(
        Row(
            (
                words(one["title"], language),
                f"{round(one['value']):,} {'' if one['unit'] == '1' else one['unit']}".strip(),
                say("report_range", language).format(low=f"{round(one['low']):,}", high=f"{round(one['high']):,}"),
                plain(one["ratio"]),
                one["source"],
            )
        )
        for one in needs
    )
    heads = (
        ("report_need", False), ("report_need_value", True), ("report_low_high", True),
        ("report_ratio", True), ("report_source", False),
    )  # fmt: skip
    return Table(say("report_needs", language), _columns(heads, language), rows)


def missing(answer: Json, language: str) -> Table | None:
    """Layers without figures, and why."""
    rows = tuple(
        Row(
            (
                words(one["title"], language),
                words(one.get("note"), language) or say("report_verdict_no-data", language),
            )
        )
        for one in answer["sections"]
        if one["status"] != "ok"
    )
    heads = (("report_object", False), ("report_note", False))
    note = (say("report_missing_note", language),)
    return Table(say("report_missing", language), _columns(heads, language), rows, note) if rows else None


def cut(table: Table, language: str, *, told: bool = False) -> Table:
    """A table that fits on paper: the first rows, and how many more there are (where that is not told already)."""
    rest = len(table.rows) - MOST_ROWS
    if rest <= 0:
        return table
    more = () if told else (say("report_more_rows", language).format(n=rest),)
    return Table(table.caption, table.columns, table.rows[:MOST_ROWS], (*table.notes, *more), table.bars)


def _columns(heads: Sequence[tuple[str, bool]], language: str) -> tuple[Column, ...]:
    return tuple(Column(say(key, language), number) for key, number in heads)
