"""Which datastreams readings name, and what may be said about a reading of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.rows import dict_row

from geoservice.observations.calibration import MEMBER, Calibration, calibrations_of
from geoservice.observations.landing import copy, statement
from geoservice.observations.units import SAME, Conversion, conversion
from layers.access import Clearance

Name = tuple[int | None, str | None, str | None, str | None, str | None]
"""Number and key of the datastream, keys of station and property, unit: what readings have in common."""
NAMING = ("stream", "datastream", "station", "property", "unit")


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream as readings of one name and unit meet it.

    Attributes:
        id, clearance: Its number, and the clearance of its readings.
        kind: Last part of its observation type: `Measurement`, `CountObservation` ...
        unit: Its unit, for sentences.
        conversion: How given numbers become numbers in its unit.
        lowest, highest: Between which numbers, in its unit, a reading is believed.
        oldest: Readings of before are not kept any more.
        calibrations: What numbers in its unit are multiplied by, and what is added, by the time of the reading.
    """

    id: int
    clearance: int
    kind: str
    unit: str | None
    conversion: Conversion
    lowest: float | None
    highest: float | None
    oldest: dt.datetime | None
    calibrations: tuple[Calibration, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why no reading of a name can be written: the rule and a sentence."""

    rule: str
    reason: str


def resolve(cursor: psycopg.Cursor[Any], names: Sequence[Name], clearance: Clearance) -> list[Stream | Unfit]:
    """Find and hold the datastreams that readings name.

    Args:
        cursor: Of the transaction that will write; the landing tables are there.
        names: What is named, each once.
        clearance: Of whoever writes; datastreams above it are unknown to them.
    """
    table = pa.table({"place": range(len(names)), **_columns(names)}, schema=_SCHEMA)
    copy(cursor, "copy_named", table)
    found: dict[int, list[dict[str, Any]]] = {}
    with cursor.connection.cursor(row_factory=dict_row) as rows:
        for row in rows.execute(statement("resolve")):
            if row["clearance"] <= clearance:
                found.setdefault(row["place"], []).append(row)
    return [_judge(name, found.get(place, [])) for place, name in enumerate(names)]


_SCHEMA = pa.schema(
    [("place", pa.int64()), ("stream", pa.int64())] + [(c, pa.string()) for c in ("datastream", "station", "property")]
)


def _columns(names: Sequence[Name]) -> dict[str, list[Any]]:
    return {column: [name[i] for name in names] for i, column in enumerate(NAMING[:4])}


def _judge(name: Name, rows: Sequence[Mapping[str, Any]]) -> Stream | Unfit:
    stream, datastream, station, observed, given = name
    if not rows:
        told = datastream if datastream is not None else stream
        if told is None:
            told = f"{station} / {observed}"
        return Unfit("unknown", f"No datastream is known for {str(told)[:200]!r}.")
    if len(rows) > 1:
        several = f"Station {station!r} has {len(rows)} datastreams of {observed!r}; name one of them by its key."
        return Unfit("ambiguous", several)
    row = rows[0]
    change = SAME if given is None else conversion(given, row["unit"] or "")
    if change is None:
        wanted = row["unit"] or "no unit"
        return Unfit("unit", f"{(given or '')[:40]!r} cannot be converted to {wanted}, the unit of the datastream.")
    kind = row["observation_type"].rpartition("/")[2].removeprefix("OM_")
    # Whole numbers would be none any more, and what is no number cannot be calibrated.
    told = row["calibrations"] if kind == "Measurement" else None
    try:
        calibrations = calibrations_of({MEMBER: told})
    except ValueError as error:
        return Unfit("calibration", f"The datastream cannot be calibrated: {error}.")
    lowest, highest = _believed(row)
    return Stream(row["id"], row["clearance"], kind, row["unit"], change, lowest, highest, row["oldest"], calibrations)


def _believed(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Limits of the property in the unit of the datastream; none where one cannot be told in the other."""
    change = conversion(row["believed_unit"] or "", row["unit"] or "")
    if change is None:
        return None, None
    lowest, highest = (
        None if limit is None else limit * change.factor + change.shift for limit in (row["lowest"], row["highest"])
    )
    return lowest, highest
