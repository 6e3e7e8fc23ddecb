"""Subscriptions to new editions (webhooks): each key makes, sees and removes its own."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.db.writing import Writer
from geoservice.events import ledger
from geoservice.events.ledger import Subscription
from geoservice.events.postman import require_receiver
from geoservice.events.signing import shown
from geoservice.house import Asker, House, Inside
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.ogc.block import Block, no_links
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Principal
from layers.errors import NotAuthenticated

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])
PRIVATE = {"Cache-Control": "private, no-store"}


class NewSubscription(BaseModel):
    """The body that makes a subscription."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=8, max_length=2000, description="Where messages are posted; its host must be allowed.")
    collections: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(min_length=1, max_length=100)


@router.post("", status_code=201, summary="Subscribe to new editions")
async def subscribe(request: Request, house: Inside, asker: Asker, body: NewSubscription) -> Response:
    """Messages about new editions of collections; the answer shows the key that signs them, once."""
    _require_key(asker)
    layers = [house.open_layer(asker, name)[0] for name in body.collections]
    require_receiver(Guard(parse_hosts(house.settings.webhook_hosts)), body.url)
    names = list(dict.fromkeys(layer.name for layer in layers))
    make = partial(_subscribe, house.writer, asker.id, body.url, names, house.settings.subscriptions_each)
    made, secret = await run_in_threadpool(make)
    headers = {**PRIVATE, "Location": url(request, f"/subscriptions/{made.id}")}
    return JSONResponse({**_document(request, made), "secret": shown(secret)}, 201, headers)


@router.get("", summary="Your subscriptions")
async def subscriptions(request: Request, house: Inside, asker: Asker) -> Response:
    """The subscriptions of the key, the oldest first."""
    _require_key(asker)
    found = await run_in_threadpool(_read, house.writer, partial(ledger.listing, principal=asker.id))
    links = [link(url(request, "/subscriptions"), "self", JSON, "Your subscriptions")]
    return JSONResponse({"subscriptions": [_document(request, s) for s in found], "links": links}, headers=PRIVATE)


@router.get("/{subscription_id}", summary="One subscription")
async def subscription(request: Request, house: Inside, asker: Asker, subscription_id: str) -> Response:
    """A subscription of the key and how it fares."""
    found = await _found(house, asker, subscription_id)
    return JSONResponse(_document(request, found), headers=PRIVATE)


@router.delete("/{subscription_id}", status_code=204, summary="Remove a subscription")
async def unsubscribe(house: Inside, asker: Asker, subscription_id: str) -> Response:
    """Nothing is sent any more, and its log goes with it."""
    found = await _found(house, asker, subscription_id)
    await run_in_threadpool(_read, house.writer, partial(ledger.remove, principal=asker.id, number=found.id))
    return Response(status_code=204, headers=PRIVATE)


@router.get("/{subscription_id}/deliveries", summary="Delivery log")
async def deliveries(request: Request, house: Inside, asker: Asker, subscription_id: str) -> Response:
    """The latest messages of a subscription: what became of each, after how many attempts."""
    found = await _found(house, asker, subscription_id)
    rows = await run_in_threadpool(_read, house.writer, partial(ledger.log, principal=asker.id, number=found.id))
    entries = [{name: _plain(value) for name, value in row.items() if value is not None} for row in rows]
    links = [link(url(request, f"/subscriptions/{found.id}"), "up", JSON, "The subscription")]
    return JSONResponse({"deliveries": entries, "links": links}, headers=PRIVATE)


def _require_key(asker: Principal) -> None:
    if asker.anonymous:
        raise NotAuthenticated("Subscriptions belong to an API key; send it as X-API-Key or bearer token.")


async def _found(house: House, asker: Principal, number: str) -> Subscription:
    _require_key(asker)
    plain = number.replace("\x00", "")
    return await run_in_threadpool(_read, house.writer, partial(ledger.find, principal=asker.id, number=plain))


def _subscribe(writer: Writer, principal: str, address: str, names: list[str], most: int) -> tuple[Subscription, bytes]:
    with writer.transaction() as connection:
        return ledger.subscribe(connection, principal, address, names, most)


def _read(writer: Writer, what: Any) -> Any:
    with writer.transaction() as connection:
        return what(connection)


def _document(request: Request, found: Subscription) -> dict[str, Any]:
    path = f"/subscriptions/{found.id}"
    return {
        "id": found.id,
        "url": found.url,
        "collections": list(found.collections),
        "created": _plain(found.created),
        "state": "active" if found.disabled is None else "disabled",
        "failures": found.failures,
        "links": [
            link(url(request, path), "self", JSON, "This subscription"),
            link(url(request, f"{path}/deliveries"), "monitor", JSON, "Delivery log"),
        ],
    }


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


BLOCK = Block("subscriptions", None, "experimental", (), router, no_links)
