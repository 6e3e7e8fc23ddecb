"""The values of stations at one time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.edr.model import Average
from geoservice.edr.statements import Stream, read_streams
from geoservice.interpolation.errors import TooFewStations
from geoservice.interpolation.surface import Box, Samples
from geoservice.observations.played import EARNEST, Played
from geoservice.observations.read import UNCOUNTED
from geoservice.observations.tables import observation, rollup_day, rollup_hour, rollup_month
from geoservice.observations.units import conversion
from layers.access import Clearance
from layers.errors import TooLarge

MOST_STATIONS = 300
FRESH = dt.timedelta(hours=1)
"""How old a reading may be at the time of the surface."""
_SPANS: dict[Average, Any] = {
    "hour": (rollup_hour, sa.literal_column("interval '1 hour'")),
    "day": (rollup_day, sa.literal_column("interval '1 day'")),
    "month": (rollup_month, sa.literal_column("interval '1 month'")),
}
_WORLD: Box = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Used:
    """A station whose value was used: its reading in the unit of the surface; `exercise` says that it is played."""

    station: str
    name: str
    lon: float
    lat: float
    value: float
    time: dt.datetime
    exercise: str | None = None


@dataclass(frozen=True)
class Sampled:
    """What was found.

    Attributes:
        used: The stations, one for each place.
        left_out: Stations whose unit cannot be converted, with the unit.
        unit: The unit of all values.
        label: Name of the property.
    """

    used: tuple[Used, ...]
    left_out: tuple[tuple[str, str], ...]
    unit: str
    label: str

    @property
    def samples(self) -> Samples:
        """The same as numbers."""
        return Samples(
            np.array([one.lon for one in self.used], dtype=np.float64),
            np.array([one.lat for one in self.used], dtype=np.float64),
            np.array([one.value for one in self.used], dtype=np.float64),
        )


async def sample(
    connection: AsyncConnection,
    clearance: Clearance,
    name: str,
    moment: dt.datetime,
    box: Box | None,
    average: Average | None,
    played: Played = EARNEST,
) -> Sampled:
    """The values of a property at a time, of the stations that a reader may see.

    Args:
        connection: Of the reader.
        clearance: Up to which clearance things are shown.
        name: Code of the property.
        moment: The time; readings of the hour before count, or the mean of the hour, day or month that holds it.
        box: Where: stations around the box count too, as far as half its size.
        average: The span of means; None for readings.
        played: Whether played stations are among them.

    Raises:
        TooFewStations: When no station that the reader may see measures the property there.
        TooLarge: When there are too many stations.
    """
    streams = await read_streams(connection, clearance, (_WORLD if box is None else _grown(box),), None, played)
    wanted = {one.id: one for one in streams if one.property == name}
    if not wanted:
        raise TooFewStations(f"No station there that you may see measures {name[:60]!r}.", stations=0)
    rows = await connection.execute(_statement(list(wanted), clearance, moment, average))
    latest = {row.datastream: row for row in rows}
    found = [(wanted[stream], row.time.astimezone(dt.UTC), float(row.number)) for stream, row in latest.items()]
    if len(found) > MOST_STATIONS:
        raise TooLarge(
            f"{len(found)} stations lie there, and a surface is drawn between at most {MOST_STATIONS}; ask for a "
            "smaller bbox.",
            limit=MOST_STATIONS,
        )
    return _gathered(found, next(iter(wanted.values())))


def _gathered(found: list[tuple[Stream, dt.datetime, float]], first: Stream) -> Sampled:
    """Values in one unit; stations at one place count as their mean."""
    unit = _commonest([stream.unit or stream.unit_symbol or "" for stream, _, _ in found])
    places = defaultdict[tuple[float, float], list[Used]](list)
    left_out = list[tuple[str, str]]()
    for stream, time, number in found:
        own = stream.unit or stream.unit_symbol or ""
        way = conversion(own, unit)
        if way is None:
            left_out.append((stream.station, own))
            continue
        value = number * way.factor + way.shift
        used = Used(stream.station, stream.name, stream.x, stream.y, value, time, stream.exercise)
        places[stream.x, stream.y].append(used)
    merged = [_merged(group) for _, group in sorted(places.items())]
    return Sampled(tuple(merged), tuple(left_out), unit, first.label)


def _merged(group: list[Used]) -> Used:
    first = group[0]
    mean = sum(one.value for one in group) / len(group)
    exercise = next((one.exercise for one in group if one.exercise is not None), None)
    return Used(first.station, first.name, first.lon, first.lat, mean, max(one.time for one in group), exercise)


def _commonest(units: list[str]) -> str:
    return max(sorted(set(units)), key=units.count, default="")


def _grown(box: Box) -> Box:
    west, south, east, north = box
    wide, high = (east - west) / 2, (north - south) / 2
    return max(west - wide, -180.0), max(south - high, -90.0), min(east + wide, 180.0), min(north + high, 90.0)


def _statement(
    streams: list[int], clearance: Clearance, moment: dt.datetime, average: Average | None
) -> sa.Select[Any]:
    ids = sa.bindparam("ids", streams, type_=sa.ARRAY(sa.BigInteger()))
    at = sa.bindparam("moment", moment, type_=sa.DateTime(timezone=True))
    if average is not None:
        table, span = _SPANS[average]
        mean = (table.c.total / table.c.readings).label("number")
        found = sa.select(table.c.datastream, table.c.begins.label("time"), mean)
        found = found.where(table.c.begins <= at, table.c.begins + span > at, table.c.begins > at - span)
        return _each(found, table.c.datastream, table.c.begins, ids, table.c.clearance <= int(clearance))
    time = observation.c.phenomenon_time
    since = sa.bindparam("since", moment - FRESH, type_=sa.DateTime(timezone=True))
    counted = sa.func.coalesce(observation.c.quality, "").not_in(UNCOUNTED)
    found = sa.select(observation.c.datastream, time.label("time"), observation.c.number).where(
        time <= at, time > since, ~observation.c.superseded, observation.c.number.is_not(None), counted
    )
    return _each(found, observation.c.datastream, time, ids, observation.c.clearance <= int(clearance))


def _each(found: sa.Select[Any], stream: Any, time: Any, ids: Any, allowed: Any) -> sa.Select[Any]:
    """Values of each datastream, the latest last."""
    return found.where(stream == sa.any_(ids), allowed).order_by(stream, time)
