"""What executions leave: a folder `results/<job>` of the state directory for each, until it expires."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from geoservice.processes.model import MANIFEST
from geoservice.settings import Settings

RESULTS = "results"
_FOLDER_MODE = 0o700
_HOUR = 3600.0


def results_folder(settings: Settings, job_id: int) -> Path:
    """Where the results of a job lie, whether they are there or not."""
    return settings.home / RESULTS / str(job_id)


def make_folder(settings: Settings, job_id: int) -> Path:
    """The folder of a job's results, made if need be; what an earlier attempt left in it is still there."""
    folder = results_folder(settings, job_id)
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    return folder


def discard_results(settings: Settings, job_id: int) -> None:
    """Remove what a job left."""
    shutil.rmtree(results_folder(settings, job_id), ignore_errors=True)


def sweep_results(settings: Settings, needed: set[int]) -> int:
    """Remove results that have expired, and parts of jobs that have ended without any; returns how many.

    Args:
        settings: For the state directory and the age.
        needed: Numbers of jobs that wait or run.
    """
    root, removed = settings.home / RESULTS, 0
    for folder in root.iterdir() if root.is_dir() else ():
        manifest = folder / MANIFEST
        finished = manifest.exists()
        number = int(folder.name) if folder.name.isdigit() else -1
        age = time.time() - (manifest if finished else folder).stat().st_mtime
        # A folder without a manifest that nobody needs belongs to a job that was cancelled or failed.
        limit = settings.result_expiry_hours * _HOUR if finished else _HOUR
        if number not in needed and age > limit:
            discard_results(settings, number)
            removed += 1
    return removed
