"""Bring a source into a folder: from a local mirror, from the bundled data, or over the network."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geoservice.sources.download import DEFAULT_LIMIT, Download, Progress, download
from geoservice.sources.errors import NoOrigin
from geoservice.sources.mirror import find_bundled, find_in_mirror, sha256_of
from geoservice.sources.registry import OpenSource

OriginName = Literal["mirror", "bundled", "network", "present"]


@dataclass(frozen=True)
class Origins:
    """Where copies may come from.

    Attributes:
        mirror: Folder of a local mirror, or None.
        bundled: Folder of the data that the front-end packages brought, or None.
        network: Whether providers may be asked.
        limit: Most bytes of one download.
    """

    mirror: Path | None = None
    bundled: Path | None = None
    network: bool = True
    limit: int = DEFAULT_LIMIT


@dataclass(frozen=True)
class Fetched:
    """A copy at hand: file, where it came from, SHA-256, size in bytes, bytes kept of a broken transfer."""

    source: OpenSource
    path: Path
    origin: OriginName
    sha256: str
    size: int
    resumed: int = 0


def locate(source: OpenSource, origins: Origins) -> Path | None:
    """A checked copy on this machine (mirror first, then bundle), where it lies; None when there is none.

    Raises:
        ConfigurationError: When the mirror is not one.
        ChecksumMismatch: When a copy is not what it should be.
    """
    if origins.mirror is not None:
        found = find_in_mirror(source, origins.mirror)
        if found is not None:
            return found
    return None if origins.bundled is None else find_bundled(source, origins.bundled)


def fetch(source: OpenSource, into: Path, origins: Origins, progress: Progress | None = None) -> Fetched:
    """Put a checked copy of a source into a folder, under the name that the layer mappings match.

    A pinned copy that already lies there is kept. A live source is asked for anew each time.

    Raises:
        NoOrigin: When no origin has it.
        ChecksumMismatch: When what came is not what was expected; nothing is kept then.
        DownloadFailed: When the provider is away, refuses or sends too much.
        ConfigurationError: When the mirror is not one.
    """
    target = into / source.name
    if not source.live and target.is_file() and sha256_of(target) == source.sha256:
        return _fetched(source, target, "present")
    local = locate(source, origins)
    if local is not None:
        _copy(local, target)
        bundled = origins.bundled is not None and local.parent == origins.bundled
        return _fetched(source, target, "bundled" if bundled else "mirror")
    if source.url is None or not origins.network:
        raise NoOrigin(_explain(source, origins), source=source.id)
    resumed = download(Download(source.url, target, source.sha256, origins.limit), progress)
    return _fetched(source, target, "network", resumed)


def _fetched(source: OpenSource, path: Path, origin: OriginName, resumed: int = 0) -> Fetched:
    return Fetched(source, path, origin, sha256_of(path), path.stat().st_size, resumed)


def _copy(local: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(local, part)
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(target)


def _explain(source: OpenSource, origins: Origins) -> str:
    tried = "the mirror does not list it" if origins.mirror is not None else "GEOSERVICE_DATA names no mirror"
    if source.url is not None:
        return f"{source.id} is not at hand: {tried}, and the network is switched off."
    return f"{source.id} is not at hand: {tried}, and it has no address of its own; see {source.home}."
