"""Open raster files, kept for the next reader: opening costs as much as reading, and what was unpacked stays at hand.

A handle serves one reader at a time. Idle ones are kept up to a number and an age, and only as long as the file is
what it was when it was opened.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from layers.asset import Asset
from layers.errors import AssetUnavailable

READ_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 128 << 20,
    "VSI_CACHE": "FALSE",
    "GDAL_NUM_THREADS": "1",
}
"""GDAL settings of every read: no look at neighbouring files, no side-car, a bounded block cache."""
MOST_IDLE = 48
"""Idle handles of a process."""
LONGEST_IDLE = 60.0
"""Seconds after which an idle handle is closed when the next one is put back; a deleted file is freed with it."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A file as it is now, and which overview of it."""

    path: Path
    overview: int | None
    device: int
    inode: int
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class _Idle:
    key: _Key
    dataset: DatasetReader
    since: float


class Shelf:
    """Idle handles, the latest used last."""

    def __init__(self, most: int = MOST_IDLE, longest: float = LONGEST_IDLE) -> None:
        """An empty shelf for so many handles and seconds."""
        self._most, self._longest = most, longest
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []

    def __len__(self) -> int:
        """How many idle handles there are."""
        return len(self._idle)

    def take(self, key: _Key) -> DatasetReader | None:
        """An idle handle of this very file, which is then the taker's own."""
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place].key == key:
                    return self._idle.pop(place).dataset
        return None

    def put(self, key: _Key, dataset: DatasetReader) -> None:
        """Give a handle back; the oldest ones beyond the number and the age are closed."""
        now = time.monotonic()
        with self._lock:
            self._idle.append(_Idle(key, dataset, now))
            first = max(0, len(self._idle) - self._most)
            while self._idle[first].since < now - self._longest:
                first += 1
            spent, self._idle = self._idle[:first], self._idle[first:]
        for one in spent:
            one.dataset.close()

    def clear(self) -> None:
        """Close all idle handles."""
        with self._lock:
            spent, self._idle = self._idle, []
        for one in spent:
            one.dataset.close()


SHELF = Shelf()


@contextmanager
def reading(asset: Asset, overview: int | None = None) -> Iterator[DatasetReader]:
    """The COG of an asset, or one of its overviews (numbered from 0), open for reading by this caller alone.

    Raises:
        AssetUnavailable: When the file is missing or cannot be read to the end.
    """
    level = {} if overview is None else {"OVERVIEW_LEVEL": overview}
    dataset: DatasetReader | None = None
    whole = False
    try:
        key = _key(asset.path, overview)
        with rasterio.Env(**READ_OPTIONS):
            dataset = SHELF.take(key) or rasterio.open(asset.path, driver="GTiff", **level)
            yield dataset
        whole = True
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise AssetUnavailable(
            f"Raster file {asset.path.name} is missing or damaged; load its source again.", file=asset.path.name
        ) from error
    finally:
        if whole and dataset is not None:
            SHELF.put(key, dataset)
        elif dataset is not None:
            dataset.close()


def _key(path: Path, overview: int | None) -> _Key:
    found = os.stat(path)
    return _Key(path, overview, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
