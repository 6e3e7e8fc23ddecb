"""Carrying a process out as a job: in the process of a runner, with the rights that its principal has now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.reading import Reading
from geoservice.db.sync import require_mode
from geoservice.jobs.model import Job
from geoservice.jobs.results import make_folder
from geoservice.processes.model import Ask, Execution, Tell, checked
from geoservice.processes.registry import find_process
from geoservice.settings import Settings
from layers.access import Clearance, Principal
from layers.catalog import Catalog
from layers.errors import NotAuthenticated
from layers.system import api_key

INCOMING = "incoming"
"""Folder of the state directory that keeps the uploaded files of waiting jobs, one folder for each."""
_READ_ONLY = {"default_transaction_read_only": "on", "jit": "off"}


@runtime_checkable
class Expectant(Protocol):
    """Somebody who wants to hear how much is done, and of how much."""

    def expect(self, rows: int, total: int | None, /) -> None:
        """Hear how many rows are done in all."""


def expect(progress: object, rows: int, total: int | None) -> None:
    """Tell a listener how many rows are done in all, and of how many; others do not care."""
    if isinstance(progress, Expectant):
        progress.expect(rows, total)


def execute(
    settings: Settings, database: Database, catalog: Catalog, job: Job, tell: Tell, ask: Ask | None = None
) -> None:
    """Do a job of the kind `execution`; its results lie in its folder afterwards.

    Args:
        settings: The settings.
        database: The database.
        catalog: The layers.
        job: The job.
        tell: Told how much is done.
        ask: Puts questions to the service.

    Raises:
        NotAuthenticated: When the key that asked was revoked.
        GeoError: What the process refuses.
    """
    process = find_process(str(job.options["process"]))
    with database.transaction(Role.WRITER) as connection:
        principal = principal_of(connection, job.principal)
    inputs = checked(process, job.options["inputs"])
    brought = str(job.place.get("folder", ""))
    folders = make_folder(settings, job.id), settings.home / INCOMING / brought if brought else None
    with begun(database, catalog, principal, folders, tell) as execution:
        execution.ask = ask
        process.run(execution, inputs)
    execution.conclude()


@contextmanager
def begun(
    database: Database, catalog: Catalog, principal: Principal, folders: tuple[Path, Path | None], tell: Tell
) -> Iterator[Execution]:
    """An execution for a principal, with connections of their reader that are closed at the end.

    Args:
        database: The database.
        catalog: The layers.
        principal: For whom.
        folders: Where results go, and where files that came with the request lie.
        tell: Told how much is done.
    """
    with database.transaction(Role.WRITER) as connection:
        schema = Reading(require_mode(connection)).schema(principal.clearance)
    engine = database.sync_engine(Role.reader(principal.clearance), limits=_READ_ONLY)
    try:
        yield Execution(principal, catalog, database.settings, engine, schema, *folders, tell)
    finally:
        engine.dispose()


def principal_of(connection: sa.Connection, key_id: str) -> Principal:
    """Who holds a key, with the rights that it has now.

    Raises:
        NotAuthenticated: When the key was revoked.
    """
    wanted = sa.select(api_key.c.clearance, api_key.c.rights).where(api_key.c.id == key_id, api_key.c.revoked.is_(None))
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotAuthenticated("The API key that asked for this job is not valid any more.")
    return Principal(key_id, Clearance(row.clearance), frozenset(row.rights))
