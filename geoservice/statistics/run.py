"""Answering: one snapshot is read, in the database where rows can be grouped there, else in threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from geoservice.analysis.raster_sums import RasterSums
from geoservice.analysis.request import DIVISIONS
from geoservice.features.assets import Which, read_assets
from geoservice.features.filtering import calculable
from geoservice.features.past import final_at
from geoservice.features.query import FeatureQuery
from geoservice.impact.fetch import CHUNK, Ground, near, read_editions
from geoservice.statistics.bins import nice_edges
from geoservice.statistics.cells import cells_by_division
from geoservice.statistics.found import Found, Gathering, Group, Histogram
from geoservice.statistics.keeper import Placing, placing_of
from geoservice.statistics.labelled import Labelled
from geoservice.statistics.parted import Parted
from geoservice.statistics.placement import Placement
from geoservice.statistics.places import Places, open_divisions, read_places
from geoservice.statistics.statements import (
    CODE,
    bins_statement,
    grouped_statement,
    listed,
    listed_statement,
    placed_statement,
    range_statement,
)
from geoservice.statistics.tally import tally_of, together
from geoservice.statistics.wish import Wish
from layers.access import Decision, Principal
from layers.catalog import Catalog
from layers.errors import BadParameter, QueryTimeout
from layers.model import Layer, RasterLayer, RowLayer, TableLayer, VectorLayer

_MILLISECONDS = 1000


@dataclass(frozen=True)
class Asked:
    """A question: who asks what of which layer.

    Attributes:
        principal: Who asks.
        catalog: All layers.
        layer: The layer; the decision allowed it.
        decision: Rows and attributes the principal may see.
        query: Which rows; `as_of` counts for rasters, too.
        wish: What is told of them.
        seconds: Time for all of the answer.
    """

    principal: Principal
    catalog: Catalog
    layer: Layer
    decision: Decision
    query: FeatureQuery
    wish: Wish
    seconds: float

    @property
    def shape(self) -> tuple[object, ...]:
        """What its statements depend on."""
        rows = () if isinstance(self.layer, RasterLayer) else self.query.shape(self.layer)
        return (self.layer.name, self.decision.attributes, rows, self.wish)


async def stamps_of(ground: Ground, asked: Asked) -> tuple[object, ...]:
    """Numbers and times of the editions that an answer is made from; a database that was restored counts on."""
    layers = [asked.layer, *([asked.catalog.layer(DIVISIONS)] if asked.wish.by_place else [])]
    found = await read_editions(ground, layers, asked.principal.clearance)
    return tuple((name, one.number, one.committed) for name, one in sorted(found.items()))


async def allow(ground: Ground, seconds: float) -> None:
    """Until the end of the transaction: time for each statement, as analyses have it."""
    told = str(round(seconds * _MILLISECONDS))
    await ground.connection.execute("SELECT set_config('statement_timeout', $1, true)", told)


def placing_asked(asked: Asked) -> Placing | None:
    """What has to be placed among divisions for a question; None where nothing is kept for such ones.

    The past and a single division are placed for each question, and so are the ends of dates.
    """
    layer, wish = asked.layer, asked.wish
    if not isinstance(layer, VectorLayer) or asked.query.as_of is not None:
        return None
    if wish.level is None or wish.within is not None or not listed(layer, wish):
        return None
    return placing_of(asked.catalog, asked.principal, layer, wish.level)


def lasts(asked: Asked) -> bool:
    """Whether a question is about all rows of a layer, so that it waits until they are placed."""
    return isinstance(asked.layer, VectorLayer) and not asked.query.filtered(asked.layer)


async def rows_found(ground: Ground, asked: Asked, layer: RowLayer, placement: Placement | None = None) -> Found:
    """Statistics of rows.

    Args:
        ground: An open snapshot of the asker's clearance, as of the instant of the question.
        asked: The question.
        layer: Its layer.
        placement: Where its rows lie, in the editions of the snapshot, if that is kept.

    Raises:
        BadParameter: When divisions are asked for that cannot be told.
        BadFilter: When the filter calculates what no column can hold.
        QueryTimeout: When it takes too long.
    """
    with calculable(asked.query.filter):
        places = await _places(ground, asked, drawn=placement is None) if asked.wish.by_place else None
        if places is None or isinstance(layer, TableLayer):
            found = await _grouped(ground, asked, layer, places)
        elif placement is not None:
            found = await _listed(ground, asked, layer, placement)
        else:
            found = await _parted(ground, asked, layer, places)
        histogram = await _histogram(ground, asked, layer) if asked.wish.bins is not None else None
    return replace(await _dated(ground, asked, found, places), histogram=histogram)


async def cells_found(ground: Ground, asked: Asked, layer: RasterLayer, kept: RasterSums, folder: Any) -> Found:
    """Statistics of a raster by division; arguments and errors as for rows, `folder` holds the files."""
    places = await _places(ground, asked)
    which = Which(instant=ground.as_of)
    assets = await read_assets(ground.connection, ground.reading, layer, asked.decision, folder, which)
    deadline = time.monotonic() + asked.seconds
    parts = await asyncio.to_thread(cells_by_division, assets, places.divisions, asked.wish, kept, deadline)
    gathering = Gathering(asked.wish, places.divisions.codes)
    gathering.put(parts)
    return await _dated(ground, asked, gathering.found(), places)


async def _places(ground: Ground, asked: Asked, *, drawn: bool = True) -> Places:
    wish, opened = asked.wish, open_divisions(asked.catalog, asked.principal)
    return await read_places(ground, opened, wish.level, wish.within, drawn=drawn)


async def _dated(ground: Ground, asked: Asked, found: Found, places: Places | None) -> Found:
    """The answer with the editions that it shows."""
    layers = [asked.layer, *([places.layer] if places is not None else [])]
    editions = await read_editions(ground, layers, asked.principal.clearance)
    divided = editions.get(places.layer.name) if places is not None else None
    final = ground.as_of is not None
    for layer in layers:
        final = final and ground.as_of is not None and await final_at(ground.connection, layer, ground.as_of)
    edition = editions.get(asked.layer.name)
    return replace(found, edition=edition, places=places, divided=divided, as_of=ground.as_of, final=final)


async def _grouped(ground: Ground, asked: Asked, layer: RowLayer, places: Places | None) -> Found:
    """Groups that the database makes; codes of divisions that there are not lie outside."""
    wish = asked.wish
    if places is not None and CODE not in asked.decision.attributes:
        raise BadParameter(
            f"Rows of {layer.name} have neither a place nor {CODE}, so they lie in no division.", parameter="group-by"
        )
    rows = await _rows(
        ground, asked, "groups", lambda: grouped_statement(layer, asked.decision, asked.query, wish), layer
    )
    told = [(row, tally_of(row, wish.attributes)) for row in rows]
    total = together(tally for _, tally in told)
    kept = [one for one in told if one[0]["place"] <= wish.limit]
    left = [one for one in told if one[0]["place"] > wish.limit]
    if not wish.groups:
        return Found(total)
    keyed = [Group(tuple(row[f"k_{i}"] for i in range(len(wish.groups))), tally) for row, tally in kept]
    at = next((i for i, group in enumerate(wish.groups) if group.attribute is None), None)
    inside = [g for g in keyed if places is None or at is None or g.keys[at] in places.names]
    strangers = [g.tally for g in keyed if g not in inside]
    return Found(
        total=total,
        groups=inside,
        number=sum(row["groups"] for row, _ in told) - len(strangers),
        rest=together(tally for _, tally in left) if left else None,
        outside=together(strangers) if strangers else None,
    )


async def _parted(ground: Ground, asked: Asked, layer: RowLayer, places: Places) -> Found:
    """Groups by where rows lie."""
    wish, deadline = asked.wish, time.monotonic() + asked.seconds
    parted = Parted(places.divisions, wish)
    boxed = wish.within is not None and len(places.divisions.members) > 0
    box = dict(zip(("w0", "s0", "e0", "n0"), places.box, strict=True)) if boxed else {}

    def made() -> sa.Select[Any]:
        return placed_statement(layer, asked.decision, asked.query, wish, lambda table: near(table, 1 if boxed else 0))

    compiled = ground.compiled(("statistics", "placed", boxed, *asked.shape), made, asked.principal.clearance)
    values = {**asked.query.values(layer), **box}
    cursor = await ground.connection.cursor(compiled.sql, *compiled.arguments(values))
    while rows := await cursor.fetch(CHUNK):
        if time.monotonic() > deadline:
            raise QueryTimeout(
                "Putting the features into divisions takes longer than this service allows; ask for less by within, "
                "bbox or filter."
            )
        await asyncio.to_thread(parted.put, rows)
    gathering = Gathering(wish, places.divisions.codes)
    gathering.put(parted.groups)
    return gathering.found()


async def _listed(ground: Ground, asked: Asked, layer: RowLayer, placement: Placement) -> Found:
    """Groups by where rows lie, which is known; only keys and values are read."""
    wish, attributes = asked.wish, layer.attributes
    whole = frozenset(name for name in wish.attributes if attributes[name].type == "integer")
    numbers = whole | {name for name in wish.attributes if attributes[name].type == "number"}
    labelled = await asyncio.to_thread(Labelled, placement, wish, whole, numbers)
    decision, query = asked.decision, asked.query
    compiled = ground.compiled(
        ("statistics", "listed", *asked.shape),
        lambda: listed_statement(layer, decision, query, wish),
        asked.principal.clearance,
    )
    cursor = await ground.connection.cursor(compiled.sql, *compiled.arguments(query.values(layer)))
    while rows := await cursor.fetch(CHUNK):
        await asyncio.to_thread(labelled.put, rows)
    # By county and class there are a hundred thousand groups: none of that is for the event loop.
    return await asyncio.to_thread(_gathered, labelled)


def _gathered(labelled: Labelled) -> Found:
    gathering = Gathering(labelled.wish, labelled.placement.codes)
    gathering.put(labelled.tallies())
    return gathering.found()


async def _histogram(ground: Ground, asked: Asked, layer: RowLayer) -> Histogram:
    attribute, bins = asked.wish.bins or ("", 1)
    decision, query = asked.decision, asked.query
    (ends,) = await _rows(ground, asked, "range", lambda: range_statement(layer, decision, query, attribute), layer)
    if not ends["number"]:
        return Histogram(attribute, (), (), ends["missing"])
    whole = layer.attributes[attribute].type == "integer"
    edges = nice_edges(ends["low"], ends["high"], bins, whole=whole)
    rows = await _rows(
        ground, asked, "bins", lambda: bins_statement(layer, decision, query, attribute), layer, edges=edges
    )
    counts = [0] * (len(edges) - 1)
    for row in rows:
        counts[min(max(row["bin"], 1), len(counts)) - 1] += row["number"]
    return Histogram(attribute, edges, counts, ends["missing"])


async def _rows(
    ground: Ground, asked: Asked, what: str, make: Callable[[], sa.Select[Any]], layer: RowLayer, **more: object
) -> Sequence[Mapping[str, Any]]:
    values = {**asked.query.values(layer), "within": asked.wish.within, **more}
    return await ground.rows(("statistics", what, *asked.shape), make, asked.principal.clearance, values)
