"""How many features a question finds, roughly: judged by a sample of the features that the asker may see.

Counting would read all that match, for each page. The planner of the database has estimates, but its statistics know
the rows above the asker's clearance, too, and would tell of them. So each process keeps, per layer and clearance, the
numbers and boxes of some features drawn by chance; a box is compared with them in memory, other conditions by one
statement that looks at these features alone, and of these only at those that lie where a condition looks.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.filtering import calculable
from geoservice.features.query import FeatureQuery
from geoservice.features.read import Page
from geoservice.features.rows import conditions, plain
from geoservice.features.sample import Sample
from layers.access import Decision
from layers.model import RowLayer, TableLayer, VectorLayer
from layers.table import current_table, row_predicate

SIZE = 2_000
"""Features of a sample: a twentieth of a layer is met within 10 % of its number in two of three cases."""
FEWEST = 5
"""Hits below which the sample says too little, so that no estimate is given."""
KEPT_SECONDS = 60.0


async def with_estimate(
    connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision, query: FeatureQuery, page: Page
) -> Page:
    """A page that says about how many features its question finds, where that is not known and can be told.

    Questions about the past have no estimate: the sample is one of the present.

    Args:
        connection: A read-only connection of the decision's clearance.
        reading: Compiled statements and samples of this process.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: What is asked.
        page: A page of it.
    """
    if page.matched is not None or query.as_of is not None or page.final or not page.total or _is_series(layer):
        return page
    sample = await _sample(connection, reading, layer, decision)
    hits = await _hits(connection, reading, layer, decision, query, sample)
    if hits < FEWEST or not sample.seen:
        return page
    # There is at least one more than the page shows.
    return replace(page, estimate=max(round(hits / sample.seen * page.total), page.returned + 1))


def _is_series(layer: RowLayer) -> bool:
    """Whether single numbers would have to be looked for in the partition of each month."""
    return isinstance(layer, TableLayer) and layer.storage == "series"


async def _sample(connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision) -> Sample:
    place = (layer.name, int(decision.rule.max_clearance))
    kept = reading.samples.get(place)
    if kept is None or time.monotonic() - kept.drawn > KEPT_SECONDS:
        kept = reading.samples[place] = await _drawn(connection, reading, layer, decision)
    return kept


async def _drawn(connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision) -> Sample:
    shape = ("sample", layer.name, decision.rule.max_clearance)
    compiled = reading.statements.get(shape)
    if compiled is None:
        schema = reading.schema(decision.rule.max_clearance)
        compiled = compile_statement(_sample_statement(layer, decision), schema)
        reading.keep(shape, compiled)
    highest = await _highest(connection, reading, layer, decision)
    # The same numbers each time: an unchanged layer has unchanged estimates, and answers keep their entity tags.
    chance = random.Random(layer.name)  # noqa: S311 - no secret hangs on it
    wanted = sorted(chance.sample(range(1, highest + 1), min(SIZE, highest)))
    rows = await connection.fetch(compiled.sql, *compiled.arguments({"fids": wanted}))
    boxes = np.array([tuple(row)[1:] for row in rows], dtype=float).reshape(len(rows), -1)
    rows_in_all = round(len(rows) * highest / max(len(wanted), 1))
    return Sample(time.monotonic(), tuple(row["fid"] for row in rows), boxes, rows_in_all)


def _sample_statement(layer: RowLayer, decision: Decision) -> sa.Select[Any]:
    table = current_table(layer)
    sides = (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)
    boxes: list[sa.ColumnElement[Any]] = []
    if isinstance(layer, VectorLayer):
        boxes = [side(plain(table.c.geom), type_=sa.Double()).label(f"side_{i}") for i, side in enumerate(sides)]
    among = table.c.fid == sa.any_(sa.bindparam("fids", type_=sa.ARRAY(sa.BigInteger())))
    return sa.select(table.c.fid, *boxes).where(row_predicate(table, decision.rule), among)


async def _highest(connection: RawConnection, reading: Reading, layer: RowLayer, decision: Decision) -> int:
    shape = ("highest", layer.name, decision.rule.max_clearance)
    compiled = reading.statements.get(shape)
    if compiled is None:
        table = current_table(layer)
        statement = sa.select(sa.func.max(table.c.fid)).where(row_predicate(table, decision.rule))
        compiled = compile_statement(statement, reading.schema(decision.rule.max_clearance))
        reading.keep(shape, compiled)
    return int(await connection.fetchval(compiled.sql, *compiled.arguments({})) or 0)


async def _hits(
    connection: RawConnection,
    reading: Reading,
    layer: RowLayer,
    decision: Decision,
    query: FeatureQuery,
    sample: Sample,
) -> int:
    by_box = query.bbox is not None and isinstance(layer, VectorLayer)
    others = (query.region, query.filter, query.ids, query.interval if layer.time else None)
    if by_box and query.bbox is not None and all(one is None for one in others):
        return sample.meeting(query.bbox, placeless=query.placeless)
    candidates = _candidates(layer, query, sample)
    if len(candidates) < FEWEST:
        # However many of these it are, it is too few: the database need not be asked.
        return len(candidates)
    shape = ("hits", layer.name, decision.rule.max_clearance, query.shape(layer))
    compiled = reading.statements.get(shape)
    if compiled is None:
        table = current_table(layer)
        among = table.c.fid == sa.any_(sa.bindparam("fids", type_=sa.ARRAY(sa.BigInteger())))
        statement = sa.select(sa.func.count()).where(among, *conditions(layer, table, decision, query))
        compiled = compile_statement(statement, reading.schema(decision.rule.max_clearance))
        reading.keep(shape, compiled)
    with calculable(query.filter):
        values = {**query.values(layer), "fids": candidates}
        return int(await connection.fetchval(compiled.sql, *compiled.arguments(values)))


def _candidates(layer: RowLayer, query: FeatureQuery, sample: Sample) -> list[int]:
    """Numbers of the features of a sample that may be found."""
    may = sample.may_meet(query) if isinstance(layer, VectorLayer) else np.ones(sample.seen, dtype=bool)
    return [sample.fids[place] for place in np.flatnonzero(may)]
