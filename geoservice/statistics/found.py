"""What statistics find, before it is written down: groups in their order, what is left, what lies in no division."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geoservice.statistics.parted import Keys
from geoservice.statistics.places import Places
from geoservice.statistics.tally import Tally, together
from geoservice.statistics.wish import Wish
from layers.answer import EditionRef


@dataclass(frozen=True)
class Group:
    """A group: its keys, None for rows without a value, and what is known of it."""

    keys: Keys
    tally: Tally


@dataclass(frozen=True)
class Histogram:
    """Numbers of rows between edges, each bin with its lower edge, and of rows without a value."""

    attribute: str
    edges: Sequence[float]
    counts: Sequence[int]
    missing: int


@dataclass(frozen=True)
class Found:
    """An answer.

    Attributes:
        total: All rows that count; what lies in no division is among them.
        groups: The groups in their order, at most as many as were asked for.
        number: How many groups there are.
        rest: The groups beyond the limit together; None when there are none.
        outside: Rows that lie in no division; None when none are asked for or there is no such row.
        histogram: Where one was asked for.
        edition: The edition of the collection; None while nothing is loaded.
        places: The divisions.
        divided: The edition of the divisions.
        as_of: The instant that was asked about.
        final: Whether no later edition can change the answer.
    """

    total: Tally
    groups: Sequence[Group] = ()
    number: int = 0
    rest: Tally | None = None
    outside: Tally | None = None
    histogram: Histogram | None = None
    edition: EditionRef | None = None
    places: Places | None = None
    divided: EditionRef | None = None
    as_of: dt.datetime | None = None
    final: bool = False


@dataclass
class Gathering:
    """Groups that are put together in memory."""

    wish: Wish
    codes: tuple[str, ...]
    groups: dict[Keys, Tally] = field(default_factory=dict)
    outside: Tally | None = None

    def put(self, parts: Mapping[tuple[int, Keys], Tally]) -> None:
        """Put tallies by place of the division (-1: in none) and other keys in."""
        for (place, keys), tally in parts.items():
            if place >= 0:
                self.groups.setdefault(self._keys(self.codes[place], keys), Tally()).add(tally)
            elif self.wish.within is None:
                self.outside = self.outside or Tally()
                self.outside.add(tally)

    def found(self) -> Found:
        """The groups in their order, cut at the limit."""
        ordered = sorted(self.groups.items(), key=lambda one: _rising(one[0]))
        total = together([*self.groups.values(), *([self.outside] if self.outside is not None else [])])
        if not self.wish.groups:
            return Found(total)
        if self.wish.order == "value":
            ordered.sort(key=lambda one: self._rank(one[1]))
        kept, left = ordered[: self.wish.limit], ordered[self.wish.limit :]
        return Found(
            total=total,
            groups=[Group(keys, tally) for keys, tally in kept],
            number=len(ordered),
            rest=together(tally for _, tally in left) if left else None,
            outside=self.outside,
        )

    def _keys(self, code: str, others: Keys) -> Keys:
        """Keys in the order in which they were asked for."""
        left = iter(others)
        return tuple(code if group.attribute is None else next(left) for group in self.wish.groups)

    def _rank(self, tally: Tally) -> tuple[bool, float]:
        first = self.wish.measures[0]
        value = tally.value(self.wish.shared if first.kind == "share" else first)
        # Only numbers are ranked here; times keep the order of their keys.
        return not isinstance(value, int | float), -float(value) if isinstance(value, int | float) else 0.0


def _rising(keys: Keys) -> list[tuple[bool, str]]:
    return [(key is None, key or "") for key in keys]
