"""Rows put into divisions: each counts where its inner point lies, areas and lengths are cut at the borders.

This is how impacts split layers (`geoservice.impact.atoms`), so the figures are the same. It blocks: call it in a
thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import shapely

from geoservice.impact.divisions import NOWHERE, Divisions
from geoservice.impact.measure import UNITS
from geoservice.statistics.tally import Held, Tally, exact, plain
from geoservice.statistics.wish import Wish

Keys: TypeAlias = tuple[str | None, ...]
_EMPTY = shapely.Point()


@dataclass
class Parted:
    """Tallies by place of the division (-1: in none) and keys, growing with the rows that are put in."""

    divisions: Divisions
    wish: Wish
    groups: dict[tuple[int, Keys], Tally] = field(default_factory=dict)

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows of `placed_statement` in."""
        shapes = np.array([_EMPTY] * len(rows), dtype=np.object_)
        read = shapely.from_wkb(np.array([row["wkb"] for row in rows], dtype=np.object_))
        there = np.flatnonzero(~(shapely.is_missing(read) | shapely.is_empty(read)))
        shapes[there] = read[there]
        keys = [self._keys(row) for row in rows]
        place = np.full(len(rows), NOWHERE, dtype=np.int64)
        points = shapely.point_on_surface(shapes[there])
        place[there] = self.divisions.at(shapely.get_x(points), shapely.get_y(points))
        for row, key, where in zip(rows, keys, place.tolist(), strict=True):
            self._count(row, (where, key))
        for size in self.wish.sizes:
            parts = self.divisions.split(shapes[there], size)
            numbers = zip(there[parts.owner].tolist(), parts.division.tolist(), parts.size.tolist(), strict=True)
            for owner, where, units in numbers:
                if units:
                    tally = self.groups.setdefault((where, keys[owner]), Tally())
                    setattr(tally, size, getattr(tally, size) + Decimal(units) / UNITS)

    def _keys(self, row: Mapping[str, Any]) -> Keys:
        """Keys of a row but for that of its division, as text."""
        values = (row[f"k_{i}"] for i, group in enumerate(self.wish.groups) if group.attribute is not None)
        return tuple(None if value is None else str(value) for value in values)

    def _count(self, row: Mapping[str, Any], group: tuple[int, Keys]) -> None:
        tally = self.groups.setdefault(group, Tally())
        tally.features += 1
        for i, name in enumerate(self.wish.attributes):
            value = row[f"v_{i}"]
            if value is not None:
                tally.held.setdefault(name, Held()).add(_held(value))


def _held(value: Any) -> Held:
    if isinstance(value, bool | str):
        return Held(1)
    if isinstance(value, int | float):
        # What is not finite cannot be put in order with others.
        return Held() if plain(value) is None else Held(1, exact(value), value, value)
    return Held(1, low=value, high=value)
