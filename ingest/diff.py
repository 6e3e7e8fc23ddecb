"""What a load changes: statements that compare landed rows with current ones, by key and content hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from ingest.digest import HASH
from ingest.landing import Staging
from ingest.record import moment
from layers.access import Clearance
from layers.model import RowLayer
from layers.table import content_names, current_table, history_table

_ESCAPES = (("~", "~0"), ("|", "~1"))


@dataclass(frozen=True)
class Landed:
    """A temporary table with one row per landed row: position, key, content hash, clearance, occurrence of its key."""

    table: sa.Table


def key_expression(layer: RowLayer, rows: sa.FromClause) -> sa.ColumnElement[str] | None:
    """The public key: key attributes as text, `~` and `|` escaped, joined by `|`; None for a layer without a key."""
    if not layer.key:
        return None
    parts = []
    for name in layer.key:
        text: sa.ColumnElement[str] = sa.cast(rows.c[name], sa.Text())
        if layer.attributes[name].type == "datetime":
            moment = sa.func.timezone("UTC", rows.c[name])
            text = sa.func.to_char(moment, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            text = sa.func.replace(text, ".000000Z", "Z")
        for plain, escaped in _ESCAPES:
            text = sa.func.replace(text, plain, escaped)
        parts.append(text)
    return sa.func.concat_ws("|", *parts) if len(parts) > 1 else parts[0]


def clearance_expression(layer: RowLayer, rows: sa.FromClause) -> sa.ColumnElement[int]:
    """The higher of the layer's clearance and the row's own; a row without a value has the layer's."""
    base = int(layer.clearance)
    if layer.row_clearance is None:
        return sa.literal(base, sa.SmallInteger())
    levels = {level.label: max(base, int(level)) for level in Clearance}
    written = rows.c[layer.row_clearance]
    unknown = sa.case((written.is_(None), base), else_=int(Clearance.RESTRICTED))
    return sa.cast(sa.case(levels, value=written, else_=unknown), sa.SmallInteger())


def _base(layer: RowLayer, rows: sa.FromClause) -> sa.ColumnElement[str]:
    """The key of a landed row; for a layer without a key its content hash, which equal rows share."""
    key = key_expression(layer, rows)
    return key if key is not None else sa.cast(rows.c[HASH], sa.Text())


def anything(layer: RowLayer) -> sa.Select[Any]:
    """Whether the layer has current rows."""
    return sa.select(sa.select(current_table(layer).c.fid).exists())


def insert_all(layer: RowLayer, staging: Staging, edition: int) -> sa.Insert:
    """Insert all landed rows as current rows of an edition, in the order of the source."""
    rows = staging.good
    values = [
        _base(layer, rows),
        *(_plain(rows.c[n]) for n in content_names(layer)),
        clearance_expression(layer, rows),
        sa.literal(edition, sa.BigInteger()),
        moment(edition),
        rows.c[HASH],
    ]
    return sa.insert(current_table(layer)).from_select(
        _written_columns(layer), sa.select(*values).order_by(rows.c["_position"])
    )


def land(connection: sa.Connection, layer: RowLayer, staging: Staging) -> Landed:
    """Collect keys, hashes and clearances of all landed rows in a temporary table."""
    rows = staging.good
    digest = rows.c[HASH]
    key = key_expression(layer, rows)
    table = sa.Table(
        "landed",
        sa.MetaData(),
        sa.Column("position", sa.BigInteger()),
        sa.Column("key", sa.Text()),
        sa.Column("hash", UUID()),
        sa.Column("clearance", sa.SmallInteger()),
        sa.Column("occurrence", sa.BigInteger()),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    table.create(connection)
    inner = sa.select(
        rows.c["_position"].label("position"),
        _base(layer, rows).label("base"),
        digest.label("hash"),
        clearance_expression(layer, rows).label("clearance"),
    ).subquery()
    occurrence = sa.func.row_number().over(partition_by=sa.collate(inner.c.base, "C"), order_by=inner.c.position)
    numbered = sa.select(inner, occurrence.label("occurrence")).subquery()
    final_key: sa.ColumnElement[str] = numbered.c.base
    if key is None:
        # Rows without a key are told apart by content; equal rows by the order in which they came.
        suffix = sa.func.concat("-", sa.cast(numbered.c.occurrence, sa.Text()))
        final_key = sa.case(
            (numbered.c.occurrence == 1, numbered.c.base), else_=sa.func.concat(numbered.c.base, suffix)
        )
        source = sa.select(numbered.c.position, final_key, numbered.c.hash, numbered.c.clearance, sa.literal(1))
    else:
        source = sa.select(numbered.c.position, final_key, numbered.c.hash, numbered.c.clearance, numbered.c.occurrence)
    connection.execute(sa.insert(table).from_select(table.c.keys(), source))
    connection.execute(sa.text("ANALYZE landed"))
    return Landed(table)


def conflicting(layer: RowLayer, staging: Staging, landed: Landed) -> sa.Select[Any]:
    """Rows that repeat a key of their own source with other content: position, key, first position, raw content."""
    again, first = landed.table.alias(), landed.table.alias()
    raw = sa.cast(sa.func.to_jsonb(row_json(layer, staging.good)), sa.Text())
    return (
        sa.select(again.c.position, again.c.key, first.c.position, raw)
        .join(first, (first.c.key == again.c.key) & (first.c.occurrence == 1))
        .join(staging.good, staging.good.c["_position"] == again.c.position)
        .where(again.c.occurrence > 1, again.c.hash != first.c.hash)
    )


def row_json(layer: RowLayer, rows: sa.Table) -> sa.ColumnElement[Any]:
    """The content of a landed row in the form of `ingest.raw`: its attributes, and its geometry as WKB."""
    pairs: list[sa.ColumnElement[Any]] = []
    for name in layer.attributes:
        pairs += [sa.literal(name), rows.c[name]]
    if "geom" not in content_names(layer):
        return sa.func.jsonb_build_object(*pairs)
    shape = sa.func.encode(sa.func.ST_AsBinary(_plain(rows.c.geom)), "base64")
    wkb = sa.case((_plain(rows.c.geom).is_(None), None), else_=sa.func.jsonb_build_object("$wkb", shape))
    return sa.func.jsonb_build_object(*pairs, "geometry", wkb)


def fresh(layer: RowLayer, landed: Landed) -> sa.Select[Any]:
    """Positions of rows whose key is not current."""
    current = current_table(layer)
    return (
        sa.select(landed.table.c.position)
        .outerjoin(current, current.c.key == landed.table.c.key)
        .where(landed.table.c.occurrence == 1, current.c.key.is_(None))
    )


def changed(layer: RowLayer, landed: Landed) -> sa.Select[Any]:
    """Positions and current feature numbers of rows whose content or clearance differs from the current row."""
    current = current_table(layer)
    differs = (current.c["_hash"] != landed.table.c.hash) | (current.c["_clearance"] != landed.table.c.clearance)
    return (
        sa.select(landed.table.c.position, current.c.fid)
        .join(current, current.c.key == landed.table.c.key)
        .where(landed.table.c.occurrence == 1, differs)
    )


def gone(layer: RowLayer, landed: Landed) -> sa.Select[Any]:
    """Feature numbers of current rows that a complete source no longer has."""
    current = current_table(layer)
    here = sa.exists().where(landed.table.c.key == current.c.key)
    return sa.select(current.c.fid).where(~here)


def archive(layer: RowLayer, feature_numbers: sa.Select[Any], edition: int) -> sa.Insert:
    """Copy current rows into history, ended by an edition at its instant."""
    current, history = current_table(layer), history_table(layer)
    names = [c.name for c in current.columns]
    ended = sa.select(*(_plain(current.c[n]) for n in names), moment(edition), sa.literal(edition, sa.BigInteger()))
    return sa.insert(history).from_select(
        [*names, "_valid_to", "_ended_by"], ended.where(current.c.fid.in_(feature_numbers))
    )


def insert_new(layer: RowLayer, staging: Staging, landed: Landed, positions: sa.FromClause, edition: int) -> sa.Insert:
    """Insert landed rows at the given positions as current rows of an edition."""
    current, rows, marks = current_table(layer), staging.good, landed.table
    names = content_names(layer)
    values = [
        marks.c.key,
        *(_plain(rows.c[n]) for n in names),
        marks.c.clearance,
        sa.literal(edition, sa.BigInteger()),
        moment(edition),
        marks.c.hash,
    ]
    source = (
        sa.select(*values)
        .join_from(positions, marks, marks.c.position == positions.c.position)
        .join(rows, rows.c["_position"] == marks.c.position)
        .order_by(marks.c.position)
    )
    return sa.insert(current).from_select(_written_columns(layer), source)


def _written_columns(layer: RowLayer) -> list[str]:
    return ["key", *content_names(layer), "_clearance", "_edition", "_valid_from", "_hash"]


def update_changed(layer: RowLayer, staging: Staging, landed: Landed, pairs: sa.FromClause, edition: int) -> sa.Update:
    """Give changed current rows their new content; feature number and key stay."""
    current, rows, marks = current_table(layer), staging.good, landed.table
    values: dict[str, object] = {n: _plain(rows.c[n]) for n in content_names(layer)}
    values |= {
        "_clearance": marks.c.clearance,
        "_edition": edition,
        "_valid_from": moment(edition),
        "_hash": marks.c.hash,
    }
    return (
        sa.update(current)
        .values(values)
        .where(
            current.c.fid == pairs.c.fid,
            marks.c.position == pairs.c.position,
            rows.c["_position"] == marks.c.position,
        )
    )


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    # Geometry values travel inside the database as they are, without the wrapping meant for Python results.
    return sa.type_coerce(column, sa.types.NullType())
