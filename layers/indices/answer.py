"""What an index answers: a class, what decided it, and how each value was judged."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from layers.model import Text


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class EditionUsed(_Value):
    """The edition of a standard.

    Attributes:
        standard: Its number, such as `GB 3838`.
        edition: Which edition, or phase of one.
        start: First day on which it holds.
        end: First day on which it does not hold any more; None while no end is known.
        title: Its title.
        note: What is doubtful about the table that is used.
    """

    standard: str
    edition: str
    start: dt.date
    end: dt.date | None
    title: Text
    note: str | None = None


class ClassOf(_Value):
    """A class: its code within the index (1 is the best), name and colour (#rrggbb)."""

    code: str
    label: Text
    colour: str


class Judged(_Value):
    """How one value was judged.

    Attributes:
        item: Which quantity.
        value: As it was given.
        compared: As it was compared, after rounding.
        unit: Unit of both.
        score: The sub-index, where the index has one.
        grade: The class that this value alone would give; None when it gives none.
        limits: The limits or breakpoints that were used, in the unit of the value.
        explain: The calculation in words.
    """

    item: str
    value: float
    compared: float
    unit: str
    score: int | None = None
    grade: ClassOf | None = None
    limits: tuple[float, ...] = ()
    explain: str


class IndexAnswer(_Value):
    """The answer of an index.

    Attributes:
        index: Its name.
        edition: The edition of the standard by which it was worked out.
        value: The index itself, where it is a number.
        grade: The class; None when no value gives one.
        worst: The items that decided; empty when none stands out.
        items: How each value was judged.
        missing: Items that the index wants and that were not given.
        excess: Items above the limit (of grade II, class III, class 2, screening) by how many times it (0.5: by half);
            of noise by how many dB(A).
        formula: How the class follows from the items.
        status: `complete` when nothing is missing.
    """

    index: str
    edition: EditionUsed
    value: int | None = None
    grade: ClassOf | None = None
    worst: tuple[str, ...] = ()
    items: tuple[Judged, ...]
    missing: tuple[str, ...] = ()
    excess: dict[str, float] = {}
    formula: str
    status: Literal["complete", "partial"] = "complete"
