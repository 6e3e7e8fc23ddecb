"""Readings that SensorThings writes, replaces and deletes. New ones go through the one writer of observations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.observations import tables
from geoservice.observations.calibration import APPLIED, CALIBRATED
from geoservice.observations.reading import Reading, Source
from geoservice.observations.removal import remove
from geoservice.observations.write import Outcome, write
from geoservice.sensorthings.draft import GEOJSON, Draft
from layers.access import Clearance, Principal
from layers.errors import BadBody

_NAME = "SensorThings"


def source_of(principal: Principal) -> Source:
    """Where readings come from that a principal sends."""
    return Source("sensorthings", _NAME, principal.id, principal.clearance)


def reading_of(draft: Draft, stream: int, foi: int | None) -> Reading:
    """A draft of an observation as a reading; without a phenomenon time it is of now."""
    values = draft.values
    begin, end = values.get("phenomenonTime") or (dt.datetime.now(dt.UTC), None)
    return Reading(
        begin,
        values["result"],
        stream=stream,
        end=end,
        result_time=values.get("resultTime"),
        quality=values.get("resultQuality"),
        valid=values.get("validTime") or (None, None),
        parameters=values.get("parameters"),
        foi=foi,
    )


def write_all(connection: sa.Connection, readings: Sequence[Reading], principal: Principal) -> list[int]:
    """Write readings, all or none, and tell their numbers.

    Raises:
        ReadingsRefused: When one is flawed.
    """
    if not readings:
        return []
    outcome = write(connection, readings, source_of(principal), strict=True)
    return [outcome.numbers[place] for place in range(len(readings))]


def write_some(connection: sa.Connection, readings: Sequence[Reading], principal: Principal) -> list[int | None]:
    """Write readings, set aside the flawed ones, and tell the numbers of the others."""
    outcome: Outcome = write(connection, readings, source_of(principal))
    flawed = {flaw.position for flaw in outcome.flaws}
    good = [place for place in range(len(readings)) if place not in flawed]
    # Written a second time they are unchanged, and their numbers are told.
    numbers = dict(zip(good, write_all(connection, [readings[place] for place in good], principal), strict=True))
    return [numbers.get(place) for place in range(len(readings))]


def feature_of_stream(connection: sa.Connection, stream: int, clearance: Clearance) -> int | None:
    """What readings of a datastream are about that do not say it themselves (18-088, 8.2.8).

    Returns:
        None when the datastream has a feature of interest that holds for all of them, or nobody knows where its thing
        is; else the number of the feature that is made of the place where the thing is now.
    """
    datastream, stay, location = tables.datastream, tables.thing_location, tables.location
    place = (
        sa.select(
            location,
            sa.func.greatest(datastream.c.clearance, stay.c.clearance, location.c.clearance).label("level"),
        )
        .select_from(datastream)
        .join(stay, sa.and_(stay.c.thing == datastream.c.thing, stay.c.until.is_(None)))
        .join(location, location.c.id == stay.c.location)
        .where(datastream.c.id == stream, datastream.c.clearance <= int(clearance))
        .where(datastream.c.foi.is_(None), location.c.encoding.in_(GEOJSON))
        .order_by(location.c.id)
        .limit(1)
    )
    row = connection.execute(place).mappings().first()
    return None if row is None else _feature_at(connection, row)


def _feature_at(connection: sa.Connection, place: Any) -> int:
    """The feature of interest that a place is for a level of clearance."""
    feature = tables.feature_of_interest
    key = f"location-{place['id']}-{place['level']}"
    values = {name: place[name] for name in ("name", "description", "encoding", "geojson", "geom")}
    made = insert(feature).values(key=key, clearance=place["level"], **values).on_conflict_do_nothing()
    connection.execute(made)
    return int(connection.execute(sa.select(feature.c.id).where(feature.c.key == key)).scalar_one())


def replace(connection: sa.Connection, row: Any, draft: Draft, foi: int | None, principal: Principal) -> None:
    """Give an observation other content; it keeps its number.

    Args:
        connection: A transaction of the writer.
        row: As it stands, from the table of observations.
        draft: What is to be changed.
        foi: Its feature of interest, when that is to be changed.
        principal: Who changes it.

    Raises:
        ReadingsRefused: When it would be flawed.
    """
    standing = Draft(draft.entity, {**_values(row, draft), **draft.values})
    remove(connection, [row["datastream"]], tables.observation.c.id == row["id"])
    reading = reading_of(standing, row["datastream"], row["foi"] if foi is None else foi)
    (fresh,) = write_all(connection, [reading], principal)
    if connection.execute(_stood_before(fresh)).scalar_one():
        raise BadBody("There is another observation of the same datastream and times already.")
    names = {"fresh": fresh, "kept": row["id"], "stream": row["datastream"], "moment": reading.time}
    connection.execute(_renumber(), names)
    latest = tables.latest
    moved = sa.update(latest).where(latest.c.datastream == row["datastream"], latest.c.observation == fresh)
    connection.execute(moved.values(observation=row["id"]))


def _stood_before(number: int) -> sa.Select[Any]:
    """Whether a reading stood before this transaction, so that what was sent is the same as it."""
    one = tables.observation
    batch = sa.select(tables.batch.c.received < sa.func.now()).where(tables.batch.c.id == one.c.batch)
    return sa.select(sa.func.coalesce(batch.scalar_subquery(), False)).where(one.c.id == number)


@cache
def _renumber() -> sa.TextClause:
    text = resources.files("geoservice.sensorthings").joinpath("sql", "renumber.sql").read_text(encoding="utf-8")
    moment = sa.bindparam("moment", type_=sa.DateTime(timezone=True))
    numbers = (sa.bindparam(name, type_=sa.BigInteger()) for name in ("fresh", "kept", "stream"))
    return sa.text(text).bindparams(moment, *numbers)


def _values(row: Any, draft: Draft) -> dict[str, Any]:
    """Properties of an observation as a draft has them.

    What was done to its result by a calibration does not hold for another one, which is calibrated anew.
    """
    quality, parameters = row["quality"], row["parameters"]
    if "result" in draft.values and parameters is not None and APPLIED in parameters:
        parameters = {name: value for name, value in parameters.items() if name != APPLIED} or None
        quality = None if quality == CALIBRATED else quality
    result = row["number"] if row["number"] is not None else row["text"]
    return {
        "phenomenonTime": (row["phenomenon_time"], row["phenomenon_end"]),
        "resultTime": row["result_time"],
        "result": row["json"] if result is None else result,
        "resultQuality": quality,
        "validTime": (row["valid_begin"], row["valid_end"]),
        "parameters": parameters,
    }
