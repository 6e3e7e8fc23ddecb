"""What is asked of the statistics of a collection, as one value, and how it is read from what a request says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from layers.access import Decision
from layers.errors import BadParameter
from layers.model import RowLayer, VectorLayer

Kind = Literal["count", "area", "length", "share", "sum", "mean", "min", "max", "missing"]
Period = Literal["day", "month", "year"]
Order = Literal["value", "key"]
DIVISION = "division"
"""The word of `group-by` that stands for administrative divisions."""
MOST_GROUPINGS, MOST_MEASURES, MOST_BINS = 2, 12, 100
MOST_GROUPS = 10_000
DEFAULT_GROUPS, DEFAULT_BINS = 100, 20
_PLAIN: tuple[Kind, ...] = ("count", "area", "length", "share")
_NUMBERS = ("integer", "number")
_TIMES = ("date", "datetime")
_GROUPED = ("text", "code", "boolean", "integer", *_TIMES)


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of each group: its kind and, where it has one, the attribute that it is about."""

    kind: Kind
    attribute: str | None = None

    @property
    def name(self) -> str:
        """As requests and answers write it, such as `count` or `sum:floors`."""
        return self.kind if self.attribute is None else f"{self.kind}:{self.attribute}"


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rows are grouped by: an attribute (times by their period), or divisions where it has no attribute."""

    attribute: str | None = None
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked.

    Attributes:
        groups: What rows are grouped by, the first one first; none for figures of all rows together.
        measures: Figures of each group.
        level: Level of the divisions; None where none are asked for.
        within: Code of the division of which nothing outside counts; None for everywhere.
        bins: Attribute of a histogram and about how many bins it has.
        limit: Most groups; what is left is told together.
        order: Whether groups come by their first measure, the largest first, or by their keys.
    """

    groups: tuple[Grouping, ...] = ()
    measures: tuple[Measure, ...] = (Measure("count"),)
    level: str | None = None
    within: str | None = None
    bins: tuple[str, int] | None = None
    limit: int = DEFAULT_GROUPS
    order: Order = "value"

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes that measures are about, each once."""
        return tuple(dict.fromkeys(one.attribute for one in self.measures if one.attribute is not None))

    @property
    def sizes(self) -> tuple[Literal["area", "length"], ...]:
        """Which sizes of geometries are measured."""
        kinds = {one.kind for one in self.measures}
        return tuple(size for size in ("area", "length") if size in kinds)

    @property
    def by_place(self) -> bool:
        """Whether it matters where rows lie."""
        return self.within is not None or any(one.attribute is None for one in self.groups)

    @property
    def shared(self) -> Measure:
        """The measure of whose total a share is told: the first that adds up, else the number of rows."""
        adding = (one for one in self.measures if one.kind in ("count", "area", "length", "sum"))
        sizes = [one for one in adding if one.kind != "count"]
        return sizes[0] if sizes else Measure("count")


def parse_measures(text: str | None, layer: RowLayer, decision: Decision) -> tuple[Measure, ...]:
    """Read `measures`.

    Raises:
        BadParameter: When one is not known, does not fit the layer, or names an attribute that the reader does not see.
    """
    found = tuple(dict.fromkeys(_measure(part, layer, decision) for part in (text or "count").split(",")))
    if len(found) > MOST_MEASURES:
        raise BadParameter(f"measures takes up to {MOST_MEASURES} of them.", parameter="measures")
    return found


def _measure(text: str, layer: RowLayer, decision: Decision) -> Measure:
    kind, colon, attribute = text.partition(":")
    if kind not in get_args(Kind) or bool(colon) == (kind in _PLAIN):
        raise BadParameter(
            f"measures are count, area, length, share, and sum:, mean:, min:, max: or missing: with an attribute; "
            f"{text[:60]!r} is none.",
            parameter="measures",
        )
    measure = Measure(cast(Kind, kind), attribute if colon else None)
    _require_size(measure, layer)
    if measure.attribute is not None:
        types = {"sum": _NUMBERS, "mean": _NUMBERS, "min": (*_NUMBERS, *_TIMES), "max": (*_NUMBERS, *_TIMES)}
        _require(measure.attribute, types.get(kind), "measures", layer, decision)
    return measure


def _require_size(measure: Measure, layer: RowLayer) -> None:
    fitting = {"area": ("polygon", "any"), "length": ("line", "any")}.get(measure.kind)
    geometry = layer.geometry if isinstance(layer, VectorLayer) else "no geometry"
    if fitting is not None and geometry not in fitting:
        raise BadParameter(
            f"Features of {layer.name} have no {measure.kind}: it is a collection of {geometry}.", parameter="measures"
        )


def parse_groups(text: str | None, period: str | None, layer: RowLayer, decision: Decision) -> tuple[Grouping, ...]:
    """Read `group-by` and `period`.

    Raises:
        BadParameter: When there are too many, one comes twice, or one is no attribute that can be grouped by.
    """
    if period is not None and period not in get_args(Period):
        raise BadParameter(f"period is day, month or year; {period[:30]!r} is not.", parameter="period")
    names = [] if text is None else text.split(",")
    if len(names) > MOST_GROUPINGS or len(set(names)) < len(names):
        raise BadParameter(f"group-by takes up to {MOST_GROUPINGS} names, each once.", parameter="group-by")
    return tuple(_grouping(name, cast(Period | None, period), layer, decision) for name in names)


def _grouping(name: str, period: Period | None, layer: RowLayer, decision: Decision) -> Grouping:
    if name == DIVISION:
        return Grouping()
    _require(name, None, "group-by", layer, decision)
    kind = layer.attributes[name].type
    if kind not in _GROUPED:
        raise BadParameter(
            f"{name} is a number, which is not grouped by its values; ask for bins={name}.", parameter="group-by"
        )
    return Grouping(name, (period or "year") if kind in _TIMES else None)


def parse_bins(text: str | None, layer: RowLayer, decision: Decision) -> tuple[str, int] | None:
    """Read `bins`: an attribute and, behind a colon, about how many bins.

    Raises:
        BadParameter: When it is no number that the reader sees, or the number of bins is not acceptable.
    """
    if text is None:
        return None
    name, colon, number = text.partition(":")
    _require(name, _NUMBERS, "bins", layer, decision)
    digits = number if number.isascii() and number.isdigit() and len(number) <= len(str(MOST_BINS)) else ""
    if colon and not 1 <= int(digits or 0) <= MOST_BINS:
        raise BadParameter(f"bins has 1 to {MOST_BINS} bins, written as {name}:20.", parameter="bins")
    return name, int(digits) if digits else DEFAULT_BINS


def _require(name: str, types: tuple[str, ...] | None, parameter: str, layer: RowLayer, decision: Decision) -> None:
    """Refuse what is no visible attribute of some types; hidden ones look like missing ones."""
    fitting = [one for one in decision.attributes if types is None or layer.attributes[one].type in types]
    if name not in fitting:
        raise BadParameter(
            f"{parameter} names an attribute that fits; {name[:60]!r} is none. There are: "
            f"{', '.join(fitting) or 'none'}.",
            parameter=parameter,
            known=fitting,
        )
