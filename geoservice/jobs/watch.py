"""Watched folders: what is put there becomes a job, and is put away with its report when the job has ended.

Folders are looked at again and again, which works on network drives too. Nothing is remembered but the jobs: a file
belongs to the job that was made for its path and has not been put away, so that a restart at any moment neither
forgets a file nor loads it twice.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from geoservice.jobs import queue
from geoservice.jobs.intake import WatchedFolder
from geoservice.jobs.model import Job, JobRequest
from ingest.chronicle import Intent, attempt
from ingest.family import SIBLINGS, identity, is_source, members
from ingest.job import LoadOptions, plan
from layers.catalog import Catalog
from layers.errors import GeoError, SourceMismatch
from layers.system import job as table
from layers.system import load_report

DONE, REFUSED = "done", "refused"
WATCHER = "watch"
FINISHED = ".done"
"""`parcels.gpkg.done` says that `parcels.gpkg` is complete; it goes with it."""
_TEMPORARY = re.compile(
    r"^[.~]|~$|\.(part|partial|tmp|temp|filepart|crdownload|download|swp|lock|report\.json|done)$", re.IGNORECASE
)
_COMPANIONS = frozenset().union(*SIBLINGS.values())
_log = logging.getLogger(__name__)
Stamp = tuple[tuple[str, int, int], ...]


@dataclass
class _Seen:
    """What stood at a path when it was looked at, and since when it stands so."""

    stamp: Stamp
    since: float


class Watcher:
    """Looks after one folder. Callers take care that one watcher at a time does so."""

    def __init__(self, engine: sa.Engine, catalog: Catalog, entry: WatchedFolder) -> None:
        """Look after the folder of an entry of the watch file."""
        self._engine = engine
        self._catalog = catalog
        self._entry = entry
        self._seen: dict[Path, _Seen] = {}

    def scan(self) -> None:
        """Look once: make jobs for what is complete, put away what is done."""
        try:
            sources = list(self._sources())
        except OSError as error:
            _log.warning("the watched folder %s cannot be read: %s", self._entry.folder, error.strerror)
            return
        self._seen = {path: seen for path, seen in self._seen.items() if path in sources}
        open_jobs = self._unfiled()
        for path in sources:
            try:
                self._attend(path, open_jobs.pop(path, None))
            except (OSError, GeoError) as error:
                _log.warning("%s is looked at again later: %s", path.name, error)
        for job in open_jobs.values():
            # Its file is gone: it was put away before the note of it was committed, or somebody took it back.
            if job.over:
                self._note_filed(job)

    def _sources(self) -> Iterator[Path]:
        for path in sorted(self._entry.folder.iterdir()):
            if _TEMPORARY.search(path.name) or path.is_symlink() or not is_source(path):
                continue
            if path.suffix.lower() not in _COMPANIONS or not self._has_main(path):
                yield path

    def _has_main(self, companion: Path) -> bool:
        """Whether a companion waits for, or belongs to, a file of the same stem that comes with such companions."""
        kinds = {main for main, wanted in SIBLINGS.items() if companion.suffix.lower() in wanted}
        alone = companion.suffix.lower() == ".dbf" and not any(
            p.suffix.lower() in kinds | _COMPANIONS - {".dbf"} and p.stem == companion.stem
            for p in self._entry.folder.iterdir()
        )
        return not alone

    def _unfiled(self) -> dict[Path, Job]:
        mine = (table.c.origin == "watch") & table.c.filed.is_(None)
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(*table.c).where(mine).order_by(table.c.id)).all()
        jobs = (Job.from_row(row) for row in rows)
        found = {Path(str(job.place["path"])): job for job in jobs}
        return {path: job for path, job in found.items() if path.parent == self._entry.folder}

    def _attend(self, path: Path, job: Job | None) -> None:
        if job is not None:
            if job.over:
                self._conclude(path, job)
            return
        if not self._settled(path):
            return
        try:
            self._submit(path)
        except SourceMismatch as error:
            self._put_away(path, REFUSED, {"state": REFUSED, "error": error.detail})

    def _settled(self, path: Path) -> bool:
        """Whether the source stands still for long enough, or its end was announced."""
        stamp = _stamp(path)
        seen = self._seen.get(path)
        if seen is None or seen.stamp != stamp:
            self._seen[path] = seen = _Seen(stamp, time.monotonic())
        announced = path.with_name(path.name + FINISHED).is_file()
        return announced or time.monotonic() - seen.since >= self._entry.settle

    def _submit(self, path: Path) -> None:
        before = _stamp(path)
        if not all(_is_text(name) for name, _, _ in before):
            raise SourceMismatch("Names of files are text in UTF-8; those of this source are not. Rename them.")
        _, sha256 = identity(path)
        if _stamp(path) != before:
            return
        layer, mapping = self._destination(path)
        place = {"path": str(path), "stamp": [list(part) for part in before]}
        options = {"owner": self._entry.owner} if self._entry.owner else {}
        request = JobRequest(layer, WATCHER, "watch", path.name, place, mapping, sha256, options)
        with self._engine.begin() as connection:
            former = _loaded_last(connection, request)
            if former is None:
                job = queue.submit(connection, request)
                _log.info("%s is job %s", path.name, job.id)
                return
        self._put_away(
            path, DONE, {"state": "done", "layer": layer, "job": former, "note": "Loaded before as this job."}
        )

    def _destination(self, path: Path) -> tuple[str, str]:
        """Layer and mapping of a file.

        Raises:
            SourceMismatch: When none fits, or several do.
        """
        lists, entry = dict(self._catalog.codelists), self._entry
        if entry.layer is not None:
            layer = self._catalog.layer(entry.layer)
            intent = Intent(layer, path.name, entry.mapping, LoadOptions(owner=entry.owner))
            with attempt(self._engine, intent, WATCHER):
                return layer.name, plan(layer, path, lists, entry.mapping).mapping_name
        fits = []
        for layer in self._catalog:
            try:
                fits.append((layer.name, plan(layer, path, lists, entry.mapping).mapping_name))
            except SourceMismatch:
                continue
        if len(fits) != 1:
            names = ", ".join(name for name, _ in fits) or "none"
            raise SourceMismatch(f"One layer has a mapping for {path.name} if it is to be loaded; here: {names}.")
        return fits[0]

    def _conclude(self, path: Path, job: Job) -> None:
        """Put the source of a job that has ended away, unless something else stands there by now."""
        if [list(part) for part in _stamp(path)[:1]] == job.place.get("stamp", [])[:1]:
            with self._engine.begin() as connection:
                kept = sa.select(load_report.c.report).where(load_report.c.job == job.id).order_by(load_report.c.id)
                reports = connection.execute(kept).scalars().all()
            facts = {"job": job.id, "state": job.state, "layer": job.layer, "mapping": job.mapping}
            report = reports[-1] if reports else None
            document = {**facts, "edition": job.edition, "error": job.error, "report": report}
            self._put_away(path, DONE if job.state == "done" else REFUSED, document)
        self._note_filed(job)

    def _note_filed(self, job: Job) -> None:
        with self._engine.begin() as connection:
            connection.execute(sa.update(table).where(table.c.id == job.id).values(filed=sa.func.now()))

    def _put_away(self, path: Path, where: str, document: dict[str, Any]) -> None:
        """Move a source with its companions and its report; the named file goes last, so that a break can be mended."""
        folder = self._entry.folder / where
        if folder.is_symlink():
            # Whoever may deliver here must not choose where else this process writes.
            raise OSError(f"{where} is a link, and not a folder of the watched one")
        folder.mkdir(exist_ok=True)
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
        family = [path] if path.is_dir() else [p for p in members(path) if p != path] + [path]
        taken = any((folder / p.name).exists() for p in family)
        text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
        report = folder / f"{_name(path, stamp, taken)}.report.json"
        report.write_text(text, encoding="utf-8")
        path.with_name(path.name + FINISHED).unlink(missing_ok=True)
        for file in family:
            os.rename(file, folder / _name(file, stamp, taken))
        _log.info("%s was put into %s", path.name, where)


def _name(path: Path, stamp: str, taken: bool) -> str:
    return f"{path.stem}-{stamp}{path.suffix}" if taken else path.name


def _is_text(name: str) -> bool:
    """Whether a name can be kept: Linux allows bytes that are no UTF-8, and Python stands in half characters."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _stamp(path: Path) -> Stamp:
    """Name, size and time of all files of a source; the named one comes first."""
    files = sorted(path.iterdir()) if path.is_dir() else [path, *(p for p in members(path) if p != path)]
    return tuple((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files)


def _loaded_last(connection: sa.Connection, request: JobRequest) -> int | None:
    """The job that loaded this very content by this mapping, when nothing else was loaded into the layer since."""
    done = (table.c.layer == request.layer) & (table.c.state == "done") & table.c.edition.is_not(None)
    last = sa.select(table.c.id, table.c.sha256, table.c.mapping).where(done).order_by(table.c.id.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    same = row is not None and (row.sha256, row.mapping) == (request.sha256, request.mapping)
    return int(row.id) if row is not None and same else None
