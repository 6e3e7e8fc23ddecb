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
_MAP = "map"
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
    return file_of(settings, number, name).read_bytes()


def file_of(settings: Settings, number: str, name: str) -> Path:
    """Where a file of a report lies, by format.

    Raises:
        UnknownResource: When it is not there.
    """
    file = settings.home / FOLDER / number / _FILES[name]
    if not _ID.fullmatch(number) or not file.is_file():
        raise UnknownResource(f"The file of report {number[:40]} is not there any more.")
    return file


def files_of(settings: Settings, number: str) -> dict[str, bytes]:
    """All files of a report by their names; its map lies in a folder of its own and is not among them."""
    files = (file for file in sorted(path_of(settings, number).iterdir()) if file.is_file())
    return {file.name: file.read_bytes() for file in files}


def map_folder(settings: Settings, number: str) -> Path:
    """Where the map of a report lies once it has been made."""
    return path_of(settings, number) / _MAP


def keep_map(settings: Settings, number: str, made: Path) -> None:
    """Put a finished map beside the files of its report; when another process was quicker, that one stays.

    Raises:
        UnknownResource: When the report has gone in the meantime.
    """
    target = map_folder(settings, number)
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise UnknownResource(f"The files of report {number[:40]} are not there any more.") from None


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
