"""Running a zone analysis: one read-only snapshot, section by section, under a time budget."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.known import Known, known_of, read_rows
from geoservice.analysis.method import method_of
from geoservice.analysis.place import Place
from geoservice.analysis.request import ZoneRequest, find_place
from geoservice.analysis.sections import (
    NOTHING_LOADED,
    NOTHING_THEN,
    RASTER_MEASURE,
    TOO_SLOW,
    GroupTotal,
    beyond_box,
    empty_section,
    exposed,
    filled_section,
    joined,
    listed_features,
    raster_section,
    raster_unit,
    unit_of,
)
from geoservice.analysis.statements import Counting, counting_of, listing_statement, totals_statement
from geoservice.features.assets import Which, assets_of, assets_statement
from geoservice.features.extent_then import extent_of, extent_statement
from layers.access import Decision, decide, visible
from layers.answer import AnswerSection, EditionRef, Zone, ZoneAnswer
from layers.extent import Extent
from layers.model import RasterLayer, Text, VectorLayer
from layers.table import AS_OF

QUERY_CANCELLED = "57014"
MILLISECONDS = 1000
_MIN_SECONDS = 0.05
"""PostgreSQL reads a statement_timeout of 0 as no limit; a section always gets at least this."""


class _OutOfTime(Exception):
    """A section did not finish within its share of the time."""


@dataclass
class _Clock:
    """The time budget of one answer."""

    deadline: float

    def share(self) -> float:
        """Seconds for the next step: half of what is left."""
        return max((self.deadline - time.monotonic()) / 2, _MIN_SECONDS)


@dataclass(frozen=True)
class _Job:
    """What every section needs: connection, context, place, what is known of the layers, clock."""

    connection: AsyncConnection
    context: AnalysisContext
    place: Place
    known: Mapping[str, Known]
    clock: _Clock

    @property
    def past(self) -> bool:
        """Whether it is asked about an instant that has passed."""
        return self.context.as_of is not None

    @property
    def nothing(self) -> Text:
        """What is said of a layer of which nothing is loaded."""
        return NOTHING_THEN if self.past else NOTHING_LOADED

    async def rows(self, statement: sa.Select[Any]) -> Sequence[Mapping[str, Any]]:
        """Rows of a statement about the zone, and about the instant."""
        instant = {AS_OF: self.context.as_of} if self.past else {}
        return await read_rows(self.connection, statement, {"zone": self.place.ewkb, **instant}, self.context)

    def edition(self, layer: VectorLayer | RasterLayer) -> EditionRef | None:
        """The latest edition of a layer, or that of then, as the principal may know it."""
        known = self.known.get(layer.name)
        return None if known is None else known.edition()

    async def extent(self, layer: VectorLayer, decision: Decision) -> Extent | None:
        """The box of what is loaded of a layer, or was then; None where nothing is.

        Raises:
            _OutOfTime: When the rows of then had to be looked at, and there are too many.
        """
        known = self.known.get(layer.name)
        if known is None or known.settled:
            return None if known is None else known.state.extent
        async with _limited(self):
            rows = await self.rows(extent_statement(layer, decision.rule))
        return extent_of(rows[0])


async def zone_answer(connection: AsyncConnection, request: ZoneRequest, context: AnalysisContext) -> ZoneAnswer:
    """What lies in a zone: people, land by class, roads, facilities, layer by layer.

    Args:
        connection: A fresh connection of the principal's clearance, outside any transaction. All sections read one
            snapshot (REPEATABLE READ, read only).
        request: Which zone.
        context: Who asks, the layers, the time allowed.

    Returns:
        The answer; a section that ran out of time says so, and the others still answer.

    Raises:
        UnknownFeature: When the zone is named by a feature that does not exist or may not be seen.
        BadGeometry: When that feature is not an area.
    """
    clock = _Clock(time.monotonic() + context.seconds)
    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    async with connection.begin():
        await _configure(connection, clock.share())
        place = await find_place(connection, request, context)
        zone: Zone = await asyncio.to_thread(place.described)
        layers = exposed(visible(context.principal, context.catalog))
        job = _Job(connection, context, place, await known_of(connection, layers, context), clock)
        sections = [await _section(job, layer) for layer in layers]
    method, computed = method_of(context.as_of), dt.datetime.now(dt.UTC)
    return ZoneAnswer(zone=zone, as_of=context.as_of, sections=tuple(sections), method=method, computed=computed)


async def _section(job: _Job, layer: VectorLayer | RasterLayer) -> AnswerSection:
    decision = decide(job.context.principal, "read", layer)
    if isinstance(layer, RasterLayer):
        return await _raster_section(job, layer, decision)
    counting = counting_of(layer, decision)
    unit, edition = unit_of(layer, counting), job.edition(layer)
    try:
        extent = await job.extent(layer, decision)
        # The same rule as of impacts: what lies outside the box of all that is loaded is not known, and not zero.
        if extent is None or not job.place.meets(extent):
            return empty_section(layer, counting.measure, unit, edition, job.nothing)
        found = await _vector_section(job, layer, decision, counting)
        return await asyncio.to_thread(_beside, job, found, extent)
    except _OutOfTime:
        return empty_section(layer, counting.measure, unit, edition, TOO_SLOW)


def _beside(job: _Job, section: AnswerSection, extent: Extent) -> AnswerSection:
    """A section that says how much of the zone lies outside the box of what is loaded."""
    outside = job.place.outside(extent)
    said = beyond_box(outside / job.place.described().area_m2) if outside else None
    return section if said is None else section.model_copy(update={"note": joined([section.note, said])})


async def _vector_section(job: _Job, layer: VectorLayer, decision: Decision, counting: Counting) -> AnswerSection:
    boxes = job.place.boxes()
    async with _limited(job):
        rows = await job.rows(totals_statement(layer, decision, counting, boxes, past=job.past))
        totals = [GroupTotal(row["code"], row["features"], row["value"], row["missing"]) for row in rows]
        section = filled_section(layer, counting, job.context.catalog, totals, job.edition(layer))
        if layer.exposure is None or not layer.exposure.listed:
            return section
        listed = await job.rows(listing_statement(layer, decision, counting, boxes, past=job.past))
    features = tuple(listed_features(layer, decision, listed))
    return section.model_copy(update={"features": features, "features_total": sum(total.features for total in totals)})


async def _raster_section(job: _Job, layer: RasterLayer, decision: Decision) -> AnswerSection:
    unit, edition, boxes = raster_unit(layer), job.edition(layer), job.place.boxes()
    statement = assets_statement(layer, decision.rule, Which(instant=job.context.as_of))
    rows = await read_rows(job.connection, statement, {}, job.context)
    assets = [asset for asset in assets_of(layer, rows, job.context.rasters) if any(map(asset.meets, boxes))]
    if not assets:
        return empty_section(layer, RASTER_MEASURE, unit, edition, job.nothing)
    job.context.prepare(assets)
    work = asyncio.to_thread(job.context.raster_sum, assets, job.place.geometry)
    try:
        found = await asyncio.wait_for(work, job.clock.share())
    except TimeoutError:
        # The thread ends by itself; its result is not waited for.
        return empty_section(layer, RASTER_MEASURE, unit, edition, TOO_SLOW)
    return raster_section(layer, found, edition)


@asynccontextmanager
async def _limited(job: _Job) -> AsyncIterator[None]:
    """A savepoint in which statements have their share of the time; only running out of it is caught."""
    try:
        async with job.connection.begin_nested():
            await _configure(job.connection, job.clock.share())
            yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELLED:
            raise
        raise _OutOfTime from None


async def _configure(connection: AsyncConnection, seconds: float) -> None:
    """Until the end of the (sub)transaction: time per statement, and plans that know the zone."""
    settings = {"statement_timeout": str(round(seconds * MILLISECONDS)), "plan_cache_mode": "force_custom_plan"}
    await connection.execute(sa.select(*(sa.func.set_config(name, value, True) for name, value in settings.items())))
