"""Reading PostgreSQL's own lock file, to tell a living server from the trace of a dead one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"
PID_FILE_LINES = 8


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The first lines of postmaster.pid: process number, folder, socket folder, state."""

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
    """Read postmaster.pid.

    Returns:
        None when there is no such file or it is not complete enough to name a process.
    """
    try:
        lines = (data_dir / PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].strip().lstrip("-").isdigit():
        return None
    lines += [""] * (PID_FILE_LINES - len(lines))
    socket = Path(lines[4]) if lines[4] else None
    return Postmaster(abs(int(lines[0])), data_dir, socket, lines[7].strip())
