"""Which atoms of a layer lie in which class of a zone, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.impact.atoms import Atoms
from geoservice.impact.measure import LEAST, Measure, sizes_of
from geoservice.impact.region import LOOK, WHOLE, Longs, Region, Shapes, regions_of


@dataclass(frozen=True)
class ZonePart:
    """A class of a zone, ready to be laid over layers: its rank (1 is the worst) and its regions.

    More than one region: one on each side of the antimeridian.
    """

    rank: int
    regions: tuple[Region, ...]

    @classmethod
    def of(cls, rank: int, shape: shapely.Geometry, features: int) -> ZonePart:
        """Prepare a polygon (longitude, latitude) for about so many features."""
        return cls(rank, tuple(regions_of(shape, features)))


@dataclass(frozen=True)
class Hits:
    """Atoms in a zone: number of the atom, rank of the class, size (units) of what lies in it."""

    atom: Longs
    rank: Longs
    size: Longs

    @classmethod
    def together(cls, parts: Sequence[Hits]) -> Hits:
        """Several together."""
        none = np.zeros(0, dtype=np.int64)
        return cls(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in _NAMES))


_NAMES = ("atom", "rank", "size")
_POLYGON = 2


def hits_of(atoms: Atoms, measure: Measure, parts: Sequence[ZonePart]) -> Hits:
    """Lay a zone over the atoms of a layer.

    What has an area or length counts by its part in each class. What is counted or summed belongs as a whole to the
    worst class that it meets (`sum`: in which its inner point lies).

    Args:
        atoms: The atoms.
        measure: What is measured.
        parts: The classes of the zone, the worst first.
    """
    found: list[Hits] = []
    taken = np.zeros(len(atoms), dtype=np.bool_)
    for part in parts:
        for region in part.regions:
            near = atoms.near(region.bounds)
            if measure in ("count", "sum"):
                near = near[~taken[near]]
            number, size = _inside(atoms, measure, region, near)
            taken[number] = True
            found.append(Hits(number, np.full(len(number), part.rank, dtype=np.int64), size))
    return Hits.together(found)


def _inside(atoms: Atoms, measure: Measure, region: Region, near: Longs) -> tuple[Longs, Longs]:
    """Numbers of atoms in a region, rising, and how much of each lies in it."""
    said = region.sort(atoms.box[near])
    whole, unsure = near[said == WHOLE], near[said == LOOK]
    if measure in ("count", "sum"):
        more = unsure[_counts(atoms, region, unsure, whole=measure == "sum")]
        size = atoms.size[more]
    else:
        more, size = _cut(atoms, measure, region, unsure)
    number = np.concatenate([whole, more])
    order = np.argsort(number, kind="stable")
    return number[order], np.concatenate([atoms.size[whole], size])[order]


def _counts(atoms: Atoms, region: Region, unsure: Longs, *, whole: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which atoms count: points inside or on the border, others with a part inside that is more than a touch."""
    box = atoms.box[unsure]
    point = (box[:, 0] == box[:, 2]) & (box[:, 1] == box[:, 3])
    counts = np.zeros(len(unsure), dtype=np.bool_)
    counts[point] = region.holds(box[point, 0], box[point, 1])
    rest = np.flatnonzero(~point)
    if whole or not len(rest):
        return counts
    shapes = atoms.shapes(unsure[rest])
    scattered = shapely.get_dimensions(shapes) == 0
    counts[rest[scattered]] = region.meets(shapes[scattered])
    counts[rest[~scattered]] = _reach(region, shapes[~scattered]) > LEAST
    return counts


def _reach(region: Region, shapes: Shapes) -> Longs:
    """How much of each line or polygon lies in a region, in units of its own measure."""
    number, parts = region.cut(shapes)
    # A polygon that shares a piece of border with the zone only touches it.
    areas = shapely.get_dimensions(shapes)[number] == _POLYGON
    size = np.where(areas, sizes_of("area", parts), sizes_of("length", parts))
    return _added(number, size, len(shapes))


def _cut(atoms: Atoms, measure: Measure, region: Region, unsure: Longs) -> tuple[Longs, Longs]:
    number, parts = region.cut(atoms.shapes(unsure))
    size = _added(number, sizes_of(measure, parts), len(unsure))
    there = size > LEAST
    # Rounding may make the parts of an atom a little more than the whole.
    return unsure[there], np.minimum(size, atoms.size[unsure])[there]


def _added(number: Longs, size: Longs, length: int) -> Longs:
    total = np.zeros(length, dtype=np.int64)
    np.add.at(total, number, size)
    return total
