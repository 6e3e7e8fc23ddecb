"""A local mirror: a folder with a `MANIFEST.csv` that names each file and its SHA-256."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from geoservice.sources.errors import ChecksumMismatch
from geoservice.sources.registry import OpenSource
from layers.errors import ConfigurationError

MANIFEST = "MANIFEST.csv"
_BLOCK = 1 << 20


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read_manifest(mirror: Path) -> dict[str, str]:
    """File -> SHA-256 of a mirror.

    Raises:
        ConfigurationError: When the folder has no readable manifest with the columns file and sha256.
    """
    path = mirror / MANIFEST
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"GEOSERVICE_DATA names {mirror}, which has no readable {MANIFEST}; expected a mirror of open data."
        ) from error
    if rows and not {"file", "sha256"} <= rows[0].keys():
        raise ConfigurationError(f"{path} lacks the column file or sha256.")
    return {row["file"]: row["sha256"].lower() for row in rows}


def find_in_mirror(source: OpenSource, mirror: Path) -> Path | None:
    """The mirror's copy of a source, checked byte for byte, or None when the mirror does not list it.

    Raises:
        ConfigurationError: When the folder is no mirror, or lists a file that is not there.
        ChecksumMismatch: When the copy differs from the manifest or from the registry.
    """
    listed = read_manifest(mirror).get(source.file or "")
    if source.file is None or listed is None:
        return None
    path = mirror / source.file
    if not path.is_file():
        raise ConfigurationError(f"The mirror {mirror} lists {source.file}, but the file is not there.")
    require_checksum(path, listed, source.id)
    if source.sha256 is not None and listed != source.sha256:
        raise ChecksumMismatch(
            f"The mirror's copy of {source.id} is another version: its SHA-256 is {listed}, expected {source.sha256}.",
            source=source.id,
        )
    return path


def find_bundled(source: OpenSource, folder: Path) -> Path | None:
    """The copy that the front-end packages brought, or None when there is none.

    Raises:
        ChecksumMismatch: When it differs from the registry.
    """
    if source.bundled is None:
        return None
    path = folder / source.bundled
    if not path.is_file():
        return None
    if source.sha256 is not None:
        require_checksum(path, source.sha256, source.id)
    return path


def require_checksum(file: Path, expected: str, source_id: str) -> None:
    """Check a file against a SHA-256.

    Raises:
        ChecksumMismatch: Naming both sums.
    """
    found = sha256_of(file)
    if found != expected:
        raise ChecksumMismatch(
            f"{file.name} of source {source_id} has SHA-256 {found}, expected {expected}.", source=source_id
        )
