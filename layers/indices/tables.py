"""The tables of the standards, and which edition holds on a day."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from layers.errors import BadParameter
from layers.indices.answer import ClassOf, EditionUsed
from layers.model import Text

Row = Mapping[str, str]
_FOLDER = Path(__file__).parent / "tables"


@cache
def rows(table: str) -> tuple[Row, ...]:
    """The rows of a table."""
    with (_FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))


@cache
def editions(standard: str) -> tuple[EditionUsed, ...]:
    """The editions of a standard, the oldest first."""
    return tuple(
        EditionUsed(
            standard=standard,
            edition=row["edition"],
            start=dt.date.fromisoformat(row["from"]),
            end=dt.date.fromisoformat(row["until"]) if row["until"] else None,
            title=Text(zh=row["title_zh"], en=row["title_en"]),
            note=row["note"] or None,
        )
        for row in rows("editions")
        if row["standard"] == standard
    )


def edition_of(standard: str, day: dt.date, named: str | None = None) -> EditionUsed:
    """The edition that is named, or the one that holds on a day.

    Raises:
        BadParameter: When there is no such edition, or none held yet.
    """
    known = editions(standard)
    if named is not None:
        found = [one for one in known if one.edition == named]
        listed = ", ".join(one.edition for one in known)
        sentence = f"{standard} is known in the editions {listed}; {named[:30]!r} is none of them."
    else:
        found = [one for one in known if one.start <= day and (one.end is None or day < one.end)]
        sentence = (
            f"No known edition of {standard} held on {day.isoformat()}; the first holds from "
            f"{known[0].start.isoformat()} on. Name one by edition."
        )
    if not found:
        raise BadParameter(sentence, parameter="edition" if named else "date")
    return found[0]


def table_of(edition: EditionUsed) -> tuple[Row, ...]:
    """The table of an edition."""
    wanted = (edition.standard, edition.edition)
    name = next(row["tables"] for row in rows("editions") if (row["standard"], row["edition"]) == wanted)
    return rows(name)


@cache
def classes(scale: str) -> tuple[ClassOf, ...]:
    """The classes of an index, the best first."""
    return tuple(
        ClassOf(code=row["code"], label=Text(zh=row["zh"], en=row["en"]), colour=row["colour"])
        for row in rows("classes")
        if row["scale"] == scale
    )
