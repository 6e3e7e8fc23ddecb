"""Environmental noise (GB 3096-2008): equivalent levels of day and night by functional area, dB(A)."""

from __future__ import annotations

from collections.abc import Mapping

from layers.indices.answer import EditionUsed, IndexAnswer, Judged
from layers.indices.rounding import rounded
from layers.indices.tables import classes, rows, table_of
from layers.indices.worst import partial_or_complete, worst_of

STANDARD = "GB 3096"
FORMULA = (
    "Each level against the limit of the functional area: the day lasts from 06:00 to 22:00; a single maximum of the "
    "night may exceed the limit of the night by at most 15 dB(A)."
)
UNIT = "dB(A)"
ITEMS = {"day": UNIT, "night": UNIT, "night_max": UNIT}
_ALLOWED = 15
_DECIMALS = 1
"""Levels of environmental noise are reported at one decimal (HJ 640-2012)."""


def zones() -> tuple[str, ...]:
    """The functional areas: 0, 1, 2, 3, 4a, 4b."""
    return tuple(row["zone"] for row in rows("gb3096@2008"))


def noise(values: Mapping[str, float], edition: EditionUsed, zone: str) -> IndexAnswer:
    """Whether noise keeps the limits.

    Args:
        values: Equivalent levels `day` and `night`, and the single maximum `night_max`, in dB(A).
        edition: Edition of GB 3096.
        zone: Functional area.
    """
    row = next(row for row in table_of(edition) if row["zone"] == zone)
    limits = {"day": int(row["day"]), "night": int(row["night"]), "night_max": int(row["night"]) + _ALLOWED}
    found = list[Judged]()
    for name, value in values.items():
        compared = rounded(value, _DECIMALS)
        found.append(
            Judged(
                item=name,
                value=value,
                compared=float(compared),
                unit=UNIT,
                grade=classes("noise")[compared > limits[name]],
                limits=(float(limits[name]),),
                explain=f"{compared} against at most {limits[name]} in area {zone}; above by {compared - limits[name]}."
                if compared > limits[name]
                else f"{compared} against at most {limits[name]} in area {zone}.",
            )
        )
    grade, worst = worst_of(found, "noise")
    missing = tuple(name for name in ("day", "night") if name not in values)
    return IndexAnswer(
        index="noise",
        edition=edition,
        grade=grade,
        worst=worst,
        items=tuple(found),
        missing=missing,
        excess={name: round(float(rounded(values[name], _DECIMALS)) - limits[name], 1) for name in worst},
        formula=FORMULA,
        status=partial_or_complete(missing),
    )
