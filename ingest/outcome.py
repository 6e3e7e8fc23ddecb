"""The outcome of a job, written in the transaction of its load: both are there, or neither.

A worker that is killed after the commit and before it could say so leaves a job that is done, and nobody does it
again. A job that was cancelled, or that another worker has taken over, finds here that it is not its own any more,
and its load is rolled back.
"""

from __future__ import annotations

import sqlalchemy as sa

from ingest.job import LoadOptions
from layers.errors import SourceError
from layers.system import job as job_table


class JobLost(SourceError):
    """The job of a load was cancelled, or another worker has taken it over; the load changed nothing."""

    title = "Job is not under way any more"


def settle(connection: sa.Connection, options: LoadOptions, load: int, edition: int | None) -> None:
    """Mark the job of a load as done; a load without a job has nothing to mark.

    Args:
        connection: The transaction of the load.
        options: Names the job and the attempt that does it.
        load: Number of the kept report.
        edition: The edition, or None when nothing changed.

    Raises:
        JobLost: When the attempt is not under way any more.
    """
    if options.job is None:
        return
    mine = (
        (job_table.c.id == options.job)
        & (job_table.c.attempts == options.attempt)
        & (job_table.c.state == "running")
        & ~job_table.c.cancel
    )
    now = sa.func.clock_timestamp()
    done = sa.update(job_table).where(mine).values(state="done", load=load, edition=edition, finished=now, updated=now)
    if connection.execute(done, execution_options={"preserve_rowcount": True}).rowcount != 1:
        raise JobLost(
            f"Job {options.job} was cancelled or taken over while its load was under way; nothing was loaded."
        )
