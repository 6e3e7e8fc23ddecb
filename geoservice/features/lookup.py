"""Finding one feature's geometry by its public key, for requests that name a feature instead of drawing an area."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from layers.access import Decision
from layers.model import Text, VectorLayer
from layers.table import AS_OF, held, row_predicate


@dataclass(frozen=True, slots=True)
class FoundShape:
    """One feature: its key, its name in both languages, its geometry as EWKB (None when it has none)."""

    key: str
    label: Text
    geometry: bytes | None


def label_of(key: str, chinese: str | None, english: str | None) -> Text:
    """The name of a feature: what it has in either language, else its key."""
    return Text(zh=chinese or english or key, en=english or chinese or key)


def label_columns(layer: VectorLayer, table: sa.FromClause, decision: Decision) -> tuple[sa.ColumnElement[Any], ...]:
    """Columns `label_zh` and `label_en`; null where the layer names none or the principal may not see them."""
    names = (layer.label.zh, layer.label.en) if layer.label is not None else (None, None)
    return tuple(
        (sa.cast(table.c[name], sa.Text()) if name in decision.attributes else sa.cast(sa.null(), sa.Text())).label(as_)
        for name, as_ in zip(names, ("label_zh", "label_en"), strict=True)
    )


def shapes_statement(
    layer: VectorLayer,
    decision: Decision,
    attribute: str | None = None,
    *,
    past: bool = False,
    only: Mapping[str, str] | None = None,
) -> sa.Select[Any]:
    """The features whose key, or whose attribute, equals the value bound as `wanted`, in the order of their keys.

    Args:
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        attribute: Compare this text attribute too, so that a group of rows (one alert) can be named.
        past: As they were at the instant bound as `as_of`.
        only: Values that further text attributes must have.
    """
    wanted = sa.bindparam("wanted", type_=sa.Text())

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        same = table.c.key == wanted
        if attribute is not None and attribute in decision.attributes:
            same = sa.or_(same, table.c[attribute] == wanted)
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        geometry = sa.type_coerce(sa.func.ST_AsEWKB(plain), sa.LargeBinary()).label("geometry")
        columns = (table.c.key, *label_columns(layer, table, decision), geometry)
        fixed = [table.c[name] == value for name, value in (only or {}).items()]
        return sa.select(*columns).where(row_predicate(table, decision.rule), same, *fixed)

    found = held(layer, rows_of, past=past)
    return found.order_by(sa.collate(found.selected_columns["key"], "C"))


async def find_shapes(
    connection: AsyncConnection,
    statement: sa.Select[Any],
    wanted: str,
    schema: Mapping[str, str] | None = None,
    as_of: dt.datetime | None = None,
) -> tuple[FoundShape, ...]:
    """Run a statement of `shapes_statement`; nothing found is an empty tuple.

    Args:
        connection: A read-only connection of the decision's clearance.
        statement: What to look for.
        wanted: Public key or attribute value.
        schema: Schema names to replace, where readers see views instead of tables.
        as_of: The instant of a statement about the past.
    """
    options = {"schema_translate_map": schema} if schema else {}
    values = {"wanted": wanted} if as_of is None else {"wanted": wanted, AS_OF: as_of}
    rows = await connection.execute(statement, values, execution_options=options)
    return tuple(FoundShape(row.key, label_of(row.key, row.label_zh, row.label_en), row.geometry) for row in rows)
