"""Geometries into storage: EPSG:4490, x=longitude, y=latitude, two dimensions, inside the world."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from ingest.notes import Notes
from ingest.readers.source import Geometries, Positions
from ingest.rows import Rows
from layers.crs import storage_transformer
from layers.errors import SourceMismatch

_SLACK = 1e-6
"""Degrees (about 0.1 m) by which a coordinate may overshoot the edge of the world from rounding; it is set onto it."""
_HALF_TURN = 180.0
_POLE = 90.0
_MOST = 0.5

Mask = npt.NDArray[np.bool_]
Coordinates = npt.NDArray[np.float64]


class Projector:
    """Brings the geometries of one source into storage."""

    def __init__(self, crs: pyproj.CRS, name: str, table: bool, notes: Notes) -> None:
        """Find the way from the CRS into storage.

        Args:
            crs: CRS of the source; coordinates come as x=east/longitude, y=north/latitude.
            name: File name for sentences.
            table: Whether the coordinates come from columns that may be swapped.
            notes: Where findings go.

        Raises:
            CrsRefused: When there is no safe way.
        """
        self._transformer = storage_transformer(crs)
        self._name = name
        self._suspicious = table and crs.is_geographic
        self._notes = notes

    def project(self, rows: Rows) -> None:
        """Project the geometries of rows in place; refuse rows that end up nowhere.

        Raises:
            SourceMismatch: When longitude and latitude of a table are evidently swapped.
        """
        if rows.geometry is None:
            return
        geometries = self._flat(rows.geometry, rows.position)
        self._refuse_swapped(geometries)
        if self._transformer is not None:
            geometries = shapely.transform(geometries, self._transform)
        nowhere = _not_finite(geometries)
        rows.refuse_all(np.flatnonzero(nowhere), "The geometry has coordinates that are not finite numbers.")
        geometries[nowhere] = None
        geometries = self._wrap(geometries, rows.position)
        rows.geometry = self._inside(rows, geometries)

    def _transform(self, coordinates: Coordinates) -> Coordinates:
        if self._transformer is None:
            return coordinates
        x, y = self._transformer.transform(coordinates[:, 0], coordinates[:, 1])
        return np.column_stack((x, y))

    def _flat(self, geometries: Geometries, position: Positions) -> Geometries:
        deep = np.zeros(len(geometries), dtype=bool)
        for test, what in ((shapely.has_z, "Heights (Z)"), (shapely.has_m, "Measures (M)")):
            found = test(geometries)
            deep |= found
            if found.any():
                self._notes.add(
                    "flattened",
                    "info",
                    f"{what} of geometries are not stored; layers keep two dimensions.",
                    position[found],
                )
        # Only those: making a flat copy of a geometry that is flat already costs as much as reading it.
        geometries[deep] = shapely.force_2d(geometries[deep])
        return geometries

    def _refuse_swapped(self, geometries: Geometries) -> None:
        if not self._suspicious:
            return
        self._suspicious = False
        points = shapely.get_coordinates(geometries)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) and (np.abs(points[:, 0]) <= _POLE).all() and (np.abs(points[:, 1]) > _POLE).mean() > _MOST:
            raise SourceMismatch(
                f"Latitudes of {self._name} lie beyond 90 degrees and no longitude does: the mapping has them swapped."
            )

    def _wrap(self, geometries: Geometries, position: Positions) -> Geometries:
        bounds = shapely.bounds(geometries)
        with np.errstate(invalid="ignore"):
            rounding = (np.abs(bounds) > [_HALF_TURN, _POLE] * 2).any(axis=1) & ~_beyond(bounds, _SLACK)
            east = (bounds[:, 2] > _HALF_TURN + _SLACK) & (bounds[:, 2] <= 2 * _HALF_TURN + _SLACK)
            east &= bounds[:, 0] >= -_HALF_TURN - _SLACK
        if rounding.any():
            geometries[rounding] = shapely.transform(geometries[rounding], _clip)
        if east.any():
            message = "Longitudes between 180 and 360 degrees were brought to -180 to 180."
            self._notes.add("longitude", "info", message, position[east])
            geometries[east] = [_turn(g) for g in geometries[east]]
        return geometries

    def _inside(self, rows: Rows, geometries: Geometries) -> Geometries:
        bounds = shapely.bounds(geometries)
        with np.errstate(invalid="ignore"):
            outside = _beyond(bounds, 0.0)
        for row in np.flatnonzero(outside):
            west, south, east, north = bounds[row]
            rows.refuse(
                int(row),
                f"The geometry lies outside the world: longitude {west:.6g} to {east:.6g}, latitude {south:.6g} to "
                f"{north:.6g}.",
            )
        geometries[outside] = None
        return geometries


def _beyond(bounds: Coordinates, slack: float) -> Mask:
    limits = np.array([_HALF_TURN, _POLE] * 2) + slack
    return np.asarray((np.abs(bounds) > limits).any(axis=1))


def _clip(coordinates: Coordinates) -> Coordinates:
    return np.clip(coordinates, [-_HALF_TURN, -_POLE], [_HALF_TURN, _POLE])


def _not_finite(geometries: Geometries) -> Mask:
    mask = np.zeros(len(geometries), dtype=bool)
    if np.isfinite(shapely.get_coordinates(geometries).sum()):
        return mask
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    mask[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    return mask


def _turn(geometry: shapely.Geometry) -> shapely.Geometry:
    """Longitudes of 0 to 360 as -180 to 180; what straddles 180 is cut there."""
    if shapely.bounds(geometry)[0] >= _HALF_TURN:
        return shapely.transform(geometry, lambda c: _clip(c - [2 * _HALF_TURN, 0.0]))
    if not shapely.is_valid(geometry):
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    near = shapely.intersection(geometry, shapely.box(-_HALF_TURN, -_POLE, _HALF_TURN, _POLE))
    far = shapely.intersection(geometry, shapely.box(_HALF_TURN, -_POLE, 2 * _HALF_TURN + 1, _POLE))
    turned = shapely.transform(far, lambda c: _clip(c - [2 * _HALF_TURN, 0.0]))
    return shapely.union(near, turned)
