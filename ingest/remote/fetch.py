"""From a remote address to a file on this machine: the step before the confined reader.

Addresses are `https://host/collections/name` (OGC API - Features), `wfs:https://host/path?typeNames=prefix:name`
(WFS 2.0) and `postgresql:connection/schema.table` (a connection that the settings name). Either the whole source is
fetched, or nothing is loaded.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.job import Origin
from ingest.remote import ogc_features, postgis, wfs
from ingest.remote.client import Client, RemoteLimits
from ingest.remote.guard import Guard, redacted
from ingest.remote.snapshot import Progress, Snapshot, sha256_of, silent
from layers.errors import RemoteRefused

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
_TABLE = re.compile(r"^postgresql:(?P<connection>[a-z][a-z0-9_-]*)/(?P<table>(?:[^./\x00]+\.)?[^./\x00]+)$")
_PLAIN = re.compile(r"[^0-9A-Za-z_.\u4e00-\u9fff-]+")
_LONGEST_NAME = 60


@dataclass(frozen=True)
class RemoteAccess:
    """What this installation may fetch.

    Attributes:
        guard: The gate of hosts.
        databases: Name of a connection -> its libpq address.
        limits: Seconds, bytes and pages of a snapshot.
    """

    guard: Guard = field(default_factory=lambda: Guard(()))
    databases: Mapping[str, str] = field(default_factory=dict)
    limits: RemoteLimits = field(default_factory=RemoteLimits)


def is_remote(source: str) -> bool:
    """Whether a source is an address and no file: it begins with a scheme, and no file of that name exists."""
    return _SCHEME.match(source) is not None and not Path(source).exists()


def fetch(address: str, directory: Path, access: RemoteAccess, progress: Progress = silent) -> tuple[Path, Origin]:
    """Fetch a snapshot of a remote source.

    Args:
        address: As above.
        directory: An empty directory for the snapshot.
        access: What may be fetched.
        progress: Called with the number of features of each page.

    Returns:
        The file, and where it came from.

    Raises:
        RemoteRefused: When the scheme, host, address or connection is not allowed.
        RemoteUnavailable: When the source does not answer as it should; nothing is kept.
        SourceUnreadable: When it holds nothing.
    """
    scheme = _SCHEME.match(address)
    kind = scheme.group(1).lower() if scheme else ""
    if kind == "postgresql":
        return _table(address, directory, access, progress)
    if kind == "wfs":
        plain = address.partition(":")[2]
        access.guard.require_host(plain)
        file = directory / f"{_name(_parameter(plain))}.gml"
        snapshot = Snapshot(file, wfs.HEAD, wfs.TAIL, progress)
        return _pages(wfs.fetch_pages, "wfs", plain, snapshot, access)
    if kind in ("http", "https"):
        access.guard.require_host(address)
        file = directory / f"{_name(_collection(address))}.geojsonl"
        return _pages(ogc_features.fetch_pages, "ogc-features", address, Snapshot(file, b"", b"", progress), access)
    raise RemoteRefused(f"The scheme {kind[:20]!r} is not fetched; remote sources are http, https, wfs and postgresql.")


def _pages(
    way: Callable[[Client, str, Snapshot], None],
    kind: Literal["ogc-features", "wfs"],
    address: str,
    snapshot: Snapshot,
    access: RemoteAccess,
) -> tuple[Path, Origin]:
    started = dt.datetime.now(dt.UTC)
    with snapshot, Client(access.guard, access.limits) as client:
        way(client, address, snapshot)
        findings = snapshot.finish()
        pages = client.pages
    where = f"wfs:{redacted(address)}" if kind == "wfs" else redacted(address)
    origin = Origin(
        address=where,
        kind=kind,
        fetched=started,
        pages=pages,
        features=snapshot.features,
        sha256=sha256_of(snapshot.file),
        findings=findings,
    )
    return snapshot.file, origin


def _table(address: str, directory: Path, access: RemoteAccess, progress: Progress) -> tuple[Path, Origin]:
    match = _TABLE.match(address)
    if match is None:
        raise RemoteRefused(
            "A remote table is named postgresql:connection/schema.table, with a connection that the settings name; "
            "addresses of databases and passwords do not belong into a command."
        )
    dsn = access.databases.get(match["connection"])
    if dsn is None:
        known = ", ".join(sorted(access.databases)) or "none"
        raise RemoteRefused(f"The settings name no remote database {match['connection']!r}; known: {known}.")
    started = dt.datetime.now(dt.UTC)
    file = directory / f"{_name(match['table'].rpartition('.')[2])}.gpkg"
    rows = postgis.fetch_table(dsn, match["table"], file, access.limits, progress)
    return file, Origin(
        address=address, kind="postgis", fetched=started, pages=1, features=rows, sha256=sha256_of(file), findings=()
    )


def _collection(address: str) -> str:
    path = address.partition("?")[0].rstrip("/").removesuffix("/items")
    return path.rpartition("/")[2]


def _parameter(address: str) -> str:
    query = address.partition("?")[2]
    pairs = (p.partition("=") for p in query.split("&"))
    return next((v for k, _, v in pairs if k.upper() in ("TYPENAMES", "TYPENAME")), "features")


def _name(text: str) -> str:
    return _PLAIN.sub("_", text)[:_LONGEST_NAME].strip("._") or "features"
