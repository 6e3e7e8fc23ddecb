"""The folder of raster files. A file is named after its content, complete and on disk before anything names it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from layers.asset import SUFFIX
from layers.errors import ConfigurationError, SourceUnreadable

ORPHAN_SECONDS = 24 * 3600.0
"""Age at which a file that no asset names is taken for the remains of a killed load."""
_PART = ".part-"
_OURS = re.compile(rf"(?:[0-9a-f]{{64}}{re.escape(SUFFIX)}|{re.escape(_PART)}[0-9a-f]+)")
_MAGIC = (b"II*\0", b"II+\0", b"MM\0*", b"MM\0+")
_BLOCK = 1 << 20
_FOLDER_MODE, _FILE_MODE = 0o750, 0o640


def keep(written: Path, folder: Path) -> str:
    """Copy a file that the confined reader wrote into the folder, under the SHA-256 of its content.

    The file is not trusted: links are not followed, and only an ordinary TIFF is taken.

    Returns:
        The SHA-256; the file is called `<sha256>.tif` and has reached the disk.

    Raises:
        SourceUnreadable: When there is no such file or it is no TIFF.
        ConfigurationError: When the folder cannot be written.
    """
    part = folder / f"{_PART}{secrets.token_hex(8)}"
    try:
        source = _open(written)
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            digest = _copy(source, part)
        finally:
            os.close(source)
        part.rename(folder / f"{digest}{SUFFIX}")
        _sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise ConfigurationError(
            f"The folder of raster files cannot be written: {error.strerror}. Check its owner and the space left.",
        ) from error
    return digest


def name_of(written: Path) -> str:
    """The SHA-256 under which `keep` would store a file that the confined reader wrote.

    Raises:
        SourceUnreadable: When there is no such file or it is no TIFF.
    """
    with os.fdopen(_open(written), "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def sweep(folder: Path, named: AbstractSet[str], older_than: float = ORPHAN_SECONDS) -> tuple[str, ...]:
    """Remove files that no asset names: what killed loads left behind.

    Args:
        folder: The folder of raster files. Only files with a name of our making are looked at.
        named: Names that must stay.
        older_than: Age in seconds; a younger file may belong to a load that has not committed yet.

    Returns:
        The names removed.
    """
    if not folder.is_dir():
        return ()
    limit = time.time() - older_than
    orphans = [f for f in folder.iterdir() if _OURS.fullmatch(f.name) and f.name not in named]
    old = [f for f in orphans if f.stat().st_mtime <= limit]
    for file in old:
        file.unlink(missing_ok=True)
    return tuple(sorted(f.name for f in old))


def _open(written: Path) -> int:
    try:
        handle = os.open(written, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise SourceUnreadable("The confined reader left no raster behind.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode) or os.pread(handle, 4, 0) not in _MAGIC:
        os.close(handle)
        raise SourceUnreadable("The confined reader left something behind that is no raster.")
    return handle


def _copy(source: int, part: Path) -> str:
    digest = hashlib.sha256()
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(target, "wb") as out:
        while block := os.read(source, _BLOCK):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
