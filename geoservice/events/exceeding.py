"""What is beyond a limit of a subscription now: values of datastreams, or indices of stations. Reads, as one reader."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import shapely
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.statements import placed_streams
from geoservice.events.news import moment
from geoservice.exceedances.limits import AIR, DECLARED, WATER, Grade
from geoservice.exceedances.now import Current, OwnLimit, Standing, beyond_now
from geoservice.observations.tables import datastream
from geoservice.stations.state import Station, find_stations
from geoservice.stations.state import Wish as StationWish
from geoservice.stations.statements import MOST_STREAMS, Latest, read_latest
from layers.access import Clearance

STANDARDS = {"gb3095": AIR, "gb3838": WATER, "declared": DECLARED}
"""Standards by the word of a condition."""
FRESH = dt.timedelta(hours=24)
"""How old a value beyond a limit may be; a datastream that says nothing for longer is silent."""
MOST = 20_000
"""Most values that are looked at at once; of more, each half of the datastreams is looked at by itself."""
SHARES = 32
"""Shares into which datastreams are parted at most."""


@dataclass(frozen=True)
class Beyond:
    """Something that is beyond a limit now.

    Attributes:
        key: What it is, the same as long as it lasts.
        place: Longitude and latitude in degrees.
        time: When the value was read; of a mean its beginning (UTC).
        facts: What is told of it.
        stream: Number of the datastream; None for an index.
    """

    key: str
    place: tuple[float, float]
    time: dt.datetime
    facts: Mapping[str, Any]
    stream: int | None


@dataclass(frozen=True)
class Look:
    """What is beyond a limit now, by key, and whether that is all: of what is cut off nobody knows whether it ended."""

    beyond: Mapping[str, Beyond]
    whole: bool

    def inside(self, area: shapely.Geometry | None) -> dict[str, Beyond]:
        """What of it lies in an area (longitude and latitude in degrees), rim included."""
        if area is None:
            return dict(self.beyond)
        found = list(self.beyond.values())
        met = shapely.intersects_xy(area, [one.place[0] for one in found], [one.place[1] for one in found])
        return {one.key: one for one, inside in zip(found, met.tolist(), strict=True) if inside}


async def beyond(
    connection: AsyncConnection, clearance: Clearance, condition: Mapping[str, Any], at: dt.datetime
) -> Look:
    """What is beyond the limit of a condition, of all that a reader may see."""
    if "index" in condition:
        return await _indices(connection, clearance, condition, at)
    return await _streams(connection, clearance, _wish(condition, at))


async def _streams(connection: AsyncConnection, clearance: Clearance, wish: Current) -> Look:
    """What is beyond now, in as many shares of the datastreams as it takes to see all of it."""
    found, more = await beyond_now(connection, clearance, wish)
    if not more:
        return Look({one.key: one for one in map(_of_stream, found)}, whole=True)
    if wish.share is not None and wish.share[1] >= SHARES:
        return Look({one.key: one for one in map(_of_stream, found)}, whole=False)
    looks = [await _streams(connection, clearance, half) for half in wish.halves()]
    return Look({**looks[0].beyond, **looks[1].beyond}, all(one.whole for one in looks))


def _wish(condition: Mapping[str, Any], at: dt.datetime) -> Current:
    own = None
    for side in ("above", "below"):
        if side in condition:
            own = OwnLimit(float(condition[side]), side == "below", condition.get("unit"))
    return Current(
        at=at,
        fresh=FRESH,
        properties=(condition["property"],) if "property" in condition else None,
        standard=STANDARDS.get(condition.get("standard", "")),
        grade=cast("Grade", condition.get("grade", "2")),
        limit=MOST,
        own=own,
    )


def _of_stream(one: Standing) -> Beyond:
    stream, limit = one.stream, one.limit
    unit = stream.unit_symbol or stream.unit
    facts = {
        "station": stream.station,
        "name": stream.name,
        "datastream": stream.key,
        "property": stream.property,
        "point": [stream.x, stream.y],
        "value": one.value,
        "unit": unit,
        "datetime": moment(one.time),
        "limit": {
            "value": limit.value,
            "unit": limit.unit,
            "side": "below" if limit.below else "above",
            "standard": limit.standard,
            "name": limit.title,
            "basis": limit.basis,
        },
    }
    key = ":".join((stream.key, limit.standard, limit.title, limit.basis))
    return Beyond(key, (stream.x, stream.y), one.time, facts, stream.id)


async def _indices(
    connection: AsyncConnection, clearance: Clearance, condition: Mapping[str, Any], at: dt.datetime
) -> Look:
    found = await find_stations(connection, clearance, StationWish(at=at, limit=MOST_STREAMS))
    over = (_of_station(one, condition) for one in found.stations if not one.stale)
    return Look({one.key: one for one in over if one is not None}, found.matched <= MOST_STREAMS)


def _of_station(one: Station, condition: Mapping[str, Any]) -> Beyond | None:
    judged, index, least = one.judgement, condition["index"], condition["above"]
    if judged is None or judged.index != index:
        return None
    # Water has classes and no number: 1 is the best of them.
    value = judged.verdict.code if judged.verdict.value is None else judged.verdict.value
    if value <= least:
        return None
    facts = {
        "station": one.key,
        "name": one.name_zh or one.name,
        "index": index,
        "point": [one.x, one.y],
        "value": value,
        "worst": list(judged.verdict.worst),
        "datetime": moment(judged.hour),
        "limit": {"value": least, "side": "above"},
    }
    return Beyond(f"{one.key}:{index}", (one.x, one.y), judged.hour, facts, None)


async def values_now(
    connection: AsyncConnection, clearance: Clearance, streams: Collection[int], at: dt.datetime
) -> dict[int, Latest | None]:
    """The latest reading of some datastreams, by number; those that the reader may not see are not among them."""
    if not streams:
        return {}
    seen = placed_streams(clearance).where(datastream.c.id.in_(list(streams)))
    mine = {row["id"] for row in (await connection.execute(seen)).mappings()}
    found = await read_latest(connection, clearance, sorted(mine), at)
    return {number: found.get(number) for number in mine}


async def stations_now(
    connection: AsyncConnection, clearance: Clearance, keys: Collection[str], at: dt.datetime
) -> dict[str, Station]:
    """Some stations as they stand, by key; those that the reader may not see are not among them."""
    if not keys:
        return {}
    found = await find_stations(connection, clearance, StationWish(at=at, limit=MOST_STREAMS))
    return {one.key: one for one in found.stations if one.key in keys}
