"""What all resources of the live situation share: whose eyes, which exercise, which box; and the right to write."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from geoservice.house import House
from geoservice.http.encoding import encoded
from geoservice.http.links import url
from geoservice.situation import read
from geoservice.situation.read import Scope
from layers.access import SITUATION, Principal
from layers.errors import NotAllowed, NotAuthenticated, UnknownResource

PRIVATE = {"Cache-Control": "private, no-cache"}
Exercise = Annotated[
    str | None,
    Query(max_length=64, description="Id of an exercise: what belongs to it, and nothing else. Default: what is real."),
]


@asynccontextmanager
async def looking(house: House, asker: Principal, exercise: str | None) -> AsyncIterator[tuple[AsyncConnection, Scope]]:
    """A connection of the asker's clearance, and what they look at.

    Raises:
        UnknownResource: When there is no such exercise that they may see.
    """
    async with house.pools.connection(asker.clearance) as connection:
        found = None
        if exercise is not None:
            found = await read.exercise(connection, asker.clearance, plain(exercise))
        yield connection, Scope(asker.clearance, found, dt.datetime.now(dt.UTC))


def require_officer(asker: Principal) -> None:
    """Refuse whoever may not write the situation.

    Raises:
        NotAuthenticated, NotAllowed: When they hold no key, or one without the right.
    """
    if asker.anonymous:
        raise NotAuthenticated("The situation is written with an API key; send it as X-API-Key or bearer token.")
    if SITUATION not in asker.rights:
        raise NotAllowed("This API key may not write the situation; see `geoservice key allow`.")


def plain(name: str) -> str:
    """An id from an address.

    Raises:
        UnknownResource: When no id reads like this.
    """
    if not name.isascii() or not name.isprintable():
        raise UnknownResource(f"There is nothing with the id {name[:40]!r}.")
    return name


def answered(
    request: Request, body: Mapping[str, Any], media: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A body as JSON of some media type, not to be kept by anybody but who asked."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = encoded(request, text.encode(), media, {**PRIVATE, **(headers or {})})
    if response.status_code == Response().status_code:
        response.status_code = status
    return response


def address(request: Request, path: str, exercise: str | None, **query: object) -> str:
    """Address of a resource of the situation, in the same exercise."""
    return url(request, path, exercise=exercise, **query)
