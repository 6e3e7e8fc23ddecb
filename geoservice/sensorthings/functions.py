"""The functions of 18-088, tables 22 to 24, as SQL. What is not listed here cannot be called."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from geoservice.sensorthings.kinds import UTC, Column, Kind, Term, require
from geoservice.sensorthings.tree import Call, Literal
from layers.errors import BadFilter

_TEXT, _NUMBER, _SHAPE, _MOMENT = (Kind.TEXT,), (Kind.NUMBER,), (Kind.SHAPE,), (Kind.INSTANT,)
_DAY, _CLOCK = (Kind.INSTANT, Kind.DATE), (Kind.INSTANT, Kind.CLOCK)
_FIRST = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)
_MATRIX = re.compile(r"[TF012*]{9}", re.IGNORECASE)
_GREATEST_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class Function:
    """A function: which kinds its arguments have, what it gives, and its SQL of theirs.

    Attributes:
        takes: Kinds of each argument.
        gives: Kind of the outcome.
        sql: Makes the outcome.
        optional: How many of the last arguments may be left out.
    """

    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind
    sql: Callable[..., Column]
    optional: int = 0


def call(node: Call, terms: list[Term]) -> Term:
    """A function of its arguments.

    Raises:
        BadFilter: When these are too few, too many, or of other kinds than it takes.
    """
    function = FUNCTIONS[node.name]
    most = len(function.takes)
    if not most - function.optional <= len(terms) <= most:
        counted = f"{most - function.optional} or {most}" if function.optional else str(most)
        raise BadFilter(f"{node.name} takes {counted} arguments, not {len(terms)}.", function=node.name)
    read = [require(term, kinds, node.name) for term, kinds in zip(terms, function.takes, strict=False)]
    if node.name == "st_relate":
        _require_matrix(node)
    return Term(function.gives, function.sql(*(term.sql for term in read)))


def _require_matrix(node: Call) -> None:
    matrix = node.args[2]
    if not (isinstance(matrix, Literal) and isinstance(matrix.value, str) and _MATRIX.fullmatch(matrix.value)):
        raise BadFilter("st_relate takes a matrix of nine of the characters T, F, 0, 1, 2 and *, as 'T*F**F***'.")


def _whole(number: Column) -> Column:
    """A position or length in a text; what no text has is as good as the greatest or least."""
    return sa.cast(sa.func.least(sa.func.greatest(sa.func.floor(number), 0), _GREATEST_INTEGER - 1), sa.Integer())


def _substring(text: Column, start: Column, length: Column | None = None) -> Column:
    tail = sa.func.substr(text, _whole(start) + 1)
    return tail if length is None else sa.func.left(tail, _whole(length))


def _ends(text: Column, end: Column) -> Column:
    return sa.func.right(text, sa.func.char_length(end)) == end


def _in_utc(moment: Column) -> Column:
    """What a clock of UTC shows; dates and times of day say it already."""
    return sa.func.timezone(UTC, moment) if isinstance(moment.type, sa.DateTime) else moment


def _part(name: str) -> Callable[[Column], Column]:
    return lambda moment: sa.extract(name, _in_utc(moment))


def _second(moment: Column) -> Column:
    return sa.func.floor(sa.extract("second", _in_utc(moment)))


def _fraction(moment: Column) -> Column:
    return sa.extract("second", _in_utc(moment)) - _second(moment)


def _offset(moment: Column) -> Column:
    return sa.case((moment.is_not(None), 0), else_=None)


def _rounded(number: Column) -> Column:
    """To the nearest integer, halves away from zero, as OData's round does."""
    size = sa.func.floor(sa.func.abs(number) + 0.5)
    return sa.func.sign(number) * size


def _related(name: str) -> Callable[[Column, Column], Column]:
    function = getattr(sa.func, name)

    def related(left: Column, right: Column) -> Column:
        # The bare && comes first: it may run before row policies, and so the index serves.
        near = left.op("&&", is_comparison=True, return_type=sa.Boolean())(right)
        return sa.and_(near, function(left, right, type_=sa.Boolean()))

    return related


def _spatial(name: str) -> Function:
    return Function((_SHAPE, _SHAPE), Kind.BOOLEAN, _related(name))


def _constant(value: dt.datetime) -> Callable[[], Column]:
    return lambda: sa.literal(value, sa.DateTime(timezone=True))


FUNCTIONS: dict[str, Function] = {
    "substringof": Function((_TEXT, _TEXT), Kind.BOOLEAN, lambda part, text: sa.func.strpos(text, part) > 0),
    "startswith": Function((_TEXT, _TEXT), Kind.BOOLEAN, sa.func.starts_with),
    "endswith": Function((_TEXT, _TEXT), Kind.BOOLEAN, _ends),
    "length": Function((_TEXT,), Kind.NUMBER, sa.func.char_length),
    "indexof": Function((_TEXT, _TEXT), Kind.NUMBER, lambda text, part: sa.func.strpos(text, part) - 1),
    "substring": Function((_TEXT, _NUMBER, _NUMBER), Kind.TEXT, _substring, optional=1),
    "tolower": Function((_TEXT,), Kind.TEXT, sa.func.lower),
    "toupper": Function((_TEXT,), Kind.TEXT, sa.func.upper),
    "trim": Function((_TEXT,), Kind.TEXT, sa.func.btrim),
    "concat": Function((_TEXT, _TEXT), Kind.TEXT, lambda first, second: first.op("||")(second)),
    "year": Function((_DAY,), Kind.NUMBER, _part("year")),
    "month": Function((_DAY,), Kind.NUMBER, _part("month")),
    "day": Function((_DAY,), Kind.NUMBER, _part("day")),
    "hour": Function((_CLOCK,), Kind.NUMBER, _part("hour")),
    "minute": Function((_CLOCK,), Kind.NUMBER, _part("minute")),
    "second": Function((_CLOCK,), Kind.NUMBER, _second),
    "fractionalseconds": Function((_CLOCK,), Kind.NUMBER, _fraction),
    "date": Function((_MOMENT,), Kind.DATE, lambda moment: sa.cast(_in_utc(moment), sa.Date())),
    "time": Function((_MOMENT,), Kind.CLOCK, lambda moment: sa.cast(_in_utc(moment), sa.Time())),
    "totaloffsetminutes": Function((_MOMENT,), Kind.NUMBER, _offset),
    "now": Function((), Kind.INSTANT, sa.func.now),
    "mindatetime": Function((), Kind.INSTANT, _constant(_FIRST)),
    "maxdatetime": Function((), Kind.INSTANT, _constant(_LAST)),
    "round": Function((_NUMBER,), Kind.NUMBER, _rounded),
    "floor": Function((_NUMBER,), Kind.NUMBER, sa.func.floor),
    "ceiling": Function((_NUMBER,), Kind.NUMBER, sa.func.ceil),
    # In the units of the coordinates, as OData has it: degrees.
    "geo.distance": Function((_SHAPE, _SHAPE), Kind.NUMBER, sa.func.ST_Distance),
    "geo.length": Function((_SHAPE,), Kind.NUMBER, sa.func.ST_Length),
    "geo.intersects": _spatial("ST_Intersects"),
    "st_equals": _spatial("ST_Equals"),
    "st_disjoint": Function(
        (_SHAPE, _SHAPE), Kind.BOOLEAN, lambda one, other: sa.func.ST_Disjoint(one, other, type_=sa.Boolean())
    ),
    "st_touches": _spatial("ST_Touches"),
    "st_within": _spatial("ST_Within"),
    "st_overlaps": _spatial("ST_Overlaps"),
    "st_crosses": _spatial("ST_Crosses"),
    "st_intersects": _spatial("ST_Intersects"),
    "st_contains": _spatial("ST_Contains"),
    "st_relate": Function(
        (_SHAPE, _SHAPE, _TEXT),
        Kind.BOOLEAN,
        lambda one, other, matrix: sa.func.ST_Relate(one, other, matrix, type_=sa.Boolean()),
    ),
}
"""Every function by its name. Times are read in UTC, geometries lie in the plane of degrees."""
