"""Readings over HTTP: batches as CSV or NDJSON come in, latest values go out as GeoJSON."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.db.writing import Writer
from geoservice.house import Asker, House, Inside
from geoservice.http.negotiation import GEOJSON
from geoservice.jobs.errors import WrongMediaType
from geoservice.observations.forms import MEDIA_TYPES, readings_of
from geoservice.observations.read import LatestValue, Wanted, latest
from geoservice.observations.reading import Source
from geoservice.observations.write import MOST_FINDINGS, Outcome, write
from geoservice.ogc.block import Block, no_links
from geoservice.queries.spool import Bounds, spooled
from layers.access import Principal
from layers.errors import NotAllowed, NotAuthenticated
from layers.extent import parse_bbox
from layers.interval import parse_datetime

MOST_LATEST = 10_000
"""Values that one answer tells; `after` leads on."""
PRIVATE = {"Cache-Control": "private, no-store"}
router = APIRouter(prefix="/observations", tags=["observations"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Readings: `datastream` (or `station` and `property`), `time`, `result`, and more.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    }
}


@router.post("", summary="Send readings", openapi_extra=_BODY)
async def send(
    request: Request,
    house: Inside,
    asker: Asker,
    source: Annotated[str, Query(description="What the batch is called in the books.", max_length=200)] = "",
) -> Response:
    """Write readings as one batch; those that cannot be written go to quarantine, and the answer says why."""
    _require_observer(asker)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise WrongMediaType(f"Readings are sent as {' or '.join(MEDIA_TYPES)}.")
    with ExitStack() as stack:
        stack.enter_context(house.queries.place(asker.id))
        body = await _body(request, house)
        named = Source(
            "http", source or "POST /observations", asker.id, asker.clearance, hashlib.sha256(body).hexdigest()
        )
        outcome = await run_in_threadpool(_write, house.writer, body, media, named)
    return JSONResponse(outcome_document(outcome), headers=PRIVATE)


def _require_observer(asker: Principal) -> None:
    if asker.anonymous:
        raise NotAuthenticated("Readings take an API key that may observe; send it as X-API-Key or bearer token.")
    if not asker.observes:
        raise NotAllowed("This API key may not send readings; `geoservice key create --may-observe` makes one.")


async def _body(request: Request, house: House) -> bytes:
    encoding = request.headers.get("content-encoding", "").strip().lower()
    bounds = Bounds(house.settings.query_batch_bytes, house.settings.upload_idle_timeout)
    file = await spooled(request.stream(), encoding, bounds, house.queries.folder)
    with file:
        return await run_in_threadpool(file.read)


def _write(writer: Writer, body: bytes, media: str, source: Source) -> Outcome:
    readings = readings_of(body, media)
    with writer.transaction() as connection:
        return write(connection, readings, source)


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What became of a batch, for whoever sent it; at most 50 flaws are told."""
    return {
        "batch": outcome.batch,
        "readings": outcome.readings,
        "inserted": outcome.inserted,
        "revised": outcome.revised,
        "unchanged": outcome.unchanged,
        "quarantined": outcome.quarantined,
        "flaws": [{"position": f.position, "rule": f.rule, "reason": f.reason} for f in outcome.flaws[:MOST_FINDINGS]],
    }


@dataclass(frozen=True)
class LatestQuery:
    """Query parameters of the latest values."""

    property: Annotated[list[str] | None, Query(description="Codes of observed properties.")] = None
    station: Annotated[list[str] | None, Query(description="Keys of stations.")] = None
    bbox: Annotated[str | None, Query(description="West, south, east, north in degrees.")] = None
    datetime: Annotated[str | None, Query(description="Instant or interval of the values' times (RFC 3339).")] = None
    limit: Annotated[int, Query(ge=1, le=MOST_LATEST)] = MOST_LATEST
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Begin after the datastream of this number.")] = 0

    def wanted(self) -> Wanted:
        """What is asked for.

        Raises:
            BadParameter: When a box or an interval is none.
        """
        box = parse_bbox(self.bbox) if self.bbox is not None else None
        span = parse_datetime(self.datetime) if self.datetime is not None else None
        since, until = (span.start, span.end) if span is not None else (None, None)
        return Wanted(_some(self.property), _some(self.station), box, since, until, self.limit, self.after)


@router.get("/latest", summary="Latest values of all stations")
async def latest_values(house: Inside, asker: Asker, query: Annotated[LatestQuery, Depends()]) -> Response:
    """The latest reading of each datastream that the key may see, as GeoJSON points, in the order of their numbers."""
    async with house.pools.raw(asker.clearance) as connection:
        found = await latest(connection, query.wanted())
    body = {"type": "FeatureCollection", "features": [_feature(value) for value in found], "numberReturned": len(found)}
    if len(found) == query.limit:
        body["after"] = found[-1].stream
    return JSONResponse(body, media_type=GEOJSON, headers=PRIVATE)


def _some(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(name.replace("\x00", "") for name in names)


def _feature(value: LatestValue) -> dict[str, Any]:
    place = None if value.lon is None else {"type": "Point", "coordinates": [value.lon, value.lat]}
    return {
        "type": "Feature",
        "id": value.datastream,
        "geometry": place,
        "properties": {
            "station": value.station,
            "name": value.name,
            "property": value.property,
            "unit": value.unit,
            "time": value.time.isoformat().replace("+00:00", "Z"),
            "result": value.result,
            "quality": value.quality,
        },
    }


BLOCK = Block("observations", None, "experimental", (), router, no_links)
