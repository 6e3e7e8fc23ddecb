"""What all batch queries share: their parameters, the body on disk, the answer as a stream or by a job."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any, BinaryIO

from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.house import House
from geoservice.http.encoding import VARY
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.http.patience import PatientStream
from geoservice.queries.batch import answered
from geoservice.queries.desk import kept_file
from geoservice.queries.spool import Bounds, spooled
from geoservice.queries.table_inputs import PROCESS_ID, TABLE, TableInputs
from geoservice.queries.tables.forms import MEDIA_TYPES, media_of, open_table
from geoservice.queries.tables.model import Columns
from geoservice.queries.wish import TableWish, asked_of
from layers.access import Principal
from layers.errors import BadBody, NotAuthenticated

_NAME = "Name of the column with the "
_ACCEPTED = 202


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
    upload: Annotated[
        str | None, Query(description="Id of a complete upload that is the table, instead of a body; makes a job.")
    ] = None

    def columns(self, wish: TableWish) -> Columns:
        """The columns that say where a row lies."""
        return Columns(self.x, self.y, self.geometry, shapes=wish.shaped)

    def completed(self, wish: TableWish) -> TableWish:
        """A wish with what these parameters say."""
        return replace(wish, crs=self.crs, prefix=self.prefix)


TABLE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "A table with a row per place; rows of the answer keep its order.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    },
    "responses": {
        "200": {
            "description": "The table with added columns; `error` says why a row has no answer.",
            "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
        },
        "202": {"description": "A job was made (`Prefer: respond-async`, or `upload`).", "content": {JSON: {}}},
    },
}
"""What the OpenAPI document says of a batch."""


async def batch_answer(request: Request, house: House, asker: Principal, form: TableQuery, wish: TableWish) -> Response:
    """The answer to a batch: the table that was posted with columns added to it, or a job that makes it.

    Args:
        request: Its body is the table, unless the form names an upload.
        house: The service.
        asker: Who asks.
        form: How the table is read.
        wish: What is asked for each row.
    """
    media = media_of(request.headers.get("content-type", ""))
    wish = form.completed(wish)
    deferred = form.upload is not None or "respond-async" in request.headers.get("prefer", "").lower()
    if deferred and asker.anonymous:
        raise NotAuthenticated("A job takes an API key, so that its results belong to somebody.")
    if form.upload is not None:
        return await _job_of_upload(request, house, asker, form, TableInputs.of(wish, media, form.columns(wish)))
    with ExitStack() as stack:
        stack.enter_context(house.queries.place(asker.id))
        file = await _body(request, house)
        stack.callback(file.close)
        if deferred:
            return await _job_of_body(request, house, asker, file, TableInputs.of(wish, media, form.columns(wish)))
        return await _stream_of(house, asker, file, (media, form, wish), stack)


async def _body(request: Request, house: House) -> BinaryIO:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    bounds = Bounds(house.settings.query_batch_bytes, house.settings.upload_idle_timeout)
    return await spooled(request.stream(), encoding, bounds, house.queries.folder)


async def _stream_of(
    house: House, asker: Principal, file: BinaryIO, asked: tuple[str, TableQuery, TableWish], stack: ExitStack
) -> Response:
    media, form, wish = asked
    settings = house.settings
    limits = settings.max_zone_vertices, settings.query_batch_rows
    table = await run_in_threadpool(open_table, media, file, form.columns(wish), *limits)
    found = await asked_of(house.sources(asker), wish)
    parts = answered(table, found.question)
    # What is wrong with the whole shows in the first part, while there still is a status to say it with.
    first = await anext(parts, b"")
    fields = {"Cache-Control": "private, no-store", "Vary": VARY, "Geoservice-Edition": str(found.edition or "")}
    sent, patience = _stream(first, parts), settings.reader_patience
    return PatientStream(sent, patience=patience, held=stack.pop_all(), media_type=media, headers=fields)


async def _stream(first: bytes, parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(parts):
        yield first
        async for part in parts:
            yield part


async def _job_of_body(
    request: Request, house: House, asker: Principal, file: BinaryIO, inputs: TableInputs
) -> Response:
    def make() -> Response:
        with kept_file(house.queries.folder, file) as path:
            return _accepted(request, house, asker, inputs, {TABLE: path})

    return await run_in_threadpool(make)


async def _job_of_upload(
    request: Request, house: House, asker: Principal, form: TableQuery, inputs: TableInputs
) -> Response:
    def make() -> Response:
        upload = house.uploads.find(asker.id, form.upload or "")
        if not upload.complete:
            raise BadBody(f"{upload.name} has {upload.offset} of its {upload.length} bytes; send the rest first.")
        return _accepted(request, house, asker, inputs, {TABLE: house.uploads.data(upload)})

    return await run_in_threadpool(make)


def _accepted(request: Request, house: House, asker: Principal, inputs: TableInputs, files: dict[str, Any]) -> Response:
    job = house.desk.execute(asker, PROCESS_ID, inputs.model_dump(exclude_none=True), files)
    place = url(request, f"/jobs/{job.id}")
    body = {"id": job.id, "state": job.state, "links": [link(place, "monitor", JSON, "The job")]}
    return JSONResponse(body, _ACCEPTED, {"Location": place, "Cache-Control": "private, no-store"})
