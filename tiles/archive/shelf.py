"""Drawn parts on disk until all are there; a build that was killed goes on with those that it finds.

A part is two files: the bytes of its tiles, and their index. The index is renamed into place last, after both were
synced, so a part with an index is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.errors import LayerBusy
from tiles.archive.subject import Address

INDEX = np.dtype(
    [("z", "u1"), ("x", "u4"), ("y", "u4"), ("part", "u4"), ("offset", "u8"), ("length", "u4"), ("digest", "u8", 2)]
)
"""One tile: address, number of its part, where its bytes lie there, BLAKE2b-128 of them."""
Index = npt.NDArray[np.void]
_PLAN = "plan.json"


class Shelf:
    """The folder of the parts of one archive."""

    def __init__(self, folder: Path) -> None:
        """Keep parts in a folder that exists."""
        self._folder = folder

    def prepare(self, plan: Mapping[str, Any]) -> bool:
        """Make ready for a plan; parts of another plan (other data, other choices) are removed.

        Returns:
            Whether parts of the same plan may be there.
        """
        text = json.dumps(plan, sort_keys=True, ensure_ascii=False)
        kept = self._folder / _PLAN
        if kept.is_file() and kept.read_text(encoding="utf-8") == text:
            return True
        for file in self._folder.glob("*.*"):
            file.unlink()
        _write(kept, text.encode())
        return False

    def has(self, name: str) -> bool:
        """Whether a part is there, whole."""
        return (self._folder / f"{name}.npy").is_file()

    def put(self, name: str, tiles: Iterable[tuple[Address, bytes]]) -> int:
        """Keep the tiles of a part; returns their number."""
        tiles = list(tiles)
        index = np.zeros(len(tiles), INDEX)
        offset = 0
        for row, ((z, x, y), body) in enumerate(tiles):
            digest = np.frombuffer(hashlib.blake2b(body, digest_size=16).digest(), "u8")
            index[row] = (z, x, y, 0, offset, len(body), digest)
            offset += len(body)
        _write(self._folder / f"{name}.tiles", b"".join(body for _, body in tiles))
        _write(self._folder / f"{name}.npy", index.tobytes())
        return len(tiles)

    def index(self, names: Iterable[str]) -> Index:
        """All tiles of parts, in the order of the names."""
        found = []
        for number, name in enumerate(names):
            one = np.frombuffer((self._folder / f"{name}.npy").read_bytes(), INDEX).copy()
            one["part"] = number
            found.append(one)
        return np.concatenate(found) if found else np.zeros(0, INDEX)

    def bodies(self, names: tuple[str, ...], index: Index) -> Iterator[bytes]:
        """The bytes of tiles, in the order of the index."""
        handle, opened = None, -1
        try:
            for part, offset, length in zip(
                index["part"].tolist(), index["offset"].tolist(), index["length"].tolist(), strict=True
            ):
                if handle is None or part != opened:
                    if handle is not None:
                        handle.close()
                    handle, opened = (self._folder / f"{names[part]}.tiles").open("rb"), part
                handle.seek(offset)
                yield handle.read(length)
        finally:
            if handle is not None:
                handle.close()


@contextmanager
def shelf(output: Path) -> Iterator[Shelf]:
    """The shelf beside a file that is to be made, for one build at a time; it goes when the block ends well.

    Raises:
        LayerBusy: When another build is at the same file.
    """
    folder = output.with_name(f"{output.name}.parts")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        busy = LayerBusy(f"Another build is writing {output.name}; wait for it, or choose another name.")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise busy from None
        if os.fstat(lock.fileno()).st_nlink == 0:
            # It ended at this moment, and took the folder with it.
            raise busy
        yield Shelf(folder)
        shutil.rmtree(folder)


def _write(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.rename(file)
