"""Health: is the process alive, can it answer."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse

from geoservice.house import Inside
from geoservice.ogc.block import Block, no_links

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Liveness")
async def live() -> JSONResponse:
    """The process answers. Says nothing about the database."""
    return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


@router.get("/ready", summary="Readiness")
async def ready(house: Inside) -> JSONResponse:
    """The database answers; 503 when it does not."""
    await house.pools.check()
    return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})


BLOCK = Block("health", None, "stable", (), router, no_links)
