"""Classes of stations hour by hour, for a map that moves through time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box
from geoservice.observations.played import EARNEST, Played
from geoservice.stations.judge import Bench, air_by_day, thresholds
from geoservice.stations.statements import (
    ENOUGH_HOURS,
    ByDay,
    Hour,
    Stream,
    read_hours,
    read_streams,
    streams_statement,
)
from geoservice.stations.themes import ITEMS, IndexName
from layers.access import Clearance
from layers.errors import BadParameter, TooLarge

MOST_FRAMES = 745
"""Hours of the longest month, and one."""
MOST_VALUES = 1_000_000
NONE = "-"
_HOUR = dt.timedelta(hours=1)
_DAY = 24


@dataclass(frozen=True)
class Film:
    """Classes over time.

    Attributes:
        times: Begins of the hours (UTC).
        stations: Keys of the stations.
        frames: Of each hour a text with a character for each station: its class, or `-` where there is none.
    """

    times: tuple[dt.datetime, ...]
    stations: tuple[str, ...]
    frames: tuple[str, ...]


def hours_of(start: dt.datetime, end: dt.datetime, every: int) -> tuple[dt.datetime, ...]:
    """Begins of every so many hours in an interval, end excluded.

    Raises:
        BadParameter: When there are none, or too many.
    """
    first = start.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    first = first if first == start else first + _HOUR
    count = -((first - end) // (every * _HOUR)) if first < end else 0
    if not 0 < count <= MOST_FRAMES:
        raise BadParameter(
            f"datetime and every make 1 to {MOST_FRAMES} hours; these make {count}.", parameter="datetime"
        )
    return tuple(first + number * every * _HOUR for number in range(count))


async def film(
    connection: AsyncConnection,
    clearance: Clearance,
    index: IndexName,
    times: Sequence[dt.datetime],
    boxes: tuple[Box, ...],
    played: Played = EARNEST,
) -> Film:
    """The classes of the stations that a reader may see, by one index, at some hours; of played ones those wanted.

    Raises:
        TooLarge: When too many values would have to be looked at.
    """
    by_day = air_by_day()
    streams = await read_streams(connection, streams_statement(clearance, times[-1], by_day, boxes, wanted=played))
    own = [one for one in streams if one.property in ITEMS[index] or (index == "thresholds" and thresholds(one))]
    wanted = _with_days(times, by_day) if index == "aqi" else list(times)
    if len(own) * len(wanted) > MOST_VALUES:
        raise TooLarge(
            f"{len(own)} datastreams in {len(wanted)} hours make more than {MOST_VALUES:,} values; ask for a smaller "
            "bbox, fewer hours, or hours further apart.",
            limit=MOST_VALUES,
        )
    hours = await read_hours(connection, clearance, [one.id for one in own], wanted)
    return await anyio.to_thread.run_sync(_drawn, index, tuple(times), own, hours, by_day)


def _with_days(times: Sequence[dt.datetime], by_day: ByDay) -> list[dt.datetime]:
    """The hours that count: where an index takes the mean of 24 hours, those before too."""
    found = set(times)
    for time in times:
        if time < by_day.before:
            found |= {time - number * _HOUR for number in range(_DAY)}
    return sorted(found)


def _drawn(
    index: IndexName, times: tuple[dt.datetime, ...], streams: Sequence[Stream], hours: Sequence[Hour], by_day: ByDay
) -> Film:
    bench, means = Bench(), {(one.stream, one.begins): one.mean for one in hours}
    stations = defaultdict[str, list[Stream]](list)
    for one in streams:
        stations[one.station].append(one)
    frames = list[str]()
    for time in times:
        seen = [[_at(one, time, means, by_day) for one in group] for group in stations.values()]
        verdicts = [bench.judge([one for one in group if one.mean is not None], index) for group in seen]
        frames.append("".join(NONE if one is None else str(one.verdict.code) for one in verdicts))
    return Film(times, tuple(stations), tuple(frames))


def _at(stream: Stream, time: dt.datetime, means: dict[tuple[int, dt.datetime], float], by_day: ByDay) -> Stream:
    """A datastream as it was in an hour."""
    mean, of_day = means.get((stream.id, time)), None
    if stream.property in by_day.properties and time < by_day.before:
        found = [means[key] for n in range(_DAY) if (key := (stream.id, time - n * _HOUR)) in means]
        of_day = sum(found) / len(found) if len(found) >= ENOUGH_HOURS else None
    return replace(stream, hour=None if mean is None else time, mean=mean, of_day=of_day)
