"""The join of points with a layer: each row gets the key and attributes of the polygon that holds its point."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from geoservice.queries.batch import Question, Reply, Rows
from geoservice.queries.columns import KEY
from geoservice.queries.found import Finder


def join_question(finder: Finder, prefix: str, crs: int) -> Question:
    """What a join does with each block of rows.

    Args:
        finder: Finds polygons.
        prefix: What the names of added columns begin with.
        crs: EPSG code of the coordinates.
    """

    async def answer(rows: Rows) -> Reply:
        rows.require_points()
        return Reply((await finder.find(rows.x, rows.y)).columns())

    return Question(prefixed(finder.schema, prefix), answer, crs)


def prefixed(schema: pa.Schema, prefix: str) -> pa.Schema:
    """A schema whose names begin with a prefix; the public key is called `key`."""
    return pa.schema([one.with_name(f"{prefix}{_outer(one.name)}") for one in schema])


def _outer(name: str) -> str:
    return KEY if name == f"_{KEY}" else name


def names_of(schema: pa.Schema) -> Sequence[str]:
    """Names without the marks of bookkeeping."""
    return [_outer(name) for name in schema.names]
