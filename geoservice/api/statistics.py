"""Statistics of a collection: figures by attribute or division, shares, histograms; of rasters by division."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.features.past import instant_asked
from geoservice.features.query import FeatureQuery
from geoservice.formats.known import XLSX
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import JSON, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.impact.fetch import Ground
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.filter_query import FilterQuery
from geoservice.ogc.item_query import PastQuery, WhichQuery
from geoservice.statistics.answer import Written
from geoservice.statistics.cells import parse_cells
from geoservice.statistics.found import Found
from geoservice.statistics.labelled import Unplaced
from geoservice.statistics.places import parse_level, parse_within
from geoservice.statistics.run import Asked, allow, cells_found, lasts, placing_asked, rows_found, stamps_of
from geoservice.statistics.table import csv_of, workbook_of
from geoservice.statistics.wish import (
    DEFAULT_GROUPS,
    MOST_GROUPS,
    Grouping,
    Order,
    Wish,
    parse_bins,
    parse_groups,
    parse_measures,
)
from layers.access import Decision, Principal
from layers.errors import BadParameter
from layers.model import Layer, RasterLayer, RowLayer

router = APIRouter(tags=["statistics"])
CSV = "text/csv"
FORMATS = {"json": JSON, "csv": CSV, "xlsx": XLSX}
_ORDERS: dict[str, Order] = {"value": "value", "key": "key"}


@dataclass(frozen=True)
class FiguresQuery:
    """Query parameters that say what is told."""

    group_by: Annotated[
        str | None,
        Query(alias="group-by", description="Up to two of: an attribute, division; separated by a comma."),
    ] = None
    level: Annotated[
        str | None, Query(description="Level of the divisions: province, city, county (default) or township.")
    ] = None
    within: Annotated[str | None, Query(description="Code of a division; nothing outside of it counts.")] = None
    period: Annotated[str | None, Query(description="Times are grouped by day, month or year; default year.")] = None
    measures: Annotated[
        str | None,
        Query(
            description="count (default), area, length, share, and sum:, mean:, min:, max:, missing: with an attribute;"
            " separated by commas."
        ),
    ] = None
    bins: Annotated[
        str | None, Query(description="A number to make a histogram of, and about how many bins: height:20.")
    ] = None
    order: Annotated[
        str | None, Query(description="value (default): by the first measure, the largest first; key: by keys.")
    ] = None
    limit: Annotated[str | None, Query(description="Most groups; what is left is told together as rest.")] = None
    f: Annotated[str | None, Query(description="json, csv or xlsx.")] = None

    def wish(self, layer: RowLayer, decision: Decision) -> Wish:
        """What is asked of rows; raises BadParameter as the single parsers do."""
        wish = Wish(
            groups=parse_groups(self.group_by, self.period, layer, decision),
            measures=parse_measures(self.measures, layer, decision),
            bins=parse_bins(self.bins, layer, decision),
        )
        return self._placed(wish)

    def cells(self, layer: RasterLayer) -> Wish:
        """What is asked of a raster; raises BadParameter as the single parsers do, or without any division."""
        for name, value in (("bins", self.bins), ("period", self.period)):
            if value is not None:
                raise BadParameter(f"Rasters take no {name}; they are told by division.", parameter=name)
        wish = self._placed(parse_cells(self.group_by, self.measures, layer))
        if not wish.by_place:
            raise BadParameter("Rasters are told by division: group-by=division, or within=.", parameter="group-by")
        return wish

    def _placed(self, wish: Wish) -> Wish:
        if self.order is not None and self.order not in _ORDERS:
            raise BadParameter(f"order is value or key; {self.order[:30]!r} is neither.", parameter="order")
        divided = any(group == Grouping() for group in wish.groups)
        if self.level is not None and not divided:
            raise BadParameter("level goes with group-by=division.", parameter="level")
        timed = any(group.period is not None for group in wish.groups)
        if self.period is not None and not timed:
            raise BadParameter("period goes with group-by of a date.", parameter="period")
        return replace(
            wish,
            level=parse_level(self.level) if divided else None,
            within=parse_within(self.within),
            limit=parse_limit(self.limit, DEFAULT_GROUPS, MOST_GROUPS),
            order=_ORDERS[self.order or "value"],
        )


@dataclass(frozen=True)
class StatisticsQuery(FiguresQuery, WhichQuery, FilterQuery, PastQuery):
    """Query parameters of statistics."""


@router.get("/collections/{collection_id}/statistics", summary="Statistics of a collection")
async def statistics(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    asked: Annotated[StatisticsQuery, together(StatisticsQuery)],
) -> Response:
    """Counts, sizes, sums and means of the features that the items show, by attribute or division, with a histogram."""
    layer, decision = house.open_layer(asker, collection_id)
    chosen = negotiate(request, asked.f, FORMATS)
    written = await _written(house, asker, (layer, decision), asked)
    return await _answer(request, layer, *written, chosen)


async def _written(
    house: House, asker: Principal, opened: tuple[Layer, Decision], asked: StatisticsQuery
) -> tuple[Written, Found]:
    layer, decision = opened
    seconds = house.settings.analysis_timeout
    if isinstance(layer, RasterLayer):
        _refuse_for_cells(asked)
        question = Asked(asker, house.catalog, layer, decision, FeatureQuery(1), asked.cells(layer), seconds)
    else:
        wish = asked.wish(layer, decision)
        query = replace(asked.which(wish.limit), filter=asked.written_filter().understood(layer, decision))
        question = Asked(asker, house.catalog, layer, decision, query, wish, seconds)
    found = await _patient(house, question, asked)
    return Written(layer, house.catalog, question.wish, found), found


async def _patient(house: House, question: Asked, asked: StatisticsQuery) -> Found:
    """The answer; while rows have to be put into divisions first, it holds neither a connection nor a turn."""
    deadline = time.monotonic() + question.seconds
    while True:
        async with (
            house.figures.turn(question.seconds),
            house.pools.raw(question.principal.clearance) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            instant = await instant_asked(connection, question.layer, asked.as_of, asked.edition)
            ground = Ground(connection, house.reading, instant)
            question = replace(question, query=replace(question.query, as_of=instant))
            found = await _found(house, ground, question, asked)
        if found is not None:
            return found
        placing = placing_asked(question)
        if placing is not None:
            await house.placements.made(placing, house.reading, deadline - time.monotonic())


async def _found(house: House, ground: Ground, question: Asked, asked: StatisticsQuery) -> Found | None:
    """The answer, looked up where the same was asked of the same editions; the past is always worked out.

    None while rows have to be put into divisions first.
    """
    await allow(ground, question.seconds)
    if ground.as_of is not None:
        return await _worked_out(house, ground, question)
    stamps = await stamps_of(ground, question)
    key = (
        question.layer.name,
        question.principal.clearance,
        question.decision.attributes,
        replace(asked, f=None),
        stamps,
    )
    return await house.figures.once(key, lambda: _worked_out(house, ground, question))


async def _worked_out(house: House, ground: Ground, question: Asked) -> Found | None:
    layer = question.layer
    if isinstance(layer, RasterLayer):
        return await cells_found(ground, question, layer, house.exposure.rasters.sums, house.rasters)
    placing = placing_asked(question)
    stamp = await house.placements.stamp(ground, placing) if placing is not None else None
    if placing is None or stamp is None:
        return await rows_found(ground, question, layer)
    placement = await house.placements.get(placing, stamp)
    if placement is None and lasts(question):
        return None
    with suppress(Unplaced):
        return await rows_found(ground, question, layer, placement)
    return await rows_found(ground, question, layer)


def _refuse_for_cells(asked: StatisticsQuery) -> None:
    given = {"bbox": asked.bbox, "datetime": asked.datetime, "ids": asked.ids, "filter": asked.filter}
    for name, value in given.items():
        if value is not None:
            raise BadParameter(f"Rasters take no {name} here; choose a place by within.", parameter=name)


async def _answer(request: Request, layer: Layer, written: Written, found: Found, chosen: str) -> Response:
    headers = {
        "Geoservice-Edition": str(found.edition.number) if found.edition is not None else "",
        "Cache-Control": _cache_control(layer, final=found.final),
    }
    if chosen != "json":
        headers["Content-Disposition"] = f'attachment; filename="{layer.name}-statistics.{chosen}"'
        body = await run_in_threadpool(csv_of if chosen == "csv" else workbook_of, written)
        return encoded(request, body, FORMATS[chosen], headers)
    made = await run_in_threadpool(written.body)
    text = json.dumps({**made, "links": _links(request, layer)}, ensure_ascii=False, separators=(",", ":"))
    return encoded(request, text.encode(), JSON, headers)


def _cache_control(layer: Layer, *, final: bool) -> str:
    asked = "max-age=3600" if final else "no-cache"
    return asked if layer.clearance == 0 else f"private, {asked}"


def _links(request: Request, layer: Layer) -> list[dict[str, Any]]:
    path = f"/collections/{layer.name}"
    given = {name: value for name, value in request.query_params.items() if name != "f"}
    links = self_links(request, f"{path}/statistics", "json", FORMATS, **given)
    return [*links, link(url(request, path), "collection", JSON, layer.title.en)]


BLOCK = Block("statistics", None, "experimental", (), router, no_links)
