"""Request bodies of edits: GeoJSON features and patches become properties and a geometry, or are refused with reasons.

Values are not judged here, only whether they can be values at all; the confined child judges them by the layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingest.edit import ABSENT, Absent, RowsRefused
from layers.access import Decision
from layers.crs import CRS84_URI, STORAGE_SRID
from layers.errors import BadBody, CrsRefused
from layers.model import RowLayer, VectorLayer
from layers.offered import offered

_MOST_INTEGER = 2**63
_MOST_NESTING = 10
"""Deepest nesting of a geometry: a collection of collections of multipolygons stays below."""
_MOST_COORDINATE = 1e9
_SHOWN = 60
_GEOMETRIES = frozenset(
    {"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}
)


@dataclass(frozen=True)
class ContentCrs:
    """In which system the geometries of a request stand.

    Attributes:
        uri: As the header Content-Crs names it.
        code: As `EPSG:n`, for a geometry whose coordinates are x, y.
        swapped: Whether its first coordinate is the latitude.
    """

    uri: str
    code: str
    swapped: bool = False


_EPSG_4490 = f"http://www.opengis.net/def/crs/EPSG/0/{STORAGE_SRID}"


@lru_cache(maxsize=1)
def _known() -> dict[str, ContentCrs]:
    """Systems in which geometries may be written: those in which features are handed out.

    One named null operation links those in degrees (`layers.crs.NULL_LINK`).
    """
    codes = {crs.uri: crs.srid if crs.projected else STORAGE_SRID for crs in offered()}
    return {crs.uri: ContentCrs(crs.uri, f"EPSG:{codes[crs.uri]}", swapped=crs.swapped) for crs in offered()}


def content_crs(header: str | None) -> ContentCrs:
    """The system that the header Content-Crs names (OGC API Features Part 4); CRS84 without one.

    It is looked up in a list, never resolved.

    Raises:
        CrsRefused: When it is none of the list.
    """
    if header is None:
        return _known()[CRS84_URI]
    found = _known().get(header.strip().removeprefix("<").removesuffix(">"))
    if found is None:
        raise CrsRefused(
            f"Content-Crs is one of the coordinate reference systems that /collections lists, such as <{CRS84_URI}> or "
            f"<{_EPSG_4490}>; {header[:80]!r} is none of them."
        )
    return found


def read_json(body: bytes) -> Any:
    """A JSON document in UTF-8, without numbers that JSON does not know.

    Raises:
        BadBody: When it is none.
    """
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise BadBody("The request body is a JSON document in UTF-8, of ordinary depth and numbers.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


@dataclass(frozen=True)
class Content:
    """What a feature or a patch says: JSON values by attribute, and a geometry (x, y), None for none, or ABSENT."""

    properties: dict[str, Any]
    geometry: Mapping[str, Any] | Absent | None


def read_feature(document: Any, layer: RowLayer, decision: Decision, crs: ContentCrs, place: int = 0) -> Content:
    """The content of a GeoJSON feature.

    Args:
        document: The parsed JSON.
        layer: The layer.
        decision: Which attributes the asker knows; all others are strangers.
        crs: In which system it stands.
        place: Number of the action in the request, for findings.

    Raises:
        BadBody: When it is no GeoJSON feature.
        RowsRefused: When it has properties that the layer does not know, or values that are none.
    """
    if not isinstance(document, dict) or document.get("type") != "Feature":
        raise BadBody("A GeoJSON object of the type Feature was expected.", action=place)
    content = read_patch(document, layer, decision, crs, place)
    return content if content.geometry is not ABSENT else Content(content.properties, None)


def read_patch(document: Any, layer: RowLayer, decision: Decision, crs: ContentCrs, place: int = 0) -> Content:
    """The content of a merge patch (RFC 7396) of a GeoJSON feature; arguments and errors as those of `read_feature`."""
    if not isinstance(document, dict):
        raise BadBody("A JSON object with properties, a geometry, or both was expected.", action=place)
    properties = document.get("properties") or {}
    if not isinstance(properties, dict):
        raise BadBody("The member properties is a JSON object.", action=place)
    findings = list(_strange(properties, layer, decision, place))
    if findings:
        raise RowsRefused(
            f"Nothing was changed in collection {layer.name}. {findings[0]['message']}", findings=findings[:50]
        )
    geometry = document.get("geometry", ABSENT)
    if geometry is ABSENT or geometry is None:
        return Content(properties, geometry)
    return Content(properties, _shape(geometry, layer, crs, place))


def _strange(
    properties: Mapping[str, Any], layer: RowLayer, decision: Decision, place: int
) -> Iterator[dict[str, Any]]:
    known = ", ".join(decision.attributes)
    for name, value in properties.items():
        if name not in decision.attributes:
            message = f"Collection {layer.name} has no property {name[:_SHOWN]!r}; it has {known}."
            yield _finding(place, "unknown-property", name[:_SHOWN], message)
        elif (reason := _unfit(value)) is not None:
            yield _finding(place, "value", name, f"Property {name!r} {reason}.")


def _finding(place: int, rule: str, name: str, message: str) -> dict[str, Any]:
    return {"action": place, "rule": rule, "property": name, "message": message, "place": None}


def _unfit(value: Any) -> str | None:
    """Why a JSON value can be no value of an attribute; None when it can."""
    if isinstance(value, dict | list):
        return "is a text, a number, true, false or null; arrays and objects are none"
    if isinstance(value, str) and ("\0" in value or _unpaired(value)):
        return "holds characters that no text may hold"
    if isinstance(value, float) and not math.isfinite(value):
        return "is a number of ordinary size"
    if isinstance(value, int) and not -_MOST_INTEGER <= value < _MOST_INTEGER:
        return "is a number of at most 64 bits"
    return None


def _unpaired(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _shape(geometry: Any, layer: RowLayer, crs: ContentCrs, place: int) -> Mapping[str, Any]:
    if not isinstance(layer, VectorLayer):
        raise BadBody(f"Rows of collection {layer.name} have no geometry; leave it out or null.", action=place)
    if not isinstance(geometry, dict) or geometry.get("type") not in _GEOMETRIES:
        raise BadBody("The member geometry is a GeoJSON geometry or null.", action=place)
    if not _is_plain(geometry):
        raise BadBody("Coordinates are nested arrays of numbers of ordinary size.", action=place)
    return _swapped(geometry) if crs.swapped else geometry


def _is_plain(geometry: dict[str, Any]) -> bool:
    """Whether all numbers are finite and of ordinary size, and nothing is nested deeper than geometries are."""
    waiting: list[tuple[Any, int]] = [(geometry, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict):
            value = [value.get("coordinates", []), value.get("geometries", [])]
        if isinstance(value, list):
            if depth > _MOST_NESTING:
                return False
            waiting.extend((part, depth + 1) for part in value)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST_COORDINATE:
            return False
    return True


def _swapped(geometry: dict[str, Any]) -> dict[str, Any]:
    """A geometry whose first coordinates were latitudes, with the longitude first."""
    turned = dict(geometry)
    if isinstance(geometry.get("geometries"), list):
        turned["geometries"] = [_swapped(g) if isinstance(g, dict) else g for g in geometry["geometries"]]
    if "coordinates" in geometry:
        turned["coordinates"] = _turned(geometry["coordinates"], _MOST_NESTING)
    return turned


def _turned(coordinates: Any, depth: int) -> Any:
    if not isinstance(coordinates, list) or depth == 0:
        return coordinates
    if len(coordinates) > 1 and not isinstance(coordinates[0], list):
        return [coordinates[1], coordinates[0], *coordinates[2:]]
    return [_turned(part, depth - 1) for part in coordinates]
