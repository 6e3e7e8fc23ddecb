"""What is asked for each row of a table, such as a join or a nearest feature; and making a question of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from geoservice.db.pools import RawConnection
from geoservice.features.assets import Which, around, read_assets
from geoservice.features.past import instant_asked, moment_asked
from geoservice.features.state import read_states
from geoservice.queries.batch import Question, Reply, Rows
from geoservice.queries.cells import Box, Method, sampled
from geoservice.queries.columns import schema_of
from geoservice.queries.coordinates import parse_input_crs
from geoservice.queries.database import NearbyPolygons
from geoservice.queries.found import Finder
from geoservice.queries.holders import Holders
from geoservice.queries.identify_table import DEFAULT_PREFIX, Here, identify_question
from geoservice.queries.join import join_question, prefixed
from geoservice.queries.meeting import Meeting
from geoservice.queries.near_table import near_columns
from geoservice.queries.nearest import Wish
from geoservice.queries.overlay import Matches, overlay_question
from geoservice.queries.sources import Sources
from layers.access import Decision
from layers.asset import Asset
from layers.errors import BadParameter
from layers.filter import parse_filter, queryables_of
from layers.model import RasterLayer, VectorLayer

Operation = Literal["join", "nearest", "values", "overlay", "identify"]
_WORLD: Box = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Narrowing:
    """How a request narrows a collection down; texts as they were written.

    Attributes:
        properties: Names of attributes, separated by commas; None for all that may be seen.
        filter: CQL2 filter, in the language `filter_lang`.
        filter_lang: `cql2-text` or `cql2-json`.
        as_of: RFC 3339 instant; None for now.
    """

    properties: str | None = None
    filter: str | None = None
    filter_lang: str = "cql2-text"
    as_of: str | None = None


@dataclass(frozen=True)
class TableWish:
    """What is asked for each row of a table.

    Attributes:
        operation: `join`: the polygon that holds it; `nearest`: the nearest feature; `values`: of a raster; `overlay`:
            what a line or area shares with features; `identify`: features of all collections at a point.
        collection: Id of the collection that is asked; of `identify` ids separated by commas, empty for all.
        narrowing: Which of its features; of rasters only the instant counts.
        crs: CRS of the coordinates; None for longitude and latitude.
        prefix: What names of added columns begin with; None for the collection and an underscore (`found_` of
            `identify`).
        within: Metres beyond which nothing is near; of `identify` how near a feature lies.
        method: How raster values are taken.
        matches: Of `overlay`: the feature that shares most, or a row for each.
        limit: Of `identify`: most features of each collection.
    """

    operation: Operation
    collection: str
    narrowing: Narrowing = Narrowing()
    crs: str | None = None
    prefix: str | None = None
    within: float | None = None
    method: Method = "nearest"
    matches: Matches = "first"
    limit: int = 10

    @property
    def shaped(self) -> bool:
        """Whether rows are to have geometries and not coordinates."""
        return self.operation == "overlay"

    @property
    def beginning(self) -> str:
        """What names of added columns begin with."""
        if self.prefix is None and self.operation == "identify":
            return DEFAULT_PREFIX
        return f"{self.collection}_" if self.prefix is None else self.prefix


@dataclass(frozen=True)
class Asked:
    """A question, and the edition of the collection that answers it; None about the past, or when nothing is loaded."""

    question: Question
    edition: int | None


async def asked_of(sources: Sources, wish: TableWish) -> Asked:
    """Make a question of what is wished.

    Raises:
        UnknownLayer: When there is no such collection that the principal may see.
        BadParameter, BadFilter, CrsRefused: When something in the wish is not sound.
    """
    crs = parse_input_crs(wish.crs)
    makers = {"join": _join, "nearest": _nearest, "values": _values, "overlay": _overlay, "identify": _identify}
    return await makers[wish.operation](sources, wish, crs)


async def _join(sources: Sources, wish: TableWish, crs: int) -> Asked:
    finder, edition = await finder_of(sources, wish.collection, wish.narrowing)
    return Asked(join_question(finder, wish.beginning, crs), edition)


async def _overlay(sources: Sources, wish: TableWish, crs: int) -> Asked:
    layer, decision = sources.drawn(wish.collection)
    async with sources.connect() as connection:
        holders = await holders_of(connection, layer, decision, wish.narrowing)
        edition = await _edition(connection, holders)
    meeting = Meeting(sources.connect, sources.reading, holders)
    return Asked(overlay_question(meeting, wish.beginning, crs, wish.matches), edition)


async def _identify(sources: Sources, wish: TableWish, crs: int) -> Asked:
    instant = moment_asked(wish.narrowing.as_of)
    meetings, rasters = dict[str, Meeting](), list[tuple[RasterLayer, list[Asset]]]()
    for layer, decision in sources.several(wish.collection):
        if isinstance(layer, VectorLayer):
            holders = Holders(layer, decision, decision.attributes, as_of=instant)
            meetings[layer.name] = Meeting(sources.connect, sources.reading, holders)
        elif isinstance(layer, RasterLayer):
            rasters.append(await raster_files(sources, layer.name, wish.narrowing.as_of, _WORLD))
    here = Here(meetings, rasters, wish.limit, wish.within or 0.0)
    return Asked(identify_question(here, wish.beginning, crs), None)


async def finder_of(sources: Sources, collection: str, narrowing: Narrowing) -> tuple[Finder, int | None]:
    """What finds the polygons of a collection, and the edition that they are of; None about the past."""
    layer, decision = sources.surfaces(collection)
    async with sources.connect() as connection:
        holders = await holders_of(connection, layer, decision, narrowing)
        kept = await sources.polygons.get(connection, sources.reading, holders)
        if kept is not None:
            return kept, kept.edition
        edition = await _edition(connection, holders)
    return NearbyPolygons(sources.connect, sources.reading, holders), edition


async def holders_of(
    connection: RawConnection, layer: VectorLayer, decision: Decision, narrowing: Narrowing
) -> Holders:
    """The features of a collection that a request narrows it down to.

    Raises:
        BadParameter: When an attribute or the instant is none.
        BadFilter: When the filter is not sound.
    """
    attributes = named_attributes(decision, narrowing.properties)
    chosen = parse_filter(narrowing.filter, narrowing.filter_lang, None, queryables_of(layer, decision))
    written = None if chosen is None else f"{narrowing.filter_lang} {narrowing.filter}"
    instant = await instant_asked(connection, layer, narrowing.as_of, None)
    return Holders(layer, decision, attributes, written, chosen, instant)


def named_attributes(decision: Decision, text: str | None) -> tuple[str, ...]:
    """The attributes that a request names, in its order; all visible ones when it names none.

    Raises:
        BadParameter: When one is none that the asker may see; it names those there are.
    """
    if text is None:
        return decision.attributes
    names = tuple(dict.fromkeys(name for name in text.split(",") if name))
    stranger = next((name for name in names if name not in decision.attributes), None)
    if stranger is not None:
        known = ", ".join(decision.attributes)
        raise BadParameter(f"There is no attribute {stranger[:60]!r}; there are {known}.", parameter="properties")
    return names


async def _edition(connection: RawConnection, holders: Holders) -> int | None:
    if holders.as_of is not None:
        return None
    name = holders.layer.name
    return (await read_states(connection, holders.decision.rule.max_clearance, [name]))[name].edition


async def _nearest(sources: Sources, wish: TableWish, crs: int) -> Asked:
    layer, decision = sources.vectors(wish.collection)
    async with sources.connect() as connection:
        holders = await holders_of(connection, layer, decision, wish.narrowing)
        edition = await _edition(connection, holders)
    schema = prefixed(schema_of(layer, holders.attributes), wish.beginning)

    async def answer(rows: Rows) -> Reply:
        rows.require_points()
        return Reply(await near_columns(sources.connect, sources.reading, holders, rows, Wish(1, wish.within)))

    added = pa.schema([*schema, pa.field(f"{wish.beginning}distance", pa.float64())])
    return Asked(Question(added, answer, crs), edition)


async def _values(sources: Sources, wish: TableWish, crs: int) -> Asked:
    layer, assets = await raster_files(sources, wish.collection, wish.narrowing.as_of, _WORLD)
    require_mean(layer, wish.method)

    async def answer(rows: Rows) -> Reply:
        rows.require_points()
        values = await asyncio.to_thread(sampled, assets, rows.x, rows.y, len(layer.bands), wish.method)
        return Reply([pa.array(one, mask=np.isnan(one)) for one in values])

    schema = pa.schema([pa.field(f"{wish.beginning}{band.name}", pa.float64()) for band in layer.bands])
    return Asked(Question(schema, answer, crs), None)


async def raster_files(
    sources: Sources, collection: str, as_of: str | None, box: Box
) -> tuple[RasterLayer, list[Asset]]:
    """A raster collection and its files near a box (degrees), the topmost first.

    Raises:
        UnknownLayer: When there is none that the principal may see.
        BadParameter: When it is no raster, or the instant is none.
    """
    layer, decision = sources.raster(collection)
    async with sources.connect() as connection:
        instant = await instant_asked(connection, layer, as_of, None)
        which = Which(around(box), instant=instant)
        return layer, await read_assets(connection, sources.reading, layer, decision, sources.rasters, which)


def require_mean(layer: RasterLayer, method: Method) -> None:
    """Refuse to mix codes.

    Raises:
        BadParameter: When the cells are codes and a mean is wanted.
    """
    if method == "bilinear" and layer.list is not None:
        raise BadParameter(f"The cells of {layer.name} are codes, of which there is no mean.", parameter="method")
