"""Geometries into storage: EPSG:4490, x=longitude, y=latitude, two dimensions, inside the world."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from ingest.georeference import Reference, reference_of, settle
from ingest.job import CRS_DOUBT
from ingest.notes import Notes
from ingest.offset import in_box, metres_between, offset_removed
from ingest.readers.source import Geometries, Positions, Request, Source
from ingest.registered import registered_for
from ingest.rows import Rows
from ingest.world import World
from ingest.zones import Sorted, Zones, turned
from layers.crs import conversion, storage_transformer
from layers.errors import CrsRefused
from layers.gauss import Zone

Coordinates = npt.NDArray[np.float64]


class Projector:
    """Brings the geometries of one source into storage."""

    def __init__(self, request: Request, source: Source) -> None:
        """Find out on what the source stands, and the way from there into storage.

        Args:
            request: Name, layer, mapping, and where findings go.
            source: What it states; its coordinates come as x=east/longitude, y=north/latitude.

        Raises:
            CrsRefused: When it states nothing and the mapping neither, or when there is no safe way.
        """
        self._request = request
        self._mapping = request.plan.mapping
        self._notes: Notes = request.notes
        self._reference: Reference = reference_of(request, source)
        self._zones: Zones | None = None
        self._settled = False
        self._doubt: str | None = None
        part = request.plan.part
        self._part: int | None = part.number if part is not None else None
        self._world = World(self._mapping.antimeridian, self._notes)
        # What cannot come in at all is refused before a row is read.
        self._registered = registered_for(self._reference, request)
        if self._reference.crs is not None:
            self._way(self._reference.crs)

    @property
    def name(self) -> str:
        """Short name of the CRS for the summary."""
        return self._reference.name

    def facts(self) -> dict[str, Any]:
        """How the CRS was decided, for the summary."""
        found: dict[str, Any] = {"crs_decision": self._reference.facts()}
        if self._zones is not None:
            found["zones"] = self._zones.facts()
        if self._doubt is not None:
            found[CRS_DOUBT] = self._doubt
        return {**found, **(self._registered.facts() if self._registered is not None else {})}

    def project(self, rows: Rows) -> None:
        """Project the geometries of rows in place; refuse rows that end up nowhere.

        Raises:
            CrsRefused: When the coordinates cannot be what the source declares.
            SourceMismatch: When longitude and latitude are evidently swapped.
        """
        if rows.geometry is None:
            return
        geometries = self._flat(rows.geometry, rows.position)
        if self._mapping.swap:
            geometries = shapely.transform(geometries, turned)
            message = "The coordinates of each pair changed places, as the mapping says."
            self._notes.add("axes-swapped", "info", message, rows.position)
        if not self._settled or self._zones is not None:
            bounds = shapely.bounds(geometries)
            self._settle(bounds)
        if self._zones is not None:
            geometries = self._by_zone(rows, self._zones.sort(rows, geometries, bounds))
        elif self._reference.crs is not None:
            geometries = _moved(geometries, self._way(self._reference.crs))
        if self._registered is not None:
            geometries = self._registered.apply(rows, geometries)
        if self._mapping.offset is not None:
            geometries = self._without_offset(geometries, rows.position)
        rows.geometry = self._world.enter(rows, geometries)

    def finish(self) -> None:
        """Judge the source as a whole, after its last row.

        Raises:
            CrsRefused: When no row lies where the source declares it.
        """
        if self._zones is None:
            return
        try:
            self._zones.finish(self._request.name)
        except CrsRefused as error:
            if self._part is None:
                raise
            # A part does not know the others: whoever joins them has the source read as one.
            self._doubt = error.detail

    def _settle(self, bounds: Coordinates) -> None:
        finite = bounds[np.isfinite(bounds).all(axis=1)]
        if self._settled or not len(finite):
            return
        self._settled = True
        if self._reference.crs is None or not self._part:
            # What is declared is judged by the first rows of the source, which only the first part has.
            self._reference = settle(self._reference, finite, self._request)
        told = self._reference.told()
        if told is not None:
            self._notes.add("crs", "info", told, count=1)
        if self._reference.zoned and self._reference.datum is not None:
            self._zones = Zones(self._reference.grid, self._reference.datum, self._reference.name, self._notes)

    def _by_zone(self, rows: Rows, found: Sorted) -> Geometries:
        geometries = found.geometries
        geometries[list(rows.bad)] = None
        for number in np.unique(found.zones[found.zones > 0]):
            members = found.zones == number
            geometries[members] = _moved(geometries[members], self._way(self._crs_of(int(number))))
        return geometries

    def _way(self, crs: pyproj.CRS) -> pyproj.Transformer | None:
        """From a CRS of the source into storage, or to where the registered parameters begin."""
        if self._registered is None or self._registered.base is None:
            return storage_transformer(crs)
        return conversion(crs, self._registered.base)

    def _crs_of(self, number: int) -> pyproj.CRS:
        reference = self._reference
        if reference.crs is not None and reference.grid is not None and reference.grid.zone.number == number:
            return reference.crs
        return pyproj.CRS.from_epsg(Zone(number).code(reference.datum or "cgcs2000", prefixed=True))

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

    def _without_offset(self, geometries: Geometries, position: Positions) -> Geometries:
        kind = self._mapping.offset
        if kind is None:
            return geometries
        before = shapely.get_coordinates(geometries)
        inside = in_box(before)
        after = offset_removed(before, kind)
        if inside.any():
            metres = float(np.median(metres_between(before[inside], after[inside])))
            message = (
                f"The {kind.upper()} offset was taken off, as the mapping says: typically {_round(metres)} m here."
            )
            self._notes.add(kind, "warning", message, position[~shapely.is_missing(geometries)])
        if not inside.all():
            message = (
                f"Coordinates outside the box around China, where {kind.upper()} has no offset, were left as they are."
            )
            self._notes.add(f"{kind}-outside", "warning", message, count=int((~inside).sum()))
        return shapely.transform(geometries, lambda _: after)


def _moved(geometries: Geometries, way: pyproj.Transformer | None) -> Geometries:
    if way is None:
        return geometries

    def transform(coordinates: Coordinates) -> Coordinates:
        return np.column_stack(way.transform(coordinates[:, 0], coordinates[:, 1]))

    moved: Geometries = shapely.transform(geometries, transform)
    return moved


def _round(metres: float) -> int:
    """To the next hundred metres, so that all chunks of a source say the same."""
    return max(100, int(round(metres, -2)))
