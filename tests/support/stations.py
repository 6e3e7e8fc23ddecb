"""Stations with readings whose values are known by a formula."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.observations.reading import Reading, Source
from geoservice.observations.register import Station, StreamWish, ensure_stations, ensure_streams
from geoservice.observations.rollup import refresh_all
from geoservice.observations.write import write
from layers.access import Clearance

BEGIN = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Place:
    """A station of a test: where it is, who may see it, and which properties it measures, in which unit."""

    key: str
    lon: float
    lat: float
    units: dict[str, str]
    clearance: Clearance = Clearance.PUBLIC


def stream_of(place: Place, name: str) -> str:
    """Key of the datastream of a property."""
    return f"{place.key}/{name}"


def furnish(database: Database, places: list[Place]) -> None:
    """Register stations and datastreams."""
    with database.transaction(Role.WRITER) as connection:
        ensure_stations(
            connection,
            [Station(p.key, f"Station {p.key}", (p.lon, p.lat), clearance=p.clearance) for p in places],
        )
        ensure_streams(
            connection,
            [
                StreamWish(stream_of(p, name), p.key, name, unit, f"{name} at {p.key}", HOUR, clearance=p.clearance)
                for p in places
                for name, unit in p.units.items()
            ],
        )


def record(database: Database, readings: list[Reading]) -> None:
    """Write readings and work out their roll-ups; every one of them must be taken."""
    with database.transaction(Role.WRITER) as connection:
        outcome = write(connection, readings, Source("load", "test", "tests"))
    assert outcome.quarantined == 0, outcome.flaws
    refresh_all(database)


def hourly(place: Place, name: str, values: list[float], begin: dt.datetime = BEGIN) -> list[Reading]:
    """Readings of a datastream, an hour apart."""
    return [
        Reading(begin + number * HOUR, value, datastream=stream_of(place, name)) for number, value in enumerate(values)
    ]
