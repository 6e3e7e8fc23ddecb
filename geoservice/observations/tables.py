"""Tables of schema `obs`, as migrations make them: the model of OGC SensorThings, kept once for every interface.

Keys of things, datastreams, sensors, places and features of interest are public text; ids are numbers and what OGC
SensorThings calls `@iot.id`. Every table that readers may select has the column `clearance`, and row policies on it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

from layers.crs import STORAGE_SRID

OBSERVATION_SCHEMA = "obs"
metadata = sa.MetaData(schema=OBSERVATION_SCHEMA)
GEOJSON = "application/geo+json"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True)


def _moment(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _clearance() -> sa.Column[int]:
    return sa.Column("clearance", sa.SmallInteger(), nullable=False, server_default=sa.text("0"))


def _described(key: str = "key") -> tuple[sa.Column[Any], ...]:
    """What all entities have: number, public text key, name, description, free properties, clearance."""
    return (
        _id(),
        sa.Column(key, sa.Text(), nullable=False, unique=True, server_default=sa.text("gen_random_uuid()::text")),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False, server_default=""),
        sa.Column("properties", JSONB()),
        _clearance(),
    )


def _placed() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("encoding", sa.Text(), nullable=False, server_default=GEOJSON),
        sa.Column("geojson", JSONB(), nullable=False),
        sa.Column("geom", Geometry("GEOMETRY", srid=STORAGE_SRID, spatial_index=False)),
    )


thing = sa.Table("thing", metadata, *_described())
"""Stations and whatever else carries sensors. Of a station of a layer, `key` is that of its feature."""

location = sa.Table("location", metadata, *_described(), *_placed())
"""Places: `geojson` as it was given (CRS84), `geom` is what it is found by (x = longitude, y = latitude)."""

thing_location = sa.Table(
    "thing_location",
    metadata,
    _id(),
    sa.Column("thing", sa.BigInteger(), nullable=False),
    sa.Column("location", sa.BigInteger(), nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    _moment("until"),
    _clearance(),
)
"""Where a thing was from when to when; rows without an end say where it is."""

sensor = sa.Table(
    "sensor",
    metadata,
    *_described(),
    sa.Column("encoding", sa.Text(), nullable=False, server_default="text/html"),
    sa.Column("metadata", JSONB(), nullable=False, server_default=sa.text("'\"\"'")),
)
"""Instruments and procedures; `metadata` is text or an object, as `encoding` says."""

observed_property = sa.Table(
    "observed_property",
    metadata,
    *_described("code"),
    sa.Column("definition", sa.Text(), nullable=False),
    sa.Column("unit", sa.Text()),
    sa.Column("lowest", sa.Double()),
    sa.Column("highest", sa.Double()),
)
"""What is observed: code, definition (URI), and between which values (in `unit`) a reading is believed."""

feature_of_interest = sa.Table("feature_of_interest", metadata, *_described(), *_placed())
"""What readings are about, where that is not the place of the thing."""

datastream = sa.Table(
    "datastream",
    metadata,
    *_described(),
    sa.Column("thing", sa.BigInteger(), nullable=False),
    sa.Column("sensor", sa.BigInteger(), nullable=False),
    sa.Column("property", sa.BigInteger(), nullable=False),
    sa.Column("foi", sa.BigInteger()),
    sa.Column("observation_type", sa.Text(), nullable=False),
    sa.Column("unit_name", sa.Text()),
    sa.Column("unit_symbol", sa.Text()),
    sa.Column("unit_definition", sa.Text()),
    sa.Column("unit", sa.Text()),
    sa.Column("cadence", sa.Interval()),
    sa.Column("zone", sa.Text(), nullable=False, server_default="UTC"),
    _moment("phenomenon_begin"),
    _moment("phenomenon_end"),
    _moment("result_begin"),
    _moment("result_end"),
    sa.Column("observed_area", Geometry("GEOMETRY", srid=STORAGE_SRID, spatial_index=False)),
)
"""Readings of one property by one sensor at one thing, in one unit.

`unit` is the code of the unit where it can be converted (see `units`), `cadence` how often a reading is due, `zone` the
time zone of the days and months of roll-ups. Spans and `observed_area` are kept by `write`.
"""

batch = sa.Table(
    "batch",
    metadata,
    _id(),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
    sa.Column("principal", sa.Text(), nullable=False),
    sa.Column("sha256", sa.Text()),
    sa.Column("received", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    *(
        sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        for name in ("readings", "inserted", "revised", "unchanged", "quarantined")
    ),
    _moment("begins"),
    _moment("ends"),
)
"""One row per committed write: how it came, from where and whom, and what became of its readings."""

observation = sa.Table(
    "observation",
    metadata,
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
    sa.Column("datastream", sa.BigInteger(), nullable=False),
    _moment("phenomenon_time", nullable=False),
    _moment("result_time", nullable=False),
    sa.Column("batch", sa.BigInteger(), nullable=False),
    sa.Column("number", sa.Double()),
    _moment("phenomenon_end"),
    _moment("valid_begin"),
    _moment("valid_end"),
    sa.Column("foi", sa.BigInteger()),
    _clearance(),
    sa.Column("superseded", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("quality", sa.Text()),
    sa.Column("text", sa.Text()),
    sa.Column("json", JSONB()),
    sa.Column("parameters", JSONB()),
)
"""Readings, partitioned by phenomenon time; unique by datastream, phenomenon time and result time.

The result is in `number`, `text` or `json`, as the observation type of the datastream says. A reading that one of a
later result time replaces is `superseded`: it stays, and does not count.
"""

latest = sa.Table(
    "latest",
    metadata,
    sa.Column("datastream", sa.BigInteger(), primary_key=True),
    sa.Column("observation", sa.BigInteger(), nullable=False),
    sa.Column("batch", sa.BigInteger(), nullable=False),
    _moment("phenomenon_time", nullable=False),
    _moment("result_time", nullable=False),
    sa.Column("number", sa.Double()),
    _clearance(),
    sa.Column("quality", sa.Text()),
    sa.Column("text", sa.Text()),
    sa.Column("json", JSONB()),
)
"""By datastream the reading of the latest phenomenon time that counts; kept in the transaction of the write."""


def _rollup(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("datastream", sa.BigInteger(), primary_key=True),
        sa.Column("begins", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("lowest", sa.Double(), nullable=False),
        sa.Column("highest", sa.Double(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.Column("completeness", sa.Double()),
        sa.Column("clearance", sa.SmallInteger(), nullable=False),
    )


rollup_hour = _rollup("rollup_hour")
rollup_day = _rollup("rollup_day")
rollup_month = _rollup("rollup_month")
"""Figures of the readings that count and are not marked as bad or missing, by hour, day and month of the datastream's
time zone: their number, lowest, highest and total, and which share of the expected number came (null without a
cadence)."""

rollup_due = sa.Table(
    "rollup_due",
    metadata,
    sa.Column("datastream", sa.BigInteger(), primary_key=True),
    sa.Column("day", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("clearance", sa.SmallInteger(), nullable=False),
)
"""Days whose roll-ups have yet to follow their readings; series over them are worked out from the readings."""

retention = sa.Table(
    "retention",
    metadata,
    _id(),
    sa.Column("property", sa.Text(), unique=True),
    sa.Column("keep", sa.Interval(), nullable=False),
)
"""How long readings are kept, by code of property; the rule without one holds for all others. Roll-ups stay."""

quarantine = sa.Table(
    "quarantine",
    metadata,
    _id(),
    sa.Column("batch", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.Column("rule", sa.Text(), nullable=False),
    sa.Column("reason", sa.Text(), nullable=False),
    sa.Column("raw", JSONB(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False, server_default="open"),
    _moment("settled"),
    sa.Column("written_by", sa.BigInteger()),
)
"""Readings that could not be written, as they came, with the rule they break and the reason as a sentence."""

followed = sa.Table(
    "followed",
    metadata,
    sa.Column("layer", sa.Text(), primary_key=True),
    sa.Column("edition", sa.BigInteger(), nullable=False),
)
"""Up to which edition the readings of a layer of series are written here."""
