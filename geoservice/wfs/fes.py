"""Filters of FES 2.0 (OGC 09-026r2) as CQL2, so that one tree, one check and one way to SQL serve both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import shapely

from geoservice.wfs.gml import read_geometry
from geoservice.wfs.times import TEMPORAL, in_zone, read_time
from geoservice.wfs.words import GEOMETRY, WfsError, key_of, local
from geoservice.wfs.xml import Element, children, name_of, text_of
from layers.filter.queryables import GEOMETRY as SHAPE
from layers.filter.queryables import ID, Queryables
from layers.filter.tree import Kind

Json = dict[str, Any]
_COMPARISONS = {
    "PropertyIsEqualTo": "=",
    "PropertyIsNotEqualTo": "<>",
    "PropertyIsLessThan": "<",
    "PropertyIsGreaterThan": ">",
    "PropertyIsLessThanOrEqualTo": "<=",
    "PropertyIsGreaterThanOrEqualTo": ">=",
}
_SPATIAL = {
    name: f"s_{name.lower()}"
    for name in ("Intersects", "Disjoint", "Contains", "Within", "Touches", "Crosses", "Overlaps", "Equals")
}
_ANY_BOX = "BoundingBox"
"""What clients made for catalogues call the geometry of a feature."""
_LOGIC = {"And": "and", "Or": "or"}
_PAIR, _TRIPLE = 2, 3
_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0, "kilometers": 1000.0}
OPERATORS = (*_COMPARISONS, "PropertyIsLike", "PropertyIsNull", "PropertyIsBetween")
SPATIAL_OPERATORS = ("BBOX", *_SPATIAL, "DWithin", "Beyond")


class FilterReader:
    """Reads filters about one layer."""

    def __init__(self, layer: str, queryables: Queryables, crs: str | None = None) -> None:
        """Read for a layer, what may be named of it, and the CRS of geometries that name none."""
        self._layer, self._queryables, self._crs = layer, queryables, crs
        self._rules: dict[str, Callable[[Element], Json]] = {
            **dict.fromkeys(_COMPARISONS, self._comparison),
            **dict.fromkeys(_SPATIAL, self._spatial),
            **dict.fromkeys(TEMPORAL, self._temporal),
            **dict.fromkeys(_LOGIC, self._logic),
            "Not": lambda element: {"op": "not", "args": [self.condition(_only(element))]},
            "PropertyIsLike": self._like,
            "PropertyIsNull": self._null,
            "PropertyIsNil": self._null,
            "PropertyIsBetween": self._between,
            "BBOX": self._bbox,
            "DWithin": self._distance,
            "Beyond": lambda element: {"op": "not", "args": [self._distance(element)]},
        }

    def read(self, root: Element) -> Json:
        """A filter as CQL2 JSON.

        Raises:
            WfsError: When it is not understood.
        """
        if name_of(root) != "Filter" or len(root) == 0:
            raise _failed("A filter is an element Filter with one condition in it.")
        identifiers = [one for one in root if name_of(one) in ("ResourceId", "FeatureId", "GmlObjectId")]
        if identifiers:
            if len(identifiers) != len(root):
                raise _failed("ResourceId stands beside no other condition.")
            return self.by_ids([_rid(one) for one in identifiers])
        return self.condition(_only(root))

    def by_ids(self, identifiers: list[str]) -> Json:
        """The features of these ids; ids of nothing here find nothing."""
        keys = [key for one in identifiers if (key := key_of(self._layer, one)) is not None]
        nothing: Json = {"op": "isNull", "args": [{"property": ID}]}
        return {"op": "in", "args": [{"property": ID}, keys]} if keys else nothing

    def present(self, name: str) -> Json:
        """The features that have a value of a property.

        Raises:
            WfsError: When there is no such property.
        """
        return {"op": "not", "args": [{"op": "isNull", "args": [self._property(name)[0]]}]}

    def condition(self, element: Element) -> Json:
        """One condition.

        Raises:
            WfsError: When it is none that is known.
        """
        rule = self._rules.get(name_of(element))
        if rule is None:
            known = ", ".join(self._rules)
            raise _failed(f"Filters know {known}; {name_of(element)[:40]!r} is none of them.")
        return rule(element)

    def _logic(self, element: Element) -> Json:
        if len(element) < _PAIR:
            raise _failed(f"{name_of(element)} joins at least two conditions.")
        return {"op": _LOGIC[name_of(element)], "args": [self.condition(child) for child in element]}

    def _property(self, text: str) -> tuple[Json, Kind]:
        name = local(text)
        name = SHAPE if name in (GEOMETRY, _ANY_BOX) else name
        known = self._queryables.names.get(name)
        if known is None:
            listed = ", ".join(GEOMETRY if one == SHAPE else one for one in self._queryables.names)
            raise WfsError(
                f"There is no property {text[:60]!r} to filter by; known properties: {listed}.", locator="filter"
            )
        return {"property": name}, known.kind

    def _operands(self, element: Element) -> tuple[list[Any], Kind | None]:
        """Properties and literals of a comparison; literals take the kind of the property."""
        names = [text_of(one) for one in element if _is_reference(one)]
        kinds = [self._property(name)[1] for name in names]
        kind = kinds[0] if kinds else None
        found: list[Any] = []
        for one in element:
            if _is_reference(one):
                found.append(self._property(text_of(one))[0])
            elif name_of(one) == "Literal":
                found.append(_literal(text_of(one), kind))
            else:
                raise _failed(f"{name_of(element)} compares properties and literals; {name_of(one)[:40]} is neither.")
        return found, kind

    def _comparison(self, element: Element) -> Json:
        args, kind = self._operands(element)
        if len(args) != _PAIR:
            raise _failed(f"{name_of(element)} compares two values.")
        if element.get("matchCase") == "false" and kind is Kind.TEXT:
            args = [{"op": "casei", "args": [arg]} for arg in args]
        return {"op": _COMPARISONS[name_of(element)], "args": args}

    def _like(self, element: Element) -> Json:
        args, _ = self._operands(element)
        if len(args) != _PAIR or not isinstance(args[1], str):
            raise _failed("PropertyIsLike compares a property with a pattern.")
        args[1] = _pattern(element, args[1])
        if element.get("matchCase") == "false":
            args = [{"op": "casei", "args": [arg]} for arg in args]
        return {"op": "like", "args": args}

    def _null(self, element: Element) -> Json:
        args, _ = self._operands(element)
        if len(args) != 1:
            raise _failed("PropertyIsNull names one property.")
        return {"op": "isNull", "args": args}

    def _between(self, element: Element) -> Json:
        names = [one for one in element if _is_reference(one)]
        low, high = (children(element, name) for name in ("LowerBoundary", "UpperBoundary"))
        if not (len(names) == len(low) == len(high) == 1):
            raise _failed("PropertyIsBetween has a property, a lower and an upper boundary.")
        name, kind = self._property(text_of(names[0]))
        return {"op": "between", "args": [name, *(_literal(text_of(one), kind) for one in (low[0], high[0]))]}

    def _spatial(self, element: Element) -> Json:
        name, shape = self._place(element)
        return {"op": _SPATIAL[name_of(element)], "args": [name, shape]}

    def _bbox(self, element: Element) -> Json:
        name, shape = self._place(element)
        return {"op": "s_intersects", "args": [name, shape]}

    def _distance(self, element: Element) -> Json:
        name, shape = self._place(element)
        distances = children(element, "Distance")
        unit = (distances[0].get("uom") or distances[0].get("units") or "m").lower() if distances else ""
        if len(distances) != 1 or unit.rpartition(":")[2] not in _METRES:
            raise _failed(f"{name_of(element)} has a Distance in m or km.")
        metres = _number(text_of(distances[0])) * _METRES[unit.rpartition(":")[2]]
        return {"op": "within_distance", "args": [name, shape, metres]}

    def _temporal(self, element: Element) -> Json:
        args = [self._property(text_of(one))[0] if _is_reference(one) else read_time(one) for one in element]
        if len(args) != _PAIR:
            raise _failed(f"{name_of(element)} compares two times.")
        return {"op": TEMPORAL[name_of(element)], "args": args}

    def _place(self, element: Element) -> tuple[Json, Json]:
        names = [one for one in element if _is_reference(one)]
        shapes = [one for one in element if not _is_reference(one) and name_of(one) != "Distance"]
        if len(names) > 1 or len(shapes) != 1:
            raise _failed(f"{name_of(element)} compares a geometry property with one geometry.")
        name, kind = self._property(text_of(names[0]) if names else GEOMETRY)
        if kind is not Kind.GEOMETRY:
            raise _failed(f"{name_of(element)} works on the property {GEOMETRY}.")
        shape: Json = json.loads(shapely.to_geojson(read_geometry(shapes[0], self._crs)))
        return name, shape


def _is_reference(element: Element) -> bool:
    return name_of(element) in ("ValueReference", "PropertyName")


def _only(element: Element) -> Element:
    if len(element) != 1:
        raise _failed(f"{name_of(element)} holds one condition.")
    return element[0]


def _rid(element: Element) -> str:
    return next((value for name, value in element.attrib.items() if str(name).rpartition("}")[2] in _IDS), "")


_IDS = ("rid", "fid", "id")


def _literal(text: str, kind: Kind | None) -> Any:
    if kind in (Kind.INTEGER, Kind.NUMBER):
        return _number(text)
    if kind is Kind.BOOLEAN:
        if text.lower() not in ("true", "false", "1", "0"):
            raise _failed(f"{text[:40]!r} is neither true nor false.")
        return text.lower() in ("true", "1")
    if kind is Kind.DATE:
        return {"date": text[:10]}
    if kind is Kind.DATETIME:
        return {"timestamp": in_zone(text)}
    return text


def _number(text: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise _failed(f"{text[:40]!r} is no number.") from None
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        raise _failed(f"{text[:40]!r} is no number.")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _pattern(element: Element, text: str) -> str:
    """A pattern with the signs of CQL2: % for any characters, _ for one, a backslash in front of what is meant."""
    many, one = element.get("wildCard", "*"), element.get("singleChar", "?")
    escape = element.get("escapeChar") or element.get("escape") or "\\"
    made, place = "", 0
    while place < len(text):
        sign = text[place]
        if sign == escape and place + 1 < len(text):
            place += 1
            sign = text[place]
            made += f"\\{sign}" if sign in "%_\\" else sign
        elif sign in (many, one):
            made += "%" if sign == many else "_"
        else:
            made += f"\\{sign}" if sign in "%_\\" else sign
        place += 1
    return made


def _failed(detail: str) -> WfsError:
    return WfsError(detail, "OperationParsingFailed", "filter")
