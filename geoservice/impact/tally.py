"""Sums of hits by severity class, division and group: exact, whatever the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from geoservice.impact.atoms import Atoms
from geoservice.impact.hits import Hits
from geoservice.impact.measure import plain
from geoservice.impact.region import Longs, Truths

Key = tuple[int, ...]


@dataclass(frozen=True)
class Sum:
    """What a group adds up to: its value, how many features it touches, how many of them have no value."""

    value: float = 0.0
    features: int = 0
    missing: int = 0


@dataclass(frozen=True)
class Tally:
    """Hits with what they are grouped by: rank of the class, places of division and code (see `Atoms`)."""

    feature: Longs
    rank: Longs
    division: Longs
    code: Longs
    size: Longs
    known: Truths

    @classmethod
    def of(cls, atoms: Atoms, hits: Hits) -> Tally:
        """The hits of a layer."""
        at = hits.atom
        _, feature = np.unique(atoms.fid[at], return_inverse=True)
        division, code = atoms.division[at].astype(np.int64), atoms.code[at].astype(np.int64)
        return cls(feature.astype(np.int64), hits.rank, division, code, hits.size, atoms.known[at])

    def unknown(self, names: Sequence[str]) -> frozenset[Key]:
        """Of features it is known everywhere whether they are there."""
        return frozenset()

    def total(self) -> Sum:
        """Everything."""
        return self.by(()).get((), Sum())

    def by(self, names: Sequence[str]) -> dict[Key, Sum]:
        """Sums by `rank`, `division` or `code`, or several of these, in the order of their values.

        A feature that lies in several groups counts once in each, and once where they are taken together.
        """
        if not len(self.size):
            return {}
        columns = [getattr(self, name) for name in names]
        order = np.lexsort((self.feature, *columns[::-1]))
        keys = np.stack([column[order] for column in columns], axis=1) if columns else np.zeros((len(order), 0))
        feature = self.feature[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        first = np.flatnonzero(new)
        other = new.copy()
        other[1:] |= feature[1:] != feature[:-1]
        value = np.add.reduceat(self.size[order], first)
        features = np.add.reduceat(other.astype(np.int64), first)
        missing = np.add.reduceat((other & ~self.known[order]).astype(np.int64), first)
        sums = zip(value.tolist(), features.tolist(), missing.tolist(), strict=True)
        named = [tuple(int(part) for part in key) for key in keys[first].tolist()]
        return {key: Sum(plain(v), f, m) for key, (v, f, m) in zip(named, sums, strict=True)}
