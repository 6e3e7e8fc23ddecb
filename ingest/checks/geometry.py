"""Geometries and texts as numbers: the vertices and edges of many geometries at once, and hashes of them.

Two edges get the same hash when their end points are the same to the last bit, whatever their direction. The hash is
64 bits wide: among the 16 million edges of a million parcels two different ones meet with a chance of 1 in 100,000.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.checks.curves import Coordinates, Curves, Geometries, Owners, curves_of

Hashes = npt.NDArray[np.uint64]
_WORD, _LONG = 8, 128
_ONE = np.uint64(0x9E3779B97F4A7C15)
_TWO = np.uint64(0xC2B2AE3D27D4EB4F)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Edges:
    """Edges of geometries.

    Attributes:
        hash: The same for both directions of an edge.
        sign: 1 or -1 by direction; walking around the inside of surfaces to the left, neighbours have opposite signs.
        owner: Number of the geometry.
    """

    hash: Hashes
    sign: npt.NDArray[np.int8]
    owner: Owners
    _points: Coordinates
    _starts: Owners

    def ends(self, which: Owners) -> Coordinates:
        """Coordinates of start and end of some edges (by number), of shape (n, 2, 2)."""
        starts = self._starts[which]
        return np.stack([self._points[starts], self._points[starts + 1]], axis=1)


def edges(geometries: Geometries) -> Edges:
    """The edges of lines and surfaces; points have none, repeated vertices make none."""
    curves = curves_of(geometries)
    points, curve = curves.points, curves.number
    marks = vertex_hashes(points)
    inside = (curve[1:] == curve[:-1]) & (marks[1:] != marks[:-1])
    starts = np.flatnonzero(inside)
    one, two = marks[starts], marks[starts + 1]
    forward = np.where(one < two, np.int8(1), np.int8(-1))
    # Shells run to the left and holes to the right, so that the inside is always on the left.
    side = np.where(_left_turning(curves) == curves.shell, np.int8(1), np.int8(-1))
    mixed = _mixed(np.minimum(one, two) * _ONE + _mixed(np.maximum(one, two)))
    return Edges(mixed, (forward * side[curve[starts]]).astype(np.int8), curves.owner[curve[starts]], points, starts)


def vertex_hashes(points: Coordinates) -> Hashes:
    """Hashes of vertices; 0 and -0 are the same."""
    bits = (points + 0.0).view(np.uint64)
    return _mixed(_mixed(bits[:, 0] + _ONE) ^ (bits[:, 1] * _TWO))


def text_hashes(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """Hashes of texts (64 bits), the same on every machine; that of null is that of the empty text."""
    values = pc.fill_null(pc.cast(texts, pa.binary()), b"").to_pylist()
    # Whatever a sender calls a key must not fill the memory: long texts are shortened first.
    short = [v if len(v) <= _LONG else hashlib.blake2b(v, digest_size=_LONG // 4).digest() for v in values]
    lengths = np.fromiter(map(len, short), dtype=np.int64, count=len(short))
    width = -(-int(lengths.max(initial=0)) // _WORD) * _WORD
    letters = np.zeros((len(lengths), width), dtype=np.uint8)
    # Row by row, the places that are filled take the letters one after the other.
    letters[np.arange(width) < lengths[:, None]] = np.frombuffer(b"".join(short), dtype=np.uint8)
    found = _mixed(np.fromiter(map(len, values), dtype=np.uint64, count=len(values)) + _ONE)
    for place, word in enumerate(letters.view("<u8").T):
        found = np.where(lengths > place * _WORD, _mixed(found * _TWO ^ word), found)
    return found


def digests(geometries: Geometries, known: Edges) -> Hashes:
    """Digests of 128 bits (two columns) of geometries as sets of edges or points.

    They do not depend on where rings start, on directions and on the order of parts.

    Args:
        geometries: The geometries.
        known: Their edges.
    """
    found = np.zeros((len(geometries), 2), dtype=np.uint64)
    if len(known.owner):
        # The edges of one geometry stand together, apart from those of a collection.
        runs = np.flatnonzero(np.diff(known.owner, prepend=-1))
        np.add.at(found[:, 0], known.owner[runs], np.add.reduceat(known.hash, runs))
        np.add.at(found[:, 1], known.owner[runs], np.add.reduceat(_mixed(known.hash ^ _TWO), runs))
    flat = np.flatnonzero(shapely.get_dimensions(geometries) == 0)
    points, owner = shapely.get_coordinates(geometries[flat], return_index=True)
    marks = vertex_hashes(points)
    np.add.at(found[:, 0], flat[owner], marks)
    np.add.at(found[:, 1], flat[owner], _mixed(marks ^ _TWO))
    return found


def _left_turning(curves: Curves) -> npt.NDArray[np.bool_]:
    """Whether each closed curve runs to the left (counterclockwise)."""
    points = curves.points
    if not len(points):
        return np.zeros(0, dtype=bool)
    local = points - np.repeat(points[curves.starts], curves.counts, axis=0)
    cross = np.zeros(len(points))
    cross[:-1] = local[:-1, 0] * local[1:, 1] - local[1:, 0] * local[:-1, 1]
    # From the last vertex of a curve to the first of the next one there is no edge.
    cross[curves.starts + curves.counts - 1] = 0.0
    return np.asarray(np.add.reduceat(cross, curves.starts) >= 0)


def _mixed(bits: Hashes) -> Hashes:
    """Each bit of the result depends on each bit of the argument (the finaliser of SplitMix64; Steele et al. 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return np.asarray(bits ^ (bits >> np.uint64(31)))
