"""What the questions of one process share: polygons in memory, places for batches, the folder of their bodies."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

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
    _batches: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        shelf = PolygonShelf(settings.query_memory_mb * _MEBIBYTE)
        return cls(shelf, settings.home / "batches", settings.query_batches)

    @contextmanager
    def place(self, principal: str) -> Iterator[None]:
        """A place for a batch of a principal. Nobody takes more than half of them, so that others come to theirs.

        Raises:
            TooManyBatches: When all are taken, or as many as one may have.
        """
        own = -(-self.most_batches // 2)
        if self._batches.total() >= self.most_batches or self._batches[principal] >= own:
            raise TooManyBatches(
                f"Each process of this service works on {self.most_batches} batches at a time, and on {own} of one "
                "principal; try again later."
            )
        self._batches[principal] += 1
        try:
            yield
        finally:
            self._batches[principal] -= 1
            if not self._batches[principal]:
                del self._batches[principal]


@contextmanager
def kept_file(folder: Path, file: BinaryIO) -> Iterator[Path]:
    """A name for a file that has none, for as long as somebody makes a link to it.

    Args:
        folder: Where it lies.
        file: The file, open.
    """
    path = folder / secrets.token_hex(16)
    # A file without a name cannot be linked without rights that a service has not: it is copied.
    with path.open("xb") as target:
        file.seek(0)
        shutil.copyfileobj(file, target, _MEBIBYTE)
        target.flush()
        os.fsync(target.fileno())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
