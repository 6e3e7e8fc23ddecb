"""Any JSON document as people read it: named facts, tables and sections instead of nested lists of keys."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from web.numbers import plain
from web.places import as_page
from web.texts import TEXTS, text

Json = Mapping[str, Any]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
_SHORT = 12
"""Most plain values that stand in one line."""
_WIDE = 9
"""Most columns of a table; entries with more become sections."""
_FINE, _EXACT = 1e-3, 1e12
"""Sizes between which numbers are written out."""
_LONG = 200
"""Characters of a text that a cell of a table takes."""
_SILENT = frozenset({"links", "titles", "geometry", "href", "marks", "$defs", "$schema", "$id"})
"""Members that a page shows otherwise, or that only programs need."""
_NOISE = frozenset({"process", "Feature", "FeatureCollection"})
"""Values of `type` that say nothing to people."""
_OURS = "level status state match kind mode action clearance outcome dataType relation verdict role"
_WORDED = frozenset(_OURS.split())
"""Members whose values are words of ours, which are spelt out."""


@dataclass(frozen=True)
class Cell:
    """One value: its text, and where it leads to."""

    text: str
    href: str | None = None
    number: bool = False
    code: bool = False


@dataclass(frozen=True)
class Fact:
    """A named value, or several of them."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Entries of one kind under each other; a row has a cell for each column, empty where there is nothing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]


@dataclass
class Section:
    """A part of a document: facts, perhaps a table, and parts of its own."""

    title: str = ""
    facts: list[Fact] = field(default_factory=list)
    table: Table | None = None
    parts: list[Section] = field(default_factory=list)
    href: str | None = None
    empty: bool = False


@dataclass(frozen=True)
class Reader:
    """Who reads: in which language, and where the service's root is."""

    language: str
    root: str

    def label(self, key: str) -> str:
        """The name of a member; one that has no word of ours is written as it is, without its underscores."""
        known = f"field_{key}"
        if known in TEXTS:
            return text(known, self.language)
        return key.replace("_", " ")

    def cell(self, key: str, value: Any) -> Cell:
        """A plain value."""
        if value is None or value == "":
            return Cell("")
        if isinstance(value, bool):
            return Cell(text("yes" if value else "no", self.language))
        if isinstance(value, int | float):
            return Cell(number(value), number=True)
        return self._worded(key, str(value))

    def _worded(self, key: str, value: str) -> Cell:
        if value.startswith(("http://", "https://")) and "{" not in value:
            return Cell(value, as_page(value, self.root, self.language))
        word = f"value_{value}"
        if key in _WORDED and word in TEXTS:
            return Cell(text(word, self.language))
        if _MOMENT.fullmatch(value):
            return Cell(minute(value))
        return Cell(value)

    def section(self, body: Json, title: str = "") -> Section:
        """A mapping as a section."""
        target = _target(body) if title else None
        made = Section(title, href=as_page(target, self.root, self.language) if target else None)
        for key, value in body.items():
            if key not in _SILENT and not (key == "type" and isinstance(value, str) and value in _NOISE):
                self._place(made, key, self._spoken(value))
        made.empty = not (made.facts or made.table or made.parts)
        return made

    def _spoken(self, value: Any) -> Any:
        """A text in both languages as the one of the reader."""
        if isinstance(value, Mapping) and value and set(value) <= {"zh", "en"}:
            return value.get(self.language) or value.get("en") or value.get("zh")
        return value

    def _place(self, made: Section, key: str, value: Any) -> None:
        label = self.label(key)
        if isinstance(value, Mapping):
            part = self.section(value, label)
            if not part.empty:
                made.parts.append(part)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            self._listed(made, key, value)
        elif value is not None and value != "":
            made.facts.append(Fact(label, (self.cell(key, value),)))

    def _listed(self, made: Section, key: str, values: Sequence[Any]) -> None:
        label = self.label(key)
        if not values:
            made.facts.append(Fact(label, (Cell(text("none_listed", self.language)),)))
        elif all(isinstance(one, Mapping) for one in values):
            made.parts.append(self._entries(label, values))
        elif all(_is_plain(one) for one in values):
            made.facts.append(Fact(label, tuple(self.cell(key, one) for one in values)))
        else:
            made.facts.append(Fact(label, tuple(Cell(_row(one)) for one in values)))

    def _entries(self, label: str, values: Sequence[Json]) -> Section:
        """Entries of one kind: a table when they are plain, sections otherwise."""
        names = list(dict.fromkeys(key for one in values for key in one if key not in _SILENT))
        names = [n for n in names if any(one.get(n) not in (None, "", [], {}) for one in values)]
        flat = all(_is_plain(self._spoken(one.get(n))) or _is_short(one.get(n)) for one in values for n in names)
        if flat and 0 < len(names) <= _WIDE:
            return Section(label, table=self._table(names, values))
        parts = [self.section(one, self._named(one, place)) for place, one in enumerate(values, start=1)]
        return Section(label, parts=parts)

    def _named(self, one: Json, place: int) -> str:
        found = self._spoken(one.get("titles")) or one.get("title") or one.get("name") or one.get("id")
        return str(self._spoken(found) or place)

    def _table(self, names: list[str], values: Sequence[Json]) -> Table:
        rows = []
        for one in values:
            target = _target(one)
            href = as_page(target, self.root, self.language) if target else None
            cells = [self._joined(name, self._spoken(one.get(name))) for name in names]
            if href is not None:
                cells[0] = Cell(cells[0].text or href, href)
            rows.append(tuple(cells))
        numeric = tuple(any(row[n].number for row in rows) for n in range(len(names)))
        return Table(tuple(self.label(name) for name in names), tuple(rows), numeric)

    def _joined(self, key: str, value: Any) -> Cell:
        if isinstance(value, Sequence) and not isinstance(value, str):
            return Cell(", ".join(self.cell(key, one).text for one in value))
        cell = self.cell(key, value)
        return Cell(f"{cell.text[:_LONG]}…") if len(cell.text) > _LONG and cell.href is None else cell


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_short(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= _SHORT and all(_is_plain(one) for one in value)


def _row(value: Any) -> str:
    """A list in a list, as coordinates are, in one line."""
    if isinstance(value, list):
        return ", ".join(_row(one) for one in value)
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def number(value: float) -> str:
    """A number to the millionth, which is a decimetre in degrees; very large and very small ones by their digits."""
    if isinstance(value, float) and _FINE <= abs(value) < _EXACT:
        return f"{value:,.6f}".rstrip("0").rstrip(".")
    return plain(value)


def _target(one: Json) -> str | None:
    """Where an entry itself is found."""
    links = one.get("links")
    known = {each["rel"]: each["href"] for each in reversed(links)} if isinstance(links, list) else {}
    known["href"] = one.get("href")
    return next((str(known[rel]) for rel in ("href", "self", "item", "stylesheet") if known.get(rel)), None)


def minute(value: str) -> str:
    """An instant (ISO 8601) to the minute, in UTC; any other text as it is."""
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return value
    if moment.tzinfo is None:
        return value
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
