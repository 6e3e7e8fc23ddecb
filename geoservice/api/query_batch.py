"""What all batch queries share: their parameters, the body on disk, the answer as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import StreamingResponse

from geoservice.house import House
from geoservice.http.encoding import VARY
from geoservice.queries.batch import Question, answered
from geoservice.queries.spool import spooled
from geoservice.queries.tables.forms import MEDIA_TYPES, media_of, open_table
from geoservice.queries.tables.model import Columns, Table

_NAME = "Name of the column with the "


@dataclass(frozen=True)
class TableQuery:
    """Query parameters that say how a table is read."""

    x: Annotated[str | None, Query(description=f"{_NAME}longitude or easting; `lon`, `x`, `经度` are found.")] = None
    y: Annotated[str | None, Query(description=f"{_NAME}latitude or northing; `lat`, `y`, `纬度` are found.")] = None
    geometry: Annotated[str | None, Query(description=f"{_NAME}geometry: WKT, or WKB in Arrow and Parquet.")] = None
    crs: Annotated[str | None, Query(description="CRS of the coordinates, x before y; CRS84 when absent.")] = None
    prefix: Annotated[
        str | None, Query(description="What the names of added columns begin with; the collection and _ when absent.")
    ] = None

    def columns(self) -> Columns:
        """The columns that say where a row lies."""
        return Columns(self.x, self.y, self.geometry)


TABLE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A table with a row per place; rows of the answer keep its order.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    },
    "responses": {
        "200": {
            "description": "The table with added columns; `error` says why a row has no answer.",
            "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
        }
    },
}
"""What the OpenAPI document says of a batch."""


async def batch_answer(
    request: Request,
    house: House,
    columns: Columns,
    question: Callable[[], Awaitable[tuple[Question, dict[str, str]]]],
) -> StreamingResponse:
    """The answer to a batch: the table that was posted with columns added to it.

    Args:
        request: Its body is the table.
        house: The service.
        columns: Which columns say where a row lies.
        question: Makes what is asked, and header fields of the answer, once the table is known to be readable.
    """
    media = media_of(request.headers.get("content-type", ""))
    settings = house.settings
    with ExitStack() as stack:
        stack.enter_context(house.queries.place())
        encoding = request.headers.get("content-encoding", "").strip().lower()
        file = await spooled(request.stream(), encoding, settings.query_batch_bytes, house.queries.folder)
        stack.callback(file.close)
        table = open_table(media, file, columns, settings.max_zone_vertices, settings.query_batch_rows)
        asked, headers = await question()
        parts = answered(table, asked)
        # What is wrong with the whole shows in the first part, while there still is a status to say it with.
        first = await anext(parts, b"")
        held = stack.pop_all()
    fields = {"Cache-Control": "private, no-store", "Vary": VARY, **headers}
    return StreamingResponse(_stream(first, parts, held), media_type=media, headers=fields)


async def _stream(first: bytes, parts: AsyncIterator[bytes], held: ExitStack) -> AsyncIterator[bytes]:
    with held:
        yield first
        async for part in parts:
            yield part


__all__ = ["TABLE_BODY", "Table", "TableQuery", "batch_answer"]
