"""The nearest feature to each of many points, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.queries.batch import Rows
from geoservice.queries.columns import schema_of
from geoservice.queries.holders import WANTED, Holders, numbered_statement
from geoservice.queries.nearest import STEP, Wish, find_nearest
from geoservice.queries.sources import Connect


async def numbered(
    connection: RawConnection, reading: Reading, holders: Holders, features: npt.NDArray[np.int64]
) -> list[list[Any]]:
    """Key and attributes of features, in the order of their numbers as they are given."""
    if not len(features):
        return []
    compiled = compile_statement(
        numbered_statement(holders, geometry=False), reading.schema(holders.decision.rule.max_clearance)
    )
    values = {WANTED: sorted(set(features.tolist())), **holders.values}
    rows = await connection.fetch(compiled.sql, *compiled.arguments(values))
    names = schema_of(holders.layer, holders.attributes).names
    by_number = {row["_fid"]: [row[name] for name in names] for row in rows}
    return [by_number[number] for number in features.tolist()]


async def near_columns(connect: Connect, reading: Reading, holders: Holders, rows: Rows, wish: Wish) -> list[pa.Array]:
    """Key, attributes and distance (m) of the nearest feature to each point; null where there is none."""
    schema = schema_of(holders.layer, holders.attributes)
    values: list[list[Any]] = [[None] * len(rows.x) for _ in range(len(schema) + 1)]
    for start in range(0, len(rows.x), STEP):
        part = rows.x[start : start + STEP], rows.y[start : start + STEP]
        async with connect() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            found = await find_nearest(connection, reading, holders, part, wish)
            table = await numbered(connection, reading, holders, found.features)
        for point, row, metres in zip(found.points.tolist(), table, found.metres.tolist(), strict=True):
            for column, value in zip(values, [*row, metres], strict=True):
                column[start + point] = value
    kinds = [*(one.type for one in schema), pa.float64()]
    return [pa.array(column, kind) for column, kind in zip(values, kinds, strict=True)]
