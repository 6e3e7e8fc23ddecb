"""Whether a tile that was drawn some time ago is what would be drawn now: by numbers first, then by what changed where.

A tile that is drawn from the rows of a layer changes with the layer's edition, one that is drawn from its ladder with
the ladder. Both are read in the statement that draws the tile, so they belong to what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array

from layers.system import layer_state, tile_change

KEPT = 4_000
"""Entries of a layer that a process remembers; tiles that are older than the oldest are drawn anew."""
EVERYWHERE = (-1e3, -1e3, 1e3, 1e3)
LONG_AGO = float("-inf")
Window = tuple[float, float, float, float]
Numbers = npt.NDArray[np.int64]


class Stamp(NamedTuple):
    """What a tile shows.

    Attributes:
        edition: Edition of the layer's rows; 0 for none.
        change: Latest entry in the list of changes; 0 for none.
        laddered: Whether it was drawn from the ladder.
        stepped: Whether it is drawn from the ladder when there is one.
        ladder: Whether there was one.
        live: Whether it shows rows themselves; clusters show single ones beside what was counted for the ladder.
    """

    edition: int
    change: int
    laddered: bool
    stepped: bool
    ladder: bool
    live: bool


NOTHING = Stamp(0, 0, laddered=False, stepped=False, ladder=False, live=False)
"""What a tile shows that depends on nothing."""


def state_column(layer: str) -> sa.ScalarSelect[Any]:
    """Edition, ladder and latest change of a layer as one array, for statements that draw its tiles."""
    state = layer_state.c
    numbers = array([state.edition, state.ladder, state.change])
    return sa.select(numbers).where(state.layer == layer).scalar_subquery()


def states_statement() -> sa.Select[Any]:
    """What tiles of every layer show now.

    Columns: layer, digest of its definition, edition, whether it has a ladder, charted edition, latest change.
    """
    state = layer_state.c
    return sa.select(
        state.layer,
        state.definition,
        sa.func.coalesce(state.edition, 0).label("edition"),
        state.ladder.is_not(None).label("ladder"),
        sa.func.coalesce(state.charted, 0).label("charted"),
        sa.func.coalesce(state.change, 0).label("change"),
    )


def changes_statement() -> sa.Select[Any]:
    """Entries of a layer between two numbers (`after` excluded, `until` included), the earliest first."""
    entry = tile_change.c
    return (
        sa.select(entry.id, entry.edition, entry.west, entry.south, entry.east, entry.north)
        .where(entry.layer == sa.bindparam("layer", type_=sa.Text()))
        .where(entry.id > sa.bindparam("after", type_=sa.BigInteger()))
        .where(entry.id <= sa.bindparam("until", type_=sa.BigInteger()))
        .order_by(entry.id)
    )


def _none() -> Numbers:
    return np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class Journal:
    """What is known of one layer: what its tiles show now, and where they changed since when.

    Attributes:
        edition: Latest edition of the rows.
        ladder: Whether there is a ladder.
        charted: Up to which edition the entries tell of all changes.
        change: Number of the latest entry.
        learnt: When the latest edition was heard of (monotonic clock).
        definition: Digest of the definition that the layer's tables follow.
    """

    edition: int = 0
    ladder: bool = False
    charted: int = 0
    change: int = 0
    learnt: float = LONG_AGO
    definition: str = ""
    numbers: Numbers = field(default_factory=_none)
    editions: Numbers = field(default_factory=_none)
    boxes: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    moments: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, entries: list[tuple[Any, ...]], now: float) -> None:
        """Take in later entries (number, edition, west, south, east, north), heard of at `now` (monotonic clock)."""
        if not entries:
            return
        boxes = [EVERYWHERE if entry[2] is None else entry[2:6] for entry in entries]
        self.numbers = np.append(self.numbers, [entry[0] for entry in entries])[-KEPT:]
        self.editions = np.append(self.editions, [entry[1] for entry in entries])[-KEPT:]
        self.boxes = np.concatenate([self.boxes, boxes])[-KEPT:]
        self.moments = np.append(self.moments, np.full(len(entries), now))[-KEPT:]

    def stale_since(self, stamp: Stamp, window: Window) -> float | None:
        """Since when (monotonic clock) a tile is not what would be drawn now; None while it is.

        Args:
            stamp: What the tile shows. A later state than the one known here counts as current.
            window: West, south, east, north in degrees of all from which the tile is drawn.
        """
        if stamp.stepped and stamp.laddered != self.ladder:
            return self.learnt
        found = (
            self._ladder_since(stamp.change, window) if stamp.laddered else None,
            self._rows_since(stamp.edition, window) if stamp.live else None,
        )
        return min((moment for moment in found if moment is not None), default=None)

    def _ladder_since(self, change: int, window: Window) -> float | None:
        return None if change >= self.change else self._met(self.numbers, change, window)

    def _rows_since(self, edition: int, window: Window) -> float | None:
        if edition >= self.edition:
            return None
        if self.charted < self.edition:
            return self.learnt
        return self._met(self.editions, edition, window)

    def renewed(self, stamp: Stamp) -> Stamp:
        """The stamp of a tile that is found to be current."""
        change = max(stamp.change, self.change) if stamp.laddered else stamp.change
        edition = max(stamp.edition, self.edition) if stamp.live else stamp.edition
        if change == stamp.change and edition == stamp.edition:
            return stamp
        return stamp._replace(change=change, edition=edition)

    def _met(self, order: Numbers, after: int, window: Window) -> float | None:
        if not len(order) or after < order[0]:
            return LONG_AGO
        first = int(np.searchsorted(order, after, side="right"))
        west, south, east, north = window
        boxes = self.boxes[first:]
        meets = (boxes[:, 0] <= east) & (boxes[:, 2] >= west) & (boxes[:, 1] <= north) & (boxes[:, 3] >= south)
        found = np.flatnonzero(meets)
        return float(self.moments[first + found[0]]) if len(found) else None
