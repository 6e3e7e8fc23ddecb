"""Finding the features of a request, and the number of all that meet it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import asyncpg
import shapely
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.reading import Reading
from geoservice.features.query import FeatureQuery, SortKey
from geoservice.features.rows import conditions, rows_statement
from geoservice.formats.rows import shape_in
from geoservice.formats.subject import GEOMETRY, KEY
from geoservice.house import House
from geoservice.wfs.asked import Asked
from geoservice.wfs.fes import FilterReader
from geoservice.wfs.gml import system, to_degrees
from geoservice.wfs.words import GML_ID, WfsError, key_of, local
from layers.access import Decision, Principal, decide
from layers.errors import BadFilter, BadGeometry
from layers.extent import Extent
from layers.filter import LANGS, parse_filter, queryables_of
from layers.model import RasterLayer, RowLayer, VectorLayer
from layers.offered import OfferedCrs, find_crs
from layers.table import current_table

DEFAULT = find_crs("EPSG:4490", "srsName")
"""The CRS of answers when none is asked for."""
_MOST_START = 10_000_000
_CORNERS = 4
_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


@dataclass(frozen=True)
class Wanted:
    """What is read: a layer as a reader sees it, the query, and how many rows come before.

    Attributes:
        layer: The layer.
        decision: What the reader may see.
        query: The rows; its limit is what the page holds.
        start: Rows before the first one.
        crs: CRS of the answer.
        swapped: Whether latitude or northing comes first.
        name: Name of the CRS as the answer repeats it.
        attributes: Properties of the answer.
        value: The one property whose values are wanted; None for whole features.
        shaped: Whether geometries are written.
    """

    layer: RowLayer
    decision: Decision
    query: FeatureQuery
    start: int
    crs: OfferedCrs
    swapped: bool
    name: str
    attributes: tuple[str, ...]
    value: str | None = None
    shaped: bool = True


def feature_types(house: House, asker: Principal) -> list[RowLayer]:
    """The layers that are feature types for a reader."""
    return [layer for layer in house.visible(asker) if not isinstance(layer, RasterLayer)]


def wanted(house: House, asker: Principal, asked: Asked) -> Wanted:
    """What a GetFeature request reads.

    Raises:
        WfsError: When it names what is not there, or not for this reader.
    """
    layer = _layer(house, asker, asked)
    decision = decide(asker, "read", layer)
    crs, swapped = system(asked.crs, "srsName", DEFAULT)
    name = asked.crs if asked.crs is not None else f"urn:ogc:def:crs:EPSG::{DEFAULT.srid}"
    most = house.settings.max_limit
    limit = most if asked.count is None else min(asked.count, most)
    query = FeatureQuery(limit=limit, sort=_sort(layer, decision, asked))
    value = _value(layer, decision, asked)
    query = _filtered(layer, decision, asked, query, value)
    if asked.start > _MOST_START:
        raise WfsError(f"startIndex is at most {_MOST_START:,}.", "InvalidParameterValue", "startIndex")
    attributes = _attributes(decision, asked)
    shaped = isinstance(layer, VectorLayer) and (not asked.properties or GEOMETRY in asked.properties)
    if value is not None:
        attributes, shaped = tuple(one for one in attributes if one == value), value == GEOMETRY
    return Wanted(layer, decision, query, asked.start, crs, swapped, name, attributes, value, shaped)


def _layer(house: House, asker: Principal, asked: Asked) -> RowLayer:
    names = asked.types or tuple(dict.fromkeys(one.partition(".")[0] for one in asked.ids))
    if len(names) != 1:
        raise WfsError("A query asks for one feature type; joins are not offered.", "OperationProcessingFailed")
    return layer_named(house, asker, names[0])


def layer_named(house: House, asker: Principal, name: str) -> RowLayer:
    """The feature type of a name.

    Raises:
        WfsError: When there is none, or none for this reader.
    """
    found = next((layer for layer in feature_types(house, asker) if layer.name == name), None)
    if found is None:
        raise WfsError(
            f"There is no feature type {name[:60]!r}; GetCapabilities lists those there are.",
            "InvalidParameterValue",
            "typeNames",
        )
    return found


def _attributes(decision: Decision, asked: Asked) -> tuple[str, ...]:
    known = (*decision.attributes, GEOMETRY, KEY)
    for name in asked.properties:
        _require_known(name, known, "propertyName")
    return tuple(name for name in decision.attributes if not asked.properties or name in asked.properties)


def _value(layer: RowLayer, decision: Decision, asked: Asked) -> str | None:
    if asked.value is None:
        return None
    name = asked.value.strip()
    if name in (GML_ID, f"*/{GML_ID}"):
        return GML_ID
    shape = (GEOMETRY,) if isinstance(layer, VectorLayer) else ()
    name = local(name.rpartition("/")[2])
    _require_known(name, (*decision.attributes, *shape, KEY, GML_ID), "valueReference")
    return name


def _require_known(name: str, known: Sequence[str], locator: str) -> None:
    if name not in known:
        raise WfsError(
            f"There is no property {name[:60]!r}; known properties: {', '.join(known)}.",
            "InvalidParameterValue",
            locator,
        )


def _sort(layer: RowLayer, decision: Decision, asked: Asked) -> tuple[SortKey, ...]:
    for name, _ in asked.sort:
        if name not in decision.attributes:
            known = ", ".join(decision.attributes)
            raise WfsError(
                f"{layer.name} has no property {name[:60]!r} to sort by; known properties: {known}.",
                "InvalidParameterValue",
                "sortBy",
            )
    return tuple(SortKey(name, descending) for name, descending in asked.sort)


def _filtered(
    layer: RowLayer, decision: Decision, asked: Asked, query: FeatureQuery, value: str | None
) -> FeatureQuery:
    if asked.ids:
        keys = tuple(key for one in asked.ids if (key := key_of(layer.name, one)) is not None)
        query = replace(query, ids=keys)
    elif asked.bbox is not None and isinstance(layer, VectorLayer):
        query = replace(query, bbox=_box(asked.bbox))
    queryables = queryables_of(layer, decision)
    reader = FilterReader(layer.name, queryables, asked.crs or DEFAULT.names[1])
    try:
        conditions = [] if asked.filter is None else [reader.read(asked.filter)]
        if value not in (None, KEY, GML_ID):
            # Pages of values are pages of features that have one.
            conditions.append(reader.present(str(value)))
        if not conditions:
            return query
        text = json.dumps(conditions[0] if len(conditions) == 1 else {"op": "and", "args": conditions})
        return replace(query, filter=parse_filter(text, LANGS[1], None, queryables))
    except (BadFilter, BadGeometry) as error:
        raise WfsError(error.detail, "OperationProcessingFailed", "filter") from None


def _box(text: str) -> Extent:
    """A box in degrees. Without a CRS its numbers are in the default one, latitude first."""
    parts = text.split(",")
    crs, swapped = system(parts[_CORNERS].strip() if len(parts) > _CORNERS else None, "bbox", DEFAULT)
    try:
        numbers = [float(part) for part in parts[:_CORNERS]]
    except ValueError:
        numbers = []
    upright = len(numbers) == _CORNERS and numbers[0] <= numbers[2] and numbers[1] <= numbers[3]
    west, south, east, north = numbers if upright else (0.0, 0.0, 0.0, 0.0)
    bounds = shapely.bounds(to_degrees(shapely.box(west, south, east, north), crs, swapped=swapped))
    if not upright or not all(map(math.isfinite, bounds)):
        raise WfsError(
            "BBOX is four numbers, the lower corner before the upper one, and perhaps a CRS.",
            "InvalidParameterValue",
            "bbox",
        )
    return Extent(*(float(side) for side in bounds))


async def read_rows(connection: _Connection, reading: Reading, found: Wanted, *, gml: bool) -> list[asyncpg.Record]:
    """The rows of a page and one more, if there is one; geometries as GML text, or as WKB with x first."""
    page = replace(found.query, limit=found.start + found.query.limit + 1)
    rows = rows_statement(found.layer, found.decision, page).subquery("found")
    shape = _gml(found, rows) if gml else None
    columns: list[sa.ColumnElement[Any]] = [rows.c.key, *(rows.c[name] for name in found.attributes)]
    if found.shaped:
        columns.append((shape_in(found.crs.srid, rows.c.geom) if shape is None else shape).label(GEOMETRY))
    chosen = sa.select(*columns).order_by(*_ordering(found, rows)).offset(sa.bindparam("start", type_=sa.BigInteger()))
    compiled = compile_statement(chosen, reading.schema(found.decision.rule.max_clearance))
    values = {**page.values(found.layer), "start": found.start}
    return list(await connection.fetch(compiled.sql, *compiled.arguments(values)))


def _ordering(found: Wanted, rows: sa.Subquery) -> list[sa.ColumnElement[Any]]:
    keys = [rows.c[key.attribute].desc() if key.descending else rows.c[key.attribute] for key in found.query.sort]
    return [*keys, rows.c.fid]


async def count_rows(connection: _Connection, reading: Reading, found: Wanted) -> int:
    """How many features meet a query."""
    table = current_table(found.layer)
    counted = sa.select(sa.func.count()).select_from(table)
    statement = counted.where(*conditions(found.layer, table, found.decision, found.query))
    compiled = compile_statement(statement, reading.schema(found.decision.rule.max_clearance))
    number = await connection.fetchval(compiled.sql, *compiled.arguments(found.query.values(found.layer)))
    return int(number)


_LONG, _DIGITS_DEGREES, _DIGITS_METRES = 1, 9, 4
_VERSION = 3


def _gml(found: Wanted, rows: sa.Subquery) -> sa.ColumnElement[Any]:
    """Geometries as GML 3.2; surfaces and lines are always collections, as their type says."""
    geom = sa.type_coerce(rows.c.geom, sa.types.NullType())
    shape: sa.ColumnElement[Any] = geom
    if isinstance(found.layer, VectorLayer) and found.layer.geometry in ("polygon", "line"):
        shape = sa.func.ST_Multi(geom, type_=sa.types.NullType())
    if found.crs.projected:
        shape = sa.func.ST_Transform(sa.func.ST_SetSRID(shape, 4326), found.crs.srid, type_=sa.types.NullType())
    if found.swapped:
        shape = sa.func.ST_FlipCoordinates(shape, type_=sa.types.NullType())
    digits = _DIGITS_METRES if found.crs.projected else _DIGITS_DEGREES
    name = sa.literal("gml", sa.Text())
    return sa.func.ST_AsGML(_VERSION, shape, digits, _LONG, name, sa.literal("g", sa.Text()), type_=sa.Text())
