"""Rows of a kept placement, labelled with the keys that a question groups by, and the tallies of the groups.

The figures are those of `geoservice.statistics.parted`, which puts single rows with their shapes into divisions: sizes
are whole units, sums of attributes are decimal, so nothing depends on the order of rows. It blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from geoservice.impact.measure import UNITS
from geoservice.impact.region import Floats, Longs
from geoservice.statistics.parted import Keys
from geoservice.statistics.placement import Placement
from geoservice.statistics.tally import Held, Tally, added
from geoservice.statistics.wish import Wish

_HEAD = 20
"""Bytes before the elements of a PostgreSQL array of one dimension, as it is sent; each has its length before it."""
Tallies = dict[tuple[int, Keys], Tally]


class Unplaced(Exception):
    """A row that counts is not in the placement, which is therefore not the one of these rows."""


@dataclass
class Labelled:
    """Rows with the groups that they belong to.

    Attributes:
        placement: Where rows lie.
        wish: What is asked.
        whole: Attributes whose values are whole numbers.
        numbers: Attributes that are numbers; of others it is only known whether there is a value.
    """

    placement: Placement
    wish: Wish
    whole: frozenset[str]
    numbers: frozenset[str]
    _keys: dict[Keys, int] = field(default_factory=dict)
    _label: npt.NDArray[np.int64] = field(init=False)
    _values: list[Floats] = field(init=False)

    def __post_init__(self) -> None:
        """No row counts yet."""
        count = len(self.placement.fid)
        self._label = np.full(count, -1, dtype=np.int64)
        self._values = [np.full(count, np.nan) for _ in self.wish.attributes]

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows of `listed_statement` in.

        Raises:
            Unplaced: When the placement has no such row.
        """
        for row in rows:
            fids = sent(row["fids"], ">i8")
            at = np.searchsorted(self.placement.fid, fids)
            if not self._same(at, fids):
                raise Unplaced
            self._label[at] = self._keys.setdefault(self._key(row), len(self._keys))
            for i, values in enumerate(self._values):
                values[at] = sent(row[f"v_{i}"], ">f8")

    def tallies(self) -> Tallies:
        """Tallies by place of the division (-1: in none) and keys."""
        found: Tallies = {}
        chosen = np.flatnonzero(self._label >= 0)
        groups = self._groups(self._label[chosen], self.placement.division[chosen])
        for group, some in groups:
            tally = found.setdefault(group, Tally())
            tally.features = len(some)
            for i, name in enumerate(self.wish.attributes):
                held = self._held(name, self._values[i][chosen[some]])
                if held.number:
                    tally.held[name] = held
        for size in self.wish.sizes:
            split = self.placement.parts[size]
            label = self._label[split.owner]
            there = np.flatnonzero((label >= 0) & (split.units != 0))
            units = split.units[there]
            for group, some in self._groups(label[there], split.division[there]):
                setattr(found.setdefault(group, Tally()), size, Decimal(int(units[some].sum())) / UNITS)
        return found

    def _same(self, at: Longs, fids: Longs) -> bool:
        known = self.placement.fid
        return bool(at.max() < len(known)) and bool((known[at] == fids).all())

    def _key(self, row: Mapping[str, Any]) -> Keys:
        """Keys of a row but for that of its division, as text."""
        values = (row[f"k_{i}"] for i, group in enumerate(self.wish.groups) if group.attribute is not None)
        return tuple(None if value is None else str(value) for value in values)

    def _groups(self, label: Longs, division: npt.NDArray[Any]) -> Iterator[tuple[tuple[int, Keys], Longs]]:
        """Places of the rows of each group."""
        keys, wide = list(self._keys), len(self.placement.codes) + 1
        both = label * wide + division + 1
        order = np.argsort(both, kind="stable")
        ordered = both[order]
        cuts = np.flatnonzero(np.diff(ordered)) + 1
        for begin, end in pairwise([0, *cuts.tolist(), len(order)] if len(order) else []):
            one = int(ordered[begin])
            yield (one % wide - 1, keys[one // wide]), order[begin:end]

    def _held(self, name: str, values: Floats) -> Held:
        there = values[np.isfinite(values)]
        if name not in self.numbers or not len(there):
            return Held(len(there))
        kind = int if name in self.whole else float
        return Held(len(there), added(there.tolist()), kind(there.min()), kind(there.max()))


def sent(text: bytes, kind: str) -> npt.NDArray[Any]:
    """The elements of a PostgreSQL array without gaps, of eight bytes each, as `array_send` writes it."""
    pairs: npt.NDArray[Any] = np.frombuffer(text, dtype=[("length", ">i4"), ("value", kind)], offset=_HEAD)
    return pairs["value"].astype(kind[1:])
