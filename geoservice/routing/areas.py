"""Isochrones and service areas: which roads are within a time or distance of some places, as areas or as lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import shapely

from geoservice.routing.answers import DIGITS, Json, about, feature, place_of
from geoservice.routing.asked import Position, number_of, positions_of, word_of
from geoservice.routing.facilities import Facilities, Facility
from geoservice.routing.graph import UNITS
from geoservice.routing.ground import Ground
from geoservice.routing.nearest import FROM, TO
from geoservice.routing.outline import outline_of
from geoservice.routing.questions import MOST_COST, snaps_of
from geoservice.routing.reach import Reached, length_of, reached, shapes_of
from geoservice.routing.travel import Travel
from layers.area import ellipsoidal_area
from layers.errors import BadBody, TooLarge

MOST_PLACES = 100
MOST_BREAKS = 10
MOST_PARTS = 50_000
"""Most parts of roads that an answer gives as lines."""
_WIDTH = 100.0
_WIDTHS = (5.0, 5000.0)
_UNITS = {"fastest": "s", "shortest": "m"}


@dataclass(frozen=True)
class ReachQuestion:
    """How far one gets from (or whence one gets to) some places within each of some limits.

    `merge` tells whether all places have one area together, or each has its own: the roads that it is nearest to.
    """

    places: tuple[Position, ...]
    collection: str | None
    breaks: tuple[float, ...]
    direction: str
    shape: str
    width: float
    merge: bool

    MEMBERS: ClassVar[frozenset[str]] = frozenset({"places", "breaks", "direction", "shape", "width", "merge"})

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Read it from JSON.

        Raises:
            BadBody: When a member is not what it should be.
            TooLarge: When there are too many places or limits.
        """
        given, merge = body.get("places"), body.get("merge", False)
        if not isinstance(merge, bool):
            raise BadBody("merge is true or false.", where="merge")
        named = given if isinstance(given, str) and given else None
        return cls(
            places=() if named else positions_of(given, "places", 1, MOST_PLACES),
            collection=named,
            breaks=_breaks(body.get("breaks")),
            direction=word_of(body, "direction", (FROM, TO)),
            shape=word_of(body, "shape", ("areas", "lines")),
            width=number_of(body, "width", _WIDTHS, _WIDTH),
            merge=merge,
        )

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """The reached areas or lines, the smallest limit first; each limit includes those before it."""
        travel = ground.travel
        among = facilities if self.collection else Facilities.posted(self.places)
        if len(among.members) > MOST_PLACES:
            raise TooLarge(
                f"Collection {among.collection} has {len(among.members)} features; at most {MOST_PLACES} are places.",
                limit=MOST_PLACES,
            )
        snaps = snaps_of(travel, [place.position for place in among.members])
        field = travel.spread(snaps, towards=self.direction == TO, limit=self.breaks[-1] * UNITS)
        features = []
        for limit in self.breaks:
            parts = reached(travel, field, snaps, limit * UNITS)
            features += list(self._features(travel, parts, limit, among))
        features += [place_of(travel, snap, "place", full=True) for snap in snaps]
        told = {"direction": self.direction, "unit": _UNITS[travel.preference], "places": among.collection}
        return {"type": "FeatureCollection", **about(travel), **told, "features": features}

    def _features(self, travel: Travel, parts: Reached, limit: float, among: Facilities) -> Iterator[Json]:
        if self.merge:
            yield self._feature(travel, parts, limit, None)
            return
        for number, place in enumerate(among.members):
            yield self._feature(travel, parts.of(number), limit, place)

    def _feature(self, travel: Travel, parts: Reached, limit: float, place: Facility | None) -> Json:
        told: Json = {"type": self.shape, "limit": limit, "roads_m": round(length_of(travel, parts), 1)}
        if place is not None:
            told |= {"place": place.id, "name": place.label.model_dump() if place.label is not None else None}
        if self.shape == "lines" and len(parts.edge) > MOST_PARTS:
            raise TooLarge(
                f"{len(parts.edge)} parts of roads are reached; at most {MOST_PARTS} are given as lines.",
                limit=MOST_PARTS,
            )
        lines = shapes_of(travel, parts)
        if self.shape == "lines":
            written = shapely.MultiLineString([shapely.transform(line, _rounded) for line in lines])
            return feature(_json(written), told)
        outline = outline_of(lines, self.width)
        told |= {"area_m2": round(float(ellipsoidal_area(outline.area)), 0), "width_m": round(outline.width, 1)}
        return feature(_json(outline.area), {**told, "method": outline.method})


def _breaks(given: object) -> tuple[float, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_BREAKS:
        raise BadBody(f"breaks is an array of 1 to {MOST_BREAKS} limits, in seconds or metres.", where="breaks")
    found = [number_of({"breaks": value}, "breaks", (1, MOST_COST), None) for value in given]
    return tuple(sorted(set(found)))


def _rounded(xy: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.round(xy, DIGITS)


def _json(shape: shapely.Geometry) -> Json:
    made: Json = json.loads(shapely.to_geojson(shape))
    return made
