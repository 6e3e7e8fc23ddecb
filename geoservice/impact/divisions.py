"""The finest divisions around a zone, and how features are split among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely

from geoservice.impact.measure import Measure, sizes_of
from geoservice.impact.region import LOOK, WHOLE, Floats, Longs, Region, Shapes, kept_region
from layers.model import Text

NOWHERE = -1
"""Place of what lies in no division."""
_SLACK = 1e-7
_LEAST = 100
"""Units (see `measure.UNITS`) by which the parts of a feature may differ from the whole; more is looked at again."""
_FEATURES = 4000
"""About how many features the grid of a division is made for."""


@dataclass(frozen=True)
class Division:
    """A division: its code, level, code of the parent and name."""

    code: str
    level: str | None
    parent: str | None
    label: Text


@dataclass(frozen=True)
class Parts:
    """Parts of geometries: number of the geometry, place of the division, the part, its size in units."""

    owner: Longs
    division: Longs
    shapes: Shapes
    size: Longs

    def without(self, owners: Longs) -> Parts:
        """Those of other geometries."""
        keep = ~np.isin(self.owner, owners)
        return Parts(self.owner[keep], self.division[keep], self.shapes[keep], self.size[keep])

    @classmethod
    def together(cls, parts: Sequence[Parts]) -> Parts:
        """Several together, by geometry, then by division."""
        owner, division = (np.concatenate([getattr(p, n) for p in parts]) for n in ("owner", "division"))
        order = np.lexsort((division, owner))
        shapes, size = (np.concatenate([getattr(p, n) for p in parts])[order] for n in ("shapes", "size"))
        return cls(owner[order], division[order], shapes, size)


@dataclass(frozen=True)
class Divisions:
    """Divisions that do not lie in one another, in the order of their codes, with their polygons."""

    members: tuple[Division, ...] = ()
    shapes: Shapes = field(default_factory=lambda: np.zeros(0, dtype=np.object_))

    @property
    def codes(self) -> tuple[str, ...]:
        """Their codes."""
        return tuple(member.code for member in self.members)

    def forget(self) -> None:
        """Drop the grids and pieces that were made for questions: those of a whole country fill a gigabyte."""
        self._found.clear()

    def at(self, x: Floats, y: Floats) -> Longs:
        """Place of the division in which each point lies, the first of several; -1 for none."""
        found = np.full(len(x), NOWHERE, dtype=np.int64)
        if not len(self.members) or not len(x):
            return found
        for place, some in self._met(np.column_stack([x, y, x, y])):
            free = some[found[some] == NOWHERE]
            found[free[self._region(place).holds(x[free], y[free])]] = place
        return found

    def split(self, shapes: Shapes, measure: Measure) -> Parts:
        """Split lines (measure `length`) or polygons (`area`) at the borders."""
        sizes = sizes_of(measure, shapes)
        whole, torn = self._sorted(shapes)
        met = _numbers(torn)
        untorn = np.setdiff1d(np.arange(len(shapes)), met)
        parts = [Parts(untorn, whole[untorn], shapes[untorn], sizes[untorn])]
        for place, some in torn:
            number, made = self._region(place).cut(shapes[some])
            parts.append(_parts(some[number], np.full(len(number), place), made, measure))
        short = _unlike(parts, sizes, below=True)
        if len(short):
            parts.append(self._left(short, torn, shapes, measure))
        wrong = _unlike(parts, sizes)
        if len(wrong):
            parts = [part.without(wrong) for part in parts] + [self._settled(wrong, torn, shapes, measure)]
        return Parts.together(parts)

    def _left(self, short: Longs, torn: Sequence[tuple[int, Longs]], shapes: Shapes, measure: Measure) -> Parts:
        """What geometries that reach out of all divisions have outside.

        Their parts inside stay as they are cut: they are the same, whichever divisions lie around those known here.
        """
        rest = dict(zip(short.tolist(), shapes[short], strict=True))
        for place, some in torn:
            for number in np.intersect1d(some, short).tolist():
                rest[number] = shapely.difference(rest[number], self.shapes[place])
        made: Shapes = np.empty(len(rest), dtype=np.object_)
        made[:] = list(rest.values())
        return _parts(short, np.full(len(short), NOWHERE), made, measure)

    def _sorted(self, shapes: Shapes) -> tuple[Longs, list[tuple[int, Longs]]]:
        """Place of the division in which each geometry lies wholly, and per division those that may lie across."""
        boxes = np.asarray(shapely.bounds(shapes)).reshape(-1, 4)
        whole = np.full(len(shapes), NOWHERE, dtype=np.int64)
        looked: list[tuple[int, Longs]] = []
        for place, some in self._met(boxes):
            found = self._region(place).sort(boxes[some])
            inside = some[found == WHOLE]
            whole[inside[whole[inside] == NOWHERE]] = place
            looked.append((place, some[found == LOOK]))
        torn = [(place, some[whole[some] == NOWHERE]) for place, some in looked]
        return whole, [(place, some) for place, some in torn if len(some)]

    def _settled(self, wrong: Longs, torn: Sequence[tuple[int, Longs]], shapes: Shapes, measure: Measure) -> Parts:
        """Geometries that reach out of all divisions, or lie where divisions overlap: each place counts once."""
        rest = dict(zip(wrong.tolist(), shapes[wrong], strict=True))
        found: list[tuple[int, int, shapely.Geometry]] = []
        for place, some in torn:
            for number in np.intersect1d(some, wrong).tolist():
                found.append((number, place, shapely.intersection(rest[number], self.shapes[place])))
                rest[number] = shapely.difference(rest[number], self.shapes[place])
        found += [(number, NOWHERE, shape) for number, shape in rest.items()]
        made: Shapes = np.empty(len(found), dtype=np.object_)
        made[:] = [shape for _, _, shape in found]
        owner, places = (np.array([one[n] for one in found], dtype=np.int64) for n in (0, 1))
        return _parts(owner, places, made, measure)

    def _met(self, boxes: Floats) -> Iterator[tuple[int, Longs]]:
        """Per division the numbers of the boxes that meet its own."""
        if not len(self.members) or not len(boxes):
            return
        number, place = self._tree.query(shapely.box(*boxes.T))
        order = np.lexsort((number, place))
        number, place = number[order].astype(np.int64), place[order]
        cuts = np.flatnonzero(np.diff(place)) + 1
        for some in np.split(np.arange(len(place)), cuts):
            if len(some):
                yield int(place[some[0]]), number[some]

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)

    def _region(self, place: int) -> Region:
        """The grid and the pieces of a division; they outlive the question, for the next one is often asked nearby."""
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = kept_region(shapely.to_wkb(self.shapes[place]), _FEATURES)
        return found

    @cached_property
    def _found(self) -> dict[int, Region]:
        return {}


def _parts(owner: Longs, division: Longs, shapes: Shapes, measure: Measure) -> Parts:
    """Parts with their sizes; what only touches is none."""
    size = sizes_of(measure, shapes)
    there = size > 0
    return Parts(owner[there], division[there], shapes[there], size[there])


def _unlike(parts: Sequence[Parts], sizes: Longs, *, below: bool = False) -> Longs:
    """Numbers of the geometries whose parts do not add up to them (`below`: are less than them)."""
    reached = np.zeros(len(sizes), dtype=np.int64)
    for part in parts:
        np.add.at(reached, part.owner, part.size)
    missing = sizes - reached
    slack = np.maximum(_LEAST, (sizes * _SLACK).astype(np.int64))
    return np.flatnonzero((missing if below else np.abs(missing)) > slack)


def _numbers(torn: Sequence[tuple[int, Longs]]) -> Longs:
    return np.unique(np.concatenate([some for _, some in torn])) if torn else np.zeros(0, dtype=np.int64)
