"""Progress of jobs as server-sent events. All readers of a process share one look at the database per second."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from geoservice.jobs.desk import Desk
from geoservice.jobs.model import Job
from layers.errors import DatabaseUnavailable

LOOK_SECONDS = 1.0
PING_SECONDS = 15.0
LONGEST_SECONDS = 900.0
"""A stream ends after this time; the client comes back by itself and goes on where it was."""
_RETRY_MILLISECONDS = 2000
_log = logging.getLogger(__name__)


def event_id(job: Job, counted: bool = True) -> str:
    """Name of a state of a job: equal states have equal names, however often they were written down.

    Args:
        job: The job.
        counted: Whether the follower may know how many rows were read; otherwise they do not make a state.
    """
    return f"{job.attempts}-{job.state}-{job.phase or 'none'}-{job.rows if counted else 0}"


@dataclass
class Newsroom:
    """Looks jobs up while somebody follows them, and tells the followers what changed."""

    desk: Desk
    _followed: Counter[int] = field(default_factory=Counter)
    _latest: dict[int, Job] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None

    async def follow(
        self, job: Job, seen: str | None, describe: Callable[[Job], dict[str, Any]], counted: bool = True
    ) -> AsyncIterator[bytes]:
        """Events of a job until it has ended.

        Args:
            job: The job as it stands; sent first, unless the client has seen just that.
            seen: Last-Event-ID of a client that comes back.
            describe: The document of a job.
            counted: See `event_id`.

        Yields:
            Events `progress`, and `end` as the last one, in wire format; comments keep quiet connections open.
        """
        self._followed[job.id] += 1
        self._latest.setdefault(job.id, job)
        ends = time.monotonic() + LONGEST_SECONDS
        try:
            while True:
                if event_id(job, counted) != seen:
                    seen = event_id(job, counted)
                    yield _event(job, seen, describe(job))
                if job.over or time.monotonic() > ends:
                    return
                changed = await self._next(job.id, seen, counted)
                if changed is None:
                    yield KEEPALIVE_COMMENT
                else:
                    job = changed
        finally:
            self._leave(job.id)

    async def _next(self, number: int, seen: str, counted: bool) -> Job | None:
        """The next state of a job; None when nothing happens for a while."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="job-news")

        def fresh() -> bool:
            return event_id(self._latest[number], counted) != seen

        try:
            async with asyncio.timeout(PING_SECONDS), self._news:
                await self._news.wait_for(fresh)
        except TimeoutError:
            return None
        return self._latest[number]

    def _leave(self, number: int) -> None:
        self._followed[number] -= 1
        if self._followed[number] <= 0:
            del self._followed[number]
            self._latest.pop(number, None)

    async def _look(self) -> None:
        while self._followed:
            try:
                found = await run_in_threadpool(self.desk.several, list(self._followed))
            except DatabaseUnavailable as error:
                _log.warning("progress of jobs cannot be read: %s", error.detail)
            else:
                self._latest.update({n: job for n, job in found.items() if n in self._followed})
                async with self._news:
                    self._news.notify_all()
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """End the look-ups."""
        if self._task is not None:
            self._task.cancel()


def _event(job: Job, name: str, body: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    kind = "end" if job.over else "progress"
    return format_sse_event(data_str=text, event=kind, id=name, retry=_RETRY_MILLISECONDS)
