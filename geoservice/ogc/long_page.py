"""A long page of features as GeoJSON: sent while it is read, with what is known only at its end behind the features."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.features.places import Place
from geoservice.features.query import FeatureQuery
from geoservice.features.read import Page
from geoservice.features.stream import read_parts
from geoservice.house import House
from geoservice.http.encoding import VARY, takes_gzip
from geoservice.http.negotiation import GEOJSON
from geoservice.http.patience import PatientStream
from geoservice.ogc.pager import Pager
from layers.access import Decision
from layers.model import RowLayer

_GZIP = 31
_FAST = 1


async def long_page(
    house: House, pager: Pager, layer: RowLayer, decision: Decision, query: FeatureQuery, place: Place | None
) -> Response:
    """The page, without an entity tag: its content is not known when its head is sent.

    Raises:
        BadParameter: As a short page; what goes wrong later breaks the answer off.
    """
    clearance = decision.rule.max_clearance
    parts = read_parts(lambda: house.pools.raw(clearance), house.reading, layer, decision, query, place)
    first = await anext(parts)
    headers = {
        "Geoservice-Edition": str(first.edition or ""),
        "Cache-Control": "private, no-store",
        "Content-Crs": f"<{query.look.crs.uri}>",
        "Vary": VARY,
    }
    body = _written(pager, layer, first, parts)
    if takes_gzip(pager.request):
        headers["Content-Encoding"] = "gzip"
        body = _packed(body)
    patience = house.settings.reader_patience
    return PatientStream(body, patience=patience, headers=headers, media_type=GEOJSON)


async def _written(
    pager: Pager, layer: RowLayer, first: Page, parts: AsyncIterator[Page]
) -> AsyncGenerator[bytes, None]:
    yield b'{"type": "FeatureCollection", "features": ['
    yield first.features.encode()
    returned, page = first.returned, first
    async for page in parts:
        returned += page.returned
        yield f",{page.features}".encode() if page.features else b""
    # The page as a whole begins where its first part did and ends where the last one does.
    whole = Page("", returned, first.before, page.after, first.matched, first.edition)
    foot: dict[str, Any] = {"numberReturned": returned}
    if page.after is None and first.before is None:
        foot["numberMatched"] = returned
    elif first.matched is not None:
        foot["numberMatched"] = first.matched
    foot |= {"edition": first.edition, "links": pager.links(whole, "json", layer.title.en)}
    yield f"], {json.dumps(foot)[1:]}".encode()


async def _packed(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    packer = zlib.compressobj(_FAST, wbits=_GZIP)

    def packed(part: bytes) -> bytes:
        # Flushed, so that nobody waits for a part that is there.
        return packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)

    async for part in body:
        if part:
            yield await run_in_threadpool(packed, part)
    yield packer.flush()
