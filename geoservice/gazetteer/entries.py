"""From rows of a layer to entries of the index of names. Pure: rows come in, values for tables go out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from geoservice.gazetteer import codes
from geoservice.gazetteer.spelling import LONGEST_NAME, Term, fold, sound, terms
from layers.access import Clearance
from layers.errors import BadParameter
from layers.model import VectorLayer
from layers.naming import Named

FORMAT = 1
"""How entries are made; it rises with every change, and indexes of another format are made anew."""
DIVISION_CLASS = "division"
_SEPARATOR = re.compile(r"[;；|]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of one feature.

    Attributes:
        clearance: From which clearance on it may be found: the higher one of its row and its attribute.
        fid: Number of the feature.
        edition: The edition that wrote the row.
        attribute: The attribute that holds the name.
        name: The name as it is written.
        terms: What it is found by.
        sound: The name in plain ASCII, for names that sound alike.
        importance: From 0 to 1.
        adcode: Canonical code of its division, if the row names one.
        point: Longitude and latitude in degrees of a point on the feature; None without a geometry.
    """

    clearance: Clearance
    fid: int
    edition: int
    attribute: str
    name: str
    terms: tuple[Term, ...]
    sound: str
    importance: float
    adcode: str | None
    point: tuple[float, float] | None


def named(layer: VectorLayer) -> Named:
    """How the names of a layer are found.

    Raises:
        LookupError: When the layer has none; callers choose layers that have.
    """
    if layer.names is None:
        raise LookupError(f"the layer {layer.id} names nothing")
    return layer.names


def name_attributes(layer: VectorLayer) -> dict[str, bool]:
    """The attributes that hold names, and whether they hold aliases."""
    label = layer.label
    found = {label.zh: False, label.en: False} if label is not None else {}
    return found | {name: True for name in named(layer).aliases if name not in found}


def needed(layer: VectorLayer) -> tuple[str, ...]:
    """All attributes that entries are made from."""
    how = named(layer)
    further = [name for name in (how.by, how.division) if name is not None]
    return tuple(dict.fromkeys([*name_attributes(layer), *further]))


def digest(layer: VectorLayer) -> str:
    """Digest of everything about a layer that its entries depend on."""
    levels = {name: int(layer.attributes[name].effective_clearance(layer)) for name in needed(layer)}
    told = f"{FORMAT} {named(layer).model_dump_json()} {list(name_attributes(layer).items())} {levels}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def entries(layer: VectorLayer, row: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of one row.

    Args:
        layer: The layer.
        row: `fid`, `_edition`, `_clearance`, `lon`, `lat` and the attributes that are needed.
    """
    how = named(layer)
    importance = how.weight(row[how.by] if how.by is not None else None)
    adcode = _code(row[how.division]) if how.division is not None else None
    point = (row["lon"], row["lat"]) if row["lon"] is not None else None
    seen: set[str] = set()
    for attribute, alias in name_attributes(layer).items():
        level = max(Clearance(row["_clearance"]), layer.attributes[attribute].effective_clearance(layer))
        for name in _names(row[attribute], alias=alias):
            if name in seen:
                continue
            seen.add(name)
            found = terms(name, alias=alias, division=how.class_ == DIVISION_CLASS)
            heard = sound(fold(name[:LONGEST_NAME]))
            facts = (row["fid"], row["_edition"], attribute, name, found, heard, importance, adcode, point)
            if found:
                yield Entry(level, *facts)


def _names(value: object, *, alias: bool) -> list[str]:
    if value is None:
        return []
    text = str(value)
    parts = _SEPARATOR.split(text) if alias else [text]
    return [part.strip() for part in parts if part.strip()]


def _code(value: object) -> str | None:
    try:
        return None if value is None else codes.canonical(str(value))
    except BadParameter:
        return None
