"""New editions as server-sent events: whoever follows collections hears of each change they may see of.

All followers of a process share one look at the editions per second. What an edition changed for a follower is counted
with their own eyes; where they may see nothing of it they hear nothing. The id of an event says which edition of each
collection the follower knows, so a client that comes back with it misses nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.sse import format_sse_event
from starlette.responses import Response

from geoservice.api.bulletin import Marks
from geoservice.api.job_events import ALIVE, CHECK_SECONDS, LONGEST_SECONDS, PING_SECONDS, EventStream
from geoservice.api.jobs import still_the_same
from geoservice.changes.read import Span
from geoservice.events.news import message
from geoservice.house import Asker, House, Inside
from geoservice.http.links import base_url
from geoservice.ogc.block import Block, no_links
from layers.access import Principal, decide
from layers.errors import BadParameter

MOST_COLLECTIONS = 100
_RETRY_MILLISECONDS = 2000
_LONGEST_ID = 8000
_ID = re.compile(r"[a-z][a-z0-9_]*=\d{1,18}(,[a-z][a-z0-9_]*=\d{1,18})*", re.ASCII)
router = APIRouter(tags=["events"])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@dataclass(frozen=True)
class Follower:
    """Who follows which collections, and how they are asked for again."""

    house: House
    asker: Principal
    root: str
    still: Callable[[], Awaitable[bool]]


@router.get(
    "/events",
    summary="New editions of collections",
    response_class=Response,
    responses=_STREAM,
)
async def events(
    request: Request,
    house: Inside,
    asker: Asker,
    collections: Annotated[str | None, Query(description="Collections, with commas; default: all you may see.")] = None,
) -> Response:
    """Server-sent events `changed`; a client that comes back (Last-Event-ID) gets what it missed."""
    names = _asked(house, asker, collections)
    seen = _marks(request.headers.get("last-event-id"))
    follower = Follower(house, asker, base_url(request), partial(still_the_same, request, asker))
    house.newsroom.seats.take(asker.id)
    try:
        now = await house.bulletin.enter()
    except BaseException:
        house.newsroom.seats.leave(asker.id)
        raise
    # What a client claims to know of the future it does not know.
    marks = {name: min(seen.get(name, now.get(name, 0)), now.get(name, 0)) for name in names}

    def leave() -> None:
        house.bulletin.leave()
        house.newsroom.seats.leave(asker.id)

    return EventStream(_follow(follower, marks), leave)


def _asked(house: House, asker: Principal, collections: str | None) -> list[str]:
    if collections is None:
        return [layer.name for layer in house.visible(asker)]
    names = list(dict.fromkeys(collections.split(",")))
    if len(names) > MOST_COLLECTIONS:
        raise BadParameter(f"collections names at most {MOST_COLLECTIONS} collections.", parameter="collections")
    return [house.open_layer(asker, name)[0].name for name in names]


def _marks(header: str | None) -> Marks:
    """The editions that a client knows, from the id of the last event it got.

    Raises:
        BadParameter: When it is no such id.
    """
    if not header:
        return {}
    if len(header) > _LONGEST_ID or not _ID.fullmatch(header):
        raise BadParameter("Last-Event-ID is the id of an event of this stream, as it is.")
    return {name: int(number) for name, _, number in (part.partition("=") for part in header.split(","))}


async def _follow(follower: Follower, marks: Marks) -> AsyncGenerator[bytes]:
    """Events until the follower is no longer who they were, or for as long as a stream may last."""
    bulletin = follower.house.bulletin
    began = spoke = time.monotonic()
    while time.monotonic() - began < LONGEST_SECONDS:
        changed = await bulletin.changed(marks, CHECK_SECONDS)
        # A key that was revoked a moment ago must not hear of what happened since.
        if not await follower.still():
            return
        names = [name for name, known in marks.items() if changed and bulletin.editions.get(name, 0) > known]
        for name in names:
            told = await _news(follower, name, marks)
            if told is not None:
                spoke = time.monotonic()
                yield told
        if time.monotonic() - spoke >= PING_SECONDS:
            spoke = time.monotonic()
            yield ALIVE


async def _news(follower: Follower, name: str, marks: Marks) -> bytes | None:
    """The event about a layer, and the mark moved; None when the follower may see nothing of it."""
    house = follower.house
    span = Span(marks[name], house.bulletin.editions[name])
    marks[name] = span.until
    layer = house.catalog.layer(name)
    decision = decide(follower.asker, "read", layer)
    if not decision.allowed:
        return None
    counts = await house.bulletin.counted(house.reading, (layer, decision), span)
    if counts is not None and not any(counts.values()):
        return None
    data: dict[str, Any] = message(follower.root, name, (span.since, span.until), counts)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    known = ",".join(f"{n}={number}" for n, number in sorted(marks.items()))
    return format_sse_event(data_str=text, event="changed", id=known, retry=_RETRY_MILLISECONDS)


BLOCK = Block("events", None, "experimental", (), router, no_links)
