"""Doing one job: from its row to the delivery, in the process of a runner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from geoservice.alerts.delivered import deliver
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.sync import definition_digest, require_mode, sync
from geoservice.jobs.execute import INCOMING, execute, expect
from geoservice.jobs.model import EXECUTION, Job, is_plain
from geoservice.jobs.queue import note
from geoservice.processes.model import Ask
from geoservice.remote import snapshot
from geoservice.settings import Settings
from ingest.chronicle import Intent, attempt
from ingest.delivery import Delivery
from ingest.editions import withdraw
from ingest.job import IngestReport, LoadOptions, Origin
from ingest.load import LoadTarget
from ingest.progress import Count
from ingest.replay import Left, replay
from ingest.set_aside import Wanted
from layers.catalog import Catalog, read_catalog
from layers.errors import BadParameter
from layers.system import layer_state

MOST_OWNER = 200
"""Most characters of the name of whoever delivered a source."""
# A server that waits for nobody would go on with the statement of a killed runner, and keep its locks.
_NOTICE = "-c client_connection_check_interval=1000"


@dataclass(frozen=True)
class Performer:
    """What a runner needs for any job.

    Attributes:
        settings: The settings.
        database: The database of the settings.
        ask: Puts questions to the service.
    """

    settings: Settings
    database: Database
    ask: Ask | None = None

    def perform(self, job: Job, progress: Count | None = None) -> IngestReport | None:
        """Do a job.

        Args:
            job: A job that is claimed; its attempt is written into the outcome.
            progress: Told of rows and phases.

        Returns:
            The report of the last load; None when there was nothing to load.

        Raises:
            GeoError: When it is refused; nothing was changed.
        """
        ways = {"load": self._load, "replay": self._replay, "withdrawal": self._withdraw}
        catalog = read_catalog(self.settings.layers_dir)
        if job.kind == EXECUTION:
            execute(self.settings, self.database, catalog, job, partial(expect, progress), self.ask)
            return None
        if job.kind not in ways:
            raise BadParameter(f"Jobs of the kind {job.kind!r} are not known here; {', '.join(ways)} are.")
        self._ensure_tables(catalog, job.layer)
        options = replace(options_of(job.options), job=job.id, attempt=job.attempts)
        return ways[job.kind](job, catalog, options, progress)

    def _load(self, job: Job, catalog: Catalog, options: LoadOptions, progress: Count | None) -> IngestReport:
        target = self._target()
        with self._at_hand(job, Intent(catalog.layer(job.layer), job.source, job.mapping, options), target) as source:
            delivery = Delivery(job.layer, source[0], job.mapping, options, source[1])
            return deliver(self.database, catalog, target, delivery, principal=job.principal, progress=progress)

    def _replay(self, job: Job, catalog: Catalog, options: LoadOptions, progress: Count | None) -> IngestReport | None:
        wanted = wanted_of(job.layer, job.place)

        def tell(left: list[Left]) -> None:
            detail = " ".join(map(str, left))
            with self.database.transaction(Role.WRITER) as connection:
                note(connection, job, {"kind": "RowsLeft", "title": "Rows stay in quarantine", "detail": detail})

        target = self._target()
        done = replay(catalog, target, wanted, principal=job.principal, options=options, progress=progress, tell=tell)
        return done.reports[-1] if done.reports else None

    def _withdraw(self, job: Job, catalog: Catalog, options: LoadOptions, _: Count | None) -> IngestReport:
        layer, number, reason = catalog.layer(job.layer), int(job.place["edition"]), str(job.place["reason"])
        return withdraw(layer, self._target(), number, principal=job.principal, reason=reason, options=options)

    @contextmanager
    def _at_hand(self, job: Job, intent: Intent, target: LoadTarget) -> Iterator[tuple[Path, Origin | None]]:
        """The source as a file: itself, or a snapshot of a remote one; a fetch that fails leaves a report."""
        if "remote" not in job.place:
            yield place_of(self.settings, job.place), None
            return
        with ExitStack() as stack:
            with attempt(target.engine, intent, job.principal):
                fetched = stack.enter_context(snapshot(self.settings, str(job.place["remote"])))
            yield fetched.file, fetched.origin

    def _target(self) -> LoadTarget:
        dsn = make_conninfo(self.database.dsn(Role.WRITER), options=_NOTICE)
        engine = sa.create_engine("postgresql+psycopg://", poolclass=sa.NullPool, creator=lambda: psycopg.connect(dsn))
        return LoadTarget(engine, dsn, self.settings.home / "rasters")

    def _ensure_tables(self, catalog: Catalog, name: str) -> None:
        """Reconcile the tables when the layer's definition is another one than they were made for."""
        layer = catalog.layer(name)
        known = sa.select(layer_state.c.definition).where(layer_state.c.layer == layer.name)
        with self.database.transaction(Role.WRITER) as connection:
            if connection.execute(known).scalar() == definition_digest(layer):
                return
        with self.database.transaction(Role.OWNER) as connection:
            sync(connection, catalog, self.settings.role_prefix, require_mode(connection))


def options_of(asked: dict[str, Any]) -> LoadOptions:
    """The load options that a job was given.

    Raises:
        BadParameter: When one is unknown or has another type.
    """
    kinds: dict[str, type] = {"repair": bool, "dry_run": bool, "owner": str, "crs": str, "datum": str}
    for name, value in asked.items():
        if name not in kinds:
            raise BadParameter(f"A job has the options {', '.join(kinds)}; {name[:40]!r} is none.", parameter=name[:40])
        if value is not None and not isinstance(value, kinds[name]):
            wanted = "true or false" if kinds[name] is bool else "a text"
            raise BadParameter(f"The option {name} is {wanted}.", parameter=name)
        if isinstance(value, str) and not is_plain(value, MOST_OWNER):
            raise BadParameter(f"The option {name} is one line of at most {MOST_OWNER} characters.", parameter=name)
    return LoadOptions(**{name: value for name, value in asked.items() if value is not None})


def wanted_of(layer: str, place: dict[str, Any]) -> Wanted:
    """The rows of quarantine that a job replays."""
    asked = place["quarantine"]
    ids = None if asked.get("ids") is None else tuple(asked["ids"])
    return Wanted(layer, asked.get("source"), asked.get("reason"), "open", ids)


def place_of(settings: Settings, place: dict[str, Any]) -> Path:
    """The file of a job's source."""
    if "folder" in place:
        return settings.home / INCOMING / str(place["folder"]) / str(place["file"])
    return Path(str(place["path"]))
