"""Drawing in points: marks and words at places of an image, as MapLibre sources and layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from layers.maplibre import FONT, HALO, Json
from tiles.plane import CELL, LEVEL
from web.sheet.letters import text_width

__all__ = ["Paper", "Place", "lonlat", "text_width"]

Place = tuple[float, float]
INK = "#222222"
_POINTS = CELL * 2**LEVEL


@dataclass
class Paper:
    """Marks on an image, from bottom to top. Places are points from the upper left corner."""

    name: str = "paper"
    features: list[Json] = field(default_factory=list)
    layers: list[Json] = field(default_factory=list)

    def sources(self) -> Json:
        """The MapLibre source of everything that was drawn."""
        return {self.name: {"type": "geojson", "data": {"type": "FeatureCollection", "features": self.features}}}

    def area(self, corners: Sequence[Place], paint: Json) -> None:
        """A filled area, by its corners in turn."""
        ring = [lonlat(place) for place in (*corners, corners[0])]
        self._add("fill", {"type": "Polygon", "coordinates": [ring]}, paint)

    def box(self, at: Place, size: Place, paint: Json) -> None:
        """A filled rectangle, by its upper left corner and its width and height."""
        (x, y), (width, height) = at, size
        self.area([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], paint)

    def line(self, places: Sequence[Place], paint: Json) -> None:
        """A line through places."""
        self._add("line", {"type": "LineString", "coordinates": [lonlat(place) for place in places]}, paint)

    def circle(self, at: Place, paint: Json) -> None:
        """A round mark."""
        self._add("circle", {"type": "Point", "coordinates": lonlat(at)}, paint)

    def text(
        self,
        at: Place,
        words: str,
        size: float = 12.0,
        anchor: str = "left",
        look: Json | None = None,
        turn: float = 0.0,
    ) -> None:
        """One or more lines of text; `anchor` says which side of it stands at the place. It is always drawn.

        Args:
            at: The place.
            words: What is written.
            size: Of the letters, in points.
            anchor: Side of the text at the place.
            look: Paint beside the usual ink and halo.
            turn: Degrees by which it is turned clockwise.
        """
        layout = {
            # Words are data: a brace in them names no attribute.
            "text-field": ["get", "words"],
            "text-font": [FONT],
            "text-size": size,
            "text-anchor": anchor,
            "text-max-width": 1000,
            "text-justify": "left" if anchor.endswith("left") else "auto",
            "text-allow-overlap": True,
            "text-ignore-placement": True,
            "text-rotate": turn,
        }
        paint = {"text-color": INK, "text-halo-color": HALO, "text-halo-width": 1.2} | (look or {})
        self._add("symbol", {"type": "Point", "coordinates": lonlat(at)}, paint, layout, words)

    def _add(self, kind: str, geometry: Json, paint: Json, layout: Json | None = None, words: str = "") -> None:
        number = len(self.features)
        self.features.append({"type": "Feature", "properties": {"n": number, "words": words}, "geometry": geometry})
        own = {"id": f"{self.name}-{number}", "type": kind, "source": self.name, "paint": paint}
        self.layers.append(own | {"layout": layout or {}, "filter": ["==", ["get", "n"], number]})


def lonlat(place: Place) -> list[float]:
    """Where a place of an image lies in the renderer's plane, in degrees (see `tiles.plane`)."""
    x, y = place
    return [x / _POINTS * 360.0, math.degrees(math.atan(math.sinh(-2.0 * math.pi * y / _POINTS)))]
