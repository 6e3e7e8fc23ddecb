"""Names as they were at an instant.

The index of names is of today. A feature whose names have not changed since is found by it; those that bore other
names then, or are gone, are read from the history of their layers.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer.entries import Entry, entries, name_attributes, needed
from geoservice.gazetteer.surroundings import Gazetteer, attribute, visible
from layers.access import Decision
from layers.model import VectorLayer
from layers.table import AS_OF, at_instant, current_table, held, history_table

MOST_FORMER = 5_000
"""Rows of a layer with names of then that are looked through; of more the first ones by their numbers."""


@dataclass(frozen=True, slots=True)
class Former:
    """What bore another name at an instant, or is gone since.

    Attributes:
        features: Layers and numbers of the features; what the index says of them is not of then.
        rows: Their names, as the index would have them: layer, fid, attribute, name, terms, sound, importance, adcode,
            lon and lat.
    """

    features: frozenset[tuple[str, int]]
    rows: Sequence[Mapping[str, Any]]


async def former_names(
    gazetteer: Gazetteer, layers: Iterable[tuple[VectorLayer, Decision]], instant: dt.datetime
) -> Former:
    """The names of an instant that the rows of today do not have.

    Args:
        gazetteer: The surroundings.
        layers: The layers that are searched, with what the asker may see of them.
        instant: The instant of system time.
    """
    features: set[tuple[str, int]] = set()
    made: list[Mapping[str, Any]] = []
    for layer, decision in layers:
        shape = ("former", layer.name, decision.attributes)
        rows = await gazetteer.fetch(shape, lambda la=layer, de=decision: _former(la, de), {AS_OF: instant})  # type: ignore[misc]
        features |= {(layer.name, row["fid"]) for row in rows}
        made += await asyncio.to_thread(_indexed, layer, rows)
    return Former(frozenset(features), made)


async def standing_then(
    gazetteer: Gazetteer, layer: VectorLayer, decision: Decision, fids: list[int], instant: dt.datetime
) -> dict[int, asyncpg.Record]:
    """Rows of a layer by feature number as they were: key, what entries are made from, and a point (lon, lat)."""
    if not fids:
        return {}

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        wanted = table.c.fid == sa.any_(sa.bindparam("fids", type_=ARRAY(sa.BigInteger())))
        return _rows(layer, table, decision).where(wanted)

    shape = ("standing then", layer.name, decision.attributes)
    values = {"fids": fids, AS_OF: instant}
    rows = await gazetteer.fetch(shape, lambda: held(layer, rows_of, past=True), values)
    return {row["fid"]: row for row in rows}


def entry_of(layer: VectorLayer, row: Mapping[str, Any], name: str) -> Entry | None:
    """What the index would say of a name of a row; None when the row has no such name."""
    return next((one for one in entries(layer, row) if one.name == name), None)


def _rows(layer: VectorLayer, table: sa.Table, decision: Decision) -> sa.Select[Any]:
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    spot = sa.case((sa.not_(sa.func.ST_IsEmpty(geom)), sa.func.ST_PointOnSurface(geom)))
    place = (sa.func.ST_X(spot).label("lon"), sa.func.ST_Y(spot).label("lat"))
    names = [attribute(table, decision, name) for name in _told(layer)]
    fixed = [table.c[name] for name in ("fid", "key", "_edition", "_clearance")]
    return sa.select(*fixed, *names, *place).where(visible(table, decision))


def _told(layer: VectorLayer) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*needed(layer), *((layer.label.zh, layer.label.en) if layer.label else ())]))


def _former(layer: VectorLayer, decision: Decision) -> sa.Select[Any]:
    """Rows that held at the bound instant, and whose features do not have the same names today."""
    history, current = history_table(layer), current_table(layer)
    seen = [name for name in name_attributes(layer) if name in decision.attributes]
    alike = [current.c[name].is_not_distinct_from(history.c[name]) for name in seen]
    # Named, because readers may not select every column of a row.
    same = sa.select(current.c.fid).where(current.c.fid == history.c.fid, visible(current, decision), *alike)
    then = (history.c["_valid_from"] <= at_instant(), history.c["_valid_to"] > at_instant())
    bears = sa.or_(sa.false(), *(history.c[name].is_not(None) for name in seen))
    found = _rows(layer, history, decision).where(*then, bears, sa.not_(same.exists()))
    return found.order_by(history.c.fid).limit(MOST_FORMER)


def _indexed(layer: VectorLayer, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [_as_index(layer, one) for row in rows for one in entries(layer, row)]


def _as_index(layer: VectorLayer, one: Entry) -> Mapping[str, Any]:
    lon, lat = one.point or (None, None)
    packed = "".join(f"\n{term.form:d}{term.text}" for term in one.terms)
    facts = {"fid": one.fid, "attribute": one.attribute, "name": one.name, "sound": one.sound, "adcode": one.adcode}
    return {**facts, "layer": layer.name, "terms": packed, "importance": one.importance, "lon": lon, "lat": lat}
