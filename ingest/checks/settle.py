"""The rules about rows together, judged from the evidence of one reader or of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.checks import network, verdict
from ingest.checks.coverage import Borders, Mask, gaps, overlaps, unmatched
from ingest.checks.duplicates import duplicates, first_copies
from ingest.checks.evidence import Evidence, Rows
from ingest.checks.nesting import nesting
from ingest.checks.verdict import Verdict
from ingest.notes import Notes
from layers import checks
from layers.model import VectorLayer

_TOUCHING = 0.01
"""Metres around an end within which lines are looked for when only touching counts."""


def settle(layer: VectorLayer, parts: Sequence[Path], directory: Path, notes: Notes) -> int:
    """Judge the rows of a source together.

    The verdicts are the same however the source was cut into parts.

    Args:
        layer: The layer with its rules.
        parts: Directories in which collectors left evidence, in the order of the source.
        directory: Where the rows to be kept out are written.
        notes: Where findings go.

    Returns:
        How many rows that were delivered as good are to be kept out.
    """
    evidence = Evidence(parts)
    if not len(evidence):
        return 0
    verdicts = _Judge(layer, evidence).verdicts()
    for found in verdicts:
        verdict.note(found, evidence, notes)
    return verdict.write(verdicts, evidence, directory)


class _Judge:
    """Judges one source; what several rules need is found out once."""

    def __init__(self, layer: VectorLayer, evidence: Evidence) -> None:
        self._rules = [rule for rule in layer.rules() if isinstance(rule, checks.SetRule)]
        self._evidence = evidence
        self._copies: Rows | None = None
        self._borders: Borders | None = None
        self._repeats: Mask | None = None

    def verdicts(self) -> list[Verdict]:
        """The verdicts by all rules, in the order of the layer file."""
        reach = max([r.tolerance for r in self._rules if isinstance(r, checks.Dangle)], default=_TOUCHING)
        lines = [r for r in self._rules if isinstance(r, checks.Dangle | checks.Unconnected)]
        found = [v for rule in self._rules if rule not in lines for v in self._surfaces(rule)]
        return found + (self._network(lines, max(reach, _TOUCHING)) if lines else [])

    def _surfaces(self, rule: checks.SetRule) -> list[Verdict]:
        if isinstance(rule, checks.DuplicateGeometry):
            return [duplicates(rule, self._copied())]
        if isinstance(rule, checks.CoverageOverlap):
            return overlaps(self._evidence, rule, self._unmatched(), self._copied(), self._repeated())
        if isinstance(rule, checks.CoverageGap):
            return gaps(self._evidence, rule, self._unmatched())
        return [nesting(rule, self._evidence)] if isinstance(rule, checks.Nests) else []

    def _network(self, rules: Sequence[checks.Dangle | checks.Unconnected], reach: float) -> list[Verdict]:
        ends, meets, complete = network.look(self._evidence, reach)
        if not complete:
            return [network.gave_up(rule, ends) for rule in rules]
        found: list[Verdict] = []
        for rule in rules:
            if isinstance(rule, checks.Dangle):
                found += network.dangles(rule, ends)
            else:
                found.append(network.unconnected(rule, self._evidence, ends, meets))
        return found

    def _copied(self) -> Rows:
        if self._copies is None:
            self._copies = first_copies(self._evidence, self._repeated())
        return self._copies

    def _repeated(self) -> Mask:
        if self._repeats is None:
            self._repeats = self._evidence.repeats()
        return self._repeats

    def _unmatched(self) -> Borders:
        if self._borders is None:
            self._borders = unmatched(self._evidence)
        return self._borders
