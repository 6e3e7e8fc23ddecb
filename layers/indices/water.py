"""Classes of surface water (GB 3838-2002) and sea water (GB 3097-1997): the worst single factor decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from layers.indices.answer import EditionUsed, IndexAnswer, Judged
from layers.indices.rounding import rounded
from layers.indices.tables import Row, classes, rows, table_of
from layers.indices.worst import excess_of, partial_or_complete, worst_of

Waters = Literal["river", "lake"]
Scope = Literal["section", "all"]
SURFACE, SEA = "GB 3838", "GB 3097"
SATURATION = "do_saturation"
"""Dissolved oxygen in per cent of saturation: 90 keeps class I whatever the concentration (GB 3838-2002, table 1)."""
FORMULA = "The class of the worst single item; worse than the last class when an item does not keep its limit."
_SATURATED = Decimal(90)
_GOOD = 3


def surface_items() -> dict[str, str]:
    """The items of surface water with their units."""
    return {row["item"]: row["unit"] for row in rows("gb3838@2002")} | {SATURATION: "%"}


def sea_items() -> dict[str, str]:
    """The items of sea water with their units."""
    return {row["item"]: row["unit"] for row in rows("gb3097@1997")}


def surface_water(values: Mapping[str, float], edition: EditionUsed, waters: Waters, scope: Scope) -> IndexAnswer:
    """The class of surface water.

    Args:
        values: Concentrations in the units of `surface_items`.
        edition: Edition of GB 3838.
        waters: `river`, or `lake` for lakes and reservoirs, which have stricter limits of phosphorus.
        scope: `section`: the 21 items by which sections are assessed, without total nitrogen and faecal coliforms;
            `all`: those too.
    """
    table = {row["item"]: row for row in table_of(edition) if row["scope"] in ("any", waters)}
    saturated = SATURATION in values and rounded(values[SATURATION], 1) >= _SATURATED
    found, excess = list[Judged](), dict[str, float]()
    for name, value in values.items():
        row = table.get(name)
        if name == SATURATION or row is None or (scope == "section" and row["section"] == "no"):
            found.append(_aside(name, value))
            continue
        one = _judged(value, row, "surface-water", 5, saturated=saturated and name == "do")
        found.append(one)
        if row["rule"] == "most":
            excess |= excess_of(name, rounded(value, int(row["decimals"])), Decimal(row[f"class{_GOOD}"]))
    wanted = [name for name, row in table.items() if scope == "all" or row["section"] == "yes"]
    return _answer("surface-water", edition, found, excess, [name for name in wanted if name not in values])


def sea_water(values: Mapping[str, float], edition: EditionUsed) -> IndexAnswer:
    """The class of sea water, of concentrations in the units of `sea_items`."""
    table = {row["item"]: row for row in table_of(edition)}
    found, excess = list[Judged](), dict[str, float]()
    for name, value in values.items():
        row = table[name]
        found.append(_judged(value, row, "sea-water", 4))
        if row["rule"] == "most":
            excess |= excess_of(name, rounded(value, int(row["decimals"])), Decimal(row["class2"]))
    return _answer("sea-water", edition, found, excess, [name for name in table if name not in values])


def good_ratio(codes: Iterable[str]) -> float | None:
    """Share, in per cent at one decimal, of sections of class I to III; None without any section."""
    known = [int(code) for code in codes]
    return round(100 * sum(code <= _GOOD for code in known) / len(known), 1) if known else None


def _answer(
    index: str, edition: EditionUsed, found: Sequence[Judged], excess: Mapping[str, float], missing: Sequence[str]
) -> IndexAnswer:
    grade, worst = worst_of(found, index)
    return IndexAnswer(
        index=index,
        edition=edition,
        grade=grade,
        worst=worst,
        items=tuple(found),
        missing=tuple(missing),
        excess=dict(excess),
        formula=FORMULA,
        status=partial_or_complete(missing),
    )


def _judged(value: float, row: Row, scale: str, count: int, *, saturated: bool = False) -> Judged:
    limits = [row[f"class{number}"] for number in range(1, count + 1)]
    compared = rounded(value, int(row["decimals"]))
    place = next((number for number, limit in enumerate(limits) if keeps(compared, limit, row["rule"])), count)
    words = {"most": "at most", "least": "at least", "above": "more than", "between": "between"}[row["rule"]]
    explain = f"{compared} against {words} {', '.join(limits)} for the classes from the best."
    if saturated and place > 0:
        place, explain = 0, f"{explain} At 90 % of saturation it keeps class I."
    return Judged(
        item=row["item"],
        value=value,
        compared=float(compared),
        unit=row["unit"],
        grade=classes(scale)[place],
        limits=tuple(float(limit) for limit in limits if "/" not in limit),
        explain=explain,
    )


def keeps(value: Decimal, limit: str, rule: str) -> bool:
    """Whether a rounded value keeps a limit: of `between`, both ends of a range written `low/high`."""
    if rule == "between":
        low, _, high = limit.partition("/")
        return Decimal(low) <= value <= Decimal(high)
    bound = Decimal(limit)
    return {"most": value <= bound, "least": value >= bound, "above": value > bound}[rule]


def _aside(name: str, value: float) -> Judged:
    explain = "It judges dissolved oxygen." if name == SATURATION else "It is no item of this assessment."
    return Judged(item=name, value=value, compared=value, unit=surface_items()[name], explain=explain)
