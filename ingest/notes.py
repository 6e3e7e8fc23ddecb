"""Findings that accumulate while a source is read: how often each, and the first rows, places and values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from ingest.job import Finding
from ingest.numbering import position_of, row_number
from layers.checks import MEASURES

FIRST = 200
"""Most rows and places that a finding names; its count is always exact."""
FIRST_SAMPLES = 10
_SAMPLE_LENGTH = 60
Place = tuple[float, float]
_T = TypeVar("_T")


@dataclass
class _Found:
    """What is known of one finding."""

    count: int = 0
    positions: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


class Notes:
    """Collects findings; the same rule and message count together."""

    def __init__(self) -> None:
        """Start with nothing found."""
        self._found: dict[tuple[str, str, str], _Found] = {}

    def add(
        self,
        rule: str,
        severity: str,
        message: str,
        positions: Iterable[int] = (),
        count: int | None = None,
        *,
        places: Iterable[Place] = (),
        samples: Iterable[object] = (),
    ) -> None:
        """Note something.

        Args:
            rule: Short name of the rule.
            severity: `info`, `warning` or `error`.
            message: A sentence; it must not contain values that differ from row to row.
            positions: Numbers of the rows in the source, from 0.
            count: How often, when it is not the number of positions.
            places: Longitude and latitude (degrees) of rows concerned.
            samples: Values concerned; each is kept once, cut to a decent length.
        """
        listed = [int(p) for p in positions]
        found = self._found.setdefault((rule, severity, message), _Found())
        found.count += len(listed) if count is None else count
        _append(found.positions, listed, FIRST)
        _append(found.places, places, FIRST)
        fresh = dict.fromkeys(str(s)[:_SAMPLE_LENGTH] for s in samples)
        _append(found.samples, (s for s in fresh if s not in found.samples), FIRST_SAMPLES)

    def absorb(self, findings: Iterable[Finding]) -> None:
        """Add what another reader found, such as that of another part of the source."""
        for f in findings:
            positions = map(position_of, f.rows)
            self.add(f.rule, f.severity, f.message, positions, f.count, places=f.places, samples=f.samples)

    def findings(self) -> tuple[Finding, ...]:
        """Everything noted, in the order of first occurrence."""
        return tuple(_finding(*key, found) for key, found in self._found.items())


def _append(kept: list[_T], more: Iterable[_T], most: int) -> None:
    kept.extend(islice(more, most - len(kept)))


def _finding(rule: str, severity: str, message: str, found: _Found) -> Finding:
    measure = MEASURES.get(rule)
    return Finding(
        rule=rule,
        severity=severity,
        message=message,
        count=found.count,
        rows=tuple(map(row_number, found.positions)),
        measure=None if measure is None else measure.number,
        element=None if measure is None else measure.element,
        places=tuple(found.places),
        samples=tuple(found.samples),
    )
