"""Drafts as rows of the tables, but for readings, which `geoservice.observations.write` writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from geoservice.sensorthings.draft import unit_code, wkb_of
from layers.crs import STORAGE_SRID

_PLAIN = {
    "name": "name",
    "description": "description",
    "properties": "properties",
    "encodingType": "encoding",
    "metadata": "metadata",
    "definition": "definition",
    "observationType": "observation_type",
    "time": "since",
}


def columns_of(values: Mapping[str, Any], encoding: str | None = None) -> dict[str, Any]:
    """Values of the columns that properties are kept in.

    Args:
        values: Properties of a draft.
        encoding: The encoding type of a place that is changed and keeps it.

    Raises:
        BadGeometry: When a place is no geometry.
    """
    found: dict[str, Any] = {}
    encoding = values.get("encodingType") or encoding or ""
    for name, value in values.items():
        if name in _PLAIN:
            # A null of JSON is no null of SQL: it means here that there is none.
            found[_PLAIN[name]] = sa.null() if value is None else value
        else:
            found |= _SPECIAL[name](value, encoding)
    return found


def _place(value: Any, encoding: str) -> dict[str, Any]:
    drawn = wkb_of(encoding, value)
    geom = sa.null() if drawn is None else sa.func.ST_GeomFromWKB(sa.literal(drawn, sa.LargeBinary()), STORAGE_SRID)
    return {"geojson": value, "geom": geom}


def _unit(value: Mapping[str, str | None], _: str) -> dict[str, Any]:
    kept = {f"unit_{part}": text for part, text in value.items()}
    return {**kept, "unit": unit_code(value)}


_SPECIAL: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "location": _place,
    "feature": _place,
    "unitOfMeasurement": _unit,
}
