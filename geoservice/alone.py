"""One process at a time: what is made for all processes of this machine is made by one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether this process may make what a folder keeps; another one does while it is False. Nobody waits.

    Raises:
        OSError: When the folder cannot be made or written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
