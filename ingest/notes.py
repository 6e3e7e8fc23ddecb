"""Findings that accumulate while a source is read: how often each, and the first positions."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.job import Finding

_FIRST = 10


class Notes:
    """Collects findings; the same rule and message count together."""

    def __init__(self) -> None:
        """Start with nothing found."""
        self._found: dict[tuple[str, str, str], tuple[int, list[int]]] = {}

    def add(
        self, rule: str, severity: str, message: str, positions: Iterable[int] = (), count: int | None = None
    ) -> None:
        """Note something.

        Args:
            rule: Short name of the rule.
            severity: `info`, `warning` or `error`.
            message: A sentence; it must not contain values that differ from row to row.
            positions: Feature numbers from 0.
            count: How often, when it is not the number of positions.
        """
        listed = [int(p) for p in positions]
        key = (rule, severity, message)
        before, kept = self._found.get(key, (0, []))
        self._found[key] = (before + (len(listed) if count is None else count), (kept + listed)[:_FIRST])

    def findings(self) -> tuple[Finding, ...]:
        """Everything noted, in the order of first occurrence."""
        return tuple(
            Finding(rule=rule, severity=severity, message=message, count=count, positions=tuple(positions))
            for (rule, severity, message), (count, positions) in self._found.items()
        )
