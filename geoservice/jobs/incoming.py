"""Uploaded files of jobs: a folder `incoming/<folder>` of the state directory for each, until the job has ended.

`incoming/<folder>.owner` beside it says whose they are: bytes that a job holds count as those of its owner, or else a
queue of waiting jobs would be a way around the limit of their uploads.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from geoservice.jobs.errors import StorageFull
from geoservice.jobs.execute import INCOMING
from geoservice.settings import Settings

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_NOTE = ".owner"


def take_over(settings: Settings, owner: str, files: Mapping[str, Path]) -> str:
    """Put files side by side under their names, in a folder of their own; the originals stay.

    Args:
        settings: For the state directory.
        owner: Id of the principal whose bytes they are.
        files: Name -> file on the same disk.

    Returns:
        Name of the folder.

    Raises:
        FileNotFoundError: When one of the files is gone; nothing is left of the folder.
        StorageFull: When the disk is full.
    """
    folder = secrets.token_hex(16)
    root = settings.home / INCOMING
    try:
        with needing_room():
            (root / folder).mkdir(mode=_FOLDER_MODE, parents=True)
            # Noted before there is anything to count, so that nothing is ever held by nobody.
            note = os.open(root / f"{folder}{_NOTE}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(note, "w", encoding="utf-8") as handle:
                handle.write(owner)
            for name, file in files.items():
                os.link(file, root / folder / name)
    except BaseException:
        discard_incoming(settings, {"folder": folder})
        raise
    return folder


def keep_content(settings: Settings, owner: str, name: str, content: bytes) -> str:
    """Put one file that is in memory into a folder of its own; see `take_over`.

    Args:
        settings: For the state directory.
        owner: Whose bytes they are.
        name: Name of the file, without any folder.
        content: Its bytes.

    Returns:
        Name of the folder.

    Raises:
        StorageFull: When the disk is full; nothing is left of the folder.
    """
    folder = take_over(settings, owner, {})
    try:
        with needing_room():
            (settings.home / INCOMING / folder / name).write_bytes(content)
    except BaseException:
        discard_incoming(settings, {"folder": folder})
        raise
    return folder


def held(settings: Settings, owner: str) -> int:
    """Bytes of an owner that jobs hold."""
    total = 0
    for note in (settings.home / INCOMING).glob(f"*{_NOTE}"):
        # A job may end while its files are counted.
        with suppress(FileNotFoundError):
            if note.read_text(encoding="utf-8") == owner:
                total += sum(file.stat().st_size for file in note.with_suffix("").iterdir())
    return total


def discard_incoming(settings: Settings, place: dict[str, Any]) -> None:
    """Remove the uploaded files of a job that needs them no more."""
    folder = str(place.get("folder", ""))
    if folder.isascii() and folder.isalnum():
        shutil.rmtree(settings.home / INCOMING / folder, ignore_errors=True)
        (settings.home / INCOMING / f"{folder}{_NOTE}").unlink(missing_ok=True)


def sweep_incoming(settings: Settings, needed: set[str], older_than: float) -> int:
    """Remove the files of jobs that are over, and of jobs that never came to be; returns how many.

    Args:
        settings: For the state directory.
        needed: Folders whose files are kept.
        older_than: Seconds; a younger folder may belong to a job that is being made.
    """
    removed = 0
    for folder, age in list(_folders(settings.home / INCOMING)):
        if folder not in needed and age > older_than:
            discard_incoming(settings, {"folder": folder})
            removed += 1
    return removed


def _folders(root: Path) -> Iterator[tuple[str, float]]:
    """Names of folders, also of those of which only the note is left, and how many seconds ago they were filled."""
    for place in root.iterdir() if root.is_dir() else ():
        with suppress(FileNotFoundError):
            if place.suffix != _NOTE or not place.with_suffix("").exists():
                yield place.stem, time.time() - place.stat().st_mtime


@contextmanager
def needing_room() -> Iterator[None]:
    """Write to the disk; that it is full is an error of its own.

    Raises:
        StorageFull: When it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full() from error
        raise


def full() -> StorageFull:
    """The error of a disk that has no room."""
    return StorageFull("The disk has not enough room for this file; ask the operator.")
