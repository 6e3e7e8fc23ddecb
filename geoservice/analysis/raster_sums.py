"""Sums kept beside rasters: of their blocks, and of polygons that are asked about again and again, such as divisions.

They change no figure: the sums of a block are the same whether they are kept or added up from its cells, to the last
bit, and so are those of a polygon. What is kept belongs to one file of a raster, whose name is the digest of its
content; a new edition has another. A file that is missing, torn or spoiled is made anew.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.analysis import array_file
from geoservice.analysis.cells import block_rows, on_raster
from geoservice.analysis.scan import Floats, Longs
from geoservice.analysis.sums import Sums
from layers.area import ellipsoidal_area
from layers.asset import Asset

FORMAT = 1
"""Changes when sums are made or kept in another way."""
MOST_BYTES = 2 << 30
"""Bytes of all that is kept, by default. Sums of blocks take a twentieth of the cells of a raster of 32 bits."""
_HELD = 64
_AT_ONCE = 200
_MARK = 16
BLOCKS, POLYGONS = ".blocks", ".polygons"
_KINDS = (BLOCKS, POLYGONS)
_PATIENCE = 3600.0
"""Seconds after which a file that is still being written belongs to a process that was killed."""


@dataclass(frozen=True)
class KeptPolygons:
    """Sums of polygons over one raster.

    Attributes:
        places: Place of each polygon by its digest (`marks_of`).
        sums: Their sums.
        size: Areas of the polygons in square metres, be there data or not.
    """

    places: Mapping[bytes, int]
    sums: Sums
    size: Floats

    def find(self, marks: Sequence[bytes | None]) -> Longs:
        """Places of polygons by their digests; -1 where one is not kept, or has no digest."""
        return np.array([self.places.get(mark or b"", -1) for mark in marks], dtype=np.int64)


class RasterSums:
    """What is kept of all rasters, in a folder that all worker processes share."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        """Remember where; nothing is made before something is kept."""
        self._folder, self._most = folder, most_bytes
        self._lock = Lock()
        self._held: OrderedDict[Path, tuple[str, Sums | KeptPolygons]] = OrderedDict()

    def blocks(self, asset: Asset) -> Sums | None:
        """Sums of all blocks of a raster, by row and column; None when they are not kept."""
        found = self._get(asset, BLOCKS)
        return found if isinstance(found, Sums) else None

    def polygons(self, asset: Asset) -> KeptPolygons | None:
        """Sums of polygons over a raster; None when none are kept."""
        found = self._get(asset, POLYGONS)
        return found if isinstance(found, KeptPolygons) else None

    def keep_blocks(self, asset: Asset, ended: Callable[[], bool] = lambda: False) -> None:
        """Add up the blocks of a raster and keep them.

        Args:
            asset: The raster.
            ended: Asked now and then; when it is true, nothing is kept.

        Raises:
            AssetUnavailable: When the file of the raster is missing or damaged.
            OSError: When the folder cannot be written or is full.
        """
        whose, rows = _identity(asset), []
        for some in block_rows(asset):
            rows.append(some)
            if ended():
                return
        arrays = {name: np.concatenate([one.arrays()[name] for one in rows]) for name in rows[0].arrays()}
        self._keep(asset, BLOCKS, whose, arrays)

    def keep_polygons(
        self, asset: Asset, polygons: Sequence[shapely.Geometry], ended: Callable[[], bool] = lambda: False
    ) -> None:
        """Add up the cells of a raster in polygons (EPSG:4490) and keep the sums instead of those kept before.

        Args:
            asset: The raster.
            polygons: The polygons, each for itself; they may overlap.
            ended: Asked now and then; when it is true, nothing is kept.

        Raises:
            AssetUnavailable: When the file of the raster is missing or damaged.
            OSError: When the folder cannot be written or is full.
        """
        whose, shapes = _identity(asset), _array(polygons)
        marks, known = marks_of(shapes), self.polygons(asset)
        place = known.find(marks) if known is not None else np.full(len(marks), -1)
        missing, there = np.flatnonzero(place < 0), np.flatnonzero(place >= 0)
        if not len(missing):
            return
        sums, size = Sums.none(len(shapes)), np.empty(len(shapes))
        if known is not None:
            sums.put(there, known.sums.some(place[there]))
            size[there] = known.size[place[there]]
        size[missing] = ellipsoidal_area(shapes[missing])
        # Neighbours together, so that a sheet is read for many of them.
        order = missing[np.argsort(-shapely.bounds(shapes[missing]).reshape(-1, 4)[:, 3], kind="stable")]
        for begin in range(0, len(order), _AT_ONCE):
            some = order[begin : begin + _AT_ONCE]
            with on_raster(asset, shapely.MultiPolygon(), self.blocks(asset)) as here:
                sums.put(some, here.sums(shapes[some].tolist()))
            if ended():
                return
        digests = np.frombuffer(b"".join(marks), dtype=np.uint8).reshape(-1, _MARK)
        self._keep(asset, POLYGONS, whose, {"marks": digests, "size": size, **sums.arrays()})

    def _get(self, asset: Asset, kind: str) -> Sums | KeptPolygons | None:
        file = self._file(asset, kind)
        with suppress(OSError):
            whose = _identity(asset)
            with self._lock:
                held = self._held.get(file)
                if held is not None and held[0] == whose:
                    self._held.move_to_end(file)
                    return held[1]
            found = array_file.read(file)
            if found is None or (found.words["format"], found.words["raster"]) != (FORMAT, whose):
                return None
            made = _made(found)
            # The time of the last use says what goes first when there is too much.
            os.utime(file)
            with self._lock:
                self._held[file] = (whose, made)
                while len(self._held) > _HELD:
                    self._held.popitem(last=False)
            return made
        return None

    def _keep(self, asset: Asset, kind: str, whose: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        if sum(array.nbytes for array in arrays.values()) > self._most or whose != _identity(asset):
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(asset, kind)
        array_file.write(file, {"format": FORMAT, "raster": whose}, arrays)
        with self._lock:
            self._held.pop(file, None)
        self._sweep({one.stem for one in asset.path.parent.iterdir()}, file)

    def _sweep(self, rasters: Set[str], latest: Path) -> None:
        """Remove what belongs to rasters that are gone, and beyond the limit what was not used for longest."""
        found = []
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):
                found.append((file.stat().st_mtime, file.stat().st_size, file))
        room, now = self._most, time.time()
        for used, size, file in sorted(found, key=lambda one: (one[2] != latest, -one[0])):
            room -= size
            writing = file.name.startswith(array_file.NEW)
            if writing and now - used < _PATIENCE:
                continue
            if writing or room < 0 or (file.suffix in _KINDS and file.stem not in rasters):
                file.unlink(missing_ok=True)
                room += size

    def _file(self, asset: Asset, kind: str) -> Path:
        return self._folder / f"{asset.path.stem}{kind}"


def marks_of(polygons: Iterable[shapely.Geometry]) -> list[bytes]:
    """Digests that tell polygons apart by their coordinates."""
    return [hashlib.blake2b(shapely.to_wkb(one), digest_size=_MARK).digest() for one in polygons]


def _array(polygons: Sequence[shapely.Geometry]) -> npt.NDArray[np.object_]:
    made: npt.NDArray[np.object_] = np.empty(len(polygons), dtype=np.object_)
    made[:] = list(polygons)
    return made


def _made(found: array_file.Kept) -> Sums | KeptPolygons:
    sums = Sums(*(found.arrays[name] for name in Sums.none(0).arrays()))
    if "marks" not in found.arrays:
        return sums
    places = {mark.tobytes(): place for place, mark in enumerate(found.arrays["marks"])}
    return KeptPolygons(places, sums, found.arrays["size"])


def _identity(asset: Asset) -> str:
    """Name (the digest of the content, where a load wrote it), size and time of the file of a raster."""
    found = asset.path.stat()
    return f"{asset.path.name} {found.st_size} {found.st_mtime_ns}"
