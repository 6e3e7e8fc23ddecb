"""Registers what readings belong to: observed properties, sensors, stations, datastreams. Repeating changes nothing."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import WKTElement
from sqlalchemy.dialects.postgresql import insert

from geoservice.observations import tables
from geoservice.observations.errors import UnknownStream
from geoservice.observations.units import find
from layers.access import Clearance
from layers.crs import STORAGE_SRID

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
"""Observation type of numbers (OGC SensorThings 1.1, table 13)."""
UNSTATED = "unstated"
"""Key of the sensor of readings whose source names none."""


@dataclass(frozen=True, slots=True)
class Station:
    """A thing at one place.

    Attributes:
        key: Its public id.
        place: Longitude and latitude in degrees (EPSG:4490), if it is known.
        properties: What is known besides, as JSON values.
    """

    key: str
    name: str
    place: tuple[float, float] | None = None
    properties: Mapping[str, Any] | None = None
    clearance: Clearance = Clearance.PUBLIC


@dataclass(frozen=True, slots=True)
class StreamWish:
    """A datastream that is to be there.

    Attributes:
        key: Its public id.
        station: Key of its thing.
        property: Code of what it observes.
        unit: Its unit, in any way of writing.
        cadence: How often a reading is due.
        zone: Time zone of the days and months of its roll-ups.
    """

    key: str
    station: str
    property: str
    unit: str | None
    name: str
    cadence: dt.timedelta | None = None
    zone: str = "UTC"
    clearance: Clearance = Clearance.PUBLIC


def ensure_properties(connection: sa.Connection, codes: Iterable[str]) -> None:
    """Have observed properties by code: as the table of this room describes them, others by their code alone."""
    rows = [_property(code) for code in sorted(set(codes))]
    if rows:
        connection.execute(insert(tables.observed_property).on_conflict_do_nothing(), rows)


def _property(code: str) -> dict[str, Any]:
    known = _known().get(code)
    if known is None:
        return {"code": code, "name": code, "definition": code, "properties": None} | _NO_LIMITS
    return {
        "code": code,
        "name": known["name"],
        "definition": known["definition"],
        "properties": {"name_zh": known["zh"]},
        "unit": known["unit"],
        "lowest": float(known["lowest"]),
        "highest": float(known["highest"]),
    }


_NO_LIMITS: dict[str, Any] = {"unit": None, "lowest": None, "highest": None}


@cache
def _known() -> dict[str, dict[str, str]]:
    with resources.files("geoservice.observations").joinpath("properties.csv").open(encoding="utf-8") as handle:
        return {row["code"]: row for row in csv.DictReader(handle)}


def ensure_stations(connection: sa.Connection, stations: Sequence[Station], *, known: bool = True) -> None:
    """Have stations, with the names, properties and clearances given here, at the places given here.

    A station that was elsewhere has moved now: its former place stays in its history.

    Args:
        connection: A transaction of the writer's role.
        stations: The stations, each once.
        known: Whether what is said of them is known; otherwise those that are there stay as they are.
    """
    if not stations:
        return
    thing = tables.thing
    made = insert(thing)
    told = {"name": made.excluded.name, "properties": made.excluded.properties}
    keys = ["key"]
    made = (
        made.on_conflict_do_update(index_elements=keys, set_=told)
        if known
        else made.on_conflict_do_nothing(index_elements=keys)
    )
    rows = [
        {
            "key": s.key,
            "name": s.name,
            "properties": dict(s.properties) if s.properties is not None else None,
            "clearance": int(s.clearance),
        }
        for s in stations
    ]
    connection.execute(made, rows)
    if not known:
        return
    _place(connection, [s for s in stations if s.place is not None])
    for level in Clearance:
        raised = [s.key for s in stations if s.clearance is level]
        set_clearance(connection, raised, level)


def _place(connection: sa.Connection, stations: Sequence[Station]) -> None:
    location, history, thing = tables.location, tables.thing_location, tables.thing
    if not stations:
        return
    rows = [_location(s) for s in stations]
    connection.execute(insert(location).on_conflict_do_nothing(index_elements=["key"]), rows)
    keys = [row["key"] for row in rows]
    # The key of a place is made of the station and the coordinates, so a station that stays keeps its place.
    pairs = sa.select(
        sa.func.unnest(sa.bindparam("things", [s.key for s in stations], sa.ARRAY(sa.Text()))).label("thing"),
        sa.func.unnest(sa.bindparam("places", keys, sa.ARRAY(sa.Text()))).label("place"),
    ).subquery()
    here = (
        sa.select(thing.c.id.label("thing"), location.c.id.label("location"), thing.c.clearance.label("clearance"))
        .select_from(pairs)
        .join(thing, thing.c.key == pairs.c.thing)
        .join(location, location.c.key == pairs.c.place)
        .subquery()
    )
    elsewhere = sa.update(history).where(
        history.c.until.is_(None), history.c.thing == here.c.thing, history.c.location != here.c.location
    )
    connection.execute(elsewhere.values(until=sa.func.now()))
    stands = sa.exists().where(
        history.c.until.is_(None), history.c.thing == here.c.thing, history.c.location == here.c.location
    )
    fresh = sa.select(here.c.thing, here.c.location, here.c.clearance).where(~stands)
    connection.execute(sa.insert(history).from_select(["thing", "location", "clearance"], fresh))


def _location(station: Station) -> dict[str, Any]:
    x, y = station.place or (0.0, 0.0)
    return {
        "key": f"{station.key}@{x:.7f},{y:.7f}",
        "name": station.name,
        "geojson": {"type": "Point", "coordinates": [x, y]},
        "geom": WKTElement(f"POINT ({x!r} {y!r})", srid=STORAGE_SRID),
        "clearance": int(station.clearance),
    }


def ensure_streams(connection: sa.Connection, wishes: Sequence[StreamWish], sensor: str = UNSTATED) -> None:
    """Have datastreams; those that are there stay as they are. Properties and the sensor are made when missing.

    A datastream is at least as confidential as its station.

    Raises:
        UnknownStream: When there is no such station.
    """
    if not wishes:
        return
    ensure_properties(connection, (wish.property for wish in wishes))
    named = {"key": sensor, "name": sensor}
    connection.execute(insert(tables.sensor).on_conflict_do_nothing(index_elements=["key"]), named)
    things = _ids(connection, tables.thing.c.key, {w.station for w in wishes})
    observed = _ids(connection, tables.observed_property.c.code, {w.property for w in wishes})
    by = _ids(connection, tables.sensor.c.key, {sensor})[sensor]
    missing = sorted({w.station for w in wishes} - things.keys())
    if missing:
        raise UnknownStream(f"There is no station {missing[0][:200]!r}.", stations=missing[:50])
    levels = sa.select(tables.thing.c.id, tables.thing.c.clearance).where(tables.thing.c.id.in_(things.values()))
    above = {row.id: row.clearance for row in connection.execute(levels)}
    rows = [_stream(w, things[w.station], observed[w.property], by) for w in wishes]
    for row in rows:
        row["clearance"] = max(row["clearance"], above[row["thing"]])
    connection.execute(insert(tables.datastream).on_conflict_do_nothing(index_elements=["key"]), rows)


def _stream(wish: StreamWish, thing: int, observed: int, sensor: int) -> dict[str, Any]:
    unit = find(wish.unit) if wish.unit else None
    return {
        "key": wish.key,
        "thing": thing,
        "sensor": sensor,
        "property": observed,
        "name": wish.name,
        "observation_type": MEASUREMENT,
        "unit_name": unit.en if unit else wish.unit,
        "unit_symbol": unit.symbol if unit else wish.unit,
        "unit_definition": f"http://unitsofmeasure.org/ucum.html#{unit.code}" if unit else None,
        "unit": unit.code if unit else None,
        "cadence": wish.cadence,
        "zone": wish.zone,
        "clearance": int(wish.clearance),
    }


def _ids(connection: sa.Connection, column: sa.Column[Any], keys: Iterable[str]) -> dict[str, int]:
    wanted = sa.select(column, column.table.c.id).where(
        column == sa.any_(sa.bindparam("keys", list(keys), sa.ARRAY(sa.Text())))
    )
    return {row[0]: row[1] for row in connection.execute(wanted)}


def set_clearance(connection: sa.Connection, stations: Sequence[str], clearance: Clearance) -> None:
    """Give stations a clearance, and with them all that is told of them: places, datastreams, readings, roll-ups.

    Datastreams with a higher clearance of their own keep it.
    """
    thing, stream = tables.thing, tables.datastream
    keys = sa.any_(sa.bindparam("keys", list(stations), sa.ARRAY(sa.Text())))
    changed = sa.update(thing).where(thing.c.key == keys, thing.c.clearance != int(clearance))
    ids = connection.execute(changed.values(clearance=int(clearance)).returning(thing.c.id)).scalars().all()
    if not ids:
        return
    history, location = tables.thing_location, tables.location
    connection.execute(sa.update(history).where(history.c.thing.in_(ids)).values(clearance=int(clearance)))
    places = sa.select(history.c.location).where(history.c.thing.in_(ids))
    connection.execute(sa.update(location).where(location.c.id.in_(places)).values(clearance=int(clearance)))
    streams = connection.execute(sa.select(stream.c.id).where(stream.c.thing.in_(ids))).scalars().all()
    raise_streams(connection, streams, clearance)


def raise_streams(connection: sa.Connection, streams: Sequence[int], clearance: Clearance) -> None:
    """Give datastreams at least a clearance, and their readings and roll-ups with them."""
    level = int(clearance)
    own = tables.datastream
    connection.execute(sa.update(own).where(own.c.id.in_(streams), own.c.clearance < level).values(clearance=level))
    for table in _TOLD:
        lower = sa.update(table).where(table.c.datastream.in_(streams), table.c.clearance < level)
        connection.execute(lower.values(clearance=level))


def remove_streams(connection: sa.Connection, streams: Sequence[int]) -> None:
    """Delete datastreams with all their readings, latest values and roll-ups."""
    own = tables.datastream
    connection.execute(sa.select(own.c.id).where(own.c.id.in_(streams)).order_by(own.c.id).with_for_update())
    for table in _TOLD:
        connection.execute(sa.delete(table).where(table.c.datastream.in_(streams)))
    connection.execute(sa.delete(own).where(own.c.id.in_(streams)))


_TOLD = (
    tables.observation,
    tables.latest,
    tables.rollup_hour,
    tables.rollup_day,
    tables.rollup_month,
    tables.rollup_due,
)
