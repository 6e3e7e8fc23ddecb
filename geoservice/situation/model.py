"""What is told of units, marks and exercises, as request bodies; everything is checked before it is written."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

ID = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$"
_LONGEST = 200
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def _printable(text: str) -> str:
    """Text of one line that shows: no control characters, no reversal of the direction of writing."""
    if not text.strip() or not text.isprintable():
        raise ValueError("expected a line of printable text")
    return text.strip()


def _readable(text: str) -> str:
    if not all(c.isprintable() or c == "\n" for c in text):
        raise ValueError("expected printable text")
    return text


def _instant(moment: dt.datetime) -> dt.datetime:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"expected an instant between {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment.astimezone(dt.UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_instant)]
Line = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_printable)]
Exercise = Annotated[str | None, Field(pattern=ID, description="Id of the exercise that this belongs to.")]
Level = Annotated[
    str | None, Field(max_length=20, description="Who may see it: public, internal, restricted; yours by default.")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class UnitReport(_Body):
    """Where a unit is, and how it fares."""

    kind: str = Field(max_length=40, description="A code of the list situation-unit@1.")
    name: Line
    status: str = Field(max_length=40, description="A code of the list situation-status@1.")
    position: tuple[
        Annotated[float, Field(ge=-180, le=180, strict=True)], Annotated[float, Field(ge=-90, le=90, strict=True)]
    ] = Field(description="Longitude and latitude in degrees (CRS84).")
    heading: float | None = Field(default=None, ge=0, lt=360, description="Degrees clockwise from north.")
    speed: float | None = Field(default=None, ge=0, le=1000, description="Metres per second over ground.")
    time: Instant = Field(description="When it was there (RFC 3339).")
    exercise: Exercise = None
    clearance: Level = None


class MarkBody(_Body):
    """What was plotted."""

    symbol: str = Field(max_length=40, description="A code of the list situation-mark@1.")
    label: str = Field(default="", max_length=_LONGEST, description="A short text beside it.")
    note: str = Field(default="", max_length=4000, description="What there is to know of it.")
    author: Line = Field(description="Who plotted it.")
    geometry: dict[str, Any] = Field(description="GeoJSON geometry (CRS84): points, lines or polygons.")
    valid_from: Instant | None = Field(default=None, description="From when it holds.")
    valid_to: Instant | None = Field(default=None, description="Until when, excluded.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _readable(self.label)
        _readable(self.note)
        begins, ends = self.valid_from, self.valid_to
        if begins is not None and ends is not None and begins >= ends:
            raise ValueError("valid_from comes before valid_to")
        return self


class NewMark(MarkBody):
    """What is plotted, for whom, and in which exercise; these two never change afterwards."""

    exercise: Exercise = None
    clearance: Level = None


class Title(_Body):
    """What an exercise is called."""

    zh: Line
    en: Line


class NewExercise(_Body):
    """An exercise that begins."""

    title: Title
    clearance: Level = None


def stamp(moment: dt.datetime | None) -> str | None:
    """An instant in UTC, as answers write it."""
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
