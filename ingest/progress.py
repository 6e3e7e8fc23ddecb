"""What a load tells while it runs: the phase it is in, and the rows it has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

Phase = Literal["starting", "reading", "comparing", "writing", "indexing", "committing"]
PHASES: tuple[Phase, ...] = ("starting", "reading", "comparing", "writing", "indexing", "committing")
"""The phases in their order. A load may skip some: a raster is not compared, a first load has nothing to compare with.
"""
Count = Callable[[int], None]


@runtime_checkable
class Listener(Protocol):
    """Somebody who wants to hear of phases beside the rows."""

    def __call__(self, rows: int, /) -> None:
        """Hear that so many more rows were read."""

    def enter(self, phase: Phase, /) -> None:
        """Hear that a phase begins."""


def enter(progress: Count | None, phase: Phase) -> None:
    """Tell a listener that a phase begins; a plain counter of rows does not care."""
    if isinstance(progress, Listener):
        progress.enter(phase)
