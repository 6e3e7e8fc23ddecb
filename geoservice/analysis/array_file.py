"""Arrays in one file that is mapped into memory: written beside and renamed, and told from a torn or spoiled one.

The file holds a line of JSON (words, and name, type and shape of each array), then the arrays, and begins with a digest
of all that follows.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_MAGIC = b"geoservice arrays 1\n"
_DIGEST = 32
_LENGTH = 8
_ALIGNED = 64
_HEAD = len(_MAGIC) + _DIGEST + _LENGTH
NEW = "new-"
"""How files begin that are being written."""


class Kept(NamedTuple):
    """What a file holds: words (JSON), and arrays by name, read only."""

    words: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def write(file: Path, words: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a file that only its owner may read; it appears under its name when it is complete.

    Raises:
        OSError: When the folder cannot be written or is full.
    """
    told = {"words": dict(words), "arrays": [(n, a.dtype.str, a.shape) for n, a in arrays.items()]}
    line = json.dumps(told).encode()
    line += b" " * (-(len(line) + _HEAD) % _ALIGNED)
    parts: list[bytes | memoryview] = [len(line).to_bytes(_LENGTH, "little"), line]
    for array in arrays.values():
        parts += [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, b"\0" * (-array.nbytes % _ALIGNED)]
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        digest.update(part)
    number, name = tempfile.mkstemp(prefix=NEW, dir=file.parent)
    try:
        with os.fdopen(number, "wb") as target:
            target.writelines([_MAGIC, digest.digest(), *parts])
            target.flush()
            os.fsync(target.fileno())
        Path(name).rename(file)
    finally:
        Path(name).unlink(missing_ok=True)


def read(file: Path) -> Kept | None:
    """What a file holds; None when there is none, or when it is not what was written."""
    try:
        whole = np.memmap(file, dtype=np.uint8, mode="r").view(np.ndarray)
    except (FileNotFoundError, ValueError):
        # An empty file cannot be mapped.
        return None
    if bytes(whole[: len(_MAGIC)]) != _MAGIC or len(whole) < _HEAD:
        return None
    content = whole[len(_MAGIC) + _DIGEST :]
    digest = hashlib.blake2b(content.data, digest_size=_DIGEST).digest()
    if bytes(whole[len(_MAGIC) : len(_MAGIC) + _DIGEST]) != digest:
        return None
    begin = _LENGTH + int.from_bytes(bytes(content[:_LENGTH]), "little")
    told = json.loads(bytes(content[_LENGTH:begin]))
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, kind, shape in told["arrays"]:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays[name] = content[begin : begin + size].view(kind).reshape(shape)
        begin += size + -size % _ALIGNED
    return Kept(told["words"], arrays)
