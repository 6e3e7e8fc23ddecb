"""Matrices: what the best way costs from each of some places to each of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from geoservice.routing.answers import Json, about, metres_of
from geoservice.routing.asked import Position, positions_of
from geoservice.routing.facilities import Facilities
from geoservice.routing.graph import UNITS
from geoservice.routing.ground import Ground
from geoservice.routing.questions import snaps_of
from geoservice.routing.roads import Floats
from geoservice.routing.snap import Snap
from geoservice.routing.travel import Travel
from layers.errors import TooLarge

MOST_SIDE = 1000
MOST_SEARCHES = 100
"""Places on the shorter side: each costs a search of the network."""
MOST_CELLS = 20_000


@dataclass(frozen=True)
class MatrixQuestion:
    """From which places to which; the same ones where only the former are given."""

    sources: tuple[Position, ...]
    targets: tuple[Position, ...]

    MEMBERS: ClassVar[frozenset[str]] = frozenset({"sources", "targets"})

    @property
    def collection(self) -> str | None:
        """None: the places are posted."""
        return None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """Read it from JSON.

        Raises:
            BadBody: When a member is not what it should be.
            TooLarge: When there are too many places.
        """
        sources = positions_of(body.get("sources"), "sources", 1, MOST_SIDE)
        given = body.get("targets")
        targets = sources if given is None else positions_of(given, "targets", 1, MOST_SIDE)
        cells, searches = len(sources) * len(targets), min(len(sources), len(targets))
        if cells > MOST_CELLS or searches > MOST_SEARCHES:
            raise TooLarge(
                f"The matrix has {len(sources)} x {len(targets)} cells; at most {MOST_CELLS} are answered, with at "
                f"most {MOST_SEARCHES} places on its shorter side.",
                limit=MOST_CELLS,
            )
        return cls(sources, targets)

    def answer(self, ground: Ground, facilities: Facilities) -> Json:
        """One row for each source, one value for each target, null where there is no way."""
        travel = ground.travel
        sources, targets = snaps_of(travel, self.sources), snaps_of(travel, self.targets)
        name = "durations_s" if travel.preference == "fastest" else "distances_m"
        values = np.round(matrix(travel, sources, targets) / UNITS, 1)
        rows = [[value if np.isfinite(value) else None for value in row] for row in values.tolist()]
        ends = {"sources": [_told(snap) for snap in sources], "targets": [_told(snap) for snap in targets]}
        return {**about(travel), **ends, name: rows}


def matrix(travel: Travel, sources: list[Snap], targets: list[Snap]) -> Floats:
    """Cost from each source to each target, infinite where there is no way; searched from the shorter side."""
    towards = len(targets) < len(sources)
    here, there = (targets, sources) if towards else (sources, targets)
    arrivals = travel.arrivals(there, towards=not towards)
    rows = [travel.costs_at(travel.spread([place], towards=towards), place, arrivals) for place in here]
    made = np.array(rows).reshape(len(here), len(there))
    return made.T if towards else made


def _told(snap: Snap) -> Json:
    return {"position": [snap.lon, snap.lat], "to_road_m": metres_of(snap.metres)}
