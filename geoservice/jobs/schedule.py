"""Schedules: jobs that are made at planned times, once for each, and once for all that were missed."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from geoservice.jobs import queue
from geoservice.jobs.intake import Schedule
from geoservice.jobs.model import Job, JobRequest, replay_request
from ingest.remote.fetch import is_remote
from ingest.set_aside import Wanted
from layers.catalog import Catalog
from layers.system import job as job_table
from layers.system import schedule as table

SCHEDULER = "schedule"


def tick(connection: sa.Connection, catalog: Catalog, schedule: Schedule, now: dt.datetime) -> Job | None:
    """Make the job of a schedule when a planned time has come since the last one that was dealt with.

    The first time a schedule is seen, nothing is made up for. Times missed while nobody was there give one job. While
    the former job of the schedule waits or runs, no further one is made. The job and the mark that its time was dealt
    with are one transaction: a time is never dealt with twice.

    Args:
        connection: In a transaction; one caller at a time.
        catalog: The layers.
        schedule: The schedule.
        now: The time.
    """
    known = connection.execute(sa.select(table).where(table.c.name == schedule.name).with_for_update()).one_or_none()
    latest = schedule.latest(now)
    if known is None:
        # Planned times count from now on; the mark must not lie before a time that is still to come.
        connection.execute(sa.insert(table).values(name=schedule.name, planned=now))
        return None
    if latest <= known.planned:
        return None
    job = None if _under_way(connection, known.job) else run(connection, catalog, schedule)
    values = {"planned": latest, "job": known.job if job is None else job.id}
    connection.execute(sa.update(table).where(table.c.name == schedule.name).values(**values))
    return job


def _under_way(connection: sa.Connection, number: int | None) -> bool:
    if number is None:
        return False
    state = connection.execute(sa.select(job_table.c.state).where(job_table.c.id == number)).scalar()
    return state in ("queued", "running")


def run(connection: sa.Connection, catalog: Catalog, schedule: Schedule) -> Job:
    """Make the job of a schedule now.

    Raises:
        UnknownLayer: When there is no such layer.
    """
    layer, source = catalog.layer(schedule.layer), schedule.source
    if source is None:
        return queue.submit(connection, replay_request(Wanted(layer.name), SCHEDULER, "schedule", schedule.name))
    place = {"remote": source} if is_remote(source) else {"path": source}
    request = JobRequest(
        layer.name,
        SCHEDULER,
        "schedule",
        schedule.name,
        place,
        schedule.mapping,
        options={"owner": schedule.owner} if schedule.owner else {},
    )
    return queue.submit(connection, request)


def remember(connection: sa.Connection, schedule: Schedule, job: Job, now: dt.datetime) -> None:
    """Note a job that somebody made by hand, so that the schedule does not overlap with it."""
    statement = insert(table).values(name=schedule.name, planned=now, job=job.id)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"job": job.id}))
