"""Longitudes and latitudes into the world: -180 to 180 and -90 to 90, cut where they cross 180 degrees."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from ingest.notes import Notes
from ingest.readers.antimeridian import crosses, cut_crossing
from ingest.readers.source import Geometries, Positions
from ingest.rows import Rows

_SLACK = 1e-6
"""Degrees (about 0.1 m) by which a coordinate may overshoot the edge of the world from rounding; it is set onto it."""
_FROM_EAST = "Longitudes between 180 and 360 degrees were brought to -180 to 180."
_FROM_WEST = "Longitudes below -180 degrees were brought to -180 to 180."
_HALF_TURN = 180.0
_POLE = 90.0

Mask = npt.NDArray[np.bool_]
Coordinates = npt.NDArray[np.float64]
Jumps = Literal["cut", "keep"] | None


class World:
    """Brings geometries in degrees into the world; what needs no change stays the same object."""

    def __init__(self, jumps: Jumps, notes: Notes) -> None:
        """Say what long edges mean: `cut`, `keep`, or None for cut with a warning."""
        self._jumps = jumps
        self._notes = notes

    def enter(self, rows: Rows, geometries: Geometries) -> Geometries:
        """Clip rounding, turn longitudes beyond 180, cut what crosses 180; refuse what lies outside the world."""
        nowhere = _not_finite(geometries)
        rows.refuse_all(np.flatnonzero(nowhere), "The geometry has coordinates that are not finite numbers.")
        geometries[nowhere] = None
        bounds = shapely.bounds(geometries)
        self._wrap(geometries, bounds, rows.position)
        self._cut(geometries, bounds, rows.position)
        _refuse_outside(rows, geometries, bounds)
        return geometries

    def _wrap(self, geometries: Geometries, bounds: Coordinates, position: Positions) -> None:
        with np.errstate(invalid="ignore"):
            rounding = (np.abs(bounds) > [_HALF_TURN, _POLE] * 2).any(axis=1) & ~_beyond(bounds, _SLACK)
            west, east = bounds[:, 0], bounds[:, 2]
            eastward = (east > _HALF_TURN + _SLACK) & (east <= 2 * _HALF_TURN + _SLACK) & (west >= -_HALF_TURN - _SLACK)
            # Nobody counts from -360; but what reaches over -180 from inside lies on both sides of that line.
            westward = (west < -_HALF_TURN - _SLACK) & (west >= -2 * _HALF_TURN - _SLACK)
            westward &= (east >= -_HALF_TURN) & (east <= _HALF_TURN + _SLACK)
        if rounding.any():
            geometries[rounding] = shapely.transform(geometries[rounding], _clip)
        for turned, sign, message in ((eastward, 1, _FROM_EAST), (westward, -1, _FROM_WEST)):
            if turned.any():
                self._notes.add("longitude", "info", message, position[turned])
                geometries[turned] = [_turn(g, sign) for g in geometries[turned]]
        changed = rounding | eastward | westward
        if changed.any():
            bounds[changed] = shapely.bounds(geometries[changed])

    def _cut(self, geometries: Geometries, bounds: Coordinates, position: Positions) -> None:
        """Only geometries wider than half the globe can have an edge that is."""
        if self._jumps == "keep":
            return
        with np.errstate(invalid="ignore"):
            wide = (bounds[:, 2] - bounds[:, 0] > _HALF_TURN + _SLACK) & ~_beyond(bounds, 0.0)
        found = [int(row) for row in np.flatnonzero(wide) if crosses(geometries[row])]
        if not found:
            return
        for row in found:
            geometries[row] = cut_crossing(geometries[row])
        bounds[found] = shapely.bounds(geometries[found])
        hint = (
            "" if self._jumps == "cut" else " If such edges are meant, say `antimeridian: keep` in the source mapping."
        )
        self._notes.add(
            "antimeridian",
            "info" if self._jumps == "cut" else "warning",
            f"Edges longer than 180 degrees of longitude were taken to cross 180 degrees and cut there.{hint}",
            position[found],
        )


def _refuse_outside(rows: Rows, geometries: Geometries, bounds: Coordinates) -> None:
    with np.errstate(invalid="ignore"):
        outside = _beyond(bounds, 0.0)
    for row in np.flatnonzero(outside):
        west, south, east, north = bounds[row]
        rows.refuse(
            int(row),
            f"The geometry lies outside the world: longitude {west:.9g} to {east:.9g}, latitude {south:.9g} to "
            f"{north:.9g}.",
        )
    geometries[outside] = None


def _beyond(bounds: Coordinates, slack: float) -> Mask:
    limits = np.array([_HALF_TURN, _POLE] * 2) + slack
    return np.asarray((np.abs(bounds) > limits).any(axis=1))


def _clip(coordinates: Coordinates) -> Coordinates:
    return np.clip(coordinates, [-_HALF_TURN, -_POLE], [_HALF_TURN, _POLE])


def _not_finite(geometries: Geometries) -> Mask:
    mask = np.zeros(len(geometries), dtype=bool)
    # One sum tells for all of them; a sum that overflows only costs the closer look.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(shapely.get_coordinates(geometries).sum()):
            return mask
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    mask[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    return mask


def _turn(geometry: shapely.Geometry, sign: int) -> shapely.Geometry:
    """What lies beyond 180 degrees (`sign` 1) or -180 degrees (-1), brought back; what straddles that line is cut."""
    back = np.array([-sign * 2 * _HALF_TURN, 0.0])
    if shapely.bounds(geometry)[0] >= _HALF_TURN:
        return shapely.transform(geometry, lambda c: _clip(c + back))
    if not shapely.is_valid(geometry):
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    near = shapely.intersection(geometry, shapely.box(-_HALF_TURN, -_POLE, _HALF_TURN, _POLE))
    edges = sorted((sign * _HALF_TURN, sign * (2 * _HALF_TURN + 1)))
    far = shapely.intersection(geometry, shapely.box(edges[0], -_POLE, edges[1], _POLE))
    turned = shapely.transform(far, lambda c: _clip(c + back))
    # Where an area only touches the line, its intersection is a line or a point; that is none of its parts.
    lowest = shapely.get_dimensions(shapely.get_parts(geometry)).min()
    parts = shapely.get_parts([near, turned])
    return shapely.union_all(parts[shapely.get_dimensions(parts) >= lowest])
