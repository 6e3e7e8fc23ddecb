"""The figures of an answer as flat rows, for workbooks and tables: one row per figure, numbers as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
NAMES = (
    "layer", "layer_zh", "layer_en", "figure", "class_rank", "class_code", "division", "division_zh", "division_en",
    "group_code", "group_zh", "group_en", "value", "low", "high", "count", "unit", "ha", "mu",
)  # fmt: skip
"""Columns of the rows of figures, in their order."""
NUMBERS = frozenset({"class_rank", "value", "low", "high", "count", "ha", "mu"})


def figures(section: Json) -> Iterator[Json]:
    """The figures of a section of an impact answer: total, capacity, classes, divisions, groups."""
    ground = {"layer": section["layer"], **_text("layer", section.get("title")), "unit": section["unit"]}
    if section["status"] != "ok":
        yield {**ground, "figure": section["status"]}
        return
    if section.get("total"):
        yield {**ground, "figure": "total", **_numbers(section["total"])}
    if held := section.get("capacity"):
        yield {**ground, "figure": "capacity", **_text("group", held["title"]), **_numbers(held), "unit": held["unit"]}
    for name, members in (("parent group", "groups"), ("group", "rows")):
        yield from ({**ground, "figure": name, **_group(one)} for one in section.get(members, ()))
    yield from _classes(section, ground)
    yield from _divisions(section, ground)


def _classes(section: Json, ground: Json) -> Iterator[Json]:
    for one in section.get("classes", ()):
        told = {**ground, "class_rank": one["rank"], "class_code": one["code"]}
        yield {**told, "figure": "class", **_numbers(one)}
        for row in one.get("rows", ()):
            yield {**told, "figure": "class, group", **_group(row)}


def _divisions(section: Json, ground: Json) -> Iterator[Json]:
    for one in section.get("divisions", ()):
        told = {**ground, "division": one.get("code"), **_text("division", one.get("label"))}
        yield {**told, "figure": "division", **_numbers(one)}
        for row in one.get("classes", ()):
            yield {**told, "figure": "division, class", "class_rank": row["rank"], **_numbers(row)}
        for row in one.get("rows", ()):
            yield {**told, "figure": "division, group", **_group(row)}


def overlaps(section: Json) -> Iterator[Json]:
    """The overlaps of a section of a compliance answer; areas in m2."""
    ground = {"layer": section["layer"], **_text("layer", section.get("title")), "unit": "m2"}
    if section["status"] != "ok":
        yield {**ground, "figure": section["role"] + ": " + section["status"]}
    for one in section.get("rows", ()):
        yield {**ground, "figure": section["role"], **_group({**one, "value": one["m2"]})}


def figures_of(answer: Json, kind: str) -> Iterator[Json]:
    """All figures of an answer."""
    for section in answer["sections"]:
        yield from figures(section) if kind == "impact" else overlaps(section)


def features_of(answer: Json) -> Iterator[tuple[str, Json]]:
    """The listed features of an answer, with the layer of each."""
    for section in answer["sections"]:
        for one in section.get("features", ()):
            yield section["layer"], one


def _group(row: Mapping[str, Any]) -> Json:
    return {"group_code": row.get("code"), **_text("group", row.get("label")), **_numbers(row)}


def _numbers(figure: Mapping[str, Any]) -> Json:
    return {
        name: figure[name] for name in ("value", "low", "high", "count", "ha", "mu") if figure.get(name) is not None
    }


def _text(name: str, value: Any) -> Json:
    return {f"{name}_zh": value.get("zh"), f"{name}_en": value.get("en")} if value else {}
