"""Data of stations: the readings, or their means, of the datastreams that a reader may see."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.beside import along, land_beside
from geoservice.edr.errors import NoEnvironmentalData
from geoservice.edr.model import (
    Along,
    Answer,
    Around,
    At,
    Box,
    Floats,
    Known,
    Parameter,
    Part,
    Wanted,
    Where,
    Within,
    chosen,
)
from geoservice.edr.statements import (
    MOST_STREAMS,
    MOST_VALUES,
    Stream,
    Value,
    read_streams,
    read_summary,
    read_values,
)
from geoservice.queries.geodesy import geodesics, reach
from layers.access import Clearance
from layers.errors import BadParameter, TooLarge
from layers.model import Text

QUERIES = ("position", "radius", "area", "cube", "trajectory", "corridor", "items", "locations")
NEAR = 50_000.0
"""Metres: a station further away says nothing about a position."""


@dataclass(frozen=True)
class Stations:
    """The stations that a reader may see.

    Attributes:
        connection: A connection of the reader of that clearance.
        clearance: Up to which clearance things are shown.
    """

    connection: AsyncConnection
    clearance: Clearance

    async def known(self) -> Known | None:
        """What there is; None when there is nothing that the reader may see."""
        found = await read_summary(self.connection, self.clearance)
        if found is None:
            return None
        return Known(QUERIES, _parameters(found.examples), found.box, found.begins, found.ends)

    async def streams(self, boxes: Iterable[Box], station: str | None = None) -> list[Stream]:
        """The datastreams with a place in some boxes, or those of a station.

        Raises:
            TooLarge: When there are more than can be answered.
        """
        found = await read_streams(self.connection, self.clearance, tuple(boxes), station)
        if len(found) > MOST_STREAMS:
            raise TooLarge(
                f"More than {MOST_STREAMS:,} datastreams lie there; ask for a smaller area.", limit=MOST_STREAMS
            )
        return found

    async def answer(self, where: Where, wanted: Wanted) -> Answer:
        """The data of the stations of a place, station by station.

        Raises:
            BadParameter: When a parameter is unknown, or a grid is wanted.
            NoEnvironmentalData: When no station is near a position.
            TooLarge: When there is more than can be answered.
        """
        if wanted.width is not None or wanted.height is not None:
            raise BadParameter("Stations have no grid and no resolution.", parameter="resolution-x")
        if isinstance(where, Along):
            return Answer(await self._along(where, wanted))
        streams = await self._wanted(await self.streams(_boxes(where)), wanted)
        return Answer(await self._parts(_kept(where, streams), wanted))

    async def _along(self, where: Along, wanted: Wanted) -> list[Part]:
        """The data of the stations beside a line, in the order in which it passes them."""
        beside = Within(await asyncio.to_thread(land_beside, where))
        streams = await self._wanted(await self.streams(_boxes(beside)), wanted)
        parts = await self._parts(_kept(beside, streams), wanted)
        x, y = (np.array([getattr(one, side)[0] for one in parts], dtype=np.float64) for side in "xy")
        placed = [replace(one, along=round(at, 1)) for one, at in zip(parts, along(where, x, y).tolist(), strict=True)]
        return sorted(placed, key=lambda one: (one.along or 0.0, one.id or ""))

    async def station(self, key: str, wanted: Wanted) -> Answer:
        """The data of one station.

        Raises:
            NoEnvironmentalData: When there is none that the reader may see.
            BadParameter, TooLarge: As `answer`.
        """
        streams = await self.streams((), key) if "\x00" not in key else []
        if not streams:
            raise NoEnvironmentalData(f"There is no location {key[:80]!r}; /locations of the collection lists them.")
        parts = await self._parts(await self._wanted(streams, wanted), wanted)
        return Answer(parts, single=len(parts) == 1)

    async def _wanted(self, streams: Sequence[Stream], wanted: Wanted) -> list[Stream]:
        """The datastreams of the parameters that are wanted; names are judged by all that the reader may see."""
        if wanted.names is None:
            return list(streams)
        present = {one.property for one in streams}
        if not set(wanted.names) <= present:
            known = await self.known()
            present |= set(known.parameters) if known is not None else set()
        names = chosen(wanted.names, sorted(present))
        return [one for one in streams if one.property in names]

    async def _parts(self, streams: Sequence[Stream], wanted: Wanted) -> list[Part]:
        found = await read_values(self.connection, self.clearance, [one.id for one in streams], wanted)
        if len(found) > MOST_VALUES:
            raise TooLarge(
                f"The answer would have more than {MOST_VALUES:,} values; narrow it by datetime, parameter-name or "
                "place, or ask for means by average.",
                limit=MOST_VALUES,
            )
        values = defaultdict[int, list[Value]](list)
        for one in found:
            values[one.stream].append(one)
        return [_series(group, values) for group in _groups(streams) if any(values[one.id] for one in group)]


def _parameters(streams: Sequence[Stream]) -> dict[str, Parameter]:
    return {one.property: parameter_of(one) for one in sorted(streams, key=lambda one: one.property)}


def parameter_of(stream: Stream) -> Parameter:
    """What a datastream measures, in its own unit."""
    name = stream.label or stream.property
    unit, label = stream.unit_symbol or None, stream.unit_name or None
    return Parameter(stream.property, Text(zh=stream.label_zh or name, en=name), stream.definition or None, unit, label)


def _boxes(where: At | Around | Within) -> tuple[Box, ...]:
    if isinstance(where, At):
        return tuple(box for x, y in zip(where.x.tolist(), where.y.tolist(), strict=True) for box in reach(x, y, NEAR))
    if isinstance(where, Around):
        return reach(where.x, where.y, where.metres)
    west, south, east, north = shapely.bounds(where.area).tolist()
    return ((west, south, east, north),)


def _kept(where: At | Around | Within, streams: list[Stream]) -> list[Stream]:
    """Those of some datastreams that are meant."""
    x, y = np.array([one.x for one in streams]), np.array([one.y for one in streams])
    if isinstance(where, At):
        return _nearest(where, streams, x, y)
    if not streams:
        return []
    if isinstance(where, Around):
        inside = geodesics(np.full(len(x), where.x), np.full(len(x), where.y), x, y) <= where.metres
    else:
        shapely.prepare(where.area)
        inside = shapely.intersects_xy(where.area, x, y)
    return [one for one, kept in zip(streams, inside.tolist(), strict=True) if kept]


def _nearest(where: At, streams: list[Stream], x: Floats, y: Floats) -> list[Stream]:
    """For each point and property the nearest datastream within reach."""
    found = dict[int, Stream]()
    for lon, lat in zip(where.x.tolist(), where.y.tolist(), strict=True):
        metres = geodesics(np.full(len(x), lon), np.full(len(x), lat), x, y) if len(x) else np.zeros(0)
        best = dict[str, tuple[float, Stream]]()
        for one, far in zip(streams, metres.tolist(), strict=True):
            if far <= NEAR and (one.property not in best or far < best[one.property][0]):
                best[one.property] = (far, one)
        if not best:
            raise NoEnvironmentalData(f"No station that you may see lies within {NEAR / 1000:g} km of ({lon}, {lat}).")
        found |= {one.id: one for _, one in best.values()}
    return list(found.values())


def _groups(streams: Sequence[Stream]) -> Iterator[list[Stream]]:
    """Datastreams of one station; a second one of the same property makes a further group."""
    groups = dict[tuple[str, int], list[Stream]]()
    seen = defaultdict[tuple[str, str], int](int)
    for one in streams:
        number = seen[one.station, one.property]
        seen[one.station, one.property] += 1
        groups.setdefault((one.station, number), []).append(one)
    yield from groups.values()


def _series(group: Sequence[Stream], values: Mapping[int, Sequence[Value]]) -> Part:
    times = sorted({value.time for one in group for value in values[one.id]})
    place = {time: number for number, time in enumerate(times)}
    ranges = dict[str, Floats]()
    for one in group:
        row = np.full(len(times), np.nan)
        for value in values[one.id]:
            row[place[value.time]] = value.number
        ranges[one.property] = row
    first = group[0]
    return Part(
        domain="PointSeries",
        x=np.array([first.x]),
        y=np.array([first.y]),
        values=ranges,
        parameters=_parameters(group),
        t=tuple(times),
        id=first.station,
        label=first.name,
    )
