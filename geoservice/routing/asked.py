"""What is asked, read from JSON: places, closures, limits. Everything is checked here, and nothing is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from geoservice.analysis.place import Place
from geoservice.analysis.request import ZoneRequest, zone_request
from geoservice.routing.graph import Preference
from layers.errors import BadBody, BadParameter, TooLarge

Position = tuple[float, float]
MOST_CLOSURES = 50
MOST_FACTOR = 1000.0
MOST_NAME = 100
_PREFERENCES: tuple[Preference, ...] = ("fastest", "shortest")
_HALF_TURN, _QUARTER_TURN = 180.0, 90.0
COMMON = frozenset({"network", "mode", "preference", "closures", "obstacles", "as_of"})
"""Members that every question about a network may have."""


@dataclass(frozen=True)
class ClosureRequest:
    """A zone in which roads are closed, or so many times slower (`factor`)."""

    zone: ZoneRequest
    factor: float | None


@dataclass(frozen=True)
class Asked:
    """What all questions have in common; None stands for the default."""

    network: str | None
    mode: str | None
    preference: Preference
    closures: tuple[ClosureRequest, ...]
    as_of: str | None


def common_of(body: Mapping[str, Any], known: Iterable[str], max_vertices: int) -> Asked:
    """Read the common members of a request. Zones are checked by GEOS: call it in a thread.

    Args:
        body: Parsed JSON.
        known: The other members that this question has.
        max_vertices: Most vertices of all drawn zones together.

    Raises:
        BadBody: When a member is unknown or not what it should be.
        BadGeometry: When a zone is not a proper area.
        TooLarge: When zones have too many vertices, or there are too many.
    """
    members = COMMON | set(known)
    strangers = sorted(str(name)[:40] for name in body if name not in members)
    if strangers:
        listed = ", ".join(sorted(members))
        raise BadBody(f"The body has the unknown members {', '.join(strangers[:10])}; known are {listed}.")
    preference = body.get("preference", _PREFERENCES[0])
    if preference not in _PREFERENCES:
        raise BadBody(f"preference is one of {', '.join(_PREFERENCES)}.", where="preference")
    return Asked(
        network=_name(body.get("network"), "network"),
        mode=_name(body.get("mode"), "mode"),
        preference=preference,
        closures=_closures(body, max_vertices),
        as_of=_name(body.get("as_of"), "as_of"),
    )


def positions_of(value: object, where: str, least: int, most: int) -> tuple[Position, ...]:
    """Positions (lon, lat in degrees) from an array of them or a GeoJSON MultiPoint.

    Raises:
        BadBody: When it is neither, or there are too few.
        TooLarge: When there are too many.
    """
    points = value.get("coordinates") if isinstance(value, Mapping) and value.get("type") == "MultiPoint" else value
    if not isinstance(points, list):
        raise BadBody(f"{where} is an array of positions [longitude, latitude] or a GeoJSON MultiPoint.", where=where)
    if len(points) > most:
        raise TooLarge(f"{where} has {len(points)} positions; at most {most} are answered.", where=where, limit=most)
    if len(points) < least:
        raise BadBody(f"{where} has {len(points)} positions; at least {least} are needed.", where=where)
    return tuple(position_of(point, f"{where}[{number}]") for number, point in enumerate(points))


def position_of(value: object, where: str) -> Position:
    """One position, from an array or a GeoJSON Point.

    Raises:
        BadBody: When it is none, or lies outside the world.
    """
    numbers = value.get("coordinates") if isinstance(value, Mapping) and value.get("type") == "Point" else value
    if isinstance(numbers, list) and len(numbers) in (2, 3) and all(map(_is_number, numbers)):
        lon, lat = numbers[:2]
        # Comparing before converting keeps integers of any size from overflowing.
        if abs(lon) <= _HALF_TURN and abs(lat) <= _QUARTER_TURN:
            return float(lon), float(lat)
    raise BadBody(
        f"{where} is not a position: [longitude, latitude] in degrees, -180 to 180 and -90 to 90.", where=where
    )


def position_in(text: str, name: str) -> list[float]:
    """A position written as `longitude,latitude` in an address.

    Raises:
        BadParameter: When it is not two numbers.
    """
    numbers = numbers_in(text, name)
    if len(numbers) != len(("longitude", "latitude")):
        raise BadParameter(f"{name} is longitude,latitude in degrees; {text[:60]!r} is not.", parameter=name)
    return numbers


def numbers_in(text: str, name: str) -> list[float]:
    """Finite numbers separated by commas in an address.

    Raises:
        BadParameter: When one is none.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise BadParameter(f"{name} is numbers separated by commas; {text[:60]!r} is not.", parameter=name)
    return numbers


def closure_in(text: str) -> dict[str, Any]:
    """A closed zone written as `alert:ID`, `adcode:CODE`, `bbox:W,S,E,N` or `feature:COLLECTION/ID` in an address.

    Raises:
        BadParameter: When it is none of these.
    """
    kind, _, name = text.partition(":")
    if kind in ("alert", "adcode") and name:
        return {kind: name}
    collection, slash, key = name.partition("/")
    if kind == "feature" and collection and slash and key:
        return {"feature": {"collection": collection, "id": key}}
    if kind == "bbox":
        try:
            return {"bbox": [float(part) for part in name.split(",")]}
        except ValueError:
            pass
    raise BadParameter(
        f"avoid is alert:ID, adcode:CODE, bbox:W,S,E,N or feature:COLLECTION/ID; {text[:60]!r} is not.",
        parameter="avoid",
    )


def number_of(body: Mapping[str, Any], name: str, bounds: tuple[float, float], default: float | None) -> float:
    """A number between bounds (included).

    Raises:
        BadBody: When it is none, or is missing and has no default.
    """
    value = body.get(name, default)
    low, high = bounds
    if not _is_number(value) or not low <= value <= high:
        raise BadBody(f"{name} is a number from {low:g} to {high:g}.", where=name)
    return float(value)


def word_of(body: Mapping[str, Any], name: str, words: Sequence[str]) -> str:
    """One of some words, the first by default.

    Raises:
        BadBody: When it is another.
    """
    value = body.get(name, words[0])
    if value not in words:
        raise BadBody(f"{name} is one of {', '.join(words)}.", where=name)
    return str(value)


def whole_of(body: Mapping[str, Any], name: str, bounds: tuple[int, int], default: int) -> int:
    """A whole number between bounds (included).

    Raises:
        BadBody: When it is none.
    """
    value = body.get(name, default)
    low, high = bounds
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadBody(f"{name} is a whole number from {low} to {high}.", where=name)
    return value


def _closures(body: Mapping[str, Any], max_vertices: int) -> tuple[ClosureRequest, ...]:
    given = body.get("closures", [])
    if not isinstance(given, list) or not all(isinstance(item, Mapping) for item in given):
        raise BadBody(
            "closures is an array of objects with one of zone, bbox, adcode, alert, feature, and a factor where roads "
            "are slow and not closed.",
            where="closures",
        )
    listed = list(given)
    if body.get("obstacles") is not None:
        listed.append({"zone": body["obstacles"]})
    if len(listed) > MOST_CLOSURES:
        raise TooLarge(f"There are {len(listed)} closures; at most {MOST_CLOSURES} are answered.", limit=MOST_CLOSURES)
    made = tuple(_closure(item, max_vertices) for item in listed)
    drawn = [closure.zone.where.geometry for closure in made if isinstance(closure.zone.where, Place)]
    if sum(int(shapely.get_num_coordinates(zone)) for zone in drawn) > max_vertices:
        raise TooLarge(f"The closures have more than {max_vertices} vertices together.", limit=max_vertices)
    return made


def _closure(item: Mapping[str, Any], max_vertices: int) -> ClosureRequest:
    zone = zone_request({name: value for name, value in item.items() if name != "factor"}, max_vertices)
    if item.get("factor") is None:
        return ClosureRequest(zone, None)
    return ClosureRequest(zone, number_of(item, "factor", (1.0, MOST_FACTOR), None))


def _name(value: object, where: str) -> str | None:
    if value is None or (isinstance(value, str) and 0 < len(value) <= MOST_NAME):
        return value
    raise BadBody(f"{where} is a text of 1 to {MOST_NAME} characters.", where=where)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)
