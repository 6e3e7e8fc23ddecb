"""Rows of Gauss-Krueger coordinates, each in the zone that its easting names; what fits no zone is refused.

Each row is judged by its own coordinates alone, so that the outcome does not depend on how a source is cut into parts.
Swapped axes are certain here: an easting with its zone number has eight digits, a northing of China seven.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from ingest.notes import Notes
from ingest.readers.source import Geometries
from ingest.rows import Rows
from layers.errors import CrsRefused
from layers.gauss import FALSE_EASTING, FARTHEST, NORTHING, PREFIX, SIX_DEGREE, THREE_DEGREE, Datum, Grid, Zone

Bounds = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_KNOWN = np.array([*SIX_DEGREE, *THREE_DEGREE])
_SHOWN = 5


@dataclass
class Sorted:
    """Rows of a chunk by zone.

    Attributes:
        geometries: With x = easting, y = northing.
        zones: Number of the zone of each row, 0 where there is none (no geometry, or refused).
    """

    geometries: Geometries
    zones: Numbers


class Zones:
    """Judges the rows of one source."""

    def __init__(self, grid: Grid | None, datum: Datum, label: str, notes: Notes) -> None:
        """Expect rows of a declared grid, or (None) of any zone with its number in the eastings.

        Args:
            grid: What the source declares.
            datum: Geodetic system of all zones.
            label: Name of the declared CRS for sentences.
            notes: Where findings go.
        """
        self._grid = grid
        self._datum: Datum = datum
        self._label = label
        self._notes = notes
        self.seen: Counter[int] = Counter()
        self._refused: Counter[str] = Counter()

    def sort(self, rows: Rows, geometries: Geometries, bounds: Bounds) -> Sorted:
        """Find the zone of each row, turn swapped rows, refuse rows that fit no zone.

        Args:
            rows: The rows; those that fit nowhere are refused.
            geometries: As x, y of the source.
            bounds: Their bounds, NaN for rows without a geometry.
        """
        given = np.isfinite(bounds).all(axis=1)
        east, north = bounds[:, [0, 2]], bounds[:, [1, 3]]
        zones = self._fitting(east, north)
        swapped = (zones == 0) & (self._fitting(north, east) > 0)
        zones = np.where(swapped, self._fitting(north, east), zones)
        if swapped.any():
            message = "The northing came first; easting and northing were put in order."
            self._notes.add("axes-swapped", "warning", message, rows.position[swapped])
            geometries[swapped] = shapely.transform(geometries[swapped], turned)
        self._refuse(rows, np.flatnonzero(given & (zones == 0)), bounds)
        self.seen.update(Counter(zones[zones > 0].tolist()))
        self._note_others(rows, zones)
        return Sorted(geometries, zones)

    def finish(self, name: str) -> None:
        """Say at the end whether the source is what it declares.

        Raises:
            CrsRefused: When no row lies in the declared zone, or none in any.
        """
        wanted = self._grid.zone.number if self._grid is not None else None
        if wanted is None and len(self.seen) > 1:
            shown = ", ".join(str(number) for number in sorted(self.seen))
            message = f"Rows carry the numbers of the zones {shown}; each was read in its own zone."
            self._notes.add("mixed-zones", "info", message, count=self.seen.total())
        if self.seen[wanted] if wanted else self.seen:
            return
        if self.seen:
            other = Zone(self.seen.most_common(1)[0][0])
            raise CrsRefused(
                f"{name} declares {self._label}, but the eastings carry the zone number {other.number}; if they are "
                f"right, say `override_crs: EPSG:{other.code(self._datum, prefixed=True)}` in the source mapping.",
                declared=self._label,
                zones=sorted(self.seen),
            )
        if self._refused:
            sentence = self._refused.most_common(1)[0][0]
            raise CrsRefused(f"No coordinate of {name} can be right: {sentence}", declared=self._label)

    def facts(self) -> dict[str, int]:
        """Rows by zone number."""
        return {str(number): count for number, count in sorted(self.seen.items())}

    def _fitting(self, east: Bounds, north: Bounds) -> Numbers:
        """Zone of each row whose coordinates fit it, else 0."""
        with np.errstate(invalid="ignore"):
            fits = ((north >= NORTHING[0]) & (north <= NORTHING[1])).all(axis=1)
            if self._grid is not None and not self._grid.prefixed:
                near = (np.abs(east - FALSE_EASTING) <= FARTHEST).all(axis=1)
                return np.where(fits & near, self._grid.zone.number, 0)
            return np.where(fits, numbers(east), 0)

    def _refuse(self, rows: Rows, wrong: Numbers, bounds: Bounds) -> None:
        for row in wrong:
            sentence = self._reason(bounds[row])
            self._refused[sentence] += 1
            rows.refuse(int(row), sentence)

    def _reason(self, bounds: Bounds) -> str:
        """Why a row fits no zone, the same sentence for the same fault."""
        carried = numbers(bounds[None, [0, 2]])[0] or numbers(bounds[None, [1, 3]])[0]
        if carried and not self._expects_prefix:
            code = Zone(int(carried)).code(self._datum, prefixed=True)
            return (
                f"The easting carries the zone number {carried}, but {self._label} has eastings without it; "
                f"EPSG:{code} is the form with it."
            )
        if carried:
            south, north = NORTHING
            return f"The northing lies outside China ({south / 1000:g} to {north / 1000:g} km from the equator)."
        if _six_digits(bounds[[0, 2]]) or (_six_digits(bounds[[1, 3]]) and self._expects_prefix):
            return self._without_zone()
        return (
            f"The coordinates lie more than {FARTHEST / 1000:g} km from the central meridian of every zone of China, "
            "or outside its northings."
        )

    @property
    def _expects_prefix(self) -> bool:
        return self._grid is None or self._grid.prefixed

    def _without_zone(self) -> str:
        if not self._expects_prefix:
            return "The northing lies outside China, or the axes are swapped."
        plain = "" if self._grid is None else f" (EPSG:{self._grid.zone.code(self._datum, prefixed=False)})"
        return (
            f"The easting has six digits and carries no zone number, so its zone is unknown; name the form without "
            f"it{plain} as crs or override_crs if the zone is known."
        )

    def _note_others(self, rows: Rows, zones: Numbers) -> None:
        expected = self._grid.zone.number if self._grid is not None else None
        others = (zones > 0) & (zones != expected) if expected else zones < 0
        if others.any():
            message = f"Rows carry the number of another zone than {self._label}; each was read in its own zone."
            self._notes.add("mixed-zones", "warning", message, rows.position[others])


def numbers(east: Bounds) -> Numbers:
    """Zone number that smallest and largest easting of each row (n x 2, metres) carry; 0 where they carry none."""
    with np.errstate(invalid="ignore"):
        prefix = np.floor(east / PREFIX)
        near = np.abs(east - prefix * PREFIX - FALSE_EASTING) <= FARTHEST
        same = (prefix[:, 0] == prefix[:, 1]) & near.all(axis=1) & np.isin(prefix[:, 0], _KNOWN)
    return np.where(same, prefix[:, 0], 0).astype(np.int64)


def turned(coordinates: Bounds) -> Bounds:
    """Coordinates with x and y exchanged."""
    return np.ascontiguousarray(coordinates[:, ::-1])


def _six_digits(east: Bounds) -> bool:
    return bool((np.abs(east - FALSE_EASTING) <= FARTHEST).all())
