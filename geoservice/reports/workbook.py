"""The workbook of a report: a sheet of key figures, one per layer, and one that says what the file is."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from geoservice.formats.workbook import Sheet
from geoservice.reports.flat import NAMES, figures, overlaps
from geoservice.reports.manifest import Json, Manifest

_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_MOST_NAME = 31
_WIDE, _NARROW = 24.0, 12.0
_WORDS = {"zh": ("要点", "可达性", "需求", "规则", "关于"), "en": ("Key", "Ways", "Needs", "Rules", "About")}


class _Book:
    """A workbook whose sheets have names of their own."""

    def __init__(self) -> None:
        self.book: Any = importlib.import_module("openpyxl").Workbook(write_only=True)
        self._names: set[str] = set()

    def sheet(self, title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add a sheet."""
        sheet = Sheet(self.book, self._named(title))
        sheet.look(
            [_NARROW if name in ("value", "low", "high", "count", "ha", "mu", "unit") else _WIDE for name in head]
        )
        sheet.append(head)
        for row in rows:
            sheet.append(row)

    def _named(self, title: str) -> str:
        plain = _FORBIDDEN.sub(" ", title).strip()[:_MOST_NAME] or "-"
        name, number = plain, 2
        while name.lower() in self._names:
            name = f"{plain[: _MOST_NAME - 4]} {number}"
            number += 1
        self._names.add(name.lower())
        return name


def write_workbook(manifest: Manifest, answer: Json) -> bytes:
    """The workbook of a report (XLSX); numbers are numbers, texts are never formulas."""
    book, language = _Book(), manifest.language
    key, ways, needs, rules, about = _WORDS[language]
    book.sheet(key, ("name", "value", "low", "high", "unit"), list(_key(answer, manifest.kind, language)))
    if answer.get("rules"):
        head = ("id", "rule", "verdict", "m2", "ha", "mu", "text", "source")
        book.sheet(rules, head, [_rule(one, language) for one in answer["rules"]])
    for section in answer["sections"]:
        rows = figures(section) if manifest.kind == "impact" else overlaps(section)
        title = section["title"][language]
        shown = [name for name in NAMES if not name.endswith("_en" if language == "zh" else "_zh")]
        book.sheet(title, shown, [[row.get(name) for name in shown] for row in rows])
        if section.get("features"):
            book.sheet(f"{title} ·", *_features(section["features"], language))
    if answer.get("needs"):
        book.sheet(
            needs, ("name", "value", "low", "high", "unit", "ratio", "source"), _needs(answer["needs"], language)
        )
    if (answer.get("ways") or {}).get("settlements"):
        book.sheet(ways, *_settlements(answer["ways"]["settlements"], language))
    book.sheet(about, ("name", "value"), _about(manifest))
    out = BytesIO()
    book.book.save(out)
    return out.getvalue()


def _key(answer: Json, kind: str, language: str) -> Iterable[Sequence[Any]]:
    if kind == "compliance":
        area = answer["red_line"]["area"]
        yield "verdict", answer["verdict"], None, None, None
        yield from (("red line", area[unit], None, None, unit) for unit in ("m2", "ha", "mu"))
        return
    people = answer.get("people")
    if people:
        yield "people", people["value"], people.get("low"), people.get("high"), "1"
    for one in answer["zone"]["classes"]:
        yield one["label"][language], one["area_m2"], one.get("low_m2"), one.get("high_m2"), "m2"
    yield "zone", answer["zone"]["area_m2"], None, None, "m2"
    for section in answer["sections"]:
        total = section.get("total") or {}
        yield section["title"][language], *(total.get(n) for n in ("value", "low", "high")), section["unit"]


def _rule(one: Json, language: str) -> Sequence[Any]:
    area = one.get("area") or {}
    sizes = (area.get("m2"), area.get("ha"), area.get("mu"))
    return one["id"], one["title"][language], one["verdict"], *sizes, one["text"][language], one["source"]


def _features(features: Sequence[Json], language: str) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    names = list(dict.fromkeys(name for one in features for name in one.get("attributes", {})))
    rows = (
        [one["id"], one["label"][language], one["lon"], one["lat"], *(one["attributes"].get(name) for name in names)]
        for one in features
    )
    return ["id", "name", "lon", "lat", *names], rows


def _needs(needs: Sequence[Json], language: str) -> Iterable[Sequence[Any]]:
    for one in needs:
        bounds = (one["value"], one["low"], one["high"])
        yield one["title"][language], *bounds, one["unit"], one["ratio"], one["source"]


def _settlements(settlements: Sequence[Json], language: str) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    plain = ("id", "lon", "lat", "people", "situation", "nearest", "minutes", "minutes_before")
    rows = ([one["label"][language], *(one.get(name) for name in plain)] for one in settlements)
    return ["name", *plain], rows


def _about(manifest: Manifest) -> Iterable[Sequence[Any]]:
    told = manifest.model_dump(mode="json", exclude={"question", "inputs", "files"})
    yield from told.items()
    for one in manifest.inputs:
        edition = one.edition
        yield f"input {one.layer}", f"edition {edition.number} of {edition.committed.isoformat()}, {edition.source}"
