"""Metrics for Prometheus, for whoever holds the token of the setting."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.house import House, Inside
from geoservice.metrics.figures import families
from geoservice.metrics.meter import CONTENT_TYPE
from geoservice.ogc.block import Block, no_links
from layers.errors import NotAuthenticated, UnknownResource

router = APIRouter(prefix="/metrics", tags=["metrics"])


@router.get("", summary="Metrics", response_class=Response)
async def metrics(request: Request, house: Inside) -> Response:
    """Figures of all worker processes in the text format of Prometheus; 404 while no token is set."""
    _require_token(request, house)
    page = await run_in_threadpool(_page, house)
    return Response(page, media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _require_token(request: Request, house: House) -> None:
    token = house.settings.metrics_token
    if token is None:
        raise UnknownResource("There are no metrics here; the operator sets GEOSERVICE_METRICS_TOKEN to have them.")
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(shown.strip().encode(), token.get_secret_value().encode())
    if scheme.lower() != "bearer" or not right:
        raise NotAuthenticated("Metrics take the bearer token that the operator has set for them.")


def _page(house: House) -> bytes:
    return house.meter.page(families(house.writer, house.catalog))


BLOCK = Block("metrics", None, "stable", (), router, no_links)
