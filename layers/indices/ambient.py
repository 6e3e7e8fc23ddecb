"""Limits of ambient air by grade (GB 3095): which grade a mean concentration keeps."""

from __future__ import annotations

from collections.abc import Mapping

from layers.indices.answer import EditionUsed, IndexAnswer, Judged
from layers.indices.rounding import exact, rounded
from layers.indices.tables import classes, table_of
from layers.indices.worst import excess_of, partial_or_complete, worst_of

STANDARD = "GB 3095"
FORMULA = "The grade of the worst item; a concentration keeps a grade when it is at most the grade's limit."
ITEMS = {"pm25": "ug/m3", "pm10": "ug/m3", "so2": "ug/m3", "no2": "ug/m3", "co": "mg/m3", "o3": "ug/m3"}


def ambient_limits(values: Mapping[str, float], edition: EditionUsed, averaging: str) -> IndexAnswer:
    """The grade of mean concentrations.

    Args:
        values: Concentrations: pm25, pm10, so2, no2, o3 in ug/m3, co in mg/m3.
        edition: Edition of GB 3095.
        averaging: `year`, `24h`, `8h` or `1h`.
    """
    table = {row["item"]: row for row in table_of(edition) if row["averaging"] == averaging}
    found, excess = list[Judged](), dict[str, float]()
    for name, value in values.items():
        row = table.get(name)
        if row is None:
            found.append(_without(name, value, averaging))
            continue
        limits = exact(float(row["grade1"])), exact(float(row["grade2"]))
        compared = rounded(value, int(row["decimals"]))
        place = sum(compared > limit for limit in limits)
        grade = classes("ambient")[place]
        excess |= excess_of(name, compared, limits[1])
        found.append(
            Judged(
                item=name,
                value=value,
                compared=float(compared),
                unit=row["unit"],
                grade=grade,
                limits=tuple(float(limit) for limit in limits),
                explain=f"{averaging} mean {compared} against grade I {row['grade1']} and grade II {row['grade2']}.",
            )
        )
    grade_of_all, worst = worst_of(found, "ambient")
    missing = tuple(name for name in table if name not in values)
    return IndexAnswer(
        index="ambient-air",
        edition=edition,
        grade=grade_of_all,
        worst=worst,
        items=tuple(found),
        missing=missing,
        excess=excess,
        formula=FORMULA,
        status=partial_or_complete(missing),
    )


def _without(name: str, value: float, averaging: str) -> Judged:
    explain = f"The standard has no limit of it for a mean of {averaging}."
    return Judged(item=name, value=value, compared=value, unit=ITEMS[name], explain=explain)
