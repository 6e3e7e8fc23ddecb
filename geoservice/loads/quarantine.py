"""Quarantine over HTTP: who may see it, a page of it, one row, mending, giving up. Blocking; for worker threads.

A row of quarantine holds everything its source said, so it is for those who may load the layer and are cleared for all
that a source of it may hold. The writer's role reads it: the roles of readers may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.db.writing import Writer
from geoservice.loads.view import highest_clearance, may_load
from ingest.exporting import parse_geometry
from ingest.raw import RawRow
from ingest.set_aside import SetAside, Wanted, as_written, dismiss, facts_of, mend, row, rows
from layers.access import Principal
from layers.errors import NotAllowed, NotAuthenticated, RowSettled, UnknownRow
from layers.model import Layer
from layers.system import quarantine

MOST_BYTES = 64 << 20
"""An export ends before the row that would make its content larger than this; the next page goes on there."""
_FACTS = (
    "id",
    "source",
    "sha256",
    "mapping",
    "row",
    "reason",
    "first_reason",
    "history",
    "key",
    "rule",
    "received",
    "state",
    "settled",
    "settled_by",
    "remark",
    "edition",
)


def require_keeper(asker: Principal, layer: Layer) -> None:
    """Somebody who may see and mend the quarantine of a layer that they may read.

    Raises:
        NotAuthenticated: When they are anonymous.
        NotAllowed: When they may not load the layer, or a source of it may hold values above their clearance.
    """
    if asker.anonymous:
        raise NotAuthenticated("Quarantine takes an API key that may load the layer.")
    if not may_load(asker, layer):
        raise NotAllowed(f"Your key may not load {layer.name}, so its quarantine is closed to you.")
    if asker.clearance < highest_clearance(layer):
        raise NotAllowed(f"Rows of the quarantine of {layer.name} may hold values above your clearance.")


def read_page(writer: Writer, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Rows without their content, in the order of their numbers.

    Raises:
        BadParameter: When the state that is wanted is none.
    """
    columns = [*(c for c in quarantine.c if c.name not in ("raw", "mended", "reader")), _is_mended()]
    statement = sa.select(*columns).where(*wanted.conditions()).order_by(quarantine.c.id).limit(limit)
    with writer.transaction() as connection:
        return [_listed(dict(found)) for found in connection.execute(statement).mappings()]


def read_whole(writer: Writer, wanted: Wanted, limit: int) -> list[SetAside]:
    """Rows with their content, in the order of their numbers: as many as fit into `MOST_BYTES`, but at least one."""
    size = sa.func.octet_length(sa.func.coalesce(quarantine.c.mended, quarantine.c.raw))
    first = sa.select(quarantine.c.id, size.label("size")).where(*wanted.conditions())
    few = first.order_by(quarantine.c.id).limit(limit).subquery()
    before = (sa.func.sum(few.c.size).over(order_by=few.c.id) - few.c.size).label("before")
    summed = sa.select(few.c.id, before).subquery()
    fitting = sa.select(summed.c.id).where(summed.c.before < MOST_BYTES)
    with writer.transaction() as connection:
        numbers = tuple(connection.execute(fitting).scalars())
        return list(rows(connection, Wanted(layer=wanted.layer, ids=numbers)))


def read_row(writer: Writer, layer: Layer, number: int) -> dict[str, Any]:
    """One row of the layer with its content.

    Raises:
        UnknownRow: When the layer has none of this number.
    """
    with writer.transaction() as connection:
        return _described(_row(connection, layer, number))


def mend_row(
    writer: Writer,
    layer: Layer,
    number: int,
    fields: Mapping[str, str | None],
    geometry: str | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Note what an open row ought to have been, and show it.

    Args:
        writer: Where.
        layer: The layer.
        number: The row.
        fields: Source field -> its value as text, or None for no value.
        geometry: WKT or GeoJSON in the CRS of the source, as x, y; None leaves what is there.

    Raises:
        UnknownRow: When the layer has none of this number.
        RowSettled: When it is not open any more.
        BadParameter: When it has no such field, or the geometry is none.
    """
    shape = None if geometry is None else parse_geometry(geometry, number)
    with writer.transaction() as connection:
        _row(connection, layer, number)
        mend(connection, number, fields, shape)
        return _described(_row(connection, layer, number))


def dismiss_row(writer: Writer, layer: Layer, number: int, *, principal: str, reason: str) -> dict[str, Any]:
    """Give up an open row, and show it.

    Raises:
        UnknownRow: When the layer has none of this number.
        RowSettled: When it is not open any more.
    """
    with writer.transaction() as connection:
        found = _row(connection, layer, number)
        if not dismiss(connection, Wanted(layer=layer.name, ids=(number,)), principal=principal, reason=reason):
            state = found.facts["state"]
            raise RowSettled(f"Row {number} of quarantine is {state}; only open rows are given up.", state=state)
        return _described(_row(connection, layer, number))


def require_rows(writer: Writer, layer: Layer, numbers: tuple[int, ...]) -> None:
    """All these rows are in the quarantine of the layer.

    Raises:
        UnknownRow: Naming the first that is not.
    """
    there = sa.select(quarantine.c.id).where(quarantine.c.layer == layer.name, quarantine.c.id.in_(numbers))
    with writer.transaction() as connection:
        known = set(connection.execute(there).scalars())
    for number in numbers:
        if number not in known:
            raise unknown_row(layer, number)


def unknown_row(layer: Layer, number: object) -> UnknownRow:
    """The answer about a row that the layer does not have."""
    return UnknownRow(
        f"There is no row {str(number)[:40]} in the quarantine of {layer.name}; "
        f"/collections/{layer.name}/quarantine lists those there are."
    )


def _is_mended() -> sa.ColumnElement[bool]:
    return quarantine.c.mended.is_not(None).label("is_mended")


def _listed(found: Mapping[str, Any]) -> dict[str, Any]:
    facts = facts_of(found)
    return {**_plain({name: facts[name] for name in _FACTS}), "mended": facts["is_mended"]}


def _row(connection: sa.Connection, layer: Layer, number: int) -> SetAside:
    try:
        found = row(connection, number)
    except UnknownRow:
        raise unknown_row(layer, number) from None
    if found.facts["layer"] != layer.name:
        raise unknown_row(layer, number)
    return found


def _described(one: SetAside) -> dict[str, Any]:
    reader = one.facts["reader"] or {}
    shown = {**_plain({name: one.facts[name] for name in _FACTS}), "crs": reader.get("crs"), **_content(one.was)}
    return {**shown, "mended": None if one.mended is None else _content(one.mended)}


def _content(content: RawRow) -> dict[str, Any]:
    shape = content.geometry
    wkt = None if shape is None else str(shapely.to_wkt(shape, rounding_precision=-1))
    fields = {name: None if value is None else as_written(value) for name, value in content.fields.items()}
    return {"fields": fields, "geometry": content.unread or wkt, "cells": list(content.original) or None}


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in facts.items()}
