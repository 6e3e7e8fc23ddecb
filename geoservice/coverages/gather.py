"""Looking up what a coverage needs: the layer, the zone, the rasters, what is known of their edition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.place import Place
from geoservice.analysis.request import find_place
from geoservice.coverages.errors import NoCoverage
from geoservice.coverages.request import CoverageRequest
from geoservice.db.compiled import compile_statement
from geoservice.db.pools import Pools, RawConnection
from geoservice.db.reading import Reading
from geoservice.features.assets import Which, around, read_assets
from geoservice.features.past import edition_then, instant_asked
from geoservice.features.state import read_states
from geoservice.formats.subject import About, about_layer
from geoservice.queries.sources import open_layer
from layers.access import Decision, Principal
from layers.asset import Asset
from layers.catalog import Catalog
from layers.errors import BadGeometry, BadParameter, UnknownLayer
from layers.interval import parse_datetime
from layers.model import RasterLayer
from layers.table import AS_OF

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Surroundings:
    """Who asks, and what may be asked.

    Attributes:
        principal: Who asks; every layer is opened through the access decision for them.
        catalog: All layers.
        pools: Connections by clearance.
        reading: How rows are read on this server.
        rasters: Folder of the raster files.
    """

    principal: Principal
    catalog: Catalog
    pools: Pools
    reading: Reading
    rasters: Path


@dataclass(frozen=True)
class Gathered:
    """What a coverage is made of.

    Attributes:
        layer: The layer, crediting whom its editions name.
        place: The zone; None for everywhere.
        assets: The rasters, the topmost first; at least one.
        about: What the file says of itself.
    """

    layer: RasterLayer
    place: Place | None
    assets: Sequence[Asset]
    about: About


async def gather(around_us: Surroundings, asked: CoverageRequest) -> Gathered:
    """Look up what a coverage needs.

    Raises:
        UnknownLayer: When there is no such raster, or none that the principal may see.
        UnknownFeature: When the zone names a feature that does not exist or that the principal may not see.
        NoCoverage: When no raster is there.
        BadParameter: When a time is malformed or the rasters state none.
        BadGeometry: When the zone is no area, or crosses 180 degrees.
    """
    layer, decision = _raster(around_us, asked.collection)
    place = await _place(around_us, asked)
    box = None if place is None else _box(place)
    if asked.taken is not None and layer.time is None:
        raise BadParameter(f"The rasters of {layer.name} do not say when they were taken.", parameter="datetime")
    interval = None if asked.taken is None else parse_datetime(asked.taken)
    async with around_us.pools.raw(around_us.principal.clearance) as connection:
        instant = await instant_asked(connection, layer, asked.as_of, asked.edition)
        which = Which(None if box is None else around(box), interval, instant)
        assets = await read_assets(connection, around_us.reading, layer, decision, around_us.rasters, which)
        if not assets:
            when = "" if interval is None and instant is None else " of that time"
            raise NoCoverage(f"Collection {layer.name} has no raster{when} there that you may see.")
        layer, about = await _about(connection, layer, decision, instant)
    return Gathered(layer, place, assets, about)


def _raster(around_us: Surroundings, name: str) -> tuple[RasterLayer, Decision]:
    layer, decision = open_layer(around_us.catalog, around_us.principal, name)
    if not isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} is no raster: it has features, at its items.")
    return layer, decision


async def _place(around_us: Surroundings, asked: CoverageRequest) -> Place | None:
    if asked.zone is None:
        return None
    clearance = around_us.principal.clearance
    schema = around_us.reading.schema(clearance)
    context = AnalysisContext(around_us.principal, around_us.catalog, around_us.rasters, schema=schema)
    async with around_us.pools.connection(clearance) as connection:
        return await find_place(connection, asked.zone, context)


def _box(place: Place) -> Box:
    boxes = place.boxes()
    if len(boxes) > 1:
        raise BadGeometry(
            "A coverage is one grid and cannot cross 180 degrees; ask for each side by itself.", where=place.origin
        )
    return boxes[0]


async def _about(
    connection: RawConnection, layer: RasterLayer, decision: Decision, instant: dt.datetime | None
) -> tuple[RasterLayer, About]:
    """The layer with its credits, and what is known of the edition that is shown."""
    clearance = decision.rule.max_clearance
    state = (await read_states(connection, clearance, [layer.name]))[layer.name]
    layer = layer.crediting(state.mappings)
    number = state.edition
    if instant is not None:
        compiled = compile_statement(sa.select(edition_then(layer)))
        number = await connection.fetchval(compiled.sql, *compiled.arguments({AS_OF: instant}))
    facts = {"committed": state.committed, "source": state.source} if number == state.edition else {}
    return layer, about_layer(layer, clearance, edition=number, instant=instant, **facts)
