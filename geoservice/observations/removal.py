"""Removes readings, and brings what follows from them up to date: latest values, spans, marks for roll-ups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from geoservice.observations import tables


def remove_readings(connection: sa.Connection, readings: Sequence[tuple[str, dt.datetime]]) -> int:
    """Remove readings with all their revisions, in the caller's transaction, as the writer.

    Args:
        connection: A transaction of the writer's role.
        readings: Key of the datastream and phenomenon time of each.

    Returns:
        How many rows were removed.
    """
    own, one = tables.datastream, tables.observation
    keys = sa.literal([key for key, _ in readings], ARRAY(sa.Text()))
    times = sa.literal([time for _, time in readings], ARRAY(sa.DateTime(timezone=True)))
    named = sa.func.unnest(keys, times).table_valued("key", "time").render_derived()
    meant = sa.select(own.c.id, named.c.time).select_from(sa.join(named, own, own.c.key == named.c.key))
    streams = connection.execute(sa.select(meant.subquery().c.id).distinct()).scalars().all()
    return remove(connection, streams, sa.tuple_(one.c.datastream, one.c.phenomenon_time).in_(meant))


def remove(connection: sa.Connection, streams: Sequence[int], which: sa.ColumnElement[bool]) -> int:
    """Remove readings of some datastreams, in the caller's transaction, as the writer.

    Args:
        connection: A transaction of the writer's role.
        streams: Numbers of the datastreams; writers of them wait.
        which: Which of their readings.

    Returns:
        How many rows were removed.
    """
    if not streams:
        return 0
    own, one, due = tables.datastream, tables.observation, tables.rollup_due
    held = sa.select(own.c.id).where(own.c.id.in_(streams)).order_by(own.c.id).with_for_update(key_share=True)
    connection.execute(held)
    gone = (
        sa.delete(one)
        .where(one.c.datastream.in_(streams), which)
        .returning(one.c.datastream, one.c.phenomenon_time, one.c.clearance)
        .cte("gone")
    )
    day = sa.func.date_trunc("day", gone.c.phenomenon_time, own.c.zone)
    days = sa.select(gone.c.datastream, day, sa.func.max(gone.c.clearance)).join(own, own.c.id == gone.c.datastream)
    marks = insert(due).from_select(["datastream", "day", "clearance"], days.group_by(gone.c.datastream, day))
    marks = marks.on_conflict_do_update(
        index_elements=["datastream", "day"], set_={"clearance": marks.excluded.clearance}
    )
    counted = sa.select(sa.func.count()).select_from(gone).add_cte(marks.returning(due.c.day).cte("marks"))
    count: int = connection.execute(counted).scalar_one()
    _renew_latest(connection, streams)
    _renew_spans(connection, streams)
    return count


def _renew_latest(connection: sa.Connection, streams: Sequence[int]) -> None:
    latest, one = tables.latest, tables.observation
    connection.execute(sa.delete(latest).where(latest.c.datastream.in_(streams)))
    shared = [c.name for c in latest.c if c.name not in ("datastream", "observation")]
    named = sa.func.unnest(sa.literal(list(streams), ARRAY(sa.BigInteger()))).table_valued("stream").render_derived()
    newest = (
        sa.select(one.c.datastream, one.c.id.label("observation"), *(one.c[name] for name in shared))
        .where(one.c.datastream == named.c.stream, one.c.superseded.is_(False))
        .order_by(one.c.phenomenon_time.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = sa.select(*newest.c).select_from(sa.join(named, newest, sa.true()))
    connection.execute(sa.insert(latest).from_select([c.name for c in newest.c], rows))


def _renew_spans(connection: sa.Connection, streams: Sequence[int]) -> None:
    own, one = tables.datastream, tables.observation
    times = {
        "phenomenon_begin": sa.func.min(one.c.phenomenon_time),
        "phenomenon_end": sa.func.max(sa.func.coalesce(one.c.phenomenon_end, one.c.phenomenon_time)),
        "result_begin": sa.func.min(one.c.result_time),
        "result_end": sa.func.max(one.c.result_time),
    }
    spans = {
        name: sa.select(time).where(one.c.datastream == own.c.id).correlate(own).scalar_subquery()
        for name, time in times.items()
    }
    connection.execute(sa.update(own).where(own.c.id.in_(streams)).values(**spans))
