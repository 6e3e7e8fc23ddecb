"""The files of kept reports: a folder `reports/<id>` of the state directory for each, whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from geoservice.reports.carrier import JSON_NAME
from geoservice.reports.made import NAMES, Made
from geoservice.settings import Settings
from layers.errors import UnknownResource

FOLDER = "reports"
_ID = re.compile(r"[0-9a-f]{32}")
_MODE = 0o700
_HOUR = 3600.0
_FILES = {"json": JSON_NAME, **NAMES}


def put(settings: Settings, made: Made) -> int:
    """Write the files of a report; returns their bytes."""
    root, number = settings.home / FOLDER, made.sealed.manifest.id
    fresh = root / f".{number}"
    fresh.mkdir(mode=_MODE, parents=True, exist_ok=True)
    files = {"json": made.sealed.as_json(), **made.files}
    for name, body in files.items():
        with (fresh / _FILES[name]).open("wb") as handle:
            handle.write(body)
            handle.flush()
            os.fsync(handle.fileno())
    fresh.rename(root / number)
    return sum(map(len, files.values()))


def get(settings: Settings, number: str, name: str) -> bytes:
    """A file of a report, by format.

    Raises:
        UnknownResource: When it is not there.
    """
    file = settings.home / FOLDER / number / _FILES[name]
    if not _ID.fullmatch(number) or not file.is_file():
        raise UnknownResource(f"The file of report {number[:40]} is not there any more.")
    return file.read_bytes()


def remove(settings: Settings, number: str) -> None:
    """Remove the files of a report."""
    if _ID.fullmatch(number):
        shutil.rmtree(settings.home / FOLDER / number, ignore_errors=True)


def sweep(settings: Settings, known: set[str]) -> int:
    """Remove files that belong to no report; returns of how many. What is being written is left alone."""
    root, removed = settings.home / FOLDER, 0
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in known and time.time() - folder.stat().st_mtime > _HOUR:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def path_of(settings: Settings, number: str) -> Path:
    """The folder of a report."""
    return settings.home / FOLDER / number
