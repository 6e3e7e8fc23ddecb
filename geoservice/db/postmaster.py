"""Reading PostgreSQL's own lock files, to tell a living server from the trace of a dead one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"
LOCK_LINES = 8


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The first lines of a lock file: process number, folder, socket folder, state."""

    pid: int
    data_dir: Path
    socket_dir: Path | None
    state: str

    @property
    def alive(self) -> bool:
        """True when that process exists and works in this data folder (numbers are reused after a reboot)."""
        try:
            return Path(f"/proc/{self.pid}/cwd").readlink() == self.data_dir.resolve()
        except OSError:
            return False

    @property
    def number_taken(self) -> bool:
        """True when some process bears the number, ours or not (also one that waits to be reaped)."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def read_postmaster(data_dir: Path) -> Postmaster | None:
    """Read postmaster.pid of a data folder.

    Returns:
        None when there is no such file or it is not complete enough to name a process.
    """
    return read_lock(data_dir / PID_FILE)


def read_lock(path: Path) -> Postmaster | None:
    """Read a lock file of PostgreSQL: postmaster.pid, or the one beside the socket (same form).

    Returns:
        None when there is no such file or it is not complete enough to name a process.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines += [""] * (LOCK_LINES - len(lines))
    number = lines[0].strip().lstrip("-")
    if not number.isdigit() or not lines[1]:
        return None
    return Postmaster(int(number), Path(lines[1]), Path(lines[4]) if lines[4] else None, lines[7].strip())
