"""One station at a time: its latest readings with quality and limits, and its index with all that led to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.statements import Stream as Described
from geoservice.edr.statements import read_streams as read_described
from geoservice.exceedances.limits import Limit, kind_of, limits_of
from geoservice.observations.played import EARNEST, Played
from geoservice.observations.tables import thing
from geoservice.stations.errors import UnknownStation
from geoservice.stations.judge import Bench, air_by_day, edition_at
from geoservice.stations.state import Station, Wish, is_stale, station_of
from geoservice.stations.statements import Latest, Stream, read_latest, read_streams, streams_statement
from layers.access import Clearance
from layers.indices.answer import IndexAnswer
from layers.indices.registry import INDICES, judge

MOMENT = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Measured:
    """What a station measures.

    Attributes:
        stream: The datastream with its latest hour.
        described: The same with names, units and the interval of its readings.
        latest: The latest reading by the time; None without any.
        limits: What holds for it at that time.
        stale: Whether its readings are overdue.
    """

    stream: Stream
    described: Described
    latest: Latest | None
    limits: tuple[Limit, ...]
    stale: bool


@dataclass(frozen=True)
class Detail:
    """A station.

    Attributes:
        station: As in the list.
        layer, feature: Layer and key of its feature, where it has one.
        answer: The index with its edition and formula; None where thresholds or nothing judge it.
        measured: What it measures.
    """

    station: Station
    layer: str | None
    feature: str | None
    answer: IndexAnswer | None
    measured: tuple[Measured, ...]


async def find_station(
    connection: AsyncConnection, clearance: Clearance, key: str, at: dt.datetime, wanted: Played = EARNEST
) -> Detail:
    """A station at a time; one that is played when that is wanted.

    Raises:
        UnknownStation: When there is none that the reader may see.
    """
    streams = await read_streams(connection, streams_statement(clearance, at, air_by_day(), (), key, wanted))
    if not streams:
        raise UnknownStation(f"There is no station {key[:80]!r} that you may see; /stations lists them.")
    described = {one.id: one for one in await read_described(connection, clearance, (), key, wanted)}
    latest = await read_latest(connection, clearance, [one.id for one in streams], at)
    said = await _said(connection, clearance, key)
    station = station_of(Bench(), streams, Wish(at))
    measured = tuple(
        _measured(one, described[one.id], latest.get(one.id), at) for one in streams if one.id in described
    )
    return Detail(station, _text(said, "layer"), _text(said, "feature"), _answer(station), measured)


def _measured(stream: Stream, described: Described, latest: Latest | None, at: dt.datetime) -> Measured:
    # The limits of the edition of the readings: an old reading is judged by what held then.
    day = at if stream.hour is None else stream.hour
    limits = tuple(limits_of(kind_of(described), day, day + MOMENT, "2"))
    return Measured(stream, described, latest, limits, is_stale(stream.hour, stream.cadence, at))


def _answer(station: Station) -> IndexAnswer | None:
    judged = station.judgement
    if judged is None or judged.index == "thresholds":
        return None
    edition = edition_at(judged.index, judged.hour)
    options = {"averaging": "hourly"} if judged.index == "aqi" else {}
    named = None if edition is None else edition.edition
    return judge(INDICES[judged.index], judged.values, judged.hour.date(), named, options)


async def _said(connection: AsyncConnection, clearance: Clearance, key: str) -> Mapping[str, object]:
    chosen = sa.select(thing.c.properties).where(thing.c.key == key, thing.c.clearance <= int(clearance))
    found = (await connection.execute(chosen)).scalar()
    return found if isinstance(found, Mapping) else {}


def _text(said: Mapping[str, object], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None
