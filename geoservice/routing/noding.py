"""Where roads join: from lines to nodes and edges, by the rule that the layer declares.

Vertices in the same cell of a fine grid are one place. Lines that cross without a common vertex pass each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geoservice.routing.roads import Floats, Longs, Roads
from layers.network import Network

Ints = npt.NDArray[np.int32]
METRES_PER_DEGREE = 111_319.49079327358
"""A degree of the equator (2 pi a / 360)."""
_TURN, _QUARTER = 360.0, 90.0


@dataclass(frozen=True)
class Edges:
    """Pieces of road between two nodes, in the order of the features' keys and along each line.

    `tail` and `head` are the nodes at the first and the last vertex; `first` and `last` number those vertices among
    the vertices of all roads; `road` is the feature, `length` is in metres. `node` holds a position of each node.
    """

    tail: Ints
    head: Ints
    first: Longs
    last: Longs
    road: Ints
    length: Floats
    node: Floats

    def __len__(self) -> int:
        """How many edges there are."""
        return len(self.tail)


def edges_of(roads: Roads, network: Network) -> Edges:
    """Cut roads at their nodes.

    Args:
        roads: The lines.
        network: The rule and the tolerance; cells are as wide as the tolerance on the equator, and narrower from
            west to east elsewhere.
    """
    if len(roads.xy) == 0:
        nothing, none = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64)
        return Edges(nothing, nothing, none, none, nothing, np.zeros(0), np.zeros((0, 2)))
    places, where, fresh = _places(roads, network.tolerance)
    tips = _tips(roads)
    joints = np.zeros(len(places), dtype=np.bool_)
    joints[where[tips]] = True
    if network.noding == "vertices":
        joints |= np.bincount(where[fresh], minlength=len(places)) > 1
    cuts = np.flatnonzero((joints[where] & fresh) | tips)
    line = np.repeat(np.arange(len(roads.begin) - 1), np.diff(roads.begin))
    same = line[cuts[:-1]] == line[cuts[1:]]
    first, last = cuts[:-1][same], cuts[1:][same]
    number = np.cumsum(joints, dtype=np.int64) - 1
    owner = np.repeat(np.arange(len(roads)), np.diff(roads.lines))
    return Edges(
        tail=number[where[first]].astype(np.int32),
        head=number[where[last]].astype(np.int32),
        first=first,
        last=last,
        road=owner[line[first]].astype(np.int32),
        length=np.add.reduceat(roads.step, np.stack([first, last], axis=1).ravel())[::2] if first.size else np.zeros(0),
        node=_positions(roads, where, number, joints),
    )


def _places(roads: Roads, tolerance: float) -> tuple[npt.NDArray[np.uint64], Longs, npt.NDArray[np.bool_]]:
    """The cells that are used, in order; which one each vertex lies in; whether its line comes there anew with it."""
    width = tolerance / METRES_PER_DEGREE
    across = np.rint(_TURN / width)
    column = np.remainder(np.rint((roads.xy[:, 0] + _TURN / 2) / width), across).astype(np.uint64)
    row = np.rint((roads.xy[:, 1] + _QUARTER) / width).astype(np.uint64)
    cells = (column << np.uint64(32)) | row
    fresh = np.ones(len(cells), dtype=np.bool_)
    fresh[1:] = cells[1:] != cells[:-1]
    fresh[roads.begin[:-1]] = True
    places, where = np.unique(cells, return_inverse=True)
    return places, where.astype(np.int64), fresh


def _tips(roads: Roads) -> npt.NDArray[np.bool_]:
    tips = np.zeros(len(roads.xy), dtype=np.bool_)
    tips[roads.begin[:-1]] = True
    tips[roads.begin[1:] - 1] = True
    return tips


def _positions(roads: Roads, where: Longs, number: Longs, joints: npt.NDArray[np.bool_]) -> Floats:
    """A position of each node: that of the first vertex that lies there."""
    used = np.flatnonzero(joints[where])[::-1]
    made = np.zeros((int(number[-1]) + 1, 2))
    # Later assignments win, so the first vertex is assigned last.
    made[number[where[used]]] = roads.xy[used]
    return made
