"""Overlaps and gaps of surfaces that share borders.

Walking around each surface with its inside on the left, a border inside a coverage is walked once in each direction.
Where the depth of cover changes (at the rim, at a gap, at the edge of an overlap) some edge has no counterpart. Only
rows with such edges can begin an overlap or bound a gap, so only they and what lies near them is looked at closely.
From a row that does overlap the search goes on to its neighbours: an overlap of many rows is found to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from ingest.checks.curves import Geometries
from ingest.checks.evidence import BUCKETS, Evidence, Rows
from ingest.checks.geometry import edges
from ingest.checks.measure import areas
from ingest.checks.nearby import meeting
from ingest.checks.verdict import Verdict
from ingest.notes import FIRST
from layers.checks import CoverageGap, CoverageOverlap

_TILE = 4096
_SLICE = 20_000
_PAIRS_PER_ROW, _PAIRS_ANYWAY = 200, 10_000_000
"""Pairs of rows whose boxes meet that the search looks at before it gives up."""
_MOST_EDGES = 200_000
"""Unmatched edges from which gaps are sought; a coverage with more has borders without common vertices."""
_MOST_MEETINGS = 3_000_000
"""Pairs of unmatched edges whose boxes meet; each edge meets itself and its two neighbours."""
_EDGE_BLOCK = 1024
_GRID = 1e-11
"""Degrees (about 1 micrometre) to which an intersection is rounded when it does not succeed otherwise."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Borders:
    """Edges without a counterpart: the rows they belong to, and their hashes in ascending order."""

    rows: Mask
    hashes: npt.NDArray[np.uint64]


def unmatched(evidence: Evidence) -> Borders:
    """Match the edges of all rows, bucket by bucket."""
    rows = np.zeros(len(evidence), dtype=bool)
    hashes = []
    for bucket in range(BUCKETS):
        found = evidence.edges(bucket)
        found = found[np.argsort(found["hash"], kind="stable")]
        if not len(found):
            continue
        first = np.flatnonzero(np.concatenate([[True], found["hash"][1:] != found["hash"][:-1]]))
        net = np.add.reduceat(found["sign"].astype(np.int64), first)
        length = np.diff(np.append(first, len(found)))
        rows[found["row"][np.repeat(net != 0, length)]] = True
        hashes.append(found["hash"][first[net != 0]])
    return Borders(rows, np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64))


def overlaps(evidence: Evidence, rule: CoverageOverlap, borders: Borders, copies: Rows, repeats: Mask) -> list[Verdict]:
    """Find the rows that overlap another one.

    Args:
        evidence: All rows.
        rule: With the tolerance in square metres.
        borders: From `unmatched`.
        copies: For each row the first row with the same geometry (its own number when it is the first).
        repeats: Rows that repeat a key: at most one row of a key is loaded, so these are compared with none.
    """
    copied = copies != np.arange(len(evidence))
    search = _Search(evidence, rule.tolerance, copied | repeats)
    seeds = np.zeros(len(evidence), dtype=bool)
    seeds[copies[borders.rows]] = True
    seeds &= ~repeats
    left = search.run(seeds)
    involved = search.involved
    # Copies overlap each other as wholes.
    twins = _rows(copied)
    originals = np.unique(copies[twins])
    for start in range(0, len(originals), _SLICE):
        some = originals[start : start + _SLICE]
        involved[some[areas(evidence.geometries(some)) > rule.tolerance]] = True
    involved[twins] = involved[copies[twins]]
    message = f"Surfaces overlap others by more than {rule.tolerance:g} m2."
    found = [Verdict(rule, rule.rule, message, "The surface overlaps another one of this source.", _rows(involved))]
    if len(left):
        gave_up = "Overlaps were not sought to the end: too many surfaces lie on each other."
        found.append(Verdict(rule, rule.rule, gave_up, gave_up, left, doubt=True))
    return found


class _Search:
    """The search for rows that overlap, from seeds to neighbours of what was found."""

    def __init__(self, evidence: Evidence, tolerance: float, copy: Mask) -> None:
        self._evidence = evidence
        self._tolerance = tolerance
        self.copy = copy
        self.involved = np.zeros(len(evidence), dtype=bool)
        self._examined = np.zeros(len(evidence), dtype=bool)
        self._budget = _PAIRS_ANYWAY + _PAIRS_PER_ROW * len(evidence)

    def run(self, seeds: Mask) -> Rows:
        """Search until nothing is left.

        Returns:
            Rows that were not examined, because there were more pairs than one may look at.
        """
        while len(rows := _rows(seeds & ~self._examined)):
            seeds = np.zeros(len(seeds), dtype=bool)
            for start in range(0, len(rows), _TILE):
                if not self._examine(rows[start : start + _TILE], seeds):
                    return rows[start:]
        return rows

    def _examine(self, rows: Rows, following: Mask) -> bool:
        """Compare rows with all that lie near them, and mark what has to be examined after them."""
        met: list[tuple[Rows, Rows]] = []
        for given, found in meeting(self._evidence, self._evidence.records(rows)["box"]):
            apart = (rows[given] != found) & ~self.copy[found]
            one, other = rows[given[apart]], found[apart]
            self._budget -= len(one)
            if self._budget < 0:
                return False
            met.append((one, other))
            # What was examined before has met all its neighbours; of two rows at hand one meeting is enough.
            new = ~self._examined[other] & ~(np.isin(other, rows) & (one > other))
            self._compare(one[new], other[new])
        self._examined[rows] = True
        for one, other in met:
            following[other[self.involved[one] | self.involved[other]]] = True
        return True

    def _compare(self, one: Rows, other: Rows) -> None:
        # In turns, one meeting of each row after the other: in a heap of surfaces the first tells all there is to tell.
        order = np.argsort(_turns(other), kind="stable")
        one, other = one[order], other[order]
        for start in range(0, len(one), _SLICE):
            left, right = one[start : start + _SLICE], other[start : start + _SLICE]
            new = ~(self.involved[left] & self.involved[right])
            left, right = left[new], right[new]
            rows, place = np.unique(np.concatenate([left, right]), return_inverse=True)
            shapes = self._evidence.geometries(rows)
            common = areas(_intersections(shapes[place[: len(left)]], shapes[place[len(left) :]]))
            deep = common > self._tolerance
            self.involved[left[deep]] = self.involved[right[deep]] = True


def _turns(values: Rows) -> Rows:
    """How often each value stood before, in an array whose equal values stand together."""
    fresh = np.ones(len(values), dtype=bool)
    fresh[1:] = values[1:] != values[:-1]
    numbers = np.arange(len(values), dtype=np.int64)
    return numbers - np.maximum.accumulate(np.where(fresh, numbers, 0))


def _intersections(one: Geometries, other: Geometries) -> Geometries:
    """Common parts of pairs of valid surfaces."""
    try:
        return np.asarray(shapely.intersection(one, other), dtype=object)
    except shapely.GEOSException:
        # Floating-point noise can defeat an overlay of valid surfaces; on a fixed grid it cannot.
        return np.asarray(shapely.intersection(one, other, grid_size=_GRID), dtype=object)


def gaps(evidence: Evidence, rule: CoverageGap, borders: Borders) -> list[Verdict]:
    """Find the holes of the coverage: faces between unmatched edges that no surface covers."""
    message = ""
    lines = np.zeros(0, dtype=object)
    if len(borders.hashes) > _MOST_EDGES:
        message = "Gaps were not sought: too many borders of surfaces have no vertices in common."
    elif _cross_often(lines := _linework(evidence, borders)):
        message = "Gaps were not sought: borders of surfaces cross each other too often."
    if message:
        return [Verdict(rule, rule.rule, message, message, _rows(borders.rows), doubt=True)]
    faces = _faces(lines)
    sizes = areas(faces)
    fitting = sizes >= rule.minimum
    if rule.maximum is not None:
        fitting &= sizes <= rule.maximum
    faces = faces[fitting]
    points = shapely.point_on_surface(faces)
    holes = faces[~_covered(evidence, points)]
    if not len(holes):
        return []
    inside = shapely.get_coordinates(shapely.point_on_surface(holes))
    places = tuple((round(float(x), 9), round(float(y), 9)) for x, y in inside[:FIRST])
    message = f"Surfaces enclose gaps of {rule.minimum:g} m2 or more."
    rows = _around(evidence, holes)
    return [
        Verdict(rule, rule.rule, message, "The surface borders on a gap of the coverage.", rows, len(holes), places)
    ]


def _linework(evidence: Evidence, borders: Borders) -> Geometries:
    """The unmatched edges as lines, each once."""
    found = []
    taken = np.zeros(len(borders.hashes), dtype=bool)
    rows = _rows(borders.rows)
    for start in range(0, len(rows), _SLICE):
        outline = edges(evidence.geometries(rows[start : start + _SLICE]))
        marks, first = np.unique(outline.hash, return_index=True)
        place = np.searchsorted(borders.hashes, marks)
        known = borders.hashes[np.minimum(place, len(taken) - 1)] == marks
        fresh = known & ~taken[np.minimum(place, len(taken) - 1)]
        taken[place[fresh]] = True
        found.append(outline.ends(first[fresh]))
    if not found:
        return np.zeros(0, dtype=object)
    return np.asarray(shapely.linestrings(np.concatenate(found)), dtype=object)


def _cross_often(lines: Geometries) -> bool:
    """Whether there are more pairs of edges whose boxes meet than GEOS should be asked to cut at each other."""
    tree, found = shapely.STRtree(lines), 0
    for start in range(0, len(lines), _EDGE_BLOCK):
        found += tree.query(lines[start : start + _EDGE_BLOCK]).shape[1]
        if found > _MOST_MEETINGS:
            return True
    return False


def _faces(lines: Geometries) -> Geometries:
    noded = shapely.get_parts(shapely.union_all(lines))
    return np.asarray(shapely.get_parts(shapely.polygonize(noded)), dtype=object)


def _covered(evidence: Evidence, points: Geometries) -> Mask:
    """Which points lie in a surface."""
    found = np.zeros(len(points), dtype=bool)
    for given, row in meeting(evidence, shapely.bounds(points)):
        for start in range(0, len(given), _SLICE):
            some, rows = given[start : start + _SLICE], row[start : start + _SLICE]
            open_ = ~found[some]
            some, rows = some[open_], rows[open_]
            found[some[shapely.intersects(evidence.geometries(rows), points[some])]] = True
    return found


def _around(evidence: Evidence, faces: Geometries) -> Rows:
    """Rows that touch one of some faces along an edge."""
    found = [np.zeros(0, dtype=np.int64)]
    for given, row in meeting(evidence, shapely.bounds(faces)):
        for start in range(0, len(given), _SLICE):
            rows = row[start : start + _SLICE]
            common = shapely.intersection(evidence.geometries(rows), faces[given[start : start + _SLICE]])
            found.append(rows[shapely.length(common) > 0])
    return np.unique(np.concatenate(found))


def _rows(mask: Mask) -> Rows:
    return np.flatnonzero(mask).astype(np.int64)
