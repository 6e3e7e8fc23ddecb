"""What is asked of environmental data, and what comes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from layers.errors import BadParameter
from layers.interval import Interval
from layers.model import Text

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
Domain = Literal["Point", "PointSeries", "Grid", "MultiPoint", "Trajectory"]
Average = Literal["hour", "day", "month"]
_LONG = 60


@dataclass(frozen=True)
class Category:
    """A value that stands for a class: the value in the data, its id and its name."""

    value: int
    id: str
    label: Text


@dataclass(frozen=True)
class Parameter:
    """What is measured.

    Attributes:
        name: Its name in requests.
        label: For people.
        observed: Address of what is observed; None without a registered one.
        unit: Symbol of the unit; None for numbers without one and for classes.
        unit_label: Name of the unit.
        categories: The classes, where values are codes.
    """

    name: str
    label: Text
    observed: str | None = None
    unit: str | None = None
    unit_label: str | None = None
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True)
class Part:
    """Data of one domain.

    Attributes:
        domain: Its kind, as CoverageJSON names it.
        x, y: Longitudes and latitudes in degrees: one of each (Point, PointSeries), those of columns and rows (Grid),
            or one for each position (MultiPoint, Trajectory).
        values: By parameter: of each time (PointSeries), cell by rows (Grid), or position; not a number: no data.
        parameters: What the values are.
        t: Times (UTC): of the series, of the positions of a trajectory, or the one time that all holds for.
        id: Id of the station.
        label: Its name.
        along: Metres from the beginning of the line that was asked about to the place on it that is nearest to the
            station; None where no line was asked about.
    """

    domain: Domain
    x: Floats
    y: Floats
    values: Mapping[str, Floats]
    parameters: Mapping[str, Parameter]
    t: tuple[dt.datetime, ...] = ()
    id: str | None = None
    label: str | None = None
    along: float | None = None


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        parts: Data, domain by domain.
        single: Whether it is one coverage by its nature.
        edition: Edition of the layer, where it is one.
    """

    parts: Sequence[Part]
    single: bool = False
    edition: int | None = None


@dataclass(frozen=True)
class Wanted:
    """What is wanted, wherever it is.

    Attributes:
        names: Parameters; None for all.
        interval: Times; None for all.
        average: Means of which span of time instead of readings.
        width, height: Columns and rows of a grid; None for cells as they are.
    """

    names: tuple[str, ...] | None = None
    interval: Interval | None = None
    average: Average | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class At:
    """At points: longitudes and latitudes in degrees. `many` when the question is of several by its nature."""

    x: Floats
    y: Floats
    many: bool


@dataclass(frozen=True)
class Around:
    """Within metres of a point in degrees."""

    x: float
    y: float
    metres: float


@dataclass(frozen=True)
class Within:
    """Inside a polygon or a box (`boxed`), in degrees."""

    area: shapely.Geometry
    boxed: bool = False


@dataclass(frozen=True)
class Along:
    """Along a line, at its vertices; `t` are their times in seconds since 1970, where the line has them."""

    x: Floats
    y: Floats
    t: tuple[dt.datetime, ...] = ()


Where = At | Around | Within | Along


@dataclass(frozen=True)
class Known:
    """What a collection can be asked, for its description.

    Attributes:
        queries: Kinds of questions.
        parameters: What it has.
        box: Where; None when it has nothing.
        begins, ends: From when to when; None where that is not known.
    """

    queries: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    box: Box | None = None
    begins: dt.datetime | None = None
    ends: dt.datetime | None = None


def chosen(names: tuple[str, ...] | None, known: Sequence[str]) -> tuple[str, ...]:
    """The parameters that are wanted, in the order of the collection.

    Raises:
        BadParameter: When one is none of the collection's.
    """
    if names is None:
        return tuple(known)
    strangers = [name for name in names if name not in known]
    if strangers:
        raise BadParameter(
            f"parameter-name names parameters of the collection ({', '.join(known)[:400]}); {strangers[0][:_LONG]!r} "
            "is none of them.",
            parameter="parameter-name",
        )
    return tuple(name for name in known if name in names)
