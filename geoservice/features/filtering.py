"""Filters as requests write them, and the errors that only the rows themselves can cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import pyproj
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError

from layers.access import Decision
from layers.errors import BadFilter
from layers.filter import Filter, parse_filter, queryables_of
from layers.model import RowLayer
from layers.offered import CRS84, find_crs

_DATA_EXCEPTION = "22"
"""Class of SQLSTATE of values that cannot be calculated with."""
DEFAULT_LANG = "cql2-text"
_SHORT = 4_096
"""Characters of the longest filter that is kept as it was understood."""


@dataclass(frozen=True, slots=True)
class WrittenFilter:
    """A filter as a request wrote it: the text, its language, the name of the CRS of its geometries."""

    text: str | None = None
    lang: str | None = None
    crs: str | None = None

    def understood(self, layer: RowLayer, decision: Decision, equal: Mapping[str, str] | None = None) -> Filter | None:
        """The filter as a condition on a layer's features; None when there is none.

        Args:
            layer: The layer.
            decision: What the reader may see of it, which is what the filter may name.
            equal: Properties and the values they must have, beside the filter.

        Raises:
            BadFilter: When it is not a filter, or names what the reader does not know.
            BadGeometry: When a geometry in it is not sound.
            BadParameter: When its language or CRS is not known here.
        """
        if equal or self.text is None or len(self.text) > _SHORT:
            return _understood(self, layer, decision, equal)
        return _remembered(self, layer, decision)


def _understood(
    written: WrittenFilter, layer: RowLayer, decision: Decision, equal: Mapping[str, str] | None = None
) -> Filter | None:
    crs = CRS84 if written.crs is None else find_crs(written.crs, "filter-crs")
    system = None if crs is CRS84 else pyproj.CRS.from_epsg(crs.srid)
    lang = DEFAULT_LANG if written.lang is None else written.lang
    return parse_filter(written.text, lang, system, queryables_of(layer, decision), equal)


# Whoever pages or draws a map writes the same filter again and again.
_remembered = lru_cache(maxsize=512)(_understood)


NO_FILTER = WrittenFilter()


@contextmanager
def calculable(condition: Filter | None) -> Iterator[None]:
    """Say in words of the request that a filter calculates a number which no column can hold.

    Args:
        condition: The filter of the statement that is run; without one, errors pass as they are.

    Raises:
        BadFilter: In place of the server's error.
    """
    try:
        yield
    except (PostgresError, DBAPIError) as error:
        told = getattr(error, "orig", error)
        if condition is None or not (getattr(told, "sqlstate", None) or "").startswith(_DATA_EXCEPTION):
            raise
        sentence = "The filter calculates with numbers that become too large for some feature."
        raise BadFilter(sentence, parameter="filter") from error
