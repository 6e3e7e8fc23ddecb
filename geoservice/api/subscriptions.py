"""Subscriptions by webhook or mail: each key makes, sees and removes its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.alerts.desk import LAYER as ALERTS
from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.request import find_place, zone_request
from geoservice.api.subscription_bodies import NewSubscription, condition_of, require_sound
from geoservice.db.writing import Writer
from geoservice.events import ledger
from geoservice.events.errors import ReceiverRefused
from geoservice.events.mailer import FOREIGN
from geoservice.events.postman import require_receiver
from geoservice.events.signing import shown
from geoservice.events.wishes import MAILTO, Area, Subscription, Wish
from geoservice.house import Asker, House, Inside
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.ogc.block import Block, no_links
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Principal, decide
from layers.errors import BadBody, NotAuthenticated
from layers.model import Layer, VectorLayer

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])
PRIVATE = {"Cache-Control": "private, no-store"}


@router.post("", status_code=201, summary="Subscribe")
async def subscribe(request: Request, house: Inside, asker: Asker, body: NewSubscription) -> Response:
    """Messages about editions, alerts or exceedances; for webhooks the answer shows the key that signs them, once."""
    _require_key(asker)
    require_sound(body)
    layers = await _layers(house, asker, body)
    address = _receiver(house, body)
    told = asker if body.mail is None else _mailed(house, asker, layers)
    area = None if body.area is None else await _area(house, told, body.area)
    names = tuple(dict.fromkeys(layer.name for layer in layers)) if body.kind == "layer" else ()
    wish = Wish(body.kind, address, names, condition_of(body), area, body.lang, body.exercises)
    make = partial(ledger.subscribe, principal=asker.id, wish=wish, most=house.settings.subscriptions_each)
    made, secret = await run_in_threadpool(_read, house.writer, make)
    headers = {**PRIVATE, "Location": url(request, f"/subscriptions/{made.id}")}
    shown_once = {"secret": shown(secret)} if wish.mail is None else {}
    return JSONResponse({**_document(request, made), **shown_once}, 201, headers)


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
    rows = await run_in_threadpool(_read, house.writer, partial(ledger.log, principal=asker, number=found.id))
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


async def _layers(house: House, asker: Principal, body: NewSubscription) -> list[Layer]:
    """The layers that a subscription depends on, each of which the asker may see."""
    if body.kind == "exceedance":
        return []
    layers = [house.open_layer(asker, name)[0] for name in (body.collections or [ALERTS])]
    if body.area is not None and (other := next((la for la in layers if not isinstance(la, VectorLayer)), None)):
        raise BadBody(f"{other.name} has no features with a place; leave area out.", where="area")
    return layers


def _receiver(house: House, body: NewSubscription) -> str:
    """Where messages go.

    Raises:
        ReceiverRefused: When the host or domain is not allowed, or the service sends no mail.
    """
    settings = house.settings
    if body.url is not None:
        require_receiver(Guard(parse_hosts(settings.webhook_hosts)), body.url)
        return body.url
    if settings.mail_host is None or settings.mail_sender is None or settings.public_url is None:
        raise ReceiverRefused("This service sends no mail; ask its operator to set a mail server, or use a url.")
    if body.mail is not None and not settings.mails_to(body.mail):
        raise ReceiverRefused(FOREIGN)
    return f"{MAILTO}{body.mail}"


def _mailed(house: House, asker: Principal, layers: list[Layer]) -> Principal:
    """The asker with the eyes that look at what goes by mail.

    Raises:
        ReceiverRefused: When one of the layers is not for mail.
    """
    ceiling = house.settings.mail_ceiling
    told = replace(asker, clearance=min(asker.clearance, ceiling))
    if closed := next((layer for layer in layers if not decide(told, "read", layer).allowed), None):
        raise ReceiverRefused(
            f"Mail of this service tells of what is {ceiling.label} at most, and {closed.name} is not; use a url."
        )
    return told


async def _area(house: House, asker: Principal, asked: dict[str, Any]) -> Area:
    """An area as the asker may see it now; it stays as it is."""
    request = await run_in_threadpool(zone_request, asked, house.settings.max_zone_vertices)
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=house.reading.schema(asker.clearance))
    async with house.pools.connection(asker.clearance) as connection:
        place = await find_place(connection, request, context)
    label = {} if place.label is None else {"label": {"zh": place.label.zh, "en": place.label.en}}
    return Area(place.geometry, {"origin": place.origin, "bbox": list(place.described().bbox), **label})


def _read(writer: Writer, what: Any) -> Any:
    with writer.transaction() as connection:
        return what(connection)


def _document(request: Request, found: Subscription) -> dict[str, Any]:
    path, wish = f"/subscriptions/{found.id}", found.wish
    way = {"url": wish.url} if wish.mail is None else {"mail": wish.mail, "lang": wish.lang}
    about = {"collections": list(wish.collections)} if wish.kind == "layer" else dict(wish.condition)
    return {
        "id": found.id,
        "kind": wish.kind,
        **way,
        **about,
        **({} if found.place is None else {"area": dict(found.place)}),
        **({"exercises": wish.exercises} if wish.kind == "alert" or ALERTS in wish.collections else {}),
        "created": _plain(found.created),
        "state": found.state,
        "failures": found.failures,
        "links": [
            link(url(request, path), "self", JSON, "This subscription"),
            link(url(request, f"{path}/deliveries"), "monitor", JSON, "Delivery log"),
        ],
    }


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


BLOCK = Block("subscriptions", None, "experimental", (), router, no_links)
