"""Ends of lines that meet nothing: undershoots, overshoots and lines without connection.

An end is joined when it is an end of another line too, to the last bit, or lies on another line. Most ends are told
by the first; only those that stand alone are looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import ops

from ingest.checks.curves import Geometries
from ingest.checks.evidence import Evidence, Rows
from ingest.checks.geometry import vertex_hashes
from ingest.checks.nearby import meeting
from ingest.checks.verdict import Verdict
from ingest.notes import FIRST
from layers.area import MAX_EDGE_DEGREES
from layers.checks import Dangle, Unconnected

_SLICE = 20_000
_PAIRS_PER_END = 200
_TOUCH = 0.001
"""Metres within which an end lies on a line: rounding of coordinates to a millimetre is no error of the network."""
_DEGREE = 1000.0 / MAX_EDGE_DEGREES
"""Metres of a degree on the equator; a degree of latitude is shorter by up to 0.7 %."""
_NARROWEST = 0.01
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ends:
    """Ends of lines.

    Attributes:
        row: The row that each end belongs to.
        at: Longitude and latitude in degrees.
        joined: Whether another row ends there or passes there.
        near: Distance in metres to the nearest other line, at most the reach asked for; infinite when none is near.
        beyond: Whether the line crosses another one within the reach of this end.
        met: For each row whether an end of another one lies on it.
    """

    row: Rows
    at: Numbers
    joined: Mask
    near: Numbers
    beyond: Mask
    met: Mask


def look(evidence: Evidence, reach: float) -> tuple[Ends, Mask, bool]:
    """Find out about the ends of all lines.

    Args:
        evidence: All rows.
        reach: Metres around a lonely end within which other lines are looked for.

    Returns:
        The ends that no other end shares; the mask of rows that meet another row; whether the search was complete.
    """
    records = evidence.ends()
    marks = vertex_hashes(np.ascontiguousarray(records["at"]))
    order = np.lexsort((records["row"], marks))
    records, marks = records[order], marks[order]
    fresh = np.concatenate([[True], marks[1:] != marks[:-1]]) if len(marks) else np.zeros(0, dtype=bool)
    group = np.cumsum(fresh) - 1
    length = np.bincount(group) if len(group) else group
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(records)) - 1 if len(first) else first
    shared = records["row"][first] != records["row"][last]
    meets = np.zeros(len(evidence), dtype=bool)
    meets[records["row"][shared[group]]] = True
    alone = records[length[group] == 1]
    ends, complete = _examined(evidence, alone["row"].astype(np.int64), np.ascontiguousarray(alone["at"]), reach)
    meets |= ends.met
    meets[ends.row[ends.joined]] = True
    return ends, meets, complete


def dangles(rule: Dangle, ends: Ends) -> list[Verdict]:
    """Ends that stop short of another line, and ends that go beyond one."""
    close = ~ends.joined & (ends.near <= rule.tolerance)
    short, far = close & ~ends.beyond, close & ends.beyond
    limit = f"{rule.tolerance:g} m"
    return [
        _of_ends(rule, "undershoot", ends, short, f"Lines end less than {limit} short of another line."),
        _of_ends(rule, "overshoot", ends, far, f"Lines end less than {limit} beyond another line."),
    ]


def unconnected(rule: Unconnected, evidence: Evidence, ends: Ends, meets: Mask) -> Verdict:
    """Lines that meet no other line at any end, or at one end at least with `ends: all`."""
    if rule.ends == "all":
        return _of_ends(rule, "unconnected", ends, ~ends.joined, "Lines have an end that meets no other line.")
    rows = np.zeros(len(evidence), dtype=bool)
    rows[ends.row] = True
    message = "Lines meet no other line."
    found = np.flatnonzero(rows & ~meets).astype(np.int64)
    return Verdict(rule, "unconnected", message, "The line meets no other line.", found)


def gave_up(rule: Dangle | Unconnected, ends: Ends) -> Verdict:
    """The finding of a search that would have taken too long."""
    message = "Ends of lines were not examined to the end: too many lines lie on each other."
    return Verdict(rule, rule.rule, message, message, np.unique(ends.row[~ends.joined]), doubt=True)


def _of_ends(rule: Dangle | Unconnected, name: str, ends: Ends, which: Mask, message: str) -> Verdict:
    reason = message.replace("Lines end", "The line ends").replace("Lines have", "The line has")
    places = tuple((round(float(x), 9), round(float(y), 9)) for x, y in ends.at[which][:FIRST])
    return Verdict(rule, name, message, reason, np.unique(ends.row[which]), int(which.sum()), places)


def _examined(evidence: Evidence, row: Rows, at: Numbers, reach: float) -> tuple[Ends, bool]:
    ends = Ends(
        row, at, np.zeros(len(row), bool), np.full(len(row), np.inf), np.zeros(len(row), bool),
        np.zeros(len(evidence), bool),
    )  # fmt: skip
    if not len(row):
        return ends, True
    margin = np.full_like(at, reach / _DEGREE * 1.01)
    margin[:, 0] /= _narrowing(at[:, 1])
    budget = _PAIRS_PER_END * len(row)
    for given, other in meeting(evidence, np.hstack([at - margin, at + margin])):
        budget -= len(given)
        if budget < 0:
            return ends, False
        for start in range(0, len(given), _SLICE):
            _measure(evidence, ends, given[start : start + _SLICE], other[start : start + _SLICE], reach)
    return ends, True


def _measure(evidence: Evidence, ends: Ends, end: Rows, other: Rows, reach: float) -> None:
    """Measure the distances of ends to other lines."""
    apart = ends.row[end] != other
    end, other = end[apart], other[apart]
    if not len(end):
        return
    lines = _metric(evidence.geometries(other), ends.at[end])
    metres = shapely.distance(lines, shapely.Point(0, 0))
    touching = metres <= _TOUCH
    ends.joined[end[touching]] = True
    ends.met[other[touching]] = True
    np.minimum.at(ends.near, end, metres)
    for i in np.flatnonzero(~touching & (metres <= reach)):
        if not ends.joined[end[i]]:
            tail = _tail(evidence, ends, int(end[i]), reach)
            ends.beyond[end[i]] |= bool(shapely.intersects(tail, lines[i]))


def _metric(lines: Geometries, origin: Numbers) -> Geometries:
    """Lines in metres from an origin each, true near it: longitudes shrink with the cosine of the latitude."""
    points, owner = shapely.get_coordinates(lines, return_index=True)
    east = (points[:, 0] - origin[owner, 0]) * _narrowing(origin[owner, 1])
    flat = np.column_stack([east, points[:, 1] - origin[owner, 1]]) * _DEGREE
    return np.asarray(shapely.set_coordinates(lines.copy(), flat), dtype=object)


def _narrowing(latitude: Numbers) -> Numbers:
    return np.maximum(np.cos(np.radians(latitude)), _NARROWEST)


def _tail(evidence: Evidence, ends: Ends, end: int, reach: float) -> shapely.Geometry:
    """The last metres of a line before its end, which is the origin."""
    whole = _metric(evidence.geometries(ends.row[[end]]), ends.at[[end]])
    parts = shapely.get_parts(whole)
    line = parts[np.argmin(shapely.distance(shapely.boundary(parts), shapely.Point(0, 0)))]
    begins_here = shapely.distance(shapely.get_point(line, 0), shapely.Point(0, 0)) <= _TOUCH
    return ops.substring(line, 0, reach) if begins_here else ops.substring(line, -reach, line.length)
