"""Which registered parameters bring a source into storage, and their use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from ingest.georeference import Reference
from ingest.readers.source import Geometries, Request
from ingest.rows import Rows
from ingest.shift import Shift, shift_of
from layers.crs import controlled_datum, conversion, storage_transformer
from layers.errors import CrsRefused
from layers.gauss import GEOGRAPHIC, NAMES
from layers.transformation import LOCAL, Region, Transformation

Coordinates = npt.NDArray[np.float64]
Bounds = npt.NDArray[np.float64]

_SLACK = 0.002
"""Degrees (some 200 m, more than any shift) by which a region grows when old coordinates are compared with it."""


class Registered:
    """The registered parameters for one source."""

    def __init__(self, candidates: Sequence[Transformation], base: pyproj.CRS | None, request: Request) -> None:
        """Choose among these, which all begin at the datum of the source.

        Args:
            candidates: One when the mapping names it or there is no other.
            base: Geographic CRS in which coordinates are handed in; None for a local system.
            request: For names, and where grids lie.
        """
        self._candidates = tuple(candidates)
        self._base = base
        self._request = request
        self._chosen: Transformation | None = None
        self._shift: Shift | None = None

    @property
    def base(self) -> pyproj.CRS | None:
        """The geographic CRS on the old datum in which coordinates are handed in; None for a local system."""
        return self._base

    def apply(self, rows: Rows, geometries: Geometries) -> Geometries:
        """Bring geometries from the old datum into storage; refuse rows outside the region of the parameters.

        Raises:
            CrsRefused: When none or several of the registered sets cover the first rows.
        """
        if not len(geometries[~shapely.is_missing(geometries)]):
            return geometries
        if self._chosen is None or self._shift is None:
            self._chosen = self._choose(geometries)
            self._shift = shift_of(self._chosen, self._request.scratch)
            self._note(self._chosen)
        moved: Geometries = shapely.transform(geometries, self._way(self._chosen, self._shift))
        outside = ~shapely.is_missing(moved) & ~inside(self._chosen.region, moved)
        shown = self._shown(self._chosen)
        rows.refuse_all(
            np.flatnonzero(outside), f"The row lies outside the region of the registered parameters{shown}."
        )
        moved[outside] = None
        return moved

    def facts(self) -> dict[str, Any]:
        """Name, residual, owner and digest for the summary; never a parameter."""
        used = self._chosen
        if used is None:
            return {}
        open_ = used.secrecy <= self._request.plan.layer.clearance
        return {
            "transformation": {
                "name": used.name if open_ else None,
                "owner": used.owner if open_ else None,
                "method": used.method,
                "residual_m": used.residual.rmse,
                "check_points": used.residual.points,
                "digest": used.digest(),
            }
        }

    def _way(self, used: Transformation, shift: Shift) -> Shift:
        begins, ends = (used.ends, used.begins) if used.backwards else (used.begins, used.ends)
        first = conversion(self._base, begins) if self._base is not None and begins is not None else None
        last = storage_transformer(ends) if ends is not None else None

        def way(coordinates: Coordinates) -> Coordinates:
            found = shift(_through(first, coordinates))
            return _through(last, found)

        return way

    def _choose(self, geometries: Geometries) -> Transformation:
        if len(self._candidates) == 1:
            return self._candidates[0]
        bounds = shapely.bounds(geometries)
        bounds = bounds[np.isfinite(bounds).all(axis=1)]
        fits = [c for c in self._candidates if _covers(c.region, bounds)]
        if len(fits) == 1:
            return fits[0]
        # The sentence stands in a report that everybody may read who may read the layer.
        open_ = [c.name for c in fits or self._candidates if c.secrecy <= self._request.plan.layer.clearance]
        many = f" ({', '.join(open_)})" if open_ else ""
        what = "several registered sets of parameters cover it" if fits else "no registered set of parameters covers it"
        raise CrsRefused(
            f"{self._request.name} stands on a datum with registered parameters, but {what}{many}; name one as "
            "`transformation` in the source mapping.",
            candidates=open_,
        )

    def _note(self, used: Transformation) -> None:
        message = (
            f"Coordinates were transformed by the registered parameters{self._shown(used)}, residual "
            f"{used.residual.rmse:g} m at {used.residual.points} check points."
        )
        self._request.notes.add("transformation", "info", message, count=1)

    def _shown(self, used: Transformation) -> str:
        """Name and owner, unless they are more secret than the layer in whose report they would stand."""
        open_ = used.secrecy <= self._request.plan.layer.clearance
        return f" {used.name} of {used.owner}" if open_ else f" with the digest {used.digest()}"


def registered_for(reference: Reference, request: Request) -> Registered | None:
    """The registered parameters that a source needs or its mapping names; None when it needs none.

    Raises:
        CrsRefused: When the mapping names a set that does not exist, is not in force, or begins elsewhere, or when the
            source stands on a controlled datum and nothing is registered for it.
    """
    known, wanted = request.plan.transformations, request.plan.mapping.transformation
    if wanted is not None:
        return _named(wanted, reference, request)
    datum = _controlled(reference)
    if datum is None:
        return None
    base = pyproj.CRS.from_epsg(GEOGRAPHIC[NAMES[datum]])
    candidates = [t for t in _in_force(known.values()) if _begins_on(t, datum)]
    if not candidates:
        # Says that it is refused, and what would help.
        storage_transformer(base if reference.crs is None else reference.crs)
    return Registered(candidates, base, request)


def _named(name: str, reference: Reference, request: Request) -> Registered:
    found = request.plan.transformations.get(name)
    if found is None:
        raise CrsRefused(
            f"The mapping names the transformation {name!r}, which is not registered.", transformation=name
        )
    if not found.on(dt.datetime.now(dt.UTC).date()):
        raise CrsRefused(f"The transformation {name!r} is not in force today.", transformation=name)
    if found.source == LOCAL:
        if reference.how != "local":
            raise CrsRefused(
                f"The transformation {name!r} begins at a local system, but {request.name} stands on {reference.name}.",
                transformation=name,
            )
        return Registered([found], None, request)
    datum = _controlled(reference)
    if datum is None or not _begins_on(found, datum):
        raise CrsRefused(
            f"The transformation {name!r} does not begin at the datum of {request.name} ({reference.name}).",
            transformation=name,
        )
    return Registered([found], pyproj.CRS.from_epsg(GEOGRAPHIC[NAMES[datum]]), request)


def _controlled(reference: Reference) -> str | None:
    """Name of the controlled datum of a source, also while its zone is still to be read."""
    if reference.crs is not None:
        return controlled_datum(reference.crs)
    if reference.datum in (None, "cgcs2000"):
        return None
    return controlled_datum(pyproj.CRS.from_epsg(GEOGRAPHIC[reference.datum]))


def _begins_on(registered: Transformation, datum: str) -> bool:
    old = registered.ends if registered.backwards else registered.begins
    return old is not None and controlled_datum(old) == datum


def _in_force(known: Iterable[Transformation]) -> list[Transformation]:
    today = dt.datetime.now(dt.UTC).date()
    return [t for t in known if t.source != LOCAL and t.on(today)]


def inside(region: Region, geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Whether each geometry (longitude and latitude in degrees) lies wholly inside a region."""
    shape = _shape(region)
    shapely.prepare(shape)
    return np.asarray(shapely.covers(shape, geometries))


def _covers(region: Region, bounds: Bounds) -> bool:
    shape = shapely.buffer(_shape(region), _SLACK, join_style="mitre")
    return bool(shapely.covers(shape, shapely.box(*bounds.T)).all())


def _shape(region: Region) -> shapely.Polygon:
    return shapely.box(*region.bbox) if region.bbox is not None else shapely.Polygon(region.polygon or ())


def _through(way: pyproj.Transformer | None, coordinates: Coordinates) -> Coordinates:
    return coordinates if way is None else np.column_stack(way.transform(coordinates[:, 0], coordinates[:, 1]))
