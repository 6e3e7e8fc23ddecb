"""OGC SensorThings API 1.1: creating, changing and deleting entities, data arrays, and batches of requests."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.edits.body import read_json
from geoservice.house import Asker, House, Inside
from geoservice.http.links import base_url
from geoservice.http.negotiation import JSON
from geoservice.http.problems import status_of
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc import sensorthings
from geoservice.ogc.block import Block, no_links
from geoservice.sensorthings.address import read_address
from geoservice.sensorthings.arrays import DataArray, read_arrays, told, write_arrays
from geoservice.sensorthings.batch import (
    Item,
    MultipartWriter,
    Reply,
    grouped,
    json_replies,
    read_json_batch,
    read_multipart_batch,
)
from geoservice.sensorthings.desk import Done, Wish, perform, require_observer
from geoservice.sensorthings.render import MOUNT, self_link
from layers.access import Principal
from layers.errors import BadBody, GeoError

router = APIRouter(tags=["sensorthings"])
MULTIPART = "multipart/mixed"
_PRIVATE = {"Cache-Control": "private, no-store"}
_CREATED, _OK, _FAULT = 201, 200, 500


def _body(*media: str) -> dict[str, Any]:
    """The part of the OpenAPI document that describes a body which the route reads itself."""
    return {"requestBody": {"required": True, "content": {m: {"schema": {}} for m in media}}}


@router.post(MOUNT + "/$batch", summary="SensorThings: several requests as one", openapi_extra=_body(MULTIPART, JSON))
async def batch(request: Request, house: Inside, asker: Asker) -> Response:
    """Requests as the parts of one (18-088, 11), or as JSON (OData 4.01): a change set is done as a whole or not."""
    media = request.headers.get("content-type", "")
    kind = media.partition(";")[0].strip().lower()
    content = await request.body()
    if kind == MULTIPART:
        items = await run_in_threadpool(read_multipart_batch, media, content)
    elif kind == JSON:
        items = read_json_batch(await run_in_threadpool(read_json, content))
    else:
        raise WrongMediaType(f"A batch is sent as {MULTIPART} or {JSON}; {kind[:60] or 'nothing'!r} is not taken.")
    replies: list[Reply] = []
    for group in grouped(items):
        replies += await _group(house, asker, group, base_url(request) + MOUNT, whole=kind == MULTIPART)
    if kind == JSON:
        return JSONResponse(json_replies(replies), headers=_PRIVATE)
    writer = MultipartWriter()
    return Response(writer.write(replies), _OK, _PRIVATE, f"{MULTIPART}; boundary={writer.boundary}")


@router.post(
    MOUNT + "/CreateObservations",
    status_code=_CREATED,
    summary="SensorThings: many observations as data arrays",
    openapi_extra=_body(JSON),
)
async def create_observations(request: Request, house: Inside, asker: Asker) -> Response:
    """Observations of several datastreams (18-088, 12.2): their addresses in order, `error` for flawed ones.

    Flawed ones are set aside in quarantine, or left out when they are no observations at all.
    """
    require_observer(asker)
    arrays = await run_in_threadpool(_arrays, await _content(request))
    fates = await run_in_threadpool(_write_arrays, house, asker, arrays)
    return JSONResponse(told(base_url(request) + MOUNT, fates), _CREATED, _PRIVATE)


@router.post(
    MOUNT + "/{entity_path:path}",
    status_code=_CREATED,
    summary="SensorThings: create an entity",
    openapi_extra=_body(JSON),
)
async def create(request: Request, house: Inside, asker: Asker, entity_path: str) -> Response:
    """Create an entity in a set, with those that are sent inside it (18-088, 10.2)."""
    return await _change(request, house, asker, "POST", entity_path)


@router.patch(MOUNT + "/{entity_path:path}", summary="SensorThings: change an entity", openapi_extra=_body(JSON))
async def update(request: Request, house: Inside, asker: Asker, entity_path: str) -> Response:
    """Change what the body mentions of an entity (18-088, 10.3)."""
    return await _change(request, house, asker, "PATCH", entity_path)


@router.put(MOUNT + "/{entity_path:path}", summary="SensorThings: replace an entity", openapi_extra=_body(JSON))
async def replace(request: Request, house: Inside, asker: Asker, entity_path: str) -> Response:
    """Give an entity the properties of the body and empty the others; links that it does not name stay (10.3)."""
    return await _change(request, house, asker, "PUT", entity_path)


@router.delete(MOUNT + "/{entity_path:path}", summary="SensorThings: delete an entity")
async def delete(house: Inside, asker: Asker, entity_path: str) -> Response:
    """Delete an entity and what cannot be without it (18-088, 10.4)."""
    require_observer(asker)
    await run_in_threadpool(_perform, house, asker, [(Wish("DELETE", entity_path), None)])
    return Response(status_code=_OK, headers=_PRIVATE)


async def _change(request: Request, house: House, asker: Principal, method: str, entity_path: str) -> Response:
    require_observer(asker)
    body = await run_in_threadpool(read_json, await _content(request))
    (done,) = await run_in_threadpool(_perform, house, asker, [(Wish(method, entity_path, body), None)])
    root = base_url(request) + MOUNT
    address = self_link(root, done.entity, done.id)
    shown = await _shown(house, asker, root, done)
    status = _CREATED if method == "POST" else _OK
    return JSONResponse(shown, status, {**_PRIVATE, "Location": address})


async def _content(request: Request) -> bytes:
    """The body of a request that says it is JSON: a page of another site can send forms, but not this type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise WrongMediaType(f"The body is sent as {JSON}; {kind[:60] or 'nothing'!r} is not taken.")
    return await request.body()


async def _shown(house: House, asker: Principal, root: str, done: Done) -> Any:
    """An entity as it stands after a change."""
    address = read_address(f"{done.entity.plural}({done.id})")
    return await sensorthings.answer(house, asker, address, [], root)


def _arrays(content: bytes) -> list[DataArray]:
    return read_arrays(read_json(content))


def _write_arrays(house: House, asker: Principal, arrays: list[DataArray]) -> list[int | None]:
    with house.writer.transaction() as connection:
        return write_arrays(connection, asker, arrays)


def _perform(house: House, asker: Principal, wishes: list[tuple[Wish, str | None]]) -> list[Done]:
    """Do what is wished, all or none; what one makes, the next ones may call by its name."""
    made: dict[str, int] = {}
    found = []
    with house.writer.transaction() as connection:
        for wish, name in wishes:
            done = perform(connection, asker, Wish(wish.method, _named(wish.path, made), wish.body), made)
            if name is not None:
                made[name] = done.id
                made[f"{done.entity.plural}:{name}"] = done.id
            found.append(done)
    return found


def _named(path: str, made: dict[str, int]) -> str:
    """A path that begins with what was made under a name: `$thing1/Datastreams` is `Things(7)/Datastreams`."""
    if not path.startswith("$"):
        return path
    name, slash, rest = path[1:].partition("/")
    plural = next((key.partition(":")[0] for key in made if key.endswith(f":{name}") and ":" in key), None)
    if plural is None or name not in made:
        raise BadBody(f"Nothing was made under the name {name[:60]!r} in this change set.")
    return f"{plural}({made[name]}){slash}{rest}"


async def _group(house: House, asker: Principal, group: list[Item], root: str, *, whole: bool) -> list[Reply]:
    """Do a change set, or a single request, and answer it."""
    first = group[0]
    try:
        if first.method == "GET":
            return [await _got(house, asker, first, root)]
        require_observer(asker)
        wishes = [(Wish(item.method, item.path, item.body), item.name) for item in group]
        done = await run_in_threadpool(_perform, house, asker, wishes)
    except GeoError as error:
        return _failed(group, error, whole=whole)
    return [await _told(house, asker, root, item, one) for item, one in zip(group, done, strict=True)]


async def _got(house: House, asker: Principal, item: Item, root: str) -> Reply:
    address = read_address(item.path)
    options = parse_qsl(item.url.partition("?")[2], keep_blank_values=True)
    body = await sensorthings.answer(house, asker, address, options, root)
    return Reply(_OK, body, name=item.name)


async def _told(house: House, asker: Principal, root: str, item: Item, done: Done) -> Reply:
    if done.method == "DELETE":
        return Reply(_OK, None, name=item.name, group=item.group)
    shown = await _shown(house, asker, root, done)
    status = _CREATED if done.method == "POST" else _OK
    return Reply(status, shown, self_link(root, done.entity, done.id), item.name, item.group)


def _failed(group: list[Item], error: GeoError, *, whole: bool) -> list[Reply]:
    """The answer of a change set of which nothing was done: as one, or to each of its requests."""
    status = status_of(error)
    if status >= _FAULT and status != 503:  # noqa: PLR2004
        raise error
    body = {"title": error.title, "status": status, "detail": error.detail}
    if whole:
        return [Reply(status, body, name=group[0].name if group[0].group is None else None)]
    return [Reply(status, body, name=item.name, group=item.group) for item in group]


BLOCK = Block("sensorthings-write", "https://docs.ogc.org/is/18-088/18-088.html", "draft", (), router, no_links)
