"""Links in mails: whoever reads an address agrees to a subscription, or leaves it. The token is all it takes.

Looking at a link does nothing, because mail programs look at links; pressing the button, or the button of the mail
program (RFC 8058), does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection
from starlette.responses import Response

from geoservice.events import consent
from geoservice.events.consent import Step
from geoservice.house import House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.texts import storable
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from layers.errors import UnknownResource

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])
Token = Annotated[str, Query(max_length=100, description="As the link in the mail has it.")]
_PRIVATE = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_DONE: dict[Step, Callable[[Connection, str, str], None]] = {"confirm": consent.confirm, "leave": consent.leave}


@router.get("/{subscription_id}/confirm", summary="Ask whether a subscription by mail is wanted")
async def confirmation(
    request: Request, house: Inside, subscription_id: str, token: Token, f: Format = None, lang: Language = None
) -> Response:
    """A page with a button; nothing happens before it is pressed."""
    return await _page(request, house, (subscription_id, token, "confirm"), f, lang)


@router.post("/{subscription_id}/confirm", summary="Agree to a subscription by mail")
async def confirm(
    request: Request, house: Inside, subscription_id: str, token: Token, f: Format = None, lang: Language = None
) -> Response:
    """From now on the address is told."""
    await _do(house, subscription_id, token, "confirm")
    return await _page(request, house, (subscription_id, token, "confirm"), f, lang)


@router.get("/{subscription_id}/leave", summary="Ask whether a subscription by mail is to end")
async def leaving(
    request: Request, house: Inside, subscription_id: str, token: Token, f: Format = None, lang: Language = None
) -> Response:
    """A page with a button; nothing happens before it is pressed."""
    return await _page(request, house, (subscription_id, token, "leave"), f, lang)


@router.post("/{subscription_id}/leave", summary="Leave a subscription by mail")
async def leave(
    request: Request, house: Inside, subscription_id: str, token: Token, f: Format = None, lang: Language = None
) -> Response:
    """Nothing else is sent; mail programs with a button of their own post here (RFC 8058)."""
    await _do(house, subscription_id, token, "leave")
    return await _page(request, house, (subscription_id, token, "leave"), f, lang)


async def _do(house: House, number: str, token: str, step: Step) -> None:
    done = _DONE[step]
    await run_in_threadpool(_write, house, lambda connection: done(connection, _plain(number), _plain(token)))


async def _page(
    request: Request, house: House, named: tuple[str, str, Step], f: str | None, lang: str | None
) -> Response:
    number, token, step = named
    look = partial(consent.require_link, number=_plain(number), given=_plain(token), step=step)
    row = await run_in_threadpool(_write, house, look)
    done = row.confirmed is not None if step == "confirm" else row.parted is not None
    here = url(request, f"/subscriptions/{row.id}/{step}", token=token, f="json")
    body = {"step": step, "done": done, "kind": row.kind, "links": [link(here, "alternate", JSON, "JSON")]}
    chosen = negotiate(request, f, DOCUMENT)
    return document(request, "consent", body, chosen, lang or row.lang, headers=_PRIVATE)


def _plain(text: str) -> str:
    if not storable(text):
        raise UnknownResource("There is no such link, or it is no longer good.")
    return text


def _write(house: House, what: Callable[[Connection], Any]) -> Any:
    with house.writer.transaction() as connection:
        return what(connection)


BLOCK = Block("subscriptions by mail", None, "experimental", (), router, no_links)
