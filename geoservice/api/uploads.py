"""Resumable uploads by the tus protocol 1.0.0: core, creation, termination, expiration, checksum (SHA-256)."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from geoservice.house import Asker, House, Inside
from geoservice.http.links import url
from geoservice.jobs.desk import require_loader
from geoservice.jobs.errors import OtherProtocol, UploadTooSlow, WrongMediaType
from geoservice.jobs.uploads import Part, Upload, parse_checksum
from geoservice.ogc.block import Block, no_links
from geoservice.security.headers import TUS_VERSION, UPLOADS
from layers.access import Principal
from layers.errors import BadParameter, TooLarge

EXTENSIONS = "creation,termination,expiration,checksum"
PART_MEDIA = "application/offset+octet-stream"
SLOWEST_BYTES_PER_SECOND = 1024
"""A part that comes more slowly than this, after a time of grace, holds its upload for nothing."""
_BLOCK = 1 << 20
_MOST_DIGITS = 18
_NO_STORE = {"Cache-Control": "no-store"}
router = APIRouter(prefix=UPLOADS, tags=["uploads"])


async def protocol(request: Request) -> None:
    """Refuse clients of another version of the protocol; a GET may say nothing about it.

    Raises:
        OtherProtocol: When `Tus-Resumable` is missing or another.
    """
    spoken = request.headers.get("tus-resumable")
    if spoken != TUS_VERSION and not (spoken is None and request.method == "GET"):
        raise OtherProtocol(f"Uploads speak tus {TUS_VERSION}; send the header Tus-Resumable: {TUS_VERSION}.")


async def loader(asker: Asker) -> Principal:
    """Somebody who may load.

    Raises:
        NotAuthenticated, NotAllowed: When they may not.
    """
    require_loader(asker)
    return asker


Loader = Annotated[Principal, Depends(loader)]
SPOKEN = [Depends(protocol)]


@router.options("", status_code=204, summary="What the upload protocol can do here")
async def abilities(house: Inside) -> Response:
    """Version, extensions and largest file, as tus clients ask for them."""
    headers = {
        "Tus-Version": TUS_VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": "sha256",
        "Tus-Max-Size": str(house.settings.max_upload_bytes),
        "Allow": "OPTIONS, POST",
    }
    return Response(status_code=204, headers=headers)


@router.post("", status_code=201, summary="Begin an upload", dependencies=SPOKEN)
async def create(request: Request, house: Inside, asker: Loader) -> Response:
    """Make an upload of `Upload-Length` bytes; `Upload-Metadata` has the `filename` in base64."""
    length, name = _number(request, "upload-length"), _file_name(request)
    await run_in_threadpool(house.desk.require_confinement)
    made = await run_in_threadpool(house.uploads.create, asker.id, name, length)
    headers = {"Location": url(request, f"{UPLOADS}/{made.id}"), **_state(made)}
    return Response(status_code=201, headers=headers)


@router.get("/{upload_id}", summary="How far an upload is", dependencies=SPOKEN)
async def state(house: Inside, asker: Loader, upload_id: str) -> Response:
    """Offset and length, in the headers (for HEAD) and as JSON."""
    found = await run_in_threadpool(house.uploads.find, asker.id, upload_id)
    body = {"id": found.id, "name": found.name, "length": found.length, "offset": found.offset}
    return JSONResponse(body, headers={**_state(found), "Upload-Length": str(found.length)})


@router.delete("/{upload_id}", status_code=204, summary="Forget an upload", dependencies=SPOKEN)
async def forget(house: Inside, asker: Loader, upload_id: str) -> Response:
    """Remove what came of it."""
    await run_in_threadpool(house.uploads.delete, asker.id, upload_id)
    return Response(status_code=204, headers=_NO_STORE)


@router.patch("/{upload_id}", status_code=204, summary="Send a part", dependencies=SPOKEN)
async def append(request: Request, house: Inside, asker: Loader, upload_id: str) -> Response:
    """Append the body at `Upload-Offset`; with `Upload-Checksum` it counts as a whole or not at all."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PART_MEDIA:
        raise WrongMediaType(f"A part of an upload is sent as {PART_MEDIA}.")
    offset = _number(request, "upload-offset")
    header = request.headers.get("upload-checksum")
    checksum = parse_checksum(header) if header is not None else None
    found = await run_in_threadpool(house.uploads.find, asker.id, upload_id)
    _refuse_long(request, found, offset)
    reached = await _receive(request, house, found, offset, checksum)
    return Response(status_code=204, headers=_state(found) | {"Upload-Offset": str(reached)})


def _refuse_long(request: Request, upload: Upload, offset: int) -> None:
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdigit() and offset + int(announced) > upload.length:
        raise TooLarge(f"The upload has {upload.length} bytes; this part goes beyond them.")


async def _receive(request: Request, house: House, upload: Upload, offset: int, checksum: bytes | None) -> int:
    """Write the body to disk as it comes; what a broken request has brought still counts.

    Raises:
        UploadTooSlow: When the client stands still.
        ClientDisconnect: When it goes away.
    """
    opening = house.uploads.part(upload.owner, upload.id, offset, checksum)
    part = await run_in_threadpool(opening.__enter__)
    try:
        try:
            await _pour(request, part, house.settings.upload_idle_timeout)
        except (ClientDisconnect, UploadTooSlow, asyncio.CancelledError):
            await asyncio.shield(run_in_threadpool(part.keep))
            raise
        return await run_in_threadpool(part.finish)
    finally:
        await asyncio.shield(run_in_threadpool(opening.__exit__, None, None, None))


async def _pour(request: Request, part: Part, grace: float) -> None:
    began, received, waiting = time.monotonic(), 0, bytearray()
    stream = request.stream()
    while True:
        allowed = grace + received / SLOWEST_BYTES_PER_SECOND - (time.monotonic() - began)
        try:
            block = await asyncio.wait_for(anext(stream), max(0.0, min(grace, allowed)))
        except StopAsyncIteration:
            break
        except TimeoutError:
            await run_in_threadpool(part.write, bytes(waiting))
            raise UploadTooSlow(
                f"The part stood still for {grace:g} s or came more slowly than {SLOWEST_BYTES_PER_SECOND} bytes per "
                "second; go on from the offset reached."
            ) from None
        except ClientDisconnect:
            await run_in_threadpool(part.write, bytes(waiting))
            raise
        received += len(block)
        waiting += block
        if len(waiting) >= _BLOCK:
            await run_in_threadpool(part.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(part.write, bytes(waiting))


def _state(upload: Upload) -> dict[str, str]:
    expires = format_datetime(datetime.fromtimestamp(upload.expires, UTC), usegmt=True)
    return {**_NO_STORE, "Upload-Offset": str(upload.offset), "Upload-Expires": expires}


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        name = header.title()
        raise BadParameter(f"{name} is a whole number of bytes; {text[:30]!r} is not.", parameter=name)
    return int(text)


def _file_name(request: Request) -> str:
    """The `filename` of `Upload-Metadata`: pairs of a key and a base64 value, separated by commas.

    Raises:
        BadParameter: When there is none or it is not UTF-8.
    """
    pairs: dict[str, Any] = {}
    for pair in request.headers.get("upload-metadata", "").split(","):
        key, _, value = pair.strip().partition(" ")
        pairs[key] = value
    try:
        return base64.b64decode(pairs["filename"], validate=True).decode("utf-8")
    except (KeyError, ValueError):
        raise BadParameter(
            "Upload-Metadata has a pair `filename` with the file's name, in UTF-8 and base64.",
            parameter="Upload-Metadata",
        ) from None


BLOCK = Block("uploads", "https://tus.io/protocols/resumable-upload", "stable", (), router, no_links)
