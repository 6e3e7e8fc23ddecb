"""OGC API Features Part 4 (create, replace, update, delete), and transactions as in the draft of Part 11."""

from __future__ import annotations

import hashlib
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from geoservice.edits.body import Content, content_crs, read_feature, read_json, read_patch
from geoservice.edits.conditions import condition_of, idempotency_key, version_tag
from geoservice.edits.desk import LayerEdits, Outcome, Wish
from geoservice.edits.memo import Memo
from geoservice.house import Asker, House, Inside
from geoservice.http.links import url
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc.block import SPEC, Block, no_links
from geoservice.ogc.features import open_rows
from ingest.edit import Action, Condition, Edit
from layers.access import Decision, decide
from layers.errors import BadBody, UnknownFeature
from layers.model import RowLayer

router = APIRouter(tags=["transactions"])
MERGE_PATCH = "application/merge-patch+json"
TRANSACTION = "application/ogc-tx+json"
_FEATURE_TYPES = (GEOJSON, JSON)
_PATCH_TYPES = (MERGE_PATCH, GEOJSON, JSON)
_PRIVATE = {"Cache-Control": "private, no-store"}
_READING, _CREATING, _CHANGING = ("GET", "HEAD", "OPTIONS"), ("POST",), ("PUT", "PATCH", "DELETE")


class TransactionAction(BaseModel):
    """One action of a transaction."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["insert", "replace", "update", "delete"]
    collection: str = Field(min_length=1, max_length=200)
    id: str | None = Field(default=None, min_length=1, max_length=4000, description="The feature; not for insert.")
    feature: dict[str, Any] | None = Field(default=None, description="GeoJSON feature, or merge patch for update.")
    ifMatch: str | None = Field(default=None, max_length=1000, description="As the header If-Match.")


class Transaction(BaseModel):
    """The body of a transaction: actions that are done all or none."""

    model_config = ConfigDict(extra="forbid")

    semantic: Literal["atomic"] = "atomic"
    transaction: list[TransactionAction] = Field(min_length=1)


def _body(*media: str) -> dict[str, Any]:
    """The part of the OpenAPI document that describes a body which the route reads itself."""
    return {"requestBody": {"required": True, "content": {m: {"schema": {"type": "object"}} for m in media}}}


@router.options("/collections/{collection_id}/items", status_code=204, summary="What you may do with the collection")
async def options_of_items(house: Inside, asker: Asker, collection_id: str) -> Response:
    """The methods that this principal may use: POST only for those who may create features."""
    layer, _ = open_rows(house, asker, collection_id)
    editing = decide(asker, "edit", layer).allowed
    if editing:
        # Clients ask before they edit, QGIS when it opens the collection: by then the judge of edits is ready.
        house.edits.warm()
    allowed = (*_READING, *(_CREATING if editing else ()))
    return Response(status_code=204, headers={**_PRIVATE, "Allow": ", ".join(allowed)})


@router.options(
    "/collections/{collection_id}/items/{feature_id:path}", status_code=204, summary="What you may do with a feature"
)
async def options_of_item(house: Inside, asker: Asker, collection_id: str, feature_id: str) -> Response:
    """The methods that this principal may use on features of the collection, whether there is this one or not."""
    layer, _ = open_rows(house, asker, collection_id)
    editing = decide(asker, "edit", layer).allowed
    headers = {**_PRIVATE, "Allow": ", ".join((*_READING, *(_CHANGING if editing else ())))}
    if editing:
        headers["Accept-Patch"] = MERGE_PATCH
    return Response(status_code=204, headers=headers)


@router.post(
    "/collections/{collection_id}/items",
    status_code=201,
    summary="Create features",
    openapi_extra=_body(*_FEATURE_TYPES),
)
async def create(request: Request, house: Inside, asker: Asker, collection_id: str) -> Response:
    """Create one feature, or all features of a collection as one edition: all or none."""
    layer, decision = house.open_editable(asker, collection_id)
    document, body = await _document(request, _FEATURE_TYPES)
    crs = content_crs(request.headers.get("content-crs"))
    several = isinstance(document, dict) and document.get("type") == "FeatureCollection"
    features = document.get("features") if several else [document]
    if not isinstance(features, list) or not features:
        raise BadBody("A feature collection has an array of one or more features.")
    house.edits.require_few(len(features))
    contents = [read_feature(f, layer, decision, crs, place) for place, f in enumerate(features)]
    edits = [_edit("insert", place, None, content) for place, content in enumerate(contents)]
    outcome = await _do(request, house, asker, [LayerEdits(layer, decision, tuple(edits))], body)
    if several:
        return _report(request, outcome, 201)
    name, written = outcome.written[0]
    headers = {**_headers(outcome), "Location": _address(request, name, written.key)}
    return Response(status_code=201, headers=headers)


@router.put(
    "/collections/{collection_id}/items/{feature_id:path}",
    status_code=204,
    summary="Replace a feature",
    openapi_extra=_body(*_FEATURE_TYPES),
)
async def replace(request: Request, house: Inside, asker: Asker, collection_id: str, feature_id: str) -> Response:
    """Give a feature new content; properties that the body does not mention become empty."""
    layer, decision = house.open_editable(asker, collection_id)
    document, body = await _document(request, _FEATURE_TYPES)
    content = read_feature(document, layer, decision, content_crs(request.headers.get("content-crs")))
    return await _change(request, house, asker, (layer, decision), (_edit("replace", 0, feature_id, content), body))


@router.patch(
    "/collections/{collection_id}/items/{feature_id:path}",
    status_code=204,
    summary="Change a feature",
    openapi_extra=_body(*_PATCH_TYPES),
)
async def update(request: Request, house: Inside, asker: Asker, collection_id: str, feature_id: str) -> Response:
    """Change what a JSON merge patch mentions: single properties, the geometry, or both."""
    layer, decision = house.open_editable(asker, collection_id)
    document, body = await _document(request, _PATCH_TYPES)
    content = read_patch(document, layer, decision, content_crs(request.headers.get("content-crs")))
    return await _change(request, house, asker, (layer, decision), (_edit("update", 0, feature_id, content), body))


@router.delete("/collections/{collection_id}/items/{feature_id:path}", status_code=204, summary="Delete a feature")
async def delete(request: Request, house: Inside, asker: Asker, collection_id: str, feature_id: str) -> Response:
    """Delete a feature; history keeps it."""
    opened = house.open_editable(asker, collection_id)
    return await _change(request, house, asker, opened, (_edit("delete", 0, feature_id), b""))


@router.post("/transactions", summary="Several edits as one", openapi_extra=_body(TRANSACTION, JSON))
async def transact(request: Request, house: Inside, asker: Asker) -> Response:
    """Insert, replace, update and delete features of one or several collections: all or none."""
    document, body = await _document(request, (TRANSACTION, JSON))
    if isinstance(document, dict) and isinstance(document.get("transaction"), list):
        house.edits.require_few(len(document["transaction"]))
    try:
        asked = Transaction.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise BadBody(f"The transaction is wrong at {place}: {first['msg']}.") from None
    crs = content_crs(request.headers.get("content-crs"))
    opened: dict[str, tuple[RowLayer, Decision]] = {}
    edits: dict[str, list[Edit]] = {}
    for number, action in enumerate(asked.transaction):
        found = house.open_editable(asker, action.collection)
        name = found[0].name
        opened[name] = found
        edit = _action(number, action, found, crs, required=house.settings.edit_version_required)
        edits.setdefault(name, []).append(edit)
    parts = [LayerEdits(*opened[name], tuple(some)) for name, some in edits.items()]
    return _report(request, await _do(request, house, asker, parts, body), 200)


def _action(
    place: int, action: TransactionAction, opened: tuple[RowLayer, Decision], crs: Any, *, required: bool
) -> Edit:
    layer, decision = opened
    if (action.id is None) != (action.action == "insert"):
        raise BadBody("An insert has no id; every other action names the id of its feature.", action=place)
    if (action.feature is None) != (action.action == "delete"):
        raise BadBody("A delete has no feature; every other action has one.", action=place)
    content = None
    if action.feature is not None:
        read = read_patch if action.action == "update" else read_feature
        content = read(action.feature, layer, decision, crs, place)
    headers = {} if action.ifMatch is None else {"if-match": action.ifMatch}
    condition = condition_of(headers, required=required and action.id is not None)
    return _edit(action.action, place, action.id, content, condition)


def _edit(
    action: Action, place: int, key: str | None, content: Content | None = None, condition: Condition | None = None
) -> Edit:
    if key is not None and "\x00" in key:
        raise UnknownFeature("There is no such feature in the collection.", action=place)
    given: dict[str, Any] = {} if content is None else {"properties": content.properties, "geometry": content.geometry}
    return Edit(action, place, key, condition=condition or Condition(), **given)


async def _document(request: Request, media: tuple[str, ...]) -> tuple[Any, bytes]:
    """The parsed body and its bytes.

    Raises:
        WrongMediaType: When it says it is something else: a page of another site can send forms, but not these types.
        BadBody: When it is no JSON.
    """
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named not in media:
        raise WrongMediaType(f"The body is sent as {' or '.join(media)}; {named[:60] or 'nothing'!r} is not taken.")
    body = await request.body()
    return await run_in_threadpool(read_json, body), body


async def _change(
    request: Request,
    house: House,
    asker: Asker,
    opened: tuple[RowLayer, Decision],
    asked: tuple[Edit, bytes],
) -> Response:
    """Do one edit of a feature that is there, if the condition of the request holds."""
    (layer, decision), (edit, body) = opened, asked
    condition = condition_of(request.headers, required=house.settings.edit_version_required)
    edit = Edit(edit.action, 0, edit.key, edit.properties, edit.geometry, condition)
    outcome = await _do(request, house, asker, [LayerEdits(layer, decision, (edit,))], body)
    return Response(status_code=204, headers=_headers(outcome))


async def _do(request: Request, house: House, asker: Asker, parts: list[LayerEdits], body: bytes) -> Outcome:
    key = idempotency_key(request.headers.get("idempotency-key"))
    memo = None
    if key is not None:
        asked = f"{request.method} {request.url.path}\n{request.headers.get('content-crs', '')}\n"
        memo = Memo(asker.id, key, hashlib.sha256(asked.encode() + body).digest())
    crs = content_crs(request.headers.get("content-crs"))
    repair = "handling=lenient" in request.headers.get("prefer", "").replace(" ", "").lower().split(",")
    return await run_in_threadpool(house.edits.do, asker, Wish(tuple(parts), crs, body, repair, memo))


def _headers(outcome: Outcome) -> dict[str, str]:
    """Header fields of an answer about one feature."""
    name, written = outcome.written[0]
    headers = dict(_PRIVATE)
    if outcome.editions[name] is not None:
        headers["Geoservice-Edition"] = str(outcome.editions[name])
    if written.edition is not None:
        headers["ETag"] = version_tag(written.edition)
    if outcome.repeated:
        headers["Idempotent-Replayed"] = "true"
    return headers


def _report(request: Request, outcome: Outcome, status: int) -> Response:
    """What became of several edits."""
    results = [
        {
            "action": one.action,
            "collection": name,
            "id": one.key,
            "edition": one.edition,
            **({} if one.action == "delete" else {"href": _address(request, name, one.key)}),
        }
        for name, one in outcome.written
    ]
    totals = {
        action: sum(r["action"] == action for r in results) for action in ("insert", "replace", "update", "delete")
    }
    body = {
        "semantic": "atomic",
        "editions": outcome.editions,
        "summary": totals,
        "results": results,
        "warnings": list(outcome.warnings),
    }
    replayed = {"Idempotent-Replayed": "true"} if outcome.repeated else {}
    return JSONResponse(body, status, {**_PRIVATE, **replayed})


def _address(request: Request, name: str, key: str) -> str:
    return url(request, f"/collections/{name}/items/{quote(key, safe='')}")


BLOCK = Block(
    name="transactions",
    spec="https://docs.ogc.org/DRAFTS/20-002r1.html",
    maturity="draft",
    conformance=(
        f"{SPEC}/ogcapi-features-4/1.0/conf/create-replace-delete",
        f"{SPEC}/ogcapi-features-4/1.0/conf/update",
        f"{SPEC}/ogcapi-features-4/1.0/conf/features",
        # The standard spells this one with "req".
        f"{SPEC}/ogcapi-features-4/1.0/req/optimistic-locking-etags",
    ),
    router=router,
    links=no_links,
)
