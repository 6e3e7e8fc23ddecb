"""Air quality index (HJ 633): sub-indices by straight lines between breakpoints, the greatest of them decides.

Source: HJ 633-2012 and HJ 633-2026, tables of sub-indices; values are rounded by GB/T 8170, sub-indices up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from layers.indices.answer import ClassOf, EditionUsed, IndexAnswer, Judged
from layers.indices.rounding import rounded
from layers.indices.tables import Row, classes, rows, table_of

Averaging = Literal["daily", "hourly"]
STANDARD = "HJ 633"
NODES = (0, 50, 100, 150, 200, 300, 400, 500)
FORMULA = (
    "AQI = max IAQI; IAQI = (IAQIhi - IAQIlo) / (BPhi - BPlo) x (C - BPlo) + IAQIlo, rounded up; primary pollutants "
    "are those with IAQI = AQI when AQI > 50"
)
_PRIMARY = 50
_WANTED = {"daily": ("pm25", "pm10", "so2", "no2", "co", "o3_8h"), "hourly": ("pm25", "pm10", "so2", "no2", "co", "o3")}
_TIMES = {"pm25": "24h", "pm10": "24h", "so2": "24h", "no2": "24h", "co": "24h", "o3_8h": "8h", "o3": "1h"}
_INSTEAD = {"daily": "so2_24h", "hourly": "o3"}
ITEMS = {"pm25": "ug/m3", "pm10": "ug/m3", "so2": "ug/m3", "no2": "ug/m3", "co": "mg/m3", "o3_8h": "ug/m3",
         "o3": "ug/m3", "so2_24h": "ug/m3"}  # fmt: skip


def air_quality(values: Mapping[str, float], edition: EditionUsed, averaging: Averaging) -> IndexAnswer:
    """The index of a day or an hour.

    Args:
        values: Concentrations: pm25, pm10, so2, no2, o3 (1 h), o3_8h, so2_24h in ug/m3, co in mg/m3. A daily index
            takes 24-hour means and the greatest means of 8 hours and 1 hour of ozone; an hourly one means of the hour
            (of 24 hours for particles in the edition of 2012, and for so2_24h, which counts above 800 of so2 only).
        edition: Edition of HJ 633.
        averaging: Of a day or of an hour.
    """
    table = {(row["item"], row["averaging"]): row for row in table_of(edition)}
    found = [_judged(name, value, row_of(table, name, averaging), values) for name, value in values.items()]
    scores = {one.item: one.score for one in found if one.score is not None}
    wanted = dict.fromkeys((*_WANTED[averaging], *filter(None, (_stand_in(one, averaging) for one in found))))
    missing = tuple(name for name in wanted if name not in values)
    index = max(scores.values(), default=None)
    primary = tuple(name for name, score in scores.items() if score == index and score > _PRIMARY)
    return IndexAnswer(
        index="aqi",
        edition=edition,
        value=index,
        grade=None if index is None else level(index),
        worst=primary,
        items=tuple(found),
        missing=missing,
        formula=FORMULA,
        status="partial" if missing else "complete",
    )


def level(index: int) -> ClassOf:
    """The level of an index or a sub-index."""
    bounds = [int(row["upto"]) if row["upto"] else math.inf for row in rows("classes") if row["scale"] == "aqi"]
    place = next(number for number, bound in enumerate(bounds) if index <= bound)
    return classes("aqi")[place]


def row_of(table: Mapping[tuple[str, str], Row], name: str, averaging: Averaging) -> Row:
    """The breakpoints by which an item is judged in a daily or an hourly index."""
    item = name.partition("_")[0]
    if averaging == "hourly" and name not in ("o3_8h", "so2_24h"):
        return table.get((item, "1h")) or table[item, "24h"]
    return table[item, "24h" if name == "so2_24h" else _TIMES[name]]


def _judged(name: str, value: float, row: Row, values: Mapping[str, float]) -> Judged:
    points = [Decimal(row[f"b{node}"]) for node in NODES if row[f"b{node}"]]
    compared = rounded(value, int(row["decimals"]))
    score, explain = sub_index(compared, points, row["above"])
    if name == "so2_24h" and not _beyond_hourly(values, row):
        score, explain = None, "It counts only where so2 of the hour is above the table."
    return Judged(
        item=name,
        value=value,
        compared=float(compared),
        unit=row["unit"],
        score=score,
        grade=None if score is None else level(score),
        limits=tuple(float(point) for point in points),
        explain=f"{row['averaging']} mean. {explain}",
    )


def _stand_in(one: Judged, averaging: Averaging) -> str | None:
    """The item whose sub-index counts for one that is above its table; without it the index would be too low."""
    if one.score is not None or one.compared <= one.limits[-1]:
        return None
    if one.item == "so2":
        return "so2_24h" if averaging == "hourly" else None
    return "o3" if one.item == "o3_8h" else None


def _beyond_hourly(values: Mapping[str, float], row: Row) -> bool:
    """Whether the mean of an hour is above what its table covers; both tables of sulphur dioxide meet at 800."""
    return values.get("so2", 0.0) > float(row["b200"])


def sub_index(value: Decimal, points: list[Decimal], above: str) -> tuple[int | None, str]:
    """The sub-index of a rounded value between breakpoints, and the calculation in words; `above` is of the table."""
    if value > points[-1]:
        if not above.isdigit():
            other = _INSTEAD[above]
            return None, f"Above {points[-1]} the table gives no sub-index; that of {other} stands for it."
        return int(above), f"Above {points[-1]}, the end of the table, the sub-index is {above}."
    place = max(1, next(number for number, point in enumerate(points) if value <= point))
    low, high, first, last = NODES[place - 1], NODES[place], points[place - 1], points[place]
    share = Fraction(high - low) / (Fraction(last) - Fraction(first))
    exact = share * (Fraction(value) - Fraction(first)) + low
    score = math.ceil(exact)
    text = f"({high} - {low}) / ({last} - {first}) x ({value} - {first}) + {low} = {float(exact):.6g}"
    return score, f"{text}, rounded up to {score}."
