"""Undoing an edition of rows: what it wrote goes, what it ended comes back from history, as rows of a new edition."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ingest import diff, withhold
from ingest.record import Counts, moment
from layers.model import RowLayer
from layers.system import edition as edition_table
from layers.system import raised
from layers.table import content_names, current_table, history_table


def later_touch(layer: RowLayer, number: int) -> sa.Select[Any]:
    """The first edition after this one that touched a key of its rows and whose effect stands.

    An edition that was withdrawn has no effect, and neither has the withdrawal of an edition that came later than
    the one asked about: the two cancel out.
    """
    current, history = current_table(layer), history_table(layer)
    keys = sa.union(
        sa.select(current.c.key).where(current.c["_edition"] == number),
        sa.select(history.c.key).where(history.c["_edition"] == number),
        sa.select(history.c.key).where(history.c["_ended_by"] == number),
    ).subquery("keys")
    touched = sa.union(
        *(
            sa.select(column.label("number")).where(column > number, column.table.c.key.in_(sa.select(keys.c.key)))
            for column in (current.c["_edition"], history.c["_edition"], history.c["_ended_by"])
        )
    ).subquery("touched")
    return first_standing(touched.c.number, number)


def first_standing(numbers: sa.ColumnElement[int], number: int) -> sa.Select[Any]:
    """The first of some editions whose effect stands, seen from an earlier edition."""
    stands = sa.and_(
        edition_table.c.undone_by.is_(None),
        sa.or_(edition_table.c.undoes.is_(None), edition_table.c.undoes <= number),
    )
    return (
        sa.select(edition_table.c.id)
        .where(edition_table.c.id.in_(sa.select(numbers)), stands)
        .order_by(edition_table.c.id)
        .limit(1)
    )


def undo_rows(connection: sa.Connection, layer: RowLayer, number: int, withdrawal: int) -> Counts:
    """Undo an edition that no later one stands upon.

    Rows come back with their feature number, key, content and hash. Their clearance is worked out anew: the layer may
    have been closed further since.

    Args:
        connection: The transaction of the withdrawal.
        layer: The layer; the caller holds its lock.
        number: The edition to undo.
        withdrawal: The edition that undoes it.

    Returns:
        What the withdrawal inserted, updated and deleted.
    """
    written, former = _marked(connection, layer, number)
    both = sa.select(sa.func.count()).select_from(written.join(former, written.c.fid == former.c.fid))
    updated = int(connection.execute(both).scalar_one())
    connection.execute(diff.archive(layer, sa.select(written.c.fid), withdrawal))
    current = current_table(layer)
    gone = connection.execute(
        sa.delete(current).where(current.c.fid.in_(sa.select(written.c.fid))),
        execution_options={"preserve_rowcount": True},
    ).rowcount
    back = connection.execute(_restore(layer, number, withdrawal), execution_options={"preserve_rowcount": True})
    return Counts(inserted=back.rowcount - updated, updated=updated, deleted=gone - updated)


def _marked(connection: sa.Connection, layer: RowLayer, number: int) -> tuple[sa.Table, sa.Table]:
    """Feature numbers that the edition wrote and those whose rows it ended, frozen before anything changes."""
    current, history = current_table(layer), history_table(layer)
    written = sa.union_all(
        sa.select(current.c.fid).where(current.c["_edition"] == number),
        sa.select(history.c.fid).where(history.c["_edition"] == number),
    )
    ended = sa.select(history.c.fid).where(history.c["_ended_by"] == number)
    return _frozen(connection, "undo_written", written), _frozen(connection, "undo_former", ended)


def _frozen(connection: sa.Connection, name: str, rows: sa.Select[Any] | sa.CompoundSelect[Any]) -> sa.Table:
    column = sa.Column("fid", sa.BigInteger())
    table = sa.Table(name, sa.MetaData(), column, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")
    table.create(connection)
    connection.execute(sa.insert(table).from_select(["fid"], rows))
    return table


def _restore(layer: RowLayer, number: int, withdrawal: int) -> sa.Insert:
    history = history_table(layer)
    content = content_names(layer)
    values = [
        history.c.fid,
        history.c.key,
        # Geometry values travel inside the database as they are.
        *(sa.type_coerce(history.c[name], sa.types.NullType()) for name in content),
        diff.clearance_expression(layer, history),
        sa.literal(withdrawal, sa.BigInteger()),
        moment(withdrawal),
        history.c["_hash"],
    ]
    names = ["fid", "key", *content, "_clearance", "_edition", "_valid_from", "_hash"]
    rows = sa.select(*values).where(history.c["_ended_by"] == number).order_by(history.c.fid)
    return sa.insert(current_table(layer)).from_select(names, rows)


def raise_clearance(connection: sa.Connection, layer: RowLayer, number: int) -> None:
    """Let a higher clearance of the rows of an edition reach back to what they were before, and into the ladder.

    A row that was open by mistake must not stay open in the past, nor at low zooms until the ladder is renewed.
    """
    if layer.row_clearance is None:
        return
    if not withhold.withhold_raised(connection, layer, number):
        return
    current, history = current_table(layer), history_table(layer)
    rose = withhold.raised(layer, number)
    # Who could see such a version is told by the change feed that it is gone; afterwards nobody could say who could.
    span = history.c["_edition"], history.c["_ended_by"]
    known = (sa.literal(layer.name), history.c.key, *span, sa.literal(number), history.c["_clearance"])
    open_until_now = sa.select(*known).where(rose)
    columns = ["layer", "key", "began", "ended", "edition", "was"]
    connection.execute(sa.insert(raised).from_select(columns, open_until_now))
    connection.execute(sa.update(history).values({"_clearance": current.c["_clearance"]}).where(rose))
