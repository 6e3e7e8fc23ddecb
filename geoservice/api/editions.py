"""Taking an edition back over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.api.jobs import PRIVATE, status_info
from geoservice.house import Asker, Inside
from geoservice.http.links import url
from geoservice.http.parameters import MOST_DIGITS
from geoservice.http.texts import Storable
from geoservice.ogc.block import Block, no_links
from layers.errors import UnknownEdition

router = APIRouter(prefix="/editions", tags=["editions"])


class Withdrawal(BaseModel):
    """Why an edition is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Storable = Field(min_length=1, max_length=1000, description="It is kept with the withdrawal.")


@router.post("/{edition_number}/withdraw", status_code=201, summary="Take back an edition")
async def withdraw(request: Request, house: Inside, asker: Asker, edition_number: str, body: Withdrawal) -> Response:
    """A job of the kind `withdrawal`: the former state of the rows stands again, as a new edition."""
    if not (edition_number.isascii() and edition_number.isdigit() and len(edition_number) <= MOST_DIGITS):
        raise UnknownEdition(f"There is no edition {edition_number[:40]!r}; editions have numbers.")
    job = await run_in_threadpool(house.desk.withdraw, asker, int(edition_number), body.reason)
    headers = {**PRIVATE, "Location": url(request, f"/jobs/{job.id}")}
    return JSONResponse(status_info(request, house, asker, job), 201, headers)


BLOCK = Block("editions", None, "experimental", (), router, no_links)
