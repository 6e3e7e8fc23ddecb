"""Looking up what a method wants: features, rasters, places; every layer through the access decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.coverages.errors import NoCoverage
from geoservice.features.assets import Which, around, assets_of, assets_statement
from geoservice.features.query import FeatureQuery
from geoservice.features.rows import conditions, plain
from geoservice.features.state import state_of, state_statement
from geoservice.hazards.attenuation import relations
from geoservice.hazards.method import (
    Feature,
    FeaturesWanted,
    Found,
    HazardMethod,
    Parameters,
    Raster,
    RasterWanted,
    Wanted,
)
from geoservice.queries.sources import open_layer
from geoservice.queries.where import Where, find_where, read_in_thread
from layers.access import Clearance, Decision
from layers.answer import EditionRef
from layers.errors import BadParameter, TooLarge, UnknownLayer
from layers.hazard import ZoneInput
from layers.model import RasterLayer, VectorLayer
from layers.table import current_table

MOST_FEATURES = 100_000
_DRAWN = frozenset({"geometry", "bbox", "sheet"})
"""Ways to say where that tell nothing of rows."""
_EQUAL = "equal"


async def gather(
    connection: AsyncConnection,
    context: AnalysisContext,
    method: HazardMethod,
    told: Parameters,
    *,
    most_vertices: int,
    most_of_area: int,
    folder: Path | None = None,
) -> Found:
    """What a method wants, as far as the asker may see it.

    Args:
        connection: A read-only connection of the asker's clearance.
        context: Who asks, and the layers.
        method: The method.
        told: Its parameters.
        most_vertices: Most vertices of a drawn geometry around which something is computed.
        most_of_area: Most vertices of areas that are taken as they are.
        folder: An agency's folder of layers, for its attenuation relations.

    Raises:
        UnknownLayer, UnknownFeature: When something that was named is not there, or not for the asker.
        BadParameter, BadBody, BadGeometry, TooLarge: When what is wanted does not fit the layers or the limits.
    """
    found = Found(relations=relations(folder), most_vertices=most_of_area)
    done = set[str]()
    while new := {name: want for name, want in method.wanted(told, found).items() if name not in done}:
        for name, want in new.items():
            found = await _with(connection, context, found, (name, want), most_vertices)
        done |= set(new)
    return found


async def _with(
    connection: AsyncConnection, context: AnalysisContext, found: Found, wish: tuple[str, Wanted], most: int
) -> Found:
    name, want = wish
    if isinstance(want, FeaturesWanted):
        return await _with_features(connection, context, found, name, want)
    if isinstance(want, RasterWanted):
        return await _with_raster(connection, context, found, name, want)
    asked = await read_in_thread(want.body, most)
    where = asked if isinstance(asked, Where) else await find_where(connection, asked, context)
    # What a name stands for may be a row of any clearance that the asker has.
    seen = Clearance.PUBLIC if set(want.body) <= _DRAWN else context.principal.clearance
    return replace(found, places={**found.places, name: where.geometry}, clearance=max(found.clearance, seen))


async def _with_features(
    connection: AsyncConnection, context: AnalysisContext, found: Found, name: str, want: FeaturesWanted
) -> Found:
    opened = _opened(context, want)
    if opened is None:
        return replace(found, features={**found.features, name: ()})
    layer, decision = opened
    if want.named is not None and want.named not in decision.attributes:
        raise BadParameter(f"Collection {layer.name} has no attribute {want.named[:40]!r}.", parameter="attribute")
    if want.interval is not None and layer.time is None:
        raise BadParameter(f"The features of {layer.name} have no time.", parameter="datetime")
    attributes = tuple(one for one in want.attributes if one in decision.attributes)
    statement, values = _statement(layer, decision, want, attributes)
    rows = await _rows(connection, statement, values, context)
    if len(rows) > MOST_FEATURES:
        raise TooLarge(
            f"More than {MOST_FEATURES} features of {layer.name} are there; ask for a smaller area or time.",
            limit=MOST_FEATURES,
        )
    features = tuple(_feature(row, attributes) for row in rows)
    seen = [layer.clearance, *(Clearance(row["_clearance"]) for row in rows)]
    seen += [layer.attributes[one].effective_clearance(layer) for one in attributes]
    return replace(
        found,
        features={**found.features, name: features},
        inputs=(*found.inputs, await _input(connection, context, layer)),
        clearance=max(found.clearance, *seen),
    )


def _opened(context: AnalysisContext, want: FeaturesWanted) -> tuple[VectorLayer, Decision] | None:
    """The layer and what the asker may see of it; None when it may be missing and is."""
    try:
        layer, decision = open_layer(context.catalog, context.principal, want.collection)
    except UnknownLayer:
        if want.optional:
            return None
        raise
    if not isinstance(layer, VectorLayer):
        raise BadParameter(f"Collection {layer.name} has no geometries of features.", parameter="collection")
    if want.equal is not None and want.equal[0] not in decision.attributes:
        raise UnknownLayer(f"There is no collection {want.collection[:60]!r}; /collections lists those there are.")
    return layer, decision


def _statement(
    layer: VectorLayer, decision: Decision, want: FeaturesWanted, attributes: Sequence[str]
) -> tuple[sa.Select[Any], dict[str, Any]]:
    table = current_table(layer)
    query = FeatureQuery(MOST_FEATURES + 1, bbox=want.extent, interval=want.interval, ids=want.ids)
    geometry = sa.type_coerce(sa.func.ST_AsBinary(plain(table.c.geom)), sa.LargeBinary()).label("_geometry")
    columns = [table.c.key.label("_key"), table.c["_clearance"], geometry, *(table.c[one] for one in attributes)]
    statement = sa.select(*columns).where(*conditions(layer, table, decision, query))
    values = query.values(layer)
    if want.equal is not None:
        statement = statement.where(table.c[want.equal[0]] == sa.bindparam(_EQUAL, type_=sa.Text()))
        values[_EQUAL] = want.equal[1]
    # In one order, whatever the plan: the same rows make the same zone.
    ordered = statement.order_by(sa.collate(table.c.key, "C")).limit(sa.bindparam("limit", type_=sa.BigInteger()))
    return ordered, values


def _feature(row: Mapping[str, Any], attributes: Sequence[str]) -> Feature:
    geometry = None if row["_geometry"] is None else shapely.from_wkb(row["_geometry"])
    return Feature(row["_key"], geometry, {name: row[name] for name in attributes})


async def _with_raster(
    connection: AsyncConnection, context: AnalysisContext, found: Found, name: str, want: RasterWanted
) -> Found:
    layer, decision = open_layer(context.catalog, context.principal, want.collection)
    if not isinstance(layer, RasterLayer):
        raise BadParameter(f"Collection {layer.name} is no raster.", parameter="collection")
    boxes = want.extent.boxes()
    if len(boxes) > 1:
        raise BadParameter("A zone of a raster does not cross 180 degrees; ask for each side.", parameter="bbox")
    statement = assets_statement(layer, decision.rule, Which(around(boxes[0])))
    rows = await _rows(connection, statement, {}, context)
    assets = assets_of(layer, rows, context.rasters)
    if not assets:
        raise NoCoverage(f"Collection {layer.name} has no raster there that you may see.")
    seen = max(layer.clearance, *(Clearance(row["clearance"]) for row in rows))
    return replace(
        found,
        rasters={**found.rasters, name: Raster(layer, tuple(assets))},
        inputs=(*found.inputs, await _input(connection, context, layer)),
        clearance=max(found.clearance, seen),
    )


async def _input(connection: AsyncConnection, context: AnalysisContext, layer: VectorLayer | RasterLayer) -> ZoneInput:
    rows = await _rows(connection, state_statement(context.principal.clearance), {"names": [layer.name]}, context)
    state = state_of(rows[0]) if rows else None
    if state is None or state.edition is None or state.committed is None or state.source is None:
        return ZoneInput(name=layer.name)
    reference = EditionRef(number=state.edition, committed=state.committed, source=state.source)
    return ZoneInput(name=layer.name, edition=reference)


async def _rows(
    connection: AsyncConnection, statement: sa.Select[Any], values: Mapping[str, Any], context: AnalysisContext
) -> Sequence[Mapping[str, Any]]:
    options = {"schema_translate_map": context.schema} if context.schema else {}
    result = await connection.execute(statement, values, execution_options=options)
    return [dict(row) for row in result.mappings()]
