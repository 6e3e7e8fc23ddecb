"""Query parameters of features, as they are written, and the one value they become."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

from fastapi import Query, Request

from geoservice.features.places import bound_to
from geoservice.features.query import FeatureQuery, Look, SortKey
from geoservice.features.window import Window, parse_window
from geoservice.http.parameters import parse_limit
from geoservice.http.texts import storable
from geoservice.ogc.common import Format, Language
from geoservice.ogc.filter_query import FilterQuery
from layers.access import Decision, Principal
from layers.errors import BadParameter
from layers.interval import parse_datetime
from layers.model import RowLayer, VectorLayer
from layers.offered import CRS84, OfferedCrs, find_crs

GEOMETRY = "geometry"
"""Name of the geometry among the properties (Features Parts 5 and 6)."""
PRESENTATION = frozenset(
    {
        "f", "lang", "limit", "cursor", "crs", "properties", "exclude-properties", "skipGeometry", "zoom-level",
        "max-allowable-offset",
    }
)  # fmt: skip
"""Parameters that do not decide which features there are and in which order; they may change from page to page."""
MOST_KEYS, MOST_IDS = 8, 1_000
_MOST_ZOOM = 24.0
_TILE = 256
_METRES_OF_A_DEGREE = 111_700.0
"""Length of the longest degree on the ellipsoid (a degree of latitude at the pole, 111,694 m), rounded up."""
_SPELT = {"true": True, "false": False}


@dataclass(frozen=True)
class WhichQuery:
    """Query parameters that say which features count."""

    bbox: Annotated[
        str | None, Query(description="west,south,east,north in degrees (CRS84), or in the axis order of bbox-crs.")
    ] = None
    bbox_crs: Annotated[
        str | None, Query(alias="bbox-crs", description="Coordinate reference system of bbox; default CRS84.")
    ] = None
    datetime: Annotated[str | None, Query(description="RFC 3339 instant, date or interval start/end.")] = None
    ids: Annotated[str | None, Query(description="Public ids, separated by commas.")] = None

    def which(self, limit: int) -> FeatureQuery:
        """The features that count; raises BadParameter as the single parsers do.

        Args:
            limit: Most features, or groups of them.
        """
        window = self._window()
        return FeatureQuery(
            limit=limit,
            bbox=window.bbox,
            region=window.region,
            interval=parse_datetime(self.datetime) if self.datetime is not None else None,
            ids=None if self.ids is None else _ids(self.ids),
            placeless=True,
        )

    def _window(self) -> Window:
        crs = CRS84 if self.bbox_crs is None else find_crs(self.bbox_crs, "bbox-crs")
        return Window() if self.bbox is None else parse_window(self.bbox, crs)


@dataclass(frozen=True)
class ChoiceQuery(WhichQuery):
    """Query parameters that choose features, of one collection or of several."""

    limit: Annotated[str | None, Query(description="Features per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next or prev link.")] = None

    def choice(self, default: int, maximum: int) -> FeatureQuery:
        """The features asked for; raises BadParameter as the single parsers do.

        Args:
            default: Features per page when `limit` is not given.
            maximum: Most features per page.
        """
        return self.which(parse_limit(self.limit, default, maximum))


@dataclass(frozen=True)
class SortQuery:
    """Query parameters that put features in order."""

    sortby: Annotated[
        str | None, Query(description="Properties to sort by, separated by commas; - before a name: descending.")
    ] = None

    def order(self, sortable: tuple[str, ...]) -> tuple[SortKey, ...]:
        """The order asked for; raises BadParameter as `parse_sort` does.

        Args:
            sortable: Attributes to sort by, those that the principal may see.
        """
        return () if self.sortby is None else parse_sort(self.sortby, sortable)


@dataclass(frozen=True)
class ShapeQuery:
    """Query parameters that say how geometries are written."""

    crs: Annotated[str | None, Query(description="Coordinate reference system of the answer; default CRS84.")] = None
    skip_geometry: Annotated[
        str | None, Query(alias="skipGeometry", description="true: without geometries; false: with them.")
    ] = None
    zoom_level: Annotated[
        str | None,
        Query(alias="zoom-level", description="Simplify geometries for a map at this zoom level (0 to 24)."),
    ] = None

    def look(self) -> Look:
        """How geometries are written, but for what `properties` says of them.

        Raises:
            BadParameter: When a value is not acceptable.
        """
        crs = CRS84 if self.crs is None else find_crs(self.crs, "crs")
        return Look(geometry=self._geometry(), crs=crs, tolerance=self._tolerance())

    def _geometry(self) -> bool:
        if self.skip_geometry is None:
            return True
        if self.skip_geometry not in _SPELT:
            raise BadParameter(
                f"skipGeometry is true or false; {self.skip_geometry[:30]!r} is neither.", parameter="skipGeometry"
            )
        return not _SPELT[self.skip_geometry]

    def _tolerance(self) -> float | None:
        if self.zoom_level is None:
            return None
        zoom = _number(self.zoom_level, "zoom-level", 0, _MOST_ZOOM)
        # A pixel of WebMercatorQuad at the equator, in degrees.
        return float(360.0 / (_TILE * 2.0**zoom))


@dataclass(frozen=True)
class LookQuery(ShapeQuery):
    """Query parameters that say which parts of features of one collection are written, and how."""

    properties: Annotated[
        str | None, Query(description="Properties to return, separated by commas; geometry is one of them.")
    ] = None
    exclude: Annotated[
        str | None, Query(alias="exclude-properties", description="Properties to leave out, separated by commas.")
    ] = None
    offset: Annotated[
        str | None,
        Query(alias="max-allowable-offset", description="Simplify geometries by at most so many metres."),
    ] = None

    def chosen(self, layer: RowLayer, decision: Decision) -> tuple[str, ...] | None:
        """Attributes to write, in their own order; None for all.

        Raises:
            BadParameter: When both parameters are given, or one names what the principal does not see.
        """
        if self.properties is not None and self.exclude is not None:
            raise BadParameter("properties and exclude-properties exclude each other.", parameter="properties")
        if self.properties is not None:
            return _names(self.properties, "properties", layer, decision)
        if self.exclude is None:
            return None
        out = _names(self.exclude, "exclude-properties", layer, decision)
        return tuple(name for name in decision.attributes if name not in out)

    def _geometry(self) -> bool:
        if self.skip_geometry is not None:
            return super()._geometry()
        if self.properties is not None:
            return GEOMETRY in self.properties.split(",")
        return self.exclude is None or GEOMETRY not in self.exclude.split(",")

    def _tolerance(self) -> float | None:
        if self.offset is None:
            return super()._tolerance()
        if self.zoom_level is not None:
            raise BadParameter("zoom-level and max-allowable-offset exclude each other.", parameter="zoom-level")
        return _number(self.offset, "max-allowable-offset", 0, 1e6) / _METRES_OF_A_DEGREE


@dataclass(frozen=True)
class MomentQuery:
    """Query parameters that ask for features as they were at a moment."""

    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: features as they were then.")] = (
        None
    )


@dataclass(frozen=True)
class PastQuery(MomentQuery):
    """Query parameters that ask for features of one collection as they were."""

    edition: Annotated[str | None, Query(description="Number of an edition: features as it left them.")] = None


@dataclass(frozen=True)
class Presentation:
    """Query parameters that say in which format and language to answer."""

    f: Format = None
    lang: Language = None


@dataclass(frozen=True)
class ItemQuery(LookQuery, PastQuery, Presentation):
    """Query parameters of one feature."""


@dataclass(frozen=True)
class ItemsQuery(ChoiceQuery, SortQuery, FilterQuery, LookQuery, PastQuery, Presentation):
    """Query parameters of a page of features."""


@dataclass(frozen=True)
class SearchQuery(ChoiceQuery, FilterQuery, ShapeQuery, MomentQuery, Presentation):
    """Query parameters of a page of features of several collections."""

    collections: Annotated[
        str | None, Query(description="Collections to search, separated by commas; default: all that have features.")
    ] = None

    def written(self) -> dict[str, str]:
        """What was given, under the names that it has in an address."""
        pairs = {outer: getattr(self, name) for outer, name in OUTER_NAMES.items()}
        return {name: value for name, value in pairs.items() if value is not None}


def _outer_names() -> dict[str, str]:
    hints = get_type_hints(SearchQuery, include_extras=True)
    known = {field.name: hints[field.name].__metadata__[0].alias for field in fields(SearchQuery)}
    return {alias or name: name for name, alias in known.items()}


OUTER_NAMES = _outer_names()
"""The fields of a search by the names that they have in an address."""


def parse_sort(text: str, known: tuple[str, ...]) -> tuple[SortKey, ...]:
    """Read `sortby` (Features Part 8, draft): names of visible properties, each with + or - before it.

    Raises:
        BadParameter: When there are too many, one comes twice, or one is no property that the principal sees.
    """
    keys = []
    # In an address + stands for a space.
    for part in text.split(","):
        name = part[1:] if part[:1] in ("+", "-", " ") else part
        if name not in known:
            raise unknown_property(name, "sortby", known)
        keys.append(SortKey(name, part.startswith("-")))
    if len(keys) > MOST_KEYS or len({key.attribute for key in keys}) < len(keys):
        raise BadParameter(f"sortby takes up to {MOST_KEYS} properties, each once.", parameter="sortby")
    return tuple(keys)


def unknown_property(name: str, parameter: str, known: tuple[str, ...]) -> BadParameter:
    """The error that names a property nobody knows, or that the principal may not know, and those there are."""
    listed = ", ".join(known) or "none"
    return BadParameter(
        f"{parameter} names properties of the collection; {name[:60]!r} is none of them. There are: {listed}.",
        parameter=parameter,
        known=list(known),
    )


def place_bound(request: Request, path: str, asker: Principal) -> bytes:
    """What the page tokens of a request are bound to: the list, the asker's clearance, what decides on features."""
    asked = {name: value for name, value in request.query_params.items() if name not in PRESENTATION}
    return bound_to(path, asker.clearance, asked)


def _names(text: str, parameter: str, layer: RowLayer, decision: Decision) -> tuple[str, ...]:
    wanted = text.split(",")
    known = (GEOMETRY, *decision.attributes) if isinstance(layer, VectorLayer) else decision.attributes
    for name in wanted:
        if name not in known:
            raise unknown_property(name, parameter, known)
    return tuple(name for name in decision.attributes if name in wanted)


def _ids(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text.split(",")))
    if not storable(text) or len(found) > MOST_IDS:
        raise BadParameter(f"ids are up to {MOST_IDS} public ids of features.", parameter="ids")
    return found


def _number(text: str, parameter: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise BadParameter(
            f"{parameter} is a number from {least:g} to {most:g}; {text[:30]!r} is not.", parameter=parameter
        )
    return number


def crs_header(crs: OfferedCrs) -> dict[str, str]:
    """The header that names the coordinate reference system of an answer (Features Part 2, requirement 16)."""
    return {"Content-Crs": f"<{crs.uri}>"}
