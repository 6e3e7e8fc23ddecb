"""Progress of jobs as server-sent events. All readers of a process share one look at the database per second.

A stream lasts for minutes, a key may be revoked meanwhile: whoever follows is asked for again and again, and a stream
ends as soon as they are no longer who they were. Streams are counted, so that nobody takes all there are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from geoservice.jobs.desk import Desk
from geoservice.jobs.errors import NoStreamLeft, TooManyStreams
from geoservice.jobs.model import Job
from layers.errors import DatabaseUnavailable, QueryTimeout

LOOK_SECONDS = 1.0
PING_SECONDS = 15.0
ALIVE = format_sse_event(event="alive", data_str="{}")
"""Said when there is nothing else to say for so long. An event and no comment: a script never hears of comments, and a
page must be able to tell a quiet service from one that is gone. It has no id, so that the place to go on from stays."""
CHECK_SECONDS = 2.0
"""How often a follower is asked for again; with the seconds that keys are remembered, a revoked one hears no more
after five."""
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
class Seats:
    """Counts the open streams of this process, of each principal and in all."""

    most: int
    most_each: int
    _taken: Counter[str] = field(default_factory=Counter)

    def take(self, principal: str) -> None:
        """Count one more stream; whoever takes a seat leaves it again.

        Raises:
            TooManyStreams: When the principal has as many as one may have.
            NoStreamLeft: When there are as many as this process holds.
        """
        if self._taken[principal] >= self.most_each:
            raise TooManyStreams(
                f"You follow {self._taken[principal]} jobs, and one may follow {self.most_each} at a time; close a "
                "stream, or ask for a job now and then.",
                most=self.most_each,
            )
        if self._taken.total() >= self.most:
            raise NoStreamLeft("As many streams are open as this service holds; ask for the job now and then instead.")
        self._taken[principal] += 1

    def leave(self, principal: str) -> None:
        """Count one stream less."""
        self._taken[principal] -= 1
        if self._taken[principal] <= 0:
            del self._taken[principal]


@dataclass(frozen=True)
class Follower:
    """Who follows a job, and what they are told.

    Attributes:
        describe: The document of a job as they may see it.
        still: Whether they are who they were when they came, with the same rights.
        counted: See `event_id`.
    """

    describe: Callable[[Job], dict[str, Any]]
    still: Callable[[], Awaitable[bool]]
    counted: bool = True


class EventStream(EventSourceResponse):
    """A stream that gives its seat back however it ends, also when nobody has read a byte of it."""

    def __init__(self, events: AsyncGenerator[bytes], leave: Callable[[], None]) -> None:
        """Send events; call `leave` in the end."""
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._events = events
        self._give_back = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the events end or the client goes."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()
            await self._events.aclose()


@dataclass
class Newsroom:
    """Looks jobs up while somebody follows them, and tells the followers what changed."""

    desk: Desk
    seats: Seats
    _followed: Counter[int] = field(default_factory=Counter)
    _latest: dict[int, Job] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None

    async def follow(self, job: Job, seen: str | None, follower: Follower) -> AsyncGenerator[bytes]:
        """Events of a job until it has ended, or its follower is no longer who they were.

        Args:
            job: The job as it stands; sent first, unless the client has seen just that.
            seen: Last-Event-ID of a client that comes back.
            follower: Who follows.

        Yields:
            Events `progress`, and `end` as the last one, in wire format; `alive` keeps quiet connections open.
        """
        self._followed[job.id] += 1
        self._latest.setdefault(job.id, job)
        began = spoke = checked = time.monotonic()
        try:
            while True:
                if event_id(job, follower.counted) != seen:
                    seen, spoke = event_id(job, follower.counted), time.monotonic()
                    yield _event(job, seen, follower.describe(job))
                if job.over or time.monotonic() - began > LONGEST_SECONDS:
                    return
                job = await self._next(job.id, seen, follower.counted) or job
                if time.monotonic() - checked >= CHECK_SECONDS:
                    if not await follower.still():
                        return
                    checked = time.monotonic()
                if time.monotonic() - spoke >= PING_SECONDS:
                    spoke = time.monotonic()
                    yield ALIVE
        finally:
            self._leave(job.id)

    async def _next(self, number: int, seen: str, counted: bool) -> Job | None:
        """The next state of a job; None when nothing happens until the follower is to be asked for again."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="job-news")

        def fresh() -> bool:
            return event_id(self._latest[number], counted) != seen

        try:
            async with asyncio.timeout(CHECK_SECONDS), self._news:
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
            except (DatabaseUnavailable, QueryTimeout) as error:
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
