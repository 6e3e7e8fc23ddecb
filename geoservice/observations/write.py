"""Writes readings in batches: judged, compared with what stands, placed, in one transaction of the caller.

All ways in (files, HTTP, MQTT, OGC SensorThings, layers of series) end here, so units, duplicates, revisions,
quarantine, latest values and marks for roll-ups exist once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.observations.errors import ReadingsRefused
from geoservice.observations.judge import Flaw, Judged, judge
from geoservice.observations.landing import copy, statement
from geoservice.observations.reading import SCHEMA, Reading, Source, table_of
from geoservice.observations.streams import NAMING, Name, resolve
from geoservice.observations.tables import batch as batches
from geoservice.observations.tables import quarantine

CHANNEL = "geoservice_observation"
"""Channel on which each batch is announced when it is committed: its number, and the first and last of its readings."""
MOST_FINDINGS = 50
_LANDED = (
    "position",
    "batch",
    "stream",
    "clearance",
    "phenomenon_time",
    "phenomenon_end",
    "given",
    "result_time",
    "number",
    "text",
    "json",
    "quality",
    "valid_begin",
    "valid_end",
    "parameters",
    "foi",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a batch: readings = inserted + revised + unchanged + quarantined.

    Attributes:
        batch: Its number; None when nothing was written or set aside.
        inserted, revised, unchanged, quarantined: Numbers of readings. `revised` are those for a time that had one.
        flaws: What is wrong with each reading that went to quarantine, by position.
        numbers: By position, the number under which a reading stands; only where it was asked for.
    """

    batch: int | None
    readings: int
    inserted: int
    revised: int
    unchanged: int
    quarantined: int
    flaws: tuple[Flaw, ...]
    numbers: Mapping[int, int] = field(default_factory=dict)


def write(
    connection: sa.Connection, readings: pa.Table | Sequence[Reading], source: Source, *, strict: bool = False
) -> Outcome:
    """Write readings in the caller's transaction, as the writer.

    A reading that stands already is unchanged. One for the same time with another content is a revision when its
    result time is another one, or when it says none (then its result time is now); the latest result time counts.
    Writers of the same datastreams take turns until the end of the transaction.

    Args:
        connection: A transaction of the writer's role.
        readings: A table in the columns of `reading.SCHEMA`, or readings.
        source: Where they come from.
        strict: Refuse all when one is flawed, instead of setting it aside, and tell the numbers of the readings.

    Raises:
        ReadingsRefused: When `strict` and a reading is flawed; the caller must roll back.
    """
    table = readings if isinstance(readings, pa.Table) else table_of(readings)
    table = table.select(SCHEMA.names).cast(SCHEMA)
    cursor = _cursor(connection)
    with cursor:
        cursor.execute(statement("prepare"))
        names, codes = _names(table)
        streams = resolve(cursor, names, source.clearance)
        judged = judge(table, codes, streams, datetime.now(UTC))
        _refuse(judged.flaws, strict)
        number = _begin(connection, source, table.num_rows)
        fates, contradicted = _place(cursor, judged, number)
        flaws = [*judged.flaws, *contradicted]
        _refuse(contradicted, strict)
        _set_aside(connection, number, table, flaws)
        numbers = _numbers(cursor, judged) if strict else {}
        span = cursor.execute(statement("span")).fetchone() or (None, None)
    counts = {
        "inserted": fates.get("new", 0),
        "revised": fates.get("revision", 0),
        "unchanged": fates.get("unchanged", 0) + len(judged.doubles),
        "quarantined": len(flaws),
    }
    kept = _close(connection, number, counts, span)
    return Outcome(number if kept else None, table.num_rows, **counts, flaws=tuple(flaws), numbers=numbers)


def _cursor(connection: sa.Connection) -> psycopg.Cursor[Any]:
    """A cursor of the driver, for COPY, in the same transaction."""
    connection.execute(sa.select(1))
    driver = cast(psycopg.Connection[Any], connection.connection.driver_connection)
    return driver.cursor()


def _names(table: pa.Table) -> tuple[list[Name], npt.NDArray[np.int64]]:
    """What is named, each once, and per reading which of it."""
    index: dict[Name, int] = {}
    rows = zip(*(table[column].to_pylist() for column in NAMING), strict=True)
    codes = [index.setdefault(cast(Name, row), len(index)) for row in rows]
    return list(index), np.array(codes, dtype=np.int64)


def _refuse(flaws: Sequence[Flaw], strict: bool) -> None:
    if not (strict and flaws):
        return
    findings = [{"position": f.position, "rule": f.rule, "reason": f.reason} for f in flaws[:MOST_FINDINGS]]
    told = f"{len(flaws)} of the readings were refused and nothing was written. {flaws[0].reason}"
    raise ReadingsRefused(told, findings=findings)


def _begin(connection: sa.Connection, source: Source, readings: int) -> int:
    values = {"kind": source.kind, "source": source.name, "principal": source.principal, "sha256": source.sha256}
    made = sa.insert(batches).values(**values, readings=readings).returning(batches.c.id)
    return int(connection.execute(made).scalar_one())


def _place(cursor: psycopg.Cursor[Any], judged: Judged, number: int) -> tuple[dict[str, int], list[Flaw]]:
    if not judged.rows.num_rows:
        return {}, []
    rows = judged.rows.append_column("batch", pa.array(np.full(judged.rows.num_rows, number)))
    copy(cursor, "copy_landed", rows.select(_LANDED))
    for name in ("months", "compare", "place", "follow"):
        cursor.execute(statement(name))
    fates: dict[str, int] = dict(cursor.execute(statement("fates")).fetchall())
    if not fates.pop("contradicts", 0):
        return fates, []
    reason = "A reading of the same time and result time is there with another content."
    places = cursor.execute(statement("contradictions")).fetchall()
    return fates, [Flaw(place, "contradicts", reason) for (place,) in places]


def _numbers(cursor: psycopg.Cursor[Any], judged: Judged) -> dict[int, int]:
    numbers: dict[int, int] = dict(cursor.execute(statement("numbers")).fetchall())
    return numbers | {other: numbers[one] for other, one in judged.doubles.items()}


def _set_aside(connection: sa.Connection, number: int, table: pa.Table, flaws: Sequence[Flaw]) -> None:
    """Put what could not be written into quarantine; the same flawed reading waits there once."""
    if not flaws:
        return
    places = {position: place for place, position in enumerate(table["position"].to_pylist())}
    flawed = table.take(pa.array([places[f.position] for f in flaws])).to_pylist()
    rows = [
        {"batch": number, "position": f.position, "rule": f.rule, "reason": f.reason, "raw": _raw(row)}
        for f, row in zip(flaws, flawed, strict=True)
    ]
    connection.execute(insert(quarantine).on_conflict_do_nothing(), rows)


def _raw(row: Mapping[str, Any]) -> dict[str, Any]:
    """A reading as it came, or as NDJSON would say it."""
    if row["raw"] is not None:
        found: dict[str, Any] = json.loads(row["raw"])
        return found
    wire = {
        "stream": row["stream"],
        "datastream": row["datastream"],
        "station": row["station"],
        "property": row["property"],
        "unit": row["unit"],
        "time": row["phenomenon_time"],
        "end": row["phenomenon_end"],
        "result_time": row["result_time"],
        "result": _result(row),
        "quality": row["quality"],
        "valid_begin": row["valid_begin"],
        "valid_end": row["valid_end"],
        "parameters": None if row["parameters"] is None else json.loads(row["parameters"]),
        "foi": row["foi"],
    }
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in wire.items()
        if value is not None
    }


def _result(row: Mapping[str, Any]) -> Any:
    number = row["number"]
    if number is not None:
        # JSON has no word for these.
        return number if np.isfinite(number) else str(number)
    return row["text"] if row["json"] is None else json.loads(row["json"])


def _close(
    connection: sa.Connection, number: int, counts: Mapping[str, int], span: tuple[int | None, int | None]
) -> bool:
    """Write down what became of a batch and announce it; one that changed nothing leaves no trace."""
    waiting = sa.select(sa.exists().where(quarantine.c.batch == number))
    if not (counts["inserted"] or counts["revised"] or connection.execute(waiting).scalar_one()):
        connection.execute(sa.delete(batches).where(batches.c.id == number))
        return False
    connection.execute(sa.update(batches).where(batches.c.id == number).values(**counts))
    if counts["inserted"] or counts["revised"]:
        connection.execute(sa.select(sa.func.pg_notify(CHANNEL, f"{number} {span[0]} {span[1]}")))
    return True
