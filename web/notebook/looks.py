"""How features look: the colours of a layer's own style (MapLibre Style Specification, version 8), for Leaflet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
_USUAL, _EDGE, _OPACITY = "#3a7ca5", "#4a5560", 0.65
_COLOURS = {"fill": "fill-color", "line": "line-color", "circle": "circle-color"}
_PAIRS = 2


class Looks:
    """The colour of each feature by the style of its layer."""

    def __init__(self, style: Json, layer: str) -> None:
        """Find the part of a style that tells classes apart: discs before areas before lines."""
        own = [one for one in style.get("layers", ()) if one.get("source") == layer and one.get("type") in _COLOURS]
        # What tells classes apart goes before what looks the same everywhere, such as the casing of a road.
        told = sorted(own, key=lambda one: isinstance(one.get("paint", {}).get(_COLOURS[one["type"]]), list))
        kinds = {one["type"]: one for one in told}
        self._kind = next((kind for kind in ("circle", "fill", "line") if kind in kinds), "fill")
        part = kinds.get(self._kind, {})
        self._colour = part.get("paint", {}).get(_COLOURS[self._kind], _USUAL)

    def of(self, properties: Mapping[str, Any]) -> Json:
        """The Leaflet style of a feature."""
        colour = self._of(properties)
        if self._kind == "line":
            return {"color": colour, "weight": 3, "opacity": 0.9, "fill": False}
        if self._kind == "circle":
            return {"color": "#ffffff", "weight": 1, "fillColor": colour, "fillOpacity": 0.9, "radius": 6}
        return {"color": _EDGE, "weight": 0.7, "fillColor": colour, "fillOpacity": _OPACITY}

    def classes(self, all_properties: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """The values by which the features are coloured, with their colours; none where all look the same."""
        by = attribute(self._colour)
        if by is None:
            return []
        found = {str(one[by]): self._of(one) for one in all_properties if one.get(by) is not None}
        return sorted(found.items())

    def _of(self, properties: Mapping[str, Any]) -> str:
        found = evaluated(self._colour, properties)
        return found if isinstance(found, str) else _USUAL


def attribute(expression: Any) -> str | None:
    """The attribute whose values a `match` tells apart, or None."""
    if isinstance(expression, list) and len(expression) > _PAIRS and expression[0] == "match":
        return str(expression[1][1][1]) if expression[1][0] == "to-string" else None
    return None


def evaluated(expression: Any, properties: Mapping[str, Any]) -> Any:
    """The value of an expression as layer files make it: `match`, `case`, `step`, `has`, `get` and conversions.

    Args:
        expression: Value of a paint property.
        properties: Of a feature.

    Returns:
        The value; None for an expression of another kind.
    """
    if not isinstance(expression, list) or not expression:
        return expression
    name, *arguments = expression
    made = _WAYS.get(name)
    return None if made is None else made(arguments, properties)


def _match(arguments: list[Any], properties: Mapping[str, Any]) -> Any:
    value, *branches, default = arguments
    found = evaluated(value, properties)
    pairs = dict(zip(branches[::2], branches[1::2], strict=True))
    return evaluated(pairs.get(found, default), properties)


def _case(arguments: list[Any], properties: Mapping[str, Any]) -> Any:
    condition, chosen, default = arguments
    return evaluated(chosen if evaluated(condition, properties) else default, properties)


def _step(arguments: list[Any], properties: Mapping[str, Any]) -> Any:
    value, found, *stops = arguments
    number = evaluated(value, properties)
    for bound, colour in zip(stops[::2], stops[1::2], strict=True):
        found = colour if number is not None and number >= bound else found
    return found


def _number(arguments: list[Any], properties: Mapping[str, Any]) -> float | None:
    try:
        return float(evaluated(arguments[0], properties))
    except (TypeError, ValueError):
        return None


_WAYS: dict[str, Any] = {
    "match": _match,
    "case": _case,
    "step": _step,
    "get": lambda arguments, properties: properties.get(arguments[0]),
    "has": lambda arguments, properties: properties.get(arguments[0]) is not None,
    "to-string": lambda arguments, properties: str(evaluated(arguments[0], properties)),
    "to-number": _number,
}
