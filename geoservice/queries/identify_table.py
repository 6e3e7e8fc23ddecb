"""What is at each of many points: a row for every feature of all visible collections, and for values of rasters."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import pyarrow as pa
import shapely

from geoservice.queries.batch import Question, Reply, Rows
from geoservice.queries.cells import sampled
from geoservice.queries.join import names_of
from geoservice.queries.meeting import BLOCK_ROWS, Meeting, Near
from geoservice.queries.ring import buffered
from geoservice.queries.tables.model import Shapes
from layers.asset import Asset
from layers.model import RasterLayer

DEFAULT_PREFIX = "found_"
MOST_EACH = 100
"""Features of each collection at a point."""
Line = tuple[str, str | None, str]
"""Collection, key (none of a raster), properties as JSON."""
_Line = tuple[int, str, str]
"""Row, key, properties as JSON."""


@dataclass(frozen=True)
class Here:
    """What is asked at each point.

    Attributes:
        features: How features of collections are found, by the ids of these.
        rasters: Raster collections with their files.
        limit: Most features of each collection.
        metres: How near a feature lies; 0: it holds the point.
    """

    features: dict[str, Meeting]
    rasters: Sequence[tuple[RasterLayer, list[Asset]]]
    limit: int
    metres: float


def identify_question(asked: Here, prefix: str, crs: int) -> Question:
    """What identifying does with each block of rows.

    Args:
        asked: What is asked at each point.
        prefix: What the names of added columns begin with.
        crs: EPSG code of the coordinates.
    """
    schema = pa.schema([pa.field(f"{prefix}{name}", pa.string()) for name in ("collection", "key", "properties")])

    async def answer(rows: Rows) -> Reply:
        rows.require_points()
        places = await asyncio.to_thread(_places, rows, asked.metres)
        found: list[list[Line]] = [[] for _ in places]
        for name, meeting in asked.features.items():
            here = list[_Line]()
            async with aclosing(meeting.parts(places, rows.faults)) as parts:
                async for near in parts:
                    here = _first([*here, *await asyncio.to_thread(_here, places, near)], asked.limit)
            for row, key, properties in here:
                found[row].append((name, key, properties))
        for layer, files in asked.rasters:
            for row, text in (await asyncio.to_thread(_values, layer, files, rows)).items():
                found[row].append((layer.name, None, text))
        return _reply(found, rows.faults)

    return Question(schema, answer, crs, BLOCK_ROWS)


def _places(rows: Rows, metres: float) -> Shapes:
    """Points, or the circles around them; None where a row has a fault."""
    found = np.full(len(rows.x), None, dtype=np.object_)
    for row in range(len(found)):
        if row not in rows.faults:
            point = shapely.Point(rows.x[row], rows.y[row])
            found[row] = buffered(point, metres) if metres else point
    return found


def _here(places: Shapes, near: Near) -> list[_Line]:
    """Row, key and properties of the features that meet the place of a row."""
    shapely.prepare(near.shapes)
    meet = shapely.intersects(near.shapes[near.features], places[near.rows])
    names = names_of(near.table.schema)
    told = dict[int, tuple[str, str]]()
    for feature in np.unique(near.features[meet]).tolist():
        values = [column[feature].as_py() for column in near.table.columns]
        properties = dict(zip(names[1:], values[1:], strict=True))
        told[feature] = values[0], json.dumps(properties, ensure_ascii=False, default=_plain)
    pairs = zip(near.rows[meet].tolist(), near.features[meet].tolist(), strict=True)
    return [(row, *told[feature]) for row, feature in pairs]


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _first(here: list[_Line], most: int) -> list[_Line]:
    """So many of each row, in the order of keys."""
    by_row = groupby(sorted(here), key=lambda one: one[0])
    return [one for _, of_row in by_row for one in islice(of_row, most)]


def _values(layer: RasterLayer, files: list[Asset], rows: Rows) -> dict[int, str]:
    """Values of a raster as JSON, by the rows that have any."""
    values = sampled(files, rows.x, rows.y, len(layer.bands), "nearest")
    there = np.flatnonzero(~np.isnan(values).all(axis=0))
    names = [band.name for band in layer.bands]
    return {
        row: json.dumps({n: None if np.isnan(v) else v for n, v in zip(names, values[:, row].tolist(), strict=True)})
        for row in there.tolist()
    }


def _reply(found: list[list[Line]], faults: dict[int, str]) -> Reply:
    """A row for each line; one without any for rows at which there is nothing, or that have a fault."""
    nothing: list[tuple[str | None, str | None, str | None]] = [(None, None, None)]
    lines = [
        (row, line) for row, of_row in enumerate(found) for line in (of_row if row not in faults else []) or nothing
    ]
    columns = [pa.array([line[place] for _, line in lines], pa.string()) for place in range(len(nothing[0]))]
    return Reply(columns, np.array([row for row, _ in lines], dtype=np.int64))
