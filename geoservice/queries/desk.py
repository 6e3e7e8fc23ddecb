"""What the questions of one process share: polygons in memory, places for batches, the folder of their bodies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from geoservice.queries.errors import TooManyBatches
from geoservice.queries.memory import PolygonShelf
from geoservice.settings import Settings

_MEBIBYTE = 1 << 20


@dataclass
class QueryDesk:
    """Shared by all requests of a process.

    Attributes:
        polygons: Polygons kept in memory.
        folder: Where bodies of batches lie while they are worked on.
        most_batches: Batches at a time.
    """

    polygons: PolygonShelf
    folder: Path
    most_batches: int
    _batches: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        shelf = PolygonShelf(settings.query_memory_mb * _MEBIBYTE)
        return cls(shelf, settings.home / "batches", settings.query_batches)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a batch.

        Raises:
            TooManyBatches: When all are taken.
        """
        if self._batches >= self.most_batches:
            raise TooManyBatches(
                f"This service works on {self.most_batches} batches at a time in each process; try again later."
            )
        self._batches += 1
        try:
            yield
        finally:
            self._batches -= 1
