"""How much the lines and areas of a table share with the features of a collection, measured on the ellipsoid.

Two areas share an area, a line and an area the length of the line inside, two lines the length along which they lie on
each other. What only touches shares nothing and is no match. Areas follow the area rule (`layers.area`); edges are
straight in longitude and latitude, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from geoservice.queries.batch import Question, Reply, Rows
from geoservice.queries.drawn import drawn_shapes
from geoservice.queries.join import prefixed
from geoservice.queries.meeting import BLOCK_ROWS, Meeting, Near
from geoservice.queries.tables.model import Floats, Indices, Shapes
from layers.area import MAX_EDGE_DEGREES, ellipsoidal_area, ellipsoidal_lengths

Matches = Literal["first", "all"]
AREA, LENGTH = "shared_area", "shared_length"
OF_ROW, OF_FEATURE = "share_of_row", "share_of_feature"
_LINE, _AREA = 1, 2
_MOST_POSITIONS = 2_000_000
"""Of what is cut or measured in one call, so that calls stay short and small."""
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shared:
    """What rows and features share, a value per match.

    Attributes:
        rows: Number of the row.
        features: Place of the feature in the table that belongs to it.
        dimension: 2: `measure` is an area (m2), 1: a length (m).
        measure: How much is shared; more than 0.
        of_row: Which share of the row that is (0 to 1); not a number where the row is an area and shares a length.
        of_feature: Likewise of the feature.
    """

    rows: Indices
    features: Indices
    dimension: npt.NDArray[np.int64]
    measure: Floats
    of_row: Floats
    of_feature: Floats


def overlay_question(meeting: Meeting, prefix: str, crs: int, matches: Matches) -> Question:
    """What an overlay does with each block of rows.

    Args:
        meeting: Finds features near rows.
        prefix: What the names of added columns begin with.
        crs: EPSG code of the coordinates.
        matches: Whether a row is answered with the feature that it shares most with, or comes once for each.
    """
    measures = [pa.field(f"{prefix}{name}", pa.float64()) for name in (AREA, LENGTH, OF_ROW, OF_FEATURE)]
    schema = pa.schema([*prefixed(meeting.schema, prefix), *measures])

    async def answer(rows: Rows) -> Reply:
        shapes = await asyncio.to_thread(drawn_shapes, rows, crs)
        sizes = await asyncio.to_thread(_sizes, shapes)
        found, tables, seen = list[Shared](), [meeting.schema.empty_table()], 0
        async with aclosing(meeting.parts(shapes, rows.faults)) as parts:
            async for near in parts:
                found.append(await asyncio.to_thread(shared, shapes, sizes, near, seen))
                tables.append(near.table)
                seen += near.table.num_rows
        return await asyncio.to_thread(_reply, len(shapes), found, pa.concat_tables(tables), matches)

    return Question(schema, answer, crs, BLOCK_ROWS)


def shared(shapes: Shapes, sizes: Floats, near: Near, seen: int) -> Shared:
    """What rows share with candidates.

    Args:
        shapes: Geometries of the rows.
        sizes: Areas (m2) of those that are areas, lengths (m) of those that are lines.
        near: Candidates.
        seen: What is added to the places of features, so that they count across parts.
    """
    meet, rows_inside, features_inside = _relations(shapes, near)
    rows, features = near.rows[meet], near.features[meet]
    ones, others = shapes[rows], near.shapes[features]
    common = np.where(rows_inside[meet], ones, others)
    cut = ~rows_inside[meet] & ~features_inside[meet]
    common[cut] = _cut(ones[cut], others[cut])
    row_kind, feature_kind = shapely.get_dimensions(ones), shapely.get_dimensions(others)
    dimension = np.minimum(row_kind, feature_kind).astype(np.int64)
    measure = _measured(common, dimension)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_row = np.where(row_kind == dimension, measure / sizes[rows], np.nan)
        of_feature = np.where(feature_kind == dimension, measure / _sizes_of_some(near.shapes, features), np.nan)
    kept = measure > 0
    # Rounding may leave a whole a hair larger than one.
    shares = np.minimum(of_row[kept], 1.0), np.minimum(of_feature[kept], 1.0)
    return Shared(rows[kept], features[kept] + seen, dimension[kept], measure[kept], *shares)


def _relations(shapes: Shapes, near: Near) -> tuple[Truths, Truths, Truths]:
    """Which pairs meet, in which the row lies inside the feature, and in which the feature lies inside the row."""
    shapely.prepare(shapes)
    shapely.prepare(near.shapes)
    ones, others = shapes[near.rows], near.shapes[near.features]
    # The larger one of a pair has the index that is worth asking.
    larger = shapely.get_num_coordinates(ones) >= shapely.get_num_coordinates(others)
    meet = shapely.intersects(np.where(larger, ones, others), np.where(larger, others, ones))
    rows_inside, features_inside = np.zeros(len(meet), dtype=np.bool_), np.zeros(len(meet), dtype=np.bool_)
    rows_inside[meet] = shapely.covers(others[meet], ones[meet])
    features_inside[meet] = shapely.covers(ones[meet], others[meet])
    return meet, rows_inside, features_inside


def _cut(ones: Shapes, others: Shapes) -> Shapes:
    """Intersections of pairs, some at a time."""
    made = np.full(len(ones), None, dtype=np.object_)
    for part in _portions(shapely.get_num_coordinates(ones) + shapely.get_num_coordinates(others)):
        made[part] = _intersections(ones[part], others[part])
    return made


def _portions(weights: Floats | Indices) -> Iterator[Indices]:
    """Numbers that follow one another, in portions of bounded weight."""
    cuts = np.flatnonzero(np.diff(np.cumsum(weights) // _MOST_POSITIONS)) + 1
    for part in np.split(np.arange(len(weights)), cuts):
        if len(part):
            yield part


def _intersections(ones: Shapes, others: Shapes) -> Shapes:
    try:
        return np.asarray(shapely.intersection(ones, others), dtype=np.object_)
    except shapely.errors.GEOSException:
        # A stored feature that crosses itself; the pairs around it are not to suffer for it.
        return np.asarray(shapely.intersection(shapely.make_valid(ones), shapely.make_valid(others)), dtype=np.object_)


def _measured(shapes: Shapes, dimension: npt.NDArray[np.int64]) -> Floats:
    """Areas where the dimension is 2, lengths where it is 1, else 0."""
    found = np.zeros(len(shapes))
    weights = shapely.get_num_coordinates(shapes) + np.nan_to_num(shapely.length(shapes)) / MAX_EDGE_DEGREES
    for part in _portions(weights):
        areas, lines = part[dimension[part] == _AREA], part[dimension[part] == _LINE]
        found[areas] = ellipsoidal_area(shapes[areas])
        found[lines] = ellipsoidal_lengths(shapes[lines])
    return found


def _sizes(shapes: Shapes) -> Floats:
    return _measured(shapes, shapely.get_dimensions(shapes).astype(np.int64))


def _sizes_of_some(shapes: Shapes, wanted: Indices) -> Floats:
    distinct, place = np.unique(wanted, return_inverse=True)
    return _sizes(shapes[distinct])[place]


def _reply(count: int, found: list[Shared], table: pa.Table, matches: Matches) -> Reply:
    whole = _together(found)
    # Code points of keys decide between equals, as wherever features are put in order.
    _, rank = np.unique(np.array(table.column(0).to_pylist(), dtype=np.object_), return_inverse=True)
    order = np.lexsort((rank[whole.features], -whole.measure, -whole.dimension, whole.rows))
    if matches == "first":
        _, first = np.unique(whole.rows[order], return_index=True)
        order = order[first]
    alone = np.setdiff1d(np.arange(count), whole.rows)
    # Rows without a match come once, where they stood.
    rows = np.concatenate([whole.rows[order], alone])
    picked = np.concatenate([order, np.full(len(alone), -1)])[np.argsort(rows, kind="stable")]
    return Reply(_columns(whole, table, picked), np.sort(rows, kind="stable"))


def _together(found: list[Shared]) -> Shared:
    if not found:
        nothing, none = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Shared(nothing, nothing, nothing, none, none, none)
    names = ("rows", "features", "dimension", "measure", "of_row", "of_feature")
    return Shared(*(np.concatenate([getattr(one, name) for one in found]) for name in names))


def _columns(whole: Shared, table: pa.Table, picked: Indices) -> list[pa.Array]:
    missing = picked < 0

    def taken(values: npt.NDArray[np.float64 | np.int64], fill: float) -> npt.NDArray[np.float64 | np.int64]:
        return np.append(values, fill)[picked]

    features = pa.array(taken(whole.features, 0).astype(np.int64), mask=missing)
    dimension, measure = taken(whole.dimension, 0), taken(whole.measure, np.nan)
    measures = [
        np.where(dimension == _AREA, measure, np.nan),
        np.where(dimension == _LINE, measure, np.nan),
        taken(whole.of_row, np.nan),
        taken(whole.of_feature, np.nan),
    ]
    attributes = [column.take(features).combine_chunks() for column in table.columns]
    return [*attributes, *(pa.array(one, pa.float64(), mask=np.isnan(one)) for one in measures)]
