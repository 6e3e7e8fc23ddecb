"""Sums of raster cells by severity class and division. It blocks: call it in a thread.

Cells count by the exact share of them that lies inside, as in `geoservice.analysis.zonal`; where files overlap, the
newest one that has data counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.analysis.cells import on_raster, polygons
from geoservice.impact.divisions import NOWHERE, Divisions
from geoservice.impact.hits import ZonePart
from geoservice.impact.region import LOOK, WHOLE, Region
from geoservice.impact.tally import Key, Sum
from layers.area import ellipsoidal_area
from layers.asset import Asset

_SLACK = 1e-7
_HALF_TURN = 180.0


@dataclass(frozen=True)
class Piece:
    """What one class of a zone has in one division (-1: outside all): rank, place of the division, polygon."""

    rank: int
    division: int
    shape: shapely.Geometry


@dataclass(frozen=True)
class RasterTally:
    """Sums by rank and place of the division; a piece without any cell that has data is not among them.

    Attributes:
        sums: The sums.
        covered: Share of the zone (0 to 1) in which the raster has data.
    """

    sums: dict[Key, float]
    covered: float

    def by(self, names: Sequence[str]) -> dict[Key, Sum]:
        """Sums by `rank` or `division`, or both."""
        places = [("rank", "division").index(name) for name in names]
        groups: dict[Key, list[float]] = {}
        for key, value in self.sums.items():
            groups.setdefault(tuple(key[place] for place in places), []).append(value)
        return {key: Sum(math.fsum(groups[key])) for key in sorted(groups)}


def pieces_of_zone(parts: Sequence[ZonePart], divisions: Divisions) -> list[Piece]:
    """The classes of a zone cut at the borders of divisions; what lies in no division is a piece, too."""
    return [piece for part in parts for region in part.regions for piece in _pieces(part.rank, region, divisions)]


def raster_tally(assets: Sequence[Asset], pieces: Sequence[Piece]) -> RasterTally:
    """Add up the cells of a raster layer in pieces of a zone.

    Args:
        assets: COGs of the layer, the newest first.
        pieces: The pieces, in longitude and latitude.

    Raises:
        AssetUnavailable: When a file is missing or damaged.
        TooLarge: When a piece has too many vertices.
    """
    found: dict[Key, list[float]] = {}
    covered: list[float] = []
    for side in _sides(pieces):
        for piece, sums, areas in zip(side, *_added(assets, [piece.shape for piece in side]), strict=True):
            covered += areas
            if sums:
                found.setdefault((piece.rank, piece.division), []).extend(sums)
    area = math.fsum(ellipsoidal_area(np.array([piece.shape for piece in pieces], dtype=np.object_)).tolist())
    joined = {key: math.fsum(found[key]) for key in sorted(found)}
    return RasterTally(joined, min(1.0, math.fsum(covered) / area) if area > 0 else 0.0)


def _added(assets: Sequence[Asset], shapes: Sequence[shapely.Geometry]) -> tuple[list[list[float]], list[list[float]]]:
    """Sums and covered areas (m2) of the cells in each shape, to be added up."""
    rest = list(shapes)
    sums: list[list[float]] = [[] for _ in shapes]
    areas: list[list[float]] = [[] for _ in shapes]
    needed = [asset for asset in assets if any(_near(asset, shape) for shape in rest)]
    for place, asset in enumerate(needed):
        with on_raster(asset, _around(rest)) as here:
            found = here.sums(rest)
            for number in np.flatnonzero(found.count > 0).tolist():
                sums[number].append(float(found.total[number]))
                areas[number].append(float(found.area[number]))
            if place + 1 < len(needed):
                # What this file answers is no longer asked of the older ones below it.
                taken = here.taken()
                rest = [polygons(shapely.difference(shape, taken)) for shape in rest]
    return sums, areas


def _sides(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces on each side of the antimeridian where a zone lies on both, so that no window spans the world."""
    if not pieces:
        return []
    bounds = shapely.bounds(np.array([piece.shape for piece in pieces], dtype=np.object_)).reshape(-1, 4)
    if bounds[:, 2].max() - bounds[:, 0].min() <= _HALF_TURN:
        return [list(pieces)]
    west = bounds[:, 2] < 0
    sides = (
        [piece for piece, is_west in zip(pieces, west.tolist(), strict=True) if is_west is side]
        for side in (False, True)
    )
    return [side for side in sides if side]


def _pieces(rank: int, region: Region, divisions: Divisions) -> list[Piece]:
    if not divisions.members:
        return [Piece(rank, NOWHERE, region.shape)]
    said = region.sort(np.asarray(shapely.bounds(divisions.shapes)).reshape(-1, 4))
    found = [Piece(rank, place, divisions.shapes[place]) for place in np.flatnonzero(said == WHOLE).tolist()]
    unsure = np.flatnonzero(said == LOOK)
    number, parts = region.cut(divisions.shapes[unsure])
    shares = zip(unsure[number].tolist(), map(polygons, parts), strict=True)
    found += [Piece(rank, place, shape) for place, shape in shares if not shapely.is_empty(shape)]
    whole = float(ellipsoidal_area(region.shape))
    reached = (
        math.fsum(ellipsoidal_area(np.array([p.shape for p in found], dtype=np.object_)).tolist()) if found else 0.0
    )
    if reached < whole * (1 - _SLACK):
        rest = polygons(shapely.difference(region.shape, shapely.union_all([p.shape for p in found])))
        found += [] if shapely.is_empty(rest) else [Piece(rank, NOWHERE, rest)]
    return found


def _around(shapes: Sequence[shapely.Geometry]) -> shapely.Geometry:
    bounds = shapely.total_bounds(np.array(shapes, dtype=np.object_)).tolist()
    return shapely.MultiPolygon([shapely.box(*bounds)])


def _near(asset: Asset, shape: shapely.Geometry) -> bool:
    return not shapely.is_empty(shape) and asset.meets(tuple(shapely.bounds(shape).tolist()))
