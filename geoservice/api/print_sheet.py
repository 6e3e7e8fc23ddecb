"""Maps on paper: at a true scale, with everything that a printed map has to say, as PDF or as a picture."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from geoservice.house import Asker, Inside
from geoservice.http.documents import language_of
from geoservice.http.negotiation import JSON, negotiate
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Language
from geoservice.prints.asked import SheetBody
from geoservice.prints.make import PDF, PNG, make_sheet, plan_document, planned

router = APIRouter(tags=["printed map"])
_FORMATS = {PDF: "application/pdf", PNG: "image/png", "json": JSON}
_PRIVATE = {"Cache-Control": "private, no-store"}


@router.post("/maps/sheet", summary="A map on paper", response_class=Response)
async def sheet(
    request: Request,
    house: Inside,
    asker: Asker,
    body: SheetBody,
    f: Annotated[str | None, Query(description="pdf, png, or json: what it would show, without drawing it.")] = None,
    lang: Language = None,
) -> Response:
    """The layers you may see at a true scale with legend, north arrow, scale bar, grid, sources and review number."""
    media = _FORMATS[negotiate(request, f, _FORMATS)]
    wanted = await planned(house, asker, body, "zh" if language_of(request, lang) == "zh" else "en")
    if media == JSON:
        return JSONResponse(plan_document(wanted), headers=_PRIVATE)
    form = PDF if media == _FORMATS[PDF] else PNG
    made = await make_sheet(house, asker, wanted, form)
    return Response(
        made, media_type=media, headers={**_PRIVATE, "Content-Disposition": f'inline; filename="map.{form}"'}
    )


BLOCK = Block("printed map", None, "stable", (), router, no_links)
