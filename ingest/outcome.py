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


def settle(connection: sa.Connection, options: LoadOptions, load: int | None, edition: int | None) -> None:
    """Mark the job of a load as done, or as that far when the load is not its last; without a job nothing is marked.

    Args:
        connection: The transaction of the load.
        options: Names the job and the attempt that does it.
        load: Number of the kept report; a withdrawal keeps none.
        edition: The edition, or None when nothing changed; that of an earlier load of the job then stays.

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
    end = {"state": "done", "finished": now} if options.last else {}
    made = sa.func.coalesce(edition, job_table.c.edition)
    done = sa.update(job_table).where(mine).values(load=load, edition=made, updated=now, **end)
    if connection.execute(done, execution_options={"preserve_rowcount": True}).rowcount != 1:
        raise JobLost(
            f"Job {options.job} was cancelled or taken over while its load was under way; nothing was loaded."
        )
