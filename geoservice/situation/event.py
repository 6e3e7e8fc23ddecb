"""An active event: something that goes on somewhere, how bad it is, and where more of it is found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import shapely

from geoservice.situation.model import stamp

Kind = Literal["alert", "zone", "earthquake", "fire", "exceedance"]
KINDS: tuple[Kind, ...] = ("alert", "zone", "earthquake", "fire", "exceedance")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
"""The scale of CAP 1.2, the worst first."""
_MOST_VERTICES = 20_000
_COARSE = 0.005
"""Degrees (about 500 m): shapes that are too large to be kept are kept this much coarser."""


@dataclass(frozen=True)
class Event:
    """An active event.

    Attributes:
        id: Its kind and what names it within the kind, with a colon between.
        kind: Of which kind.
        title: What it is called, in Chinese and English; what is played says so.
        severity: On the scale of CAP.
        since, until: When it began, and when it ends; None where that is not known.
        geometry: Where (longitude, latitude); None where nobody knows.
        facts: What else there is to know of it.
        places: Paths of this service by relation: the alert, the zone.
        impact: Body for POST /impact.
        zone: Path and body of the request that makes its zone, where there is none yet.
    """

    id: str
    kind: Kind
    title: Mapping[str, str]
    severity: str
    since: dt.datetime
    until: dt.datetime | None
    geometry: shapely.Geometry | None = field(repr=False)
    facts: Mapping[str, Any]
    places: Mapping[str, str]
    impact: Mapping[str, Any] | None = None
    zone: Mapping[str, Any] | None = None

    @property
    def rank(self) -> tuple[int, float, str]:
        """Order: the worst first, among equals the latest."""
        worst = SEVERITIES.index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)
        return worst, -self.since.timestamp(), self.id

    def document(self, address: Any) -> dict[str, Any]:
        """It as a document.

        Args:
            address: Makes an address of a path.
        """
        found: dict[str, Any] = {"id": self.id, "kind": self.kind, "title": dict(self.title)}
        found |= {"severity": self.severity, "since": stamp(self.since)}
        found |= {} if self.until is None else {"until": stamp(self.until)}
        if self.geometry is not None:
            found["bbox"] = [round(side, 7) for side in shapely.bounds(self.geometry).tolist()]
        found |= dict(self.facts)
        found["links"] = [{"rel": rel, "href": address(path)} for rel, path in self.places.items()]
        if self.impact is not None:
            found["impact"] = {"href": address("/impact"), "body": dict(self.impact)}
        if self.zone is not None:
            found["makeZone"] = {"href": address(str(self.zone["path"])), "body": self.zone["body"]}
        return found


def worst(severities: Iterable[str]) -> str:
    """The worst of some severities."""
    return min(severities, key=lambda one: SEVERITIES.index(one) if one in SEVERITIES else len(SEVERITIES))


def kept_shape(geometry: shapely.Geometry | None) -> shapely.Geometry | None:
    """A geometry as it is kept in memory: a very large one is made coarser."""
    if geometry is None or shapely.is_empty(geometry):
        return None
    if shapely.get_num_coordinates(geometry) <= _MOST_VERTICES:
        return geometry
    return shapely.simplify(geometry, _COARSE, preserve_topology=False)
