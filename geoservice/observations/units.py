"""Units of measurement and exact conversions between those of the same dimension.

Codes are those of UCUM (The Unified Code for Units of Measure, https://ucum.org). Factors are exact: those of the
International System, and of the international foot, inch and knot (0.3048 m, 0.0254 m, 1852 m per hour). Mass per
volume and volume per volume (ppm) are different dimensions: between them stands the molar mass of a substance at a
temperature, which a unit does not know.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit; a value times `factor` plus `shift` is the value in the base unit of its `dimension`."""

    code: str
    symbol: str
    dimension: str
    factor: Fraction
    shift: Fraction
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """A value times `factor` plus `shift` is the value in the other unit."""

    factor: float
    shift: float


SAME = Conversion(1.0, 0.0)


def find(text: str) -> Unit | None:
    """The unit of a code, symbol or one of the ways in which it is often written; None when it is not known."""
    return _table().get(text.strip())


def conversion(given: str, wanted: str) -> Conversion | None:
    """How values in one unit become values in another.

    Args:
        given: Code, symbol or another way of writing the unit of the values.
        wanted: The same of the unit that they are to have.

    Returns:
        None when they are not the same and at least one is unknown, or when they are of different dimensions.
    """
    if given.strip() == wanted.strip():
        return SAME
    source, target = find(given), find(wanted)
    if source is None or target is None or source.dimension != target.dimension:
        return None
    shift = (source.shift - target.shift) / target.factor
    return Conversion(float(source.factor / target.factor), float(shift))


def all_units() -> tuple[Unit, ...]:
    """Every unit that can be converted, in the order of the table."""
    return tuple(dict.fromkeys(_table().values()))


@cache
def _table() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    with resources.files("geoservice.observations").joinpath("units.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            unit = Unit(
                row["code"],
                row["symbol"],
                row["dimension"],
                _exact(row["factor"]),
                _exact(row["shift"]),
                row["en"],
                row["zh"],
            )
            for name in (unit.code, unit.symbol, *filter(None, row["aliases"].split("|"))):
                found.setdefault(name, unit)
    return found


def _exact(text: str) -> Fraction:
    above, _, below = text.partition("/")
    return Fraction(above) / Fraction(below or "1")
