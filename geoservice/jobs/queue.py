"""The queue: statements on `meta.job`. Each function takes a connection of the writer inside a transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from geoservice.jobs.errors import JobEnded, TooManyJobs
from geoservice.jobs.model import EXECUTION, OVER, Job, JobFilter, JobRequest, Progress, State
from layers.errors import UnknownResource
from layers.system import job as table

MOST_DEATHS = 3
"""A job whose worker died so often is given up: it is likely to be the cause."""
NO_SUCH_JOB = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job"
"""Type of the problem that OGC API Processes Part 1 (7.12) names for jobs that are not there."""
_NOW = sa.func.clock_timestamp()
_BACKOFF = dt.timedelta(seconds=1)
_BUSY_SECONDS = 2.0
_LOAD_WAS_LOST = "The process that did the job ended unexpectedly"


def _lock_key(job_id: Any) -> sa.ColumnElement[int]:
    name = sa.func.concat("geoservice.job.", sa.cast(job_id, sa.Text()))
    return sa.func.hashtextextended(name, 0)


ALL = JobFilter()


def submit(connection: sa.Connection, request: JobRequest, most: int | None = None) -> Job:
    """Put a job into the queue.

    Args:
        connection: In a transaction.
        request: What is asked.
        most: Most waiting jobs of the principal.

    Raises:
        TooManyJobs: When the principal has that many waiting already.
    """
    if most is not None:
        _require_room(connection, request.principal, most)
    values = {name: value for name, value in vars(request).items() if value is not None}
    if request.kind == EXECUTION:
        values["layer"] = None
    row = connection.execute(sa.insert(table).values(**values).returning(*table.c)).one()
    return Job.from_row(row)


def _require_room(connection: sa.Connection, principal: str, most: int) -> None:
    # Two requests at once must not both find the last place.
    name = sa.func.concat("geoservice.jobs.of.", principal)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    mine = (table.c.principal == principal) & (table.c.state == "queued")
    waiting = connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one()
    if waiting >= most:
        raise TooManyJobs(
            f"You have {waiting} jobs waiting, and one may have {most}; send more when some are done.", most=most
        )


def claim(connection: sa.Connection) -> Job | None:
    """Take the next job and hold its lock in this session, which must stay open as long as the job is worked on.

    Jobs of one layer run one after the other, in the order of their numbers. Among layers the higher priority goes
    first, then the principal with the fewest jobs running, then the one who waited longest for a turn.

    Returns:
        The job, now running; None when there is nothing to do.
    """
    chosen = connection.execute(_next()).scalar()
    if chosen is None or not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_lock_key(chosen)))).scalar():
        return None
    begun = {"state": "running", "attempts": table.c.attempts + 1, "started": _NOW, "updated": _NOW}
    fresh = {"phase": "starting", "rows": 0, "total": None}
    taken = sa.update(table).where(table.c.id == chosen).values(**begun, **fresh).returning(*table.c)
    try:
        with connection.begin_nested():
            row = connection.execute(taken).one()
    except IntegrityError:
        # The index that allows one running job per layer: somebody was faster.
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_lock_key(chosen))))
        return None
    return Job.from_row(row)


def _next() -> sa.Select[tuple[int]]:
    other, earlier, running, former = (table.alias(n) for n in ("other", "earlier", "running", "former"))
    busy = sa.exists().where(other.c.layer == table.c.layer, other.c.state == "running")
    behind = sa.exists().where(earlier.c.layer == table.c.layer, earlier.c.state == "queued", earlier.c.id < table.c.id)
    at_work = (
        sa.select(sa.func.count())
        .where(running.c.principal == table.c.principal, running.c.state == "running")
        .scalar_subquery()
    )
    last_turn = (
        sa.select(sa.func.max(former.c.started)).where(former.c.principal == table.c.principal).scalar_subquery()
    )
    due = table.c.not_before.is_(None) | (table.c.not_before <= _NOW)
    return (
        sa.select(table.c.id)
        .where(table.c.state == "queued", due, ~busy, ~behind)
        .order_by(table.c.priority.desc(), at_work, last_turn.nulls_first(), table.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=table)
    )


def release(connection: sa.Connection, job: Job) -> None:
    """Let go of the lock of a job that this session holds."""
    connection.execute(sa.select(sa.func.pg_advisory_unlock(_lock_key(job.id))))


def beat(connection: sa.Connection, job: Job, progress: Progress) -> bool:
    """Write down how far a job is.

    Returns:
        Whether to go on: False when it is to be cancelled, has ended, or belongs to somebody else by now.
    """
    values = {"phase": progress.phase, "rows": progress.rows, "total": progress.total, "updated": _NOW}
    told = sa.update(table).where(_mine(job)).values(**values).returning(table.c.cancel)
    return connection.execute(told).scalar() is False


def _mine(job: Job) -> sa.ColumnElement[bool]:
    return (table.c.id == job.id) & (table.c.state == "running") & (table.c.attempts == job.attempts)


def finish(connection: sa.Connection, job: Job, state: State, error: dict[str, Any] | None = None) -> bool:
    """End a job that this worker does; a job whose load has already written its outcome stays as it is.

    Returns:
        Whether this call ended it.
    """
    values = {"state": state, "finished": _NOW, "updated": _NOW, **({} if error is None else {"error": error})}
    return _count(connection, sa.update(table).where(_mine(job)).values(**values)) == 1


def note(connection: sa.Connection, job: Job, error: dict[str, Any]) -> None:
    """Keep what a job could not do, though it is done with the rest."""
    mine = (table.c.id == job.id) & (table.c.attempts == job.attempts)
    connection.execute(sa.update(table).where(mine).values(error=error))


def put_back(connection: sa.Connection, job: Job, seconds: float) -> None:
    """Let a job wait again: it could not be done now, by no fault of its own."""
    values = {"state": "queued", "phase": None, "not_before": _after(seconds), "updated": _NOW}
    connection.execute(sa.update(table).where(_mine(job)).values(**values))


def busy(connection: sa.Connection, job: Job) -> None:
    """Let a job wait because somebody outside the queue is loading its layer."""
    put_back(connection, job, _BUSY_SECONDS)


def died(connection: sa.Connection, job: Job, reason: str = _LOAD_WAS_LOST) -> None:
    """The process that did a job is gone: try again, unless it was to be cancelled or that happened too often."""
    sentence = f"{reason}, {MOST_DEATHS} times in a row; the job is given up. Nothing was loaded."
    error = {"kind": "JobDied", "title": "Job given up", "detail": sentence}
    once_more = table.c.deaths + 1 < MOST_DEATHS
    over = table.c.cancel | ~once_more
    values = {
        "deaths": table.c.deaths + 1,
        "state": sa.case((table.c.cancel, "cancelled"), (once_more, "queued"), else_="failed"),
        "error": sa.case((over & ~table.c.cancel, sa.literal(error, JSONB()))),
        "finished": sa.case((over, _NOW)),
        "not_before": _NOW + (table.c.deaths + 1) * sa.literal(_BACKOFF, sa.Interval()),
        "updated": _NOW,
    }
    connection.execute(sa.update(table).where(_mine(job)).values(**values))


def recover(connection: sa.Connection) -> list[int]:
    """Put back running jobs whose worker is gone: nobody holds their lock.

    A session that holds such a lock itself would find it free; workers ask in another one.

    Returns:
        Their numbers.
    """
    found = []
    for number in connection.execute(sa.select(table.c.id).where(table.c.state == "running")).scalars().all():
        if not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_lock_key(number)))).scalar():
            continue
        again = sa.select(*table.c).where(table.c.id == number, table.c.state == "running")
        row = connection.execute(again.with_for_update(skip_locked=True)).one_or_none()
        if row is not None:
            died(connection, Job.from_row(row))
            found.append(number)
    return found


def cancel(connection: sa.Connection, job_id: int) -> Job:
    """Cancel a job: a waiting one at once, a running one as soon as its worker hears of it.

    Raises:
        UnknownResource: When there is no such job.
        JobEnded: When it has ended.
    """
    waiting = sa.case((table.c.state == "queued", sa.literal("cancelled")), else_=table.c.state)
    ended = sa.case((table.c.state == "queued", _NOW), else_=table.c.finished)
    values = {"cancel": True, "state": waiting, "finished": ended, "updated": _NOW}
    open_ = table.c.state.in_(("queued", "running"))
    told = sa.update(table).where(table.c.id == job_id, open_).values(**values).returning(*table.c)
    row = connection.execute(told).one_or_none()
    if row is None:
        job = get(connection, job_id)
        raise JobEnded(f"Job {job_id} has ended ({job.state}) and cannot be cancelled any more.", state=job.state)
    return Job.from_row(row)


def dismiss(connection: sa.Connection, job_id: int) -> None:
    """Mark an execution that has ended as dismissed, since its results are gone."""
    ended = table.c.state.in_(tuple(OVER))
    mine = (table.c.id == job_id) & (table.c.kind == EXECUTION) & ended
    connection.execute(sa.update(table).where(mine).values(state="cancelled", updated=_NOW))


def get(connection: sa.Connection, job_id: int) -> Job:
    """One job.

    Raises:
        UnknownResource: When there is no such job.
    """
    row = connection.execute(sa.select(*table.c).where(table.c.id == job_id)).one_or_none()
    if row is None:
        raise unknown_job(job_id)
    return Job.from_row(row)


def unknown_job(job_id: object) -> UnknownResource:
    """The answer about a job that is not there, or not for whoever asks."""
    return UnknownResource(f"There is no job {str(job_id)[:40]}; /jobs lists yours.", problem_type=NO_SUCH_JOB)


def several(connection: sa.Connection, numbers: Collection[int]) -> dict[int, Job]:
    """Jobs by number; those that do not exist are left out."""
    rows = connection.execute(sa.select(*table.c).where(table.c.id.in_(numbers)))
    return {row.id: Job.from_row(row) for row in rows}


def listing(
    connection: sa.Connection,
    *,
    principal: str | None = None,
    layers: Iterable[str] = (),
    among: Iterable[str] | None = None,
    which: JobFilter = ALL,
    before: int | None = None,
    limit: int = 50,
) -> list[Job]:
    """Jobs, the newest first.

    Args:
        connection: A connection of the writer.
        principal: Whose jobs; None for everybody's.
        layers: With a principal: also everybody's jobs of these layers.
        among: Only jobs of these layers, and executions.
        which: Which of them.
        before: Only jobs with lower numbers.
        limit: Most jobs.
    """
    wanted = sa.select(*table.c).order_by(table.c.id.desc()).limit(limit)
    if principal is not None:
        wanted = wanted.where((table.c.principal == principal) | table.c.layer.in_(list(layers)))
    if among is not None:
        wanted = wanted.where(table.c.layer.in_(list(among)) | table.c.layer.is_(None))
    if before is not None:
        wanted = wanted.where(table.c.id < before)
    return [Job.from_row(row) for row in connection.execute(wanted.where(*_meeting(which)))]


def _meeting(which: JobFilter) -> list[sa.ColumnElement[bool]]:
    clauses: list[sa.ColumnElement[bool]] = []
    if which.states:
        clauses.append(table.c.state.in_(which.states))
    if which.processes:
        clauses.append(sa.func.coalesce(table.c.options["process"].astext, table.c.kind).in_(which.processes))
    if which.created is not None and which.created.start is not None:
        clauses.append(table.c.created >= which.created.start)
    if which.created is not None and which.created.end is not None:
        clauses.append(table.c.created < which.created.end)
    ran = sa.func.coalesce(table.c.finished, _NOW) - table.c.started
    if which.least is not None:
        clauses.append(ran >= sa.literal(dt.timedelta(seconds=which.least), sa.Interval()))
    if which.most is not None:
        clauses.append(ran <= sa.literal(dt.timedelta(seconds=which.most), sa.Interval()))
    return clauses


def _after(seconds: float) -> sa.ColumnElement[Any]:
    return _NOW + sa.literal(dt.timedelta(seconds=seconds), sa.Interval())


def _count(connection: sa.Connection, statement: sa.Update) -> int:
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
