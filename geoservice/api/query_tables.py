"""Tables that are answered with several features for a row: what lines and areas share, and what is at points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_terms import AsOf, Collection, FilterQuery
from geoservice.house import Asker, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.queries.identify_table import MOST_EACH
from geoservice.queries.overlay import Matches
from geoservice.queries.wish import Narrowing, TableWish

router = APIRouter(prefix="/query", tags=["spatial queries"])
_MOST_METRES = 10_000.0


@dataclass(frozen=True)
class ManyHereQuery:
    """Query parameters that say what is asked at each of many points."""

    collections: Annotated[
        str | None, Query(description="Ids of collections, separated by commas; all you may see when absent.")
    ] = None
    limit: Annotated[int, Query(ge=1, le=MOST_EACH, description="Most features of each collection.")] = 10
    tolerance: Annotated[float, Query(ge=0, le=_MOST_METRES, description="Metres around each point.")] = 0.0
    as_of: AsOf = None

    def wish(self) -> TableWish:
        """The same for the domain."""
        narrowing = Narrowing(as_of=self.as_of)
        within = self.tolerance or None
        return TableWish("identify", self.collections or "", narrowing, within=within, limit=self.limit)


@router.post("/overlay", summary="What the lines and areas of a table share with features", openapi_extra=TABLE_BODY)
async def overlay_table(
    request: Request,
    house: Inside,
    asker: Asker,
    collection: Collection,
    asked: Annotated[FilterQuery, together(FilterQuery)],
    form: Annotated[TableQuery, together(TableQuery)],
    matches: Annotated[
        Matches, Query(description="`first`: the feature that shares most; `all`: a row for each, the largest first.")
    ] = "first",
) -> Response:
    """A posted table with the features that each row meets, the area (m2) or length (m) they share, and its share."""
    wish = TableWish("overlay", collection, asked.narrowing(), matches=matches)
    return await batch_answer(request, house, asker, form, wish)


@router.post("/identify/batch", summary="What is at the points of a table", openapi_extra=TABLE_BODY)
async def identify_table(
    request: Request,
    house: Inside,
    asker: Asker,
    form: Annotated[TableQuery, together(TableQuery)],
    asked: Annotated[ManyHereQuery, together(ManyHereQuery)],
) -> Response:
    """A posted table with a row for each feature, of all visible collections, at each row's point, and for rasters."""
    return await batch_answer(request, house, asker, form, asked.wish())


BLOCK = Block("spatial queries for tables", None, "experimental", (), router, no_links)
