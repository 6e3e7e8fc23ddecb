"""The situation as server-sent events: what appears on the board, changes and goes; units that move; marks.

All followers of a process share one look per second (`geoservice.situation.pulse`); each is told what it may see with
its own eyes. The id of an event says which changes of units and marks and which board the follower knows, so that one
who comes back with it misses nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.sse import format_sse_event
from starlette.responses import Response

from geoservice.api.job_events import ALIVE, CHECK_SECONDS, LONGEST_SECONDS, PING_SECONDS, EventStream
from geoservice.api.jobs import still_the_same
from geoservice.api.situation import board_document, viewing
from geoservice.api.situation_scope import Exercise, looking
from geoservice.house import Asker, House, Inside
from geoservice.ogc.block import Block, no_links
from geoservice.situation import read
from geoservice.situation.board import Wish
from geoservice.situation.pulse import Beat
from layers.access import Principal
from layers.errors import BadParameter

router = APIRouter(prefix="/situation", tags=["situation"])
BOARD_SECONDS = 15.0
"""How often the board is looked at although nothing has come: alerts expire, and what was recent grows old."""
_MOST_CHANGES = 1_000
_RETRY_MILLISECONDS = 2000
_ID = re.compile(r"(\d{1,18})\.([0-9a-f]{24})", re.ASCII)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


@dataclass
class Follower:
    """Who follows which situation, and what they know of it."""

    request: Request
    house: House
    asker: Principal
    exercise: str | None
    still: Callable[[], Awaitable[bool]]
    moved: int
    board: str = ""
    events: dict[str, str] = field(default_factory=dict)
    """Digest of each event that they know, by id; empty until they were told the whole board."""

    @property
    def mark(self) -> str:
        """Id of what they were told last."""
        return f"{self.moved}.{self.board}"


@router.get("/stream", summary="The situation as it changes", response_class=Response, responses=_STREAM)
async def stream(request: Request, house: Inside, asker: Asker, exercise: Exercise = None) -> Response:
    """Server-sent events board, event, over, unit, mark; whoever comes back (Last-Event-ID) misses nothing."""
    seen = _seen(request.headers.get("last-event-id"))
    async with looking(house, asker, exercise) as (connection, scope):
        latest = await read.latest(connection, scope)
    house.newsroom.seats.take(asker.id)
    try:
        beat = await house.pulse.enter()
    except BaseException:
        house.newsroom.seats.leave(asker.id)
        raise
    still = partial(still_the_same, request, asker)
    # What a client claims to know of the future it does not know.
    moved, board = (latest, "") if seen is None else (min(seen[0], latest), seen[1])
    follower = Follower(request, house, asker, exercise, still, moved, board)

    def leave() -> None:
        house.pulse.leave()
        house.newsroom.seats.leave(asker.id)

    return EventStream(_follow(follower, beat), leave)


def _seen(header: str | None) -> tuple[int, str] | None:
    """What a client that comes back knows.

    Raises:
        BadParameter: When it is no id of an event of this stream.
    """
    if not header:
        return None
    if (found := _ID.fullmatch(header)) is None:
        raise BadParameter("Last-Event-ID is the id of an event of this stream, as it is.")
    return int(found[1]), found[2]


async def _follow(follower: Follower, beat: Beat) -> AsyncGenerator[bytes]:
    pulse = follower.house.pulse
    began = spoke = looked = time.monotonic()
    first = True
    known = Beat()
    while time.monotonic() - began < LONGEST_SECONDS:
        # A key that was revoked a moment ago must not hear of what happened since.
        if not first and not await follower.still():
            return
        told = list[bytes]()
        if known.board != beat.board or time.monotonic() - looked >= BOARD_SECONDS:
            looked = time.monotonic()
            told += await _board(follower)
        if known.moved != beat.moved or first:
            told += await _moves(follower)
        for one in told:
            spoke = time.monotonic()
            yield one
        first, known = False, beat
        if time.monotonic() - spoke >= PING_SECONDS:
            spoke = time.monotonic()
            yield ALIVE
        await pulse.other(known, CHECK_SECONDS)
        beat = pulse.beat


async def _board(follower: Follower) -> list[bytes]:
    """What is new on the board: all of it for who does not know the last one, otherwise what differs."""
    async with viewing(follower.house, follower.asker, follower.exercise) as view:
        shown = await follower.house.board.shown(view, Wish())
    exercise = None if view.scope.exercise is None else view.scope.exercise.reference()
    body = board_document(follower.request, shown, exercise)
    fresh = {one["id"]: _digest(one) for one in body["events"]}
    digest = _digest(body)
    if digest == follower.board:
        follower.events = fresh
        return []
    before, whole = follower.events, not follower.board or not follower.events
    told = [("board", body)] if whole else list(_differences(body, before, fresh, exercise))
    # Who goes between two of several differences does not know the new board yet.
    sent = [_event(follower, *one) for one in told[:-1]]
    follower.events, follower.board = fresh, digest
    return [*sent, _event(follower, *told[-1])] if told else []


def _differences(
    body: dict[str, Any], before: dict[str, str], fresh: dict[str, str], exercise: dict[str, Any] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in body["events"]:
        if before.get(one["id"]) != fresh[one["id"]]:
            yield "event", one
    mark = {} if exercise is None else {"exercise": exercise}
    for name in before.keys() - fresh.keys():
        yield "over", {**mark, "id": name}


async def _moves(follower: Follower) -> list[bytes]:
    """Units that moved and marks that changed since the follower was told last."""
    told = list[bytes]()
    while True:
        async with looking(follower.house, follower.asker, follower.exercise) as (connection, scope):
            found = await read.changed(connection, scope, follower.moved, _MOST_CHANGES)
        for number, kind, feature in found:
            follower.moved = number
            told.append(_event(follower, kind, feature))
        if len(found) < _MOST_CHANGES:
            return told


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _event(follower: Follower, kind: str, body: dict[str, Any]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(data_str=text, event=kind, id=follower.mark, retry=_RETRY_MILLISECONDS)


BLOCK = Block("situation stream", None, "experimental", (), router, no_links)
