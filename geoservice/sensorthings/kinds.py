"""What an expression stands for as SQL: kinds of values, and how one kind is read as another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from geoservice.sensorthings.tree import Literal, Period, Shape
from layers.crs import STORAGE_SRID
from layers.errors import BadFilter

Column: TypeAlias = "sa.ColumnElement[Any]"
UTC = "UTC"


class Kind(StrEnum):
    """What sort of value it is; the word is used in sentences."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "condition"
    INSTANT = "time"
    PERIOD = "period"
    DATE = "date"
    CLOCK = "time of day"
    DURATION = "duration"
    SHAPE = "geometry"
    OPEN = "value of any type"
    NULL = "null"


@dataclass(frozen=True)
class Open:
    """A value whose type each row decides: at most one of the three is not null."""

    number: Column
    text: Column
    flag: Column


@dataclass(frozen=True)
class Term:
    """A part of an expression as SQL.

    Attributes:
        kind: What it stands for.
        sql: Its value; of a period, where it begins.
        end: Where a period ends; never before it begins.
        opened: A value of any type, in its three readings.
        fixed: Whether it is a value of the expression itself, so that it is not null.
    """

    kind: Kind
    sql: Column
    end: Column | None = None
    opened: Open | None = None
    fixed: bool = False


def of_json(value: Column) -> Term:
    """A member of a JSON document (jsonb); one that is null there is as good as none."""
    value = sa.func.nullif(value, sa.literal_column("'null'::jsonb"), type_=JSONB())
    kind = sa.func.jsonb_typeof(value)
    plain = value.op("#>>", return_type=sa.Text())(sa.literal_column("'{}'::text[]"))
    opened = Open(
        number=sa.case((kind == "number", sa.cast(value, sa.Numeric())), else_=None),
        text=sa.case((kind == "string", plain), else_=None),
        flag=sa.case((kind == "boolean", sa.cast(value, sa.Boolean())), else_=None),
    )
    return Term(Kind.OPEN, value, opened=opened)


def of_period(start: Column, end: Column) -> Term:
    """A time that is an instant (without an end) or a period."""
    return Term(Kind.PERIOD, start, end=sa.func.coalesce(end, start))


def of_literal(literal: Literal) -> Term:
    """A value of the expression, bound."""
    value = literal.value
    if value is None:
        return Term(Kind.NULL, sa.null())
    if isinstance(value, Period):
        moment = sa.DateTime(timezone=True)
        return Term(Kind.PERIOD, sa.literal(value.start, moment), end=sa.literal(value.end, moment), fixed=True)
    if isinstance(value, Shape):
        drawn = sa.func.ST_GeomFromWKB(sa.literal(value.wkb, sa.LargeBinary()), STORAGE_SRID)
        return Term(Kind.SHAPE, drawn, fixed=True)
    # A boolean is an int, an instant is a date: the narrower types come first.
    kind, sort = next((kind, sort) for one, kind, sort in _TYPES if isinstance(value, one))
    return Term(kind, sa.literal(value, sort), fixed=True)


_TYPES: tuple[tuple[type, Kind, Any], ...] = (
    (bool, Kind.BOOLEAN, sa.Boolean()),
    (int, Kind.NUMBER, sa.BigInteger()),
    (float, Kind.NUMBER, sa.Double()),
    (str, Kind.TEXT, sa.Text()),
    (dt.datetime, Kind.INSTANT, sa.DateTime(timezone=True)),
    (dt.date, Kind.DATE, sa.Date()),
    (dt.time, Kind.CLOCK, sa.Time()),
    (dt.timedelta, Kind.DURATION, INTERVAL()),
)


def read_as(term: Term, kind: Kind) -> Term | None:
    """A term as another kind of value, or None where that would be a guess.

    A period is read as the instant at which it begins, a date as the beginning of its day (UTC), null as anything, and
    a value of any type as the kind that is wanted: it is null in rows where it is of another type.
    """
    if term.kind is kind:
        return term
    if term.kind is Kind.NULL:
        return Term(kind, sa.null())
    if term.opened is not None:
        readings = {Kind.NUMBER: term.opened.number, Kind.TEXT: term.opened.text, Kind.BOOLEAN: term.opened.flag}
        return Term(kind, readings[kind]) if kind in readings else None
    return _in_time(term, kind)


def _in_time(term: Term, kind: Kind) -> Term | None:
    """A date, instant or period as one of the other two."""
    if kind is Kind.INSTANT and term.kind is Kind.PERIOD:
        return Term(kind, term.sql, fixed=term.fixed)
    if kind is Kind.INSTANT and term.kind is Kind.DATE:
        return Term(kind, sa.func.timezone(UTC, sa.cast(term.sql, sa.DateTime())), fixed=term.fixed)
    if kind is Kind.PERIOD and (moment := read_as(term, Kind.INSTANT)) is not None:
        return Term(kind, moment.sql, end=moment.sql, fixed=term.fixed)
    return None


def require(term: Term, kinds: tuple[Kind, ...], what: str) -> Term:
    """A term as the first of several kinds that it can be read as.

    Raises:
        BadFilter: When it is none of them; `what` says who asks for it.
    """
    found = term if term.kind in kinds else next((r for k in kinds if (r := read_as(term, k)) is not None), None)
    if found is None:
        wanted = " or ".join(f"a {kind}" for kind in kinds)
        raise BadFilter(f"{what} takes {wanted}, not a {term.kind}.")
    return found
