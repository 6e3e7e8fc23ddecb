"""The stations that a reader may see, with their class at a time, the worst first."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import anyio.to_thread
import shapely
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Box
from geoservice.observations.played import EARNEST, Played
from geoservice.stations.judge import Bench, Judgement, air_by_day
from geoservice.stations.statements import Stream, read_streams, streams_statement
from geoservice.stations.themes import Theme, theme_of, themes_of
from layers.access import Clearance

PATIENCE = 3
"""Readings that may be missing before a station is stale."""
LEAST_PATIENCE = dt.timedelta(hours=3)


@dataclass(frozen=True)
class Wish:
    """Which stations are wanted.

    Attributes:
        at: At which time (UTC).
        theme: About what; None for all.
        property: Those that measure it, ordered by it where they have no class; None for all.
        boxes: Where; empty for everywhere.
        area: Inside which area (longitude and latitude in degrees); None for anywhere.
        text: Part of a name or the key, without regard to case; empty for all.
        limit: Most stations.
        played: Whether played ones are among them.
    """

    at: dt.datetime
    theme: Theme | None = None
    property: str | None = None
    boxes: tuple[Box, ...] = ()
    area: shapely.Geometry | None = None
    text: str = ""
    limit: int = 10_000
    played: Played = EARNEST


@dataclass(frozen=True)
class Station:
    """A station at a time.

    Attributes:
        key, name, name_zh: Of its thing.
        x, y: Longitude and latitude in degrees.
        themes: What it is about.
        judgement: Its class; None where no index judges what it measures.
        hour: Begin of the latest hour with readings; None without any.
        stale: Whether its readings are overdue at that time.
        reading: The datastream of the property that was asked for.
        exercise: What says that it is played, or some of it; None when it is meant in earnest.
    """

    key: str
    name: str
    name_zh: str | None
    x: float
    y: float
    themes: tuple[Theme, ...]
    judgement: Judgement | None
    hour: dt.datetime | None
    stale: bool
    reading: Stream | None
    exercise: str | None = None

    @property
    def rank(self) -> tuple[bool, float, float, float, str]:
        """By what stations are ordered: fresh ones first, then the worst."""
        judged = self.judgement
        value = judged.verdict.value if judged is not None else None
        mean = self.reading.mean if self.reading is not None else None
        return (
            self.stale,
            -1.0 if judged is None else -2.0 - judged.severity,
            -float(value or 0),
            -float(mean or 0.0),
            self.key,
        )


@dataclass(frozen=True)
class Found:
    """Stations, at most as many as were wanted, and how many there are of each class.

    Attributes:
        stations: The worst first.
        matched: How many there are.
        counts: By index and class; those without a class are under ("", 0).
        stale: How many of all are stale.
        newest: The latest hour of any of them.
        properties: Codes of what the stations of the theme measure.
    """

    stations: tuple[Station, ...]
    matched: int
    counts: Counter[tuple[str, int]]
    stale: int
    newest: dt.datetime | None
    properties: tuple[str, ...]


async def find_stations(connection: AsyncConnection, clearance: Clearance, wish: Wish) -> Found:
    """The stations of a wish.

    Raises:
        TooLarge: When too many datastreams would have to be looked at.
    """
    statement = streams_statement(clearance, wish.at, air_by_day(), wish.boxes, wanted=wish.played)
    streams = await read_streams(connection, statement)
    return await anyio.to_thread.run_sync(judged, streams, wish)


def judged(streams: Sequence[Stream], wish: Wish) -> Found:
    """The same from datastreams in the order of stations; it takes a moment, so call it in a thread."""
    bench, inside = Bench(), _inside(streams, wish.area)
    groups = (list(group) for _, group in groupby(streams, attrgetter("station")))
    kept = [group for group in groups if _wanted(group, wish) and group[0].station in inside]
    properties = sorted({one.property for group in kept for one in group if _on_theme(one, wish)})
    chosen = [group for group in kept if wish.property is None or any(s.property == wish.property for s in group)]
    stations = sorted((station_of(bench, group, wish) for group in chosen), key=attrgetter("rank"))
    counts = Counter((s.judgement.index, s.judgement.verdict.code) if s.judgement else ("", 0) for s in stations)
    newest = max((s.hour for s in stations if s.hour is not None), default=None)
    stale = sum(s.stale for s in stations)
    return Found(tuple(stations[: wish.limit]), len(stations), counts, stale, newest, tuple(properties))


def station_of(bench: Bench, group: Sequence[Stream], wish: Wish) -> Station:
    """One station from its datastreams."""
    first = group[0]
    own = [one for one in group if _on_theme(one, wish)] or list(group)
    latest = max((one for one in own if one.hour is not None), key=lambda one: one.hour or wish.at, default=None)
    reading = next((one for one in group if one.property == wish.property), None)
    return Station(
        key=first.station,
        name=first.name,
        name_zh=first.name_zh,
        x=first.x,
        y=first.y,
        themes=themes_of(one.property for one in group),
        judgement=bench.judge(own),
        hour=None if latest is None else latest.hour,
        stale=latest is None or is_stale(latest.hour, latest.cadence, wish.at),
        reading=reading,
        exercise=next((one.exercise for one in group if one.exercise is not None), None),
    )


def is_stale(hour: dt.datetime | None, cadence: dt.timedelta | None, at: dt.datetime) -> bool:
    """Whether readings are overdue: three of them are missing, and three hours have passed since the last hour."""
    if hour is None:
        return True
    return at - hour > max(PATIENCE * (cadence or dt.timedelta(0)), LEAST_PATIENCE) + dt.timedelta(hours=1)


def _wanted(group: Sequence[Stream], wish: Wish) -> bool:
    first, text = group[0], wish.text.casefold()
    if text and not any(text in one.casefold() for one in (first.name, first.name_zh or "", first.station)):
        return False
    return any(_on_theme(one, wish) for one in group)


def _on_theme(stream: Stream, wish: Wish) -> bool:
    return wish.theme is None or theme_of(stream.property) == wish.theme


def _inside(streams: Iterable[Stream], area: shapely.Geometry | None) -> frozenset[str]:
    places = {one.station: (one.x, one.y) for one in streams}
    if area is None:
        return frozenset(places)
    shapely.prepare(area)
    points = list(places.values())
    kept = shapely.intersects_xy(area, [x for x, _ in points], [y for _, y in points])
    return frozenset(key for key, inside in zip(places, kept.tolist(), strict=True) if inside)
