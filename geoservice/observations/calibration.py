"""Calibrations: factor and offset that a datastream or its sensor declares, and the span for which each holds.

They stand in `properties` under `calibrations`; those of the datastream take the place of those of its sensor. They
are applied when a reading is written, so that a list that grows changes nothing that was written before. A reading says
what was done to it: its number in the datastream's unit as it came, factor, offset and since when they hold.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.errors import GeoError
from layers.interval import parse_instant

MEMBER = "calibrations"
"""Member of `properties` of datastreams and sensors."""
APPLIED = "calibration"
"""Member of `parameters` of a reading that was calibrated; one that comes with it is not calibrated again."""
CALIBRATED = "calibrated"
"""Quality of a reading that was calibrated and of which nothing else, or only that it is good, was said."""
MOST = 200
_EXPECTED = (
    f"{MEMBER} is an array of at most {MOST} objects with from and, but for the last, until (RFC 3339), factor "
    "(above 0) and offset, in the order of their times, that do not overlap"
)
_NAMES = frozenset({"from", "until", "factor", "offset"})


@dataclass(frozen=True, slots=True)
class Calibration:
    """What numbers in the datastream's unit are multiplied by, and what is added then, during a span."""

    begins: dt.datetime
    ends: dt.datetime | None
    factor: float
    offset: float

    def told(self, raw: float) -> dict[str, Any]:
        """What a reading says of it."""
        since = self.begins.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        return {"raw": raw, "factor": self.factor, "offset": self.offset, "from": since}


def calibrations_of(properties: Mapping[str, Any] | None) -> tuple[Calibration, ...]:
    """The calibrations that properties declare.

    Raises:
        ValueError: With what is expected, when they are not that.
    """
    told = (properties or {}).get(MEMBER)
    if told is None:
        return ()
    if not isinstance(told, list) or len(told) > MOST:
        raise ValueError(_EXPECTED)
    found = tuple(_one(entry) for entry in told)
    for before, after in pairwise(found):
        if before.ends is None or before.ends > after.begins:
            raise ValueError(_EXPECTED)
    return found


def _one(entry: Any) -> Calibration:
    if not isinstance(entry, dict) or not set(entry) <= _NAMES:
        raise ValueError(_EXPECTED)
    begins, until = _instant(entry.get("from")), entry.get("until")
    ends = None if until is None else _instant(until)
    factor, offset = _number(entry.get("factor", 1)), _number(entry.get("offset", 0))
    if factor <= 0 or (ends is not None and ends <= begins):
        raise ValueError(_EXPECTED)
    return Calibration(begins, ends, factor, offset)


def _instant(value: Any) -> dt.datetime:
    try:
        return parse_instant(value if isinstance(value, str) else "", MEMBER)
    except GeoError:
        raise ValueError(_EXPECTED) from None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(_EXPECTED)
    return float(value)


@dataclass
class Applied:
    """Numbers after calibration, and by row what the reading says of it."""

    numbers: npt.NDArray[np.float64]
    told: dict[int, dict[str, Any]]


def apply(
    numbers: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
    rows: Mapping[int, Sequence[Calibration]],
) -> Applied:
    """Calibrate readings.

    Args:
        numbers: In the units of their datastreams.
        times: Microseconds since 1970 at which they were read.
        rows: The calibrations of those that are to be calibrated, by row.
    """
    made = Applied(numbers.copy(), {})
    for row, some in rows.items():
        one = next((each for each in some if _holds(each, int(times[row]))), None)
        if one is not None:
            raw = float(numbers[row])
            made.told[row] = one.told(raw)
            made.numbers[row] = raw * one.factor + one.offset
    return made


def _holds(one: Calibration, micros: int) -> bool:
    ends = math.inf if one.ends is None else _micros(one.ends)
    return _micros(one.begins) <= micros < ends


def _micros(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def marked(parameters: str | None, told: Mapping[str, Any]) -> str:
    """The parameters of a reading (JSON) with what was done to it."""
    return json.dumps({**_object(parameters), APPLIED: dict(told)}, ensure_ascii=False)


def is_marked(parameters: str | None, quality: str | None) -> bool:
    """Whether a reading says that it is calibrated already, as one does that was read from this service."""
    return quality == CALIBRATED or (parameters is not None and APPLIED in _object(parameters))


def _object(parameters: str | None) -> dict[str, Any]:
    found = None if parameters is None else json.loads(parameters)
    return found if isinstance(found, dict) else {}
