"""`geoservice jobs`: work on the queue, look at it, steer it."""

from __future__ import annotations

import datetime as dt
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from geoservice.cli import tables
from geoservice.cli.bars import bar
from geoservice.db.credentials import Role
from geoservice.db.provision import open_database
from geoservice.jobs import queue
from geoservice.jobs.intake import read_intake
from geoservice.jobs.model import Job, JobFilter, JobRequest, State
from geoservice.jobs.perform import options_of
from geoservice.jobs.runner import end_with_parent
from geoservice.jobs.schedule import remember, run
from geoservice.jobs.seeder import seed_low
from geoservice.jobs.worker import work
from geoservice.settings import load_settings
from ingest.chronicle import Intent, attempt
from ingest.job import plan
from layers.catalog import read_catalog
from layers.errors import BadParameter, SourceMissing
from layers.system import schedule as schedule_table

EXIT_NOT_DONE = 1
_FOLLOW_SECONDS = 0.3

commands = typer.Typer(help="Work on the queue of jobs; list, follow and cancel them.", no_args_is_help=True)
schedules = typer.Typer(help="Schedules of the watch file.", no_args_is_help=True)
commands.add_typer(schedules, name="schedule")
JobId = Annotated[int, typer.Argument(help="Number of the job.")]


def register(root: typer.Typer) -> None:
    """Add the group to the root application."""
    root.add_typer(commands, name="jobs")


@commands.command("work")
def work_command(
    once: Annotated[bool, typer.Option("--once", help="End when no job is waiting.")] = False,
    concurrency: Annotated[int | None, typer.Option(min=1, max=64, help="Jobs at the same time.")] = None,
    with_parent: Annotated[
        int | None, typer.Option(help="Number of the process that starts this one; end when that ends.")
    ] = None,
) -> None:
    """Do jobs until interrupted. A job under way goes back to the queue when its worker ends."""
    if with_parent is not None:
        end_with_parent(with_parent)
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    database, stop = open_database(settings), threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    after_ladder = seed_low if settings.tile_disk_mb else None
    work(database, stop, slots=concurrency or settings.job_concurrency, once=once, after_ladder=after_ladder)


@commands.command("add")
def add(
    layer: Annotated[str, typer.Argument(help="Layer, as name or theme/name.")],
    source: Annotated[Path, typer.Argument(help="File to load.")],
    mapping: Annotated[
        str | None, typer.Option(help="Source mapping of the layer; default: by the file's name.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report the counts and write nothing.")] = False,
    crs: Annotated[str | None, typer.Option(help="CRS of a source that states none, as EPSG:n.")] = None,
    datum: Annotated[str | None, typer.Option(help="Datum of a source that states no CRS, such as cgcs2000.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Higher goes first among layers.")] = 0,
) -> None:
    """Put a load into the queue and print the number of its job."""
    settings = load_settings()
    catalog = read_catalog(settings.layers_dir)
    found = catalog.layer(layer)
    asked = {"dry_run": dry_run, **{k: v for k, v in (("crs", crs), ("datum", datum)) if v is not None}}
    options = options_of(asked)
    database = open_database(settings)
    with attempt(database.sync_engine(Role.WRITER), Intent(found, source.name, mapping, options), "cli"):
        if not source.is_file():
            raise SourceMissing(f"There is no file {str(source)!r}.", source=source.name)
        name = plan(found, source, dict(catalog.codelists), mapping, options=options).mapping_name
    request = JobRequest(
        found.name,
        "cli",
        "cli",
        source.name,
        {"path": str(source.absolute())},
        name,
        options=asked,
        priority=priority,
    )
    with database.transaction(Role.WRITER) as connection:
        typer.echo(queue.submit(connection, request).id)


@commands.command("list")
def list_jobs(
    state: Annotated[
        list[str] | None, typer.Option(help="queued, running, done, refused, failed or cancelled; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most jobs to show.")] = 30,
) -> None:
    """List jobs, the newest first."""
    table = Table("job", "state", "layer", "source", "by", "phase", "rows", "edition", "created")
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        for job in queue.listing(
            connection, which=JobFilter(tuple(cast(State, one) for one in state or ())), limit=limit
        ):
            edition = "" if job.edition is None else str(job.edition)
            created = job.created.isoformat(" ", "seconds")
            phase = job.phase or "" if job.state == "running" else ""
            table.add_row(
                str(job.id), job.state, job.layer, job.source, job.principal, phase, str(job.rows), edition, created
            )
    tables.show(table)


@commands.command("show")
def show(job: JobId) -> None:
    """Show one job: what was asked, how it stands, what came of it."""
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        found = queue.get(connection, job)
    for name, value in _facts(found).items():
        typer.echo(f"{name:<9} {value}")


def _facts(job: Job) -> dict[str, object]:
    stamps = {n: getattr(job, n) for n in ("created", "started", "finished")}
    facts: dict[str, object | None] = {
        "job": job.id,
        "state": f"{job.state} ({job.phase})" if job.state == "running" else job.state,
        "layer": job.layer,
        "source": job.source,
        "mapping": job.mapping,
        "by": f"{job.principal} ({job.origin})",
        **{n: t.isoformat(" ", "seconds") if t else None for n, t in stamps.items()},
        "attempts": job.attempts,
        "rows": job.rows,
        "edition": job.edition,
        "report": job.load,
        "error": job.error["detail"] if job.error else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


@commands.command("cancel")
def cancel(job: JobId) -> None:
    """Cancel a job: a waiting one at once, a running one within two seconds."""
    with open_database(load_settings()).transaction(Role.WRITER) as connection:
        found = queue.cancel(connection, job)
    typer.echo(f"Job {job} is {'cancelled' if found.over else 'being cancelled'}.")


@commands.command("follow")
def follow(job: JobId) -> None:
    """Follow a job with a progress bar until it has ended; exit code 1 when it is not done."""
    database = open_database(load_settings())
    engine = database.sync_engine(Role.WRITER, pooled=True)
    with engine.connect() as connection:
        found = queue.get(connection, job)
        with bar(f"{found.layer} <- {found.source}") as display:
            while not found.over:
                display.show(found.phase or found.state, found.rows, found.total)
                time.sleep(_FOLLOW_SECONDS)
                connection.rollback()
                found = queue.get(connection, job)
    typer.echo(f"Job {job} is {found.state}.{'' if found.error is None else ' ' + found.error['detail']}")
    if found.state != "done":
        raise typer.Exit(EXIT_NOT_DONE)


@schedules.command("list")
def list_schedules() -> None:
    """List the schedules with their next time and their last job."""
    settings = load_settings()
    now, table = dt.datetime.now(dt.UTC), Table("schedule", "cron", "zone", "layer", "source", "next", "last job")
    with open_database(settings).transaction(Role.WRITER) as connection:
        last = {row.name: row.job for row in connection.execute(sa.select(schedule_table))}
    for entry in read_intake(settings.watch).schedules:
        following = entry.following(now).astimezone(ZoneInfo(entry.zone)).isoformat(" ", "minutes")
        job = last.get(entry.name)
        source = entry.source or "quarantine"
        table.add_row(entry.name, entry.cron, entry.zone, entry.layer, source, following, str(job or ""))
    Console().print(table)


@schedules.command("run")
def run_schedule(name: Annotated[str, typer.Argument(help="Name of the schedule.")]) -> None:
    """Make the job of a schedule now and print its number."""
    settings = load_settings()
    entry = next((s for s in read_intake(settings.watch).schedules if s.name == name), None)
    if entry is None:
        raise BadParameter(f"The watch file has no schedule {name!r}; `geoservice jobs schedule list` shows them.")
    catalog = read_catalog(settings.layers_dir)
    with open_database(settings).transaction(Role.WRITER) as connection:
        job = run(connection, catalog, entry)
        remember(connection, entry, job, dt.datetime.now(dt.UTC))
    typer.echo(job.id)
