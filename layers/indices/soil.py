"""Soil: farmland by pH and use (GB 15618-2018), construction land by class (GB 36600-2018); units mg/kg."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from layers.errors import BadParameter
from layers.indices.answer import EditionUsed, IndexAnswer, Judged
from layers.indices.rounding import exact
from layers.indices.tables import Row, classes, rows, table_of
from layers.indices.worst import excess_of, partial_or_complete, worst_of

Use = Literal["paddy", "orchard", "other"]
FARM, CONSTRUCTION = "GB 15618", "GB 36600"
FARM_FORMULA = (
    "Each element: at most the screening value is priority protection, above the control value is strict control, "
    "between them is safe use; the worst element decides. Copper, nickel and zinc have no control value."
)
CONSTRUCTION_FORMULA = (
    "Each substance against the screening and the control value of the land class; the worst decides."
)
UNIT = "mg/kg"
_BANDS = (Decimal("5.5"), Decimal("6.5"), Decimal("7.5"))


def farm_items() -> dict[str, str]:
    """The items of farmland with their units."""
    return {"ph": "1"} | {row["item"]: UNIT for row in rows("gb15618@2018")}


def construction_items() -> dict[str, str]:
    """The items of construction land with their units."""
    return {row["item"]: UNIT for row in rows("gb36600@2018")}


def soil_of_farmland(values: Mapping[str, float], edition: EditionUsed, use: Use) -> IndexAnswer:
    """The category of farmland soil.

    Args:
        values: Contents in mg/kg, and `ph`, which decides on the limits.
        edition: Edition of GB 15618.
        use: What grows there: `paddy` has limits of its own, `orchard` for copper only.

    Raises:
        BadParameter: When pH is missing.
    """
    if "ph" not in values:
        raise BadParameter("The limits of farmland soil depend on its pH; give ph too.", parameter="ph")
    band = 1 + sum(exact(values["ph"]) > bound for bound in _BANDS)
    table = table_of(edition)
    found = list[Judged]()
    excess = dict[str, float]()
    for name, value in values.items():
        if name == "ph":
            explain = f"It lies in band {band} of 4: up to 5.5, 6.5, 7.5, and above."
            found.append(Judged(item=name, value=value, compared=value, unit="1", explain=explain))
            continue
        screening = _limit(table, name, "screening", use, band)
        control = _limit(table, name, "control", use, band)
        found.append(_against(name, value, screening, control, "soil-farm"))
        if screening is not None:
            excess |= excess_of(name, exact(value), screening)
    missing = [name for name in farm_items() if name not in values]
    return _answer("soil-farmland", "soil-farm", edition, found, excess, missing, FARM_FORMULA)


def soil_of_construction_land(values: Mapping[str, float], edition: EditionUsed, land: str) -> IndexAnswer:
    """The state of construction land: `land` is 1 (homes, schools, hospitals, parks) or 2 (others)."""
    table = {row["item"]: row for row in table_of(edition)}
    found, excess = list[Judged](), dict[str, float]()
    for name, value in values.items():
        screening, control = Decimal(table[name][f"screening{land}"]), Decimal(table[name][f"control{land}"])
        found.append(_against(name, value, screening, control, "soil-construction"))
        excess |= excess_of(name, exact(value), screening)
    missing = [name for name in table if name not in values]
    return _answer("soil-construction", "soil-construction", edition, found, excess, missing, CONSTRUCTION_FORMULA)


def _limit(table: tuple[Row, ...], item: str, kind: str, use: str, band: int) -> Decimal | None:
    """The limit of a use; where the standard has none for it, that of other uses, or of any."""
    for wanted in (use, "other", "any"):
        for row in table:
            if (row["item"], row["kind"], row["use"]) == (item, kind, wanted):
                return Decimal(row[f"ph{band}"])
    return None


def _against(name: str, value: float, screening: Decimal | None, control: Decimal | None, scale: str) -> Judged:
    number = exact(value)
    limits = [limit for limit in (screening, control) if limit is not None]
    place = sum(number > limit for limit in limits)
    told = f"screening value {screening}" + ("" if control is None else f", control value {control}")
    return Judged(
        item=name,
        value=value,
        compared=value,
        unit=UNIT,
        grade=classes(scale)[place],
        limits=tuple(float(limit) for limit in limits),
        explain=f"{number} against {told}.",
    )


def _answer(
    index: str,
    scale: str,
    edition: EditionUsed,
    found: list[Judged],
    excess: dict[str, float],
    missing: list[str],
    formula: str,
) -> IndexAnswer:
    grade, worst = worst_of(found, scale)
    return IndexAnswer(
        index=index,
        edition=edition,
        grade=grade,
        worst=worst,
        items=tuple(found),
        missing=tuple(missing),
        excess=excess,
        formula=formula,
        status=partial_or_complete(missing),
    )
