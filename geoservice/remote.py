"""Remote sources of this installation: what the settings allow, and a snapshot in the state directory while it is used.

The snapshot lies in a private folder that goes with it. What a killed command left behind is removed by the next one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from geoservice.settings import Settings
from ingest.job import Fetched
from ingest.remote.client import RemoteLimits
from ingest.remote.fetch import RemoteAccess, fetch, is_remote
from ingest.remote.guard import Guard, parse_hosts

__all__ = ["access_of", "is_remote", "snapshot"]

_LEFT_BEHIND = re.compile(r"snapshot-(\d+)-\w+", re.ASCII)
_ORPHAN_SECONDS = 600.0
"""Age below which nothing is swept: process numbers of another container look dead from here."""


def access_of(settings: Settings) -> RemoteAccess:
    """What the settings allow to fetch."""
    return RemoteAccess(
        guard=Guard(parse_hosts(settings.remote_hosts)),
        databases={name: dsn.get_secret_value() for name, dsn in settings.remote_databases.items()},
        limits=RemoteLimits(seconds=settings.remote_seconds, total=settings.remote_max_bytes),
    )


@contextmanager
def snapshot(settings: Settings, address: str, progress: Callable[[int], None] | None = None) -> Iterator[Fetched]:
    """A snapshot of a remote source, there until the end of the block.

    Args:
        settings: Hosts, connections and limits.
        address: See `ingest.remote.fetch`.
        progress: Called with the number of features of each page.

    Raises:
        RemoteRefused, RemoteUnavailable, SourceError: See `ingest.remote.fetch.fetch`.
    """
    folder = settings.home / "remote"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix=f"snapshot-{os.getpid()}-", dir=folder) as directory:
        file, origin = fetch(address, Path(directory), access_of(settings), progress or (lambda _: None))
        yield Fetched(file, origin)


def _sweep(folder: Path) -> None:
    """Remove the snapshots of commands that were killed."""
    for path in folder.iterdir():
        match = _LEFT_BEHIND.fullmatch(path.name)
        if match is None or Path("/proc", match.group(1)).exists():
            continue
        if path.lstat().st_mtime < time.time() - _ORPHAN_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
