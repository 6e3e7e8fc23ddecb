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

from ingest.family import is_source, siblings
from layers.errors import SourceMissing, SourceUnreadable

_LOG_TAIL = 600
PREFIX = "geoservice-read-"
_LEFT_BEHIND = re.compile(rf"{PREFIX}(\d+)-\w+(\.log)?", re.ASCII)
PART = "part-"
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
            for path in (self.directory, *self.directory.rglob("*")):
                os.chown(path, *user, follow_symlinks=False)

    def remove(self) -> None:
        """Remove directory and log; what is gone already is no error."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.log.unlink(missing_ok=True)


def stage(source: Path, user: tuple[int, int] | None, companions: tuple[Path, ...] = ()) -> Staged:
    """Make a source with its family and the plan's companions available in a new private directory.

    Raises:
        SourceMissing: When it does not exist, is no ordinary file, or may not be read.
        SourceUnreadable: When it is empty, a database that another program has open, or has a link in its family.
    """
    originals = _originals(source) | {p.name: p.resolve() for p in companions}
    _sweep(user)
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    staged = Staged(directory, directory / source.name, tuple(originals.values()))
    try:
        for name, original in originals.items():
            (directory / name).parent.mkdir(exist_ok=True)
            _place(original, directory / name)
        staged.hand_over(user)
    except OSError as error:
        staged.remove()
        raise SourceMissing(f"{source} cannot be read: {error.strerror}.", source=str(source)) from error
    return staged


def part_name(number: int) -> str:
    """Name under which the folder of a part stands in the directory of the child that judges all parts."""
    return f"{PART}{number:04}"


def _sweep(user: tuple[int, int] | None) -> None:
    """Remove what killed loads left in the temporary folder: copies of sources and unpacked archives."""
    owners = {os.geteuid(), user[0] if user else os.geteuid()}
    limit = time.time() - _ORPHAN_SECONDS
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
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


def _originals(source: Path) -> dict[str, Path]:
    """Name in the private directory -> the file it stands for."""
    checked = _checked(source)
    if source.is_dir():
        return {f"{source.name}/{p.name}": p.resolve() for p in siblings(source)}
    return {source.name: checked} | {_beside(source, p): p.resolve() for p in siblings(source)}


def _beside(source: Path, sibling: Path) -> str:
    """Name of a sibling: readers look for it under the spelling of the file that was named."""
    same = sibling.stem.lower() == source.stem.lower()
    return source.stem + sibling.suffix if same else sibling.name


def _checked(source: Path) -> Path:
    try:
        if not is_source(source):
            what = "is not a file" if source.exists() else "does not exist"
            raise SourceMissing(f"{source} {what}.", source=str(source))
        if source.is_dir():
            empty = not any(source.iterdir())
        else:
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


def _place(original: Path, target: Path) -> None:
    # Root's child has no capabilities, so it reads what root owns or everybody may read.
    if os.geteuid() != 0 or _open_to_all(original):
        target.symlink_to(original)
    else:
        shutil.copyfile(original, target)


def _open_to_all(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o4) and all(p.stat().st_mode & 0o1 for p in file.parents)
