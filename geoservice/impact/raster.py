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
from geoservice.analysis.raster_sums import KeptPolygons, RasterSums, marks_of
from geoservice.analysis.sums import Sums
from geoservice.impact.divisions import NOWHERE, Divisions
from geoservice.impact.hits import ZonePart
from geoservice.impact.region import LOOK, WHOLE, Longs, Region, Shapes, Truths
from geoservice.impact.tally import Key, Sum
from layers.area import ellipsoidal_area
from layers.asset import Asset

_SLACK = 1e-7
_HALF_TURN = 180.0


@dataclass(frozen=True)
class Piece:
    """What one class of a zone has in one division (-1: outside all).

    Attributes:
        rank: Rank of the class. division: place of the division.
        shape: The polygon.
        area: Its area in square metres.
        mark: Digest of the polygon, where it is all of the division and sums are kept.
    """

    rank: int
    division: int
    shape: shapely.Geometry
    area: float
    mark: bytes | None = None


@dataclass(frozen=True)
class RasterTally:
    """Sums by rank and place of the division; a piece without any cell that has data is not among them.

    Attributes:
        sums: The sums.
        covered: Share of the zone (0 to 1) in which the raster has data.
        without: Ranks and places of what the zone has and the raster has no data of; that is no zero.
    """

    sums: dict[Key, float]
    covered: float
    without: frozenset[Key] = frozenset()

    def by(self, names: Sequence[str]) -> dict[Key, Sum]:
        """Sums by `rank` or `division`, or both."""
        groups: dict[Key, list[float]] = {}
        for key, value in self.sums.items():
            groups.setdefault(_part(key, names), []).append(value)
        return {key: Sum(math.fsum(groups[key])) for key in sorted(groups)}

    def unknown(self, names: Sequence[str]) -> frozenset[Key]:
        """What of the zone, by `rank` or `division` or both, has no cell with data at all."""
        return frozenset(_part(key, names) for key in self.without) - {_part(key, names) for key in self.sums}


def pieces_of_zone(parts: Sequence[ZonePart], divisions: Divisions, known: KeptPolygons | None = None) -> list[Piece]:
    """The classes of a zone cut at the borders of divisions; what lies in no division is a piece, too.

    Args:
        parts: The classes.
        divisions: The divisions around them.
        known: What is kept of whole divisions; their areas are taken from it.
    """
    return [
        piece for part in parts for region in part.regions for piece in _pieces(part.rank, region, divisions, known)
    ]


def raster_tally(assets: Sequence[Asset], pieces: Sequence[Piece], kept: RasterSums | None = None) -> RasterTally:
    """Add up the cells of a raster layer in pieces of a zone.

    Args:
        assets: COGs of the layer, the newest first.
        pieces: The pieces, in longitude and latitude.
        kept: Sums that are kept beside the rasters; they change no figure.

    Raises:
        AssetUnavailable: When a file is missing or damaged.
        TooLarge: When a piece has too many vertices.
    """
    found: dict[Key, list[float]] = {}
    covered: list[float] = []
    for side in _sides(pieces):
        for piece, sums, areas in zip(side, *_added(assets, side, kept), strict=True):
            covered += areas
            if sums:
                found.setdefault((piece.rank, piece.division), []).extend(sums)
    area = math.fsum(piece.area for piece in pieces)
    joined = {key: math.fsum(found[key]) for key in sorted(found)}
    without = {(piece.rank, piece.division) for piece in pieces if piece.area > 0} - joined.keys()
    return RasterTally(joined, min(1.0, math.fsum(covered) / area) if area > 0 else 0.0, frozenset(without))


def _part(key: Key, names: Sequence[str]) -> Key:
    """Rank or place of the division, or both, of a key."""
    return tuple(key[("rank", "division").index(name)] for name in names)


def _added(
    assets: Sequence[Asset], pieces: Sequence[Piece], kept: RasterSums | None
) -> tuple[list[list[float]], list[list[float]]]:
    """Sums and covered areas (m2) of the cells in each piece, to be added up."""
    sums: list[list[float]] = [[] for _ in pieces]
    areas: list[list[float]] = [[] for _ in pieces]
    shapes = _shapes(pieces)
    near = _near(assets, shapes)
    # Where a newer file takes a part of a piece away, the older one is not asked about all of it.
    alone = near.sum(axis=0) == 1
    for place, asset in enumerate(assets):
        empty = np.asarray(shapely.is_empty(shapes), dtype=np.bool_)
        some = np.flatnonzero(near[place] & ~empty)
        if not len(some):
            continue
        marks = [pieces[number].mark if alone[number] else None for number in some.tolist()]
        found = _found(asset, shapes[some], marks, kept)
        for number in np.flatnonzero(found.count > 0).tolist():
            sums[some[number]].append(float(found.total[number]))
            areas[some[number]].append(float(found.area[number]))
        older: Truths = np.logical_or.reduce(near[place + 1 :], axis=0)
        below = some[older[some]]
        if len(below):
            with on_raster(asset, _around(shapes[some])) as here:
                taken = here.taken()
            # What this file answers is no longer asked of the older ones below it.
            shapes[below] = [polygons(shapely.difference(shape, taken)) for shape in shapes[below]]
    return sums, areas


def _found(asset: Asset, shapes: Shapes, marks: Sequence[bytes | None], kept: RasterSums | None) -> Sums:
    """Sums of the cells of one file in shapes; those of whole divisions are looked up where they are kept."""
    found, left = Sums.none(len(shapes)), np.ones(len(shapes), dtype=np.bool_)
    known = kept.polygons(asset) if kept is not None else None
    if known is not None:
        place = known.find(marks)
        there = np.flatnonzero(place >= 0)
        found.put(there, known.sums.some(place[there]))
        left[there] = False
    if left.any():
        with on_raster(asset, shapely.MultiPolygon(), kept.blocks(asset) if kept is not None else None) as here:
            found.put(np.flatnonzero(left), here.sums(shapes[left].tolist()))
    return found


def _shapes(pieces: Sequence[Piece]) -> Shapes:
    made: Shapes = np.empty(len(pieces), dtype=np.object_)
    made[:] = [piece.shape for piece in pieces]
    return made


def _sides(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces on each side of the antimeridian where a zone lies on both, so that no window spans the world."""
    if not pieces:
        return []
    bounds = shapely.bounds(_shapes(pieces)).reshape(-1, 4)
    if bounds[:, 2].max() - bounds[:, 0].min() <= _HALF_TURN:
        return [list(pieces)]
    west = bounds[:, 2] < 0
    sides = (
        [piece for piece, is_west in zip(pieces, west.tolist(), strict=True) if is_west is side]
        for side in (False, True)
    )
    return [side for side in sides if side]


def _pieces(rank: int, region: Region, divisions: Divisions, known: KeptPolygons | None) -> list[Piece]:
    if not divisions.members:
        return _measured(rank, [(NOWHERE, region.shape)])
    said = region.sort(np.asarray(shapely.bounds(divisions.shapes)).reshape(-1, 4))
    found = _whole(rank, np.flatnonzero(said == WHOLE), divisions, known)
    unsure = np.flatnonzero(said == LOOK)
    number, parts = region.cut(divisions.shapes[unsure])
    shares = zip(unsure[number].tolist(), map(polygons, parts), strict=True)
    found += _measured(rank, [(place, shape) for place, shape in shares if not shapely.is_empty(shape)])
    if math.fsum(piece.area for piece in found) < float(ellipsoidal_area(region.shape)) * (1 - _SLACK):
        rest = polygons(shapely.difference(region.shape, shapely.union_all(_shapes(found))))
        found += [] if shapely.is_empty(rest) else _measured(rank, [(NOWHERE, rest)])
    return found


def _whole(rank: int, places: Longs, divisions: Divisions, known: KeptPolygons | None) -> list[Piece]:
    """Divisions that lie wholly in a class."""
    numbers: list[int] = places.tolist()
    if known is None:
        return _measured(rank, [(place, divisions.shapes[place]) for place in numbers])
    marks = marks_of(divisions.shapes[places])
    at = known.find(marks)
    sizes = known.size[at]
    sizes[at < 0] = ellipsoidal_area(divisions.shapes[places[at < 0]])
    three = zip(numbers, sizes.tolist(), marks, strict=True)
    return [Piece(rank, place, divisions.shapes[place], size, mark) for place, size, mark in three]


def _measured(rank: int, cut: Sequence[tuple[int, shapely.Geometry]]) -> list[Piece]:
    shapes: Shapes = np.empty(len(cut), dtype=np.object_)
    shapes[:] = [shape for _, shape in cut]
    areas = ellipsoidal_area(shapes).tolist()
    return [Piece(rank, place, shape, area) for (place, shape), area in zip(cut, areas, strict=True)]


def _around(shapes: Shapes) -> shapely.Geometry:
    bounds = shapely.total_bounds(shapes).tolist()
    return shapely.MultiPolygon([shapely.box(*bounds)])


def _near(assets: Sequence[Asset], shapes: Shapes) -> Truths:
    """Which assets (rows) may have cells in which shapes (columns), by their boxes."""
    west, south, east, north = np.asarray(shapely.bounds(shapes), dtype=np.float64).reshape(-1, 4).T
    rows = [
        (asset.bounds[0] <= east) & (west <= asset.bounds[2]) & (asset.bounds[1] <= north) & (south <= asset.bounds[3])
        for asset in assets
    ]
    return np.array(rows, dtype=np.bool_).reshape(len(assets), len(shapes))
