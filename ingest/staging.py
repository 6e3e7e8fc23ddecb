"""The private directory of one confined reader: the source inside it, and room to unpack."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.raster_family import raster_siblings
from layers.errors import SourceMissing, SourceUnreadable

_SIBLINGS = (".shx", ".dbf", ".prj", ".cpg", ".qpj")
_LOG_TAIL = 600
_PREFIX = "geoservice-read-"
_LEFT_BEHIND = re.compile(rf"{_PREFIX}(\d+)-\w+(\.log)?", re.ASCII)
_ORPHAN_SECONDS = 600.0
"""Age below which nothing is swept: process numbers of another container look dead from here."""


@dataclass(frozen=True)
class Staged:
    """A source made readable for the child.

    Attributes:
        directory: Private directory of the child, where it may write.
        file: The source inside it (a copy, or a link when the child may read the original).
        readable: Originals that the child may read through links.
    """

    directory: Path
    file: Path
    readable: tuple[Path, ...]

    @property
    def log(self) -> Path:
        """Where the child's standard error goes; it stands beside the child's directory, out of its reach."""
        return self.directory.with_name(self.directory.name + ".log")

    def said(self) -> str:
        """The last words of the child on standard error, for the operator's log."""
        try:
            with self.log.open("rb") as handle:
                handle.seek(max(0, self.log.stat().st_size - _LOG_TAIL))
                return handle.read(_LOG_TAIL).decode("utf-8", errors="replace").strip()
        except OSError:
            return ""

    def hand_over(self, user: tuple[int, int] | None) -> None:
        """Give directory and content to the child's user."""
        if user is not None:
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, *user, follow_symlinks=False)

    def remove(self) -> None:
        """Remove directory and log; what is gone already is no error."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.log.unlink(missing_ok=True)


def stage(source: Path, user: tuple[int, int] | None, companions: tuple[Path, ...] = ()) -> Staged:
    """Make a source (with the siblings of a .shp, and the plan's companions) available in a new private directory.

    Raises:
        SourceMissing: When it does not exist, is no ordinary file, or may not be read.
        SourceUnreadable: When it is empty, or a database that another program has open.
    """
    originals = {source.name: _checked(source)} | {p.name: p.resolve() for p in _siblings(source)}
    originals |= {p.name: p.resolve() for p in companions}
    _sweep(user)
    directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    staged = Staged(directory, directory / source.name, tuple(originals.values()))
    try:
        for name, original in originals.items():
            _place(original, directory / name)
        staged.hand_over(user)
    except OSError as error:
        staged.remove()
        raise SourceMissing(f"{source} cannot be read: {error.strerror}.", source=str(source)) from error
    return staged


def _sweep(user: tuple[int, int] | None) -> None:
    """Remove what killed loads left in the temporary folder: copies of sources and unpacked archives."""
    owners = {os.geteuid(), user[0] if user else os.geteuid()}
    limit = time.time() - _ORPHAN_SECONDS
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        match = _LEFT_BEHIND.fullmatch(path.name)
        with suppress(OSError):
            facts = path.lstat()
            if match is None or facts.st_uid not in owners or facts.st_mtime > limit or _alive(int(match.group(1))):
                continue
            if stat.S_ISDIR(facts.st_mode):
                shutil.rmtree(path)
            else:
                path.unlink()


def _alive(pid: int) -> bool:
    return Path("/proc", str(pid)).exists()


def _checked(source: Path) -> Path:
    try:
        if not source.is_file():
            what = "is not a file" if source.exists() else "does not exist"
            raise SourceMissing(f"{source} {what}.", source=str(source))
        with source.open("rb") as handle:
            empty = not handle.read(1)
    except OSError as error:
        raise SourceMissing(f"{source} cannot be read: {error.strerror}.", source=str(source)) from error
    if empty:
        raise SourceUnreadable(f"{source.name} is empty (0 bytes).", source=source.name)
    journal = source.with_name(source.name + "-wal")
    if journal.is_file() and journal.stat().st_size > 0:
        raise SourceUnreadable(
            f"{source.name} is open in another program (its write-ahead log is not empty); close it there first.",
            source=source.name,
        )
    return source.resolve()


def _siblings(source: Path) -> list[Path]:
    if source.suffix.lower() == ".shp":
        beside = (p for p in source.parent.iterdir() if p.stem == source.stem and p.suffix.lower() in _SIBLINGS)
        found = [p for p in beside if p.is_file()]
    else:
        found = list(raster_siblings(source))
    # Only the source itself was named by somebody: a link beside it must not bring in a file from elsewhere.
    homes = {source.parent.resolve(), source.resolve().parent}
    stranger = next((p for p in found if p.resolve().parent not in homes), None)
    if stranger is not None:
        raise SourceUnreadable(f"{stranger.name} is a link to another folder; such a file is not read.")
    return found


def _place(original: Path, target: Path) -> None:
    # Root's child has no capabilities, so it reads what root owns or everybody may read.
    if os.geteuid() != 0 or _open_to_all(original):
        target.symlink_to(original)
    else:
        shutil.copyfile(original, target)


def _open_to_all(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o4) and all(p.stat().st_mode & 0o1 for p in file.parents)
