"""Query parameters that filter features (Features Part 3), and properties as parameters (Part 1, 7.15.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from geoservice.features.filtering import WrittenFilter
from geoservice.http.parameters import undeclared
from layers.access import Decision
from layers.errors import UnknownParameter
from layers.filter import Filter, queryables_of
from layers.filter.tree import Kind
from layers.model import RowLayer


@dataclass(frozen=True)
class FilterQuery:
    """The parameters that filter features."""

    filter: Annotated[str | None, Query(description="CQL2: a condition on properties, see queryables.")] = None
    filter_lang: Annotated[
        str | None, Query(alias="filter-lang", description="Language of filter: cql2-text (default) or cql2-json.")
    ] = None
    filter_crs: Annotated[
        str | None, Query(alias="filter-crs", description="CRS of the geometries in filter; default CRS84.")
    ] = None

    def written_filter(self) -> WrittenFilter:
        """The filter as it was written."""
        return WrittenFilter(self.filter, self.filter_lang, self.filter_crs)

    def condition(self, request: Request, layer: RowLayer, decision: Decision) -> Filter | None:
        """The filter together with properties that are asked for by their value, as `?name=value`.

        Raises:
            UnknownParameter: When the request has a parameter that is no property of the layer either.
            BadFilter: When the filter is not one, or names what the reader does not know.
            BadGeometry: When a geometry in the filter is not sound.
            BadParameter: When a value does not fit its property.
        """
        return self.written_filter().understood(layer, decision, equal_properties(request, layer, decision))


def equal_properties(request: Request, layer: RowLayer, decision: Decision) -> dict[str, str]:
    """Parameters of the request that are names of properties, with the values that these must have.

    Raises:
        UnknownParameter: When one is no property that the reader knows.
    """
    found, known = undeclared(request)
    if not found:
        return found
    names = queryables_of(layer, decision).names
    fitting = [name for name, one in names.items() if one.kind is not Kind.GEOMETRY]
    for name in found:
        if name not in fitting:
            listed = ", ".join(sorted({*known, *fitting}))
            raise UnknownParameter(
                f"This resource does not know the parameter {name[:60]!r}; known parameters: {listed}.",
                parameter=name[:60],
            )
    return found
