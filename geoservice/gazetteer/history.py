"""How divisions became others: a code of one date in terms of the codes of another date.

A change that takes effect on a day is a set of pairs (former code, later code). A unit that goes on beside others has a
pair with itself; a unit without a later code ended without a successor, one without a former code is new. A year stands
for its last day, as lists of codes do.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

Relation = Literal["equal", "within", "part", "overlap"]


@dataclass(frozen=True, slots=True)
class Change:
    """One pair of a change of divisions.

    Attributes:
        effective: The day from which the later codes hold.
        kind: What it was: establish, abolish, merge, split, rename, recode, upgrade or transfer.
        former: Code before; None for a unit that is new.
        later: Code afterwards; None for a unit that ended without a successor.
        names: Chinese names before and afterwards, where they are known.
        note: What the register remarks, in Chinese and English.
    """

    effective: dt.date
    kind: str
    former: str | None
    later: str | None
    names: tuple[str | None, str | None] = (None, None)
    note: tuple[str | None, str | None] = (None, None)

    def reversed(self) -> Change:
        """The same pair, looked at from its end."""
        return replace(self, former=self.later, later=self.former, names=(self.names[1], self.names[0]))


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A unit of the other date.

    Attributes:
        code: Its code then.
        whole: Whether all of the unit that was asked about lies in it.
        alone: Whether it consists of nothing else.
    """

    code: str
    whole: bool
    alone: bool

    @property
    def relation(self) -> Relation:
        """The unit asked about and this one: `equal`, `within` it, this one a `part` of it, or `overlap`."""
        if self.whole:
            return "equal" if self.alone else "within"
        return "part" if self.alone else "overlap"


def convert(changes: Iterable[Change], code: str, start: dt.date, end: dt.date) -> tuple[Counterpart, ...]:
    """The units of one day that a unit of another day corresponds to, in the order of their codes.

    Args:
        changes: All changes that may touch the unit, in any order.
        code: Code of the unit as it was at the end of the day `start`.
        start: The day of the code.
        end: The day that is asked for, later or earlier.

    Returns:
        Nothing when the unit ended without a successor, or began from nothing where time runs backwards.
    """
    pairs = list(changes)
    first, last = min(start, end), max(start, end)
    pairs = [c for c in pairs if first < c.effective <= last]
    if end < start:
        pairs = [c.reversed() for c in pairs]
    held = {code: Counterpart(code, whole=True, alone=True)}
    ordered = sorted(pairs, key=lambda c: c.effective, reverse=end < start)
    for _, together in groupby(ordered, key=lambda c: c.effective):
        held = _step(held, list(together))
    return tuple(held[c] for c in sorted(held))


def ended(changes: Iterable[Change], code: str, today: dt.date) -> dt.date | None:
    """The day on which a code ceased to be one, as far as the changes up to a day tell; None while it holds."""
    last: dt.date | None = None
    known = sorted((c for c in changes if c.effective <= today), key=lambda c: c.effective)
    for day, together in groupby(known, key=lambda c: c.effective):
        pairs = list(together)
        if any(c.later == code for c in pairs):
            last = None
        elif any(c.former == code for c in pairs):
            last = day
    return last


def successors(changes: Iterable[Change], code: str, today: dt.date) -> tuple[Counterpart, ...]:
    """The units of today that a code which is no longer one became; nothing while it holds."""
    known = list(changes)
    last = ended(known, code, today)
    if last is None:
        return ()
    return convert(known, code, last - dt.timedelta(days=1), today)


def _step(held: Mapping[str, Counterpart], pairs: list[Change]) -> dict[str, Counterpart]:
    """What the units become on a day."""
    later: defaultdict[str, set[str]] = defaultdict(set)
    former: defaultdict[str, set[str]] = defaultdict(set)
    ending = {c.former for c in pairs if c.former is not None}
    for change in pairs:
        if change.former is not None and change.later is not None:
            later[change.former].add(change.later)
            former[change.later].add(change.former)
    found: defaultdict[str, list[Counterpart]] = defaultdict(list)
    for code, one in held.items():
        for target in later[code] if code in ending else {code}:
            whole = one.whole and len(later[code]) <= 1
            alone = one.alone and len(former[target] | ({code} if target == code else set())) <= 1
            found[target].append(Counterpart(target, whole, alone))
    return {code: _joined(ways) for code, ways in found.items()}


def _joined(ways: list[Counterpart]) -> Counterpart:
    """One unit reached in several ways: what was split and joined again is not told to be whole."""
    return Counterpart(ways[0].code, all(w.whole for w in ways), all(w.alone for w in ways))
