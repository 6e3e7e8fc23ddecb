"""The answer that a report is about, with the shapes of its zone."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import shapely

from geoservice.analysis.request import find_place, zone_request
from geoservice.features.past import moment_asked
from geoservice.impact.asked import impact_asked
from geoservice.impact.compliance import compliance_answer
from geoservice.impact.keeper import AtomKeeper
from geoservice.impact.redline import RedLine
from geoservice.impact.run import impact_answer, located
from geoservice.reports.asked import ReportAsked
from geoservice.reports.manifest import Json
from geoservice.routing.ground import Office
from layers.errors import BadBody
from layers.model import Text

RED_LINE = Text(zh="用地红线", en="Red line")
LOOKED = "looked"
_LOOKED = Text(zh="已查看的范围，未发现危险", en="Looked at; nothing in danger")


@dataclass(frozen=True)
class Part:
    """A part of the zone: at which estimate (`best`, `low`, `high`), rank, code, name, polygon.

    The estimate `looked` is no part of it: where was looked, when nothing is in danger by the best estimate.
    """

    estimate: str
    rank: int
    code: str
    label: Text
    shape: shapely.Geometry


@dataclass(frozen=True)
class Answered:
    """An answer (JSON), the parts of its zone, and the instant before which its data were committed."""

    answer: Json
    zone: tuple[Part, ...]
    moment: dt.datetime
    name: Text | None = None

    @property
    def best(self) -> tuple[Part, ...]:
        """The best estimate, the worst class first."""
        return tuple(part for part in self.zone if part.estimate == "best")

    @property
    def looked(self) -> tuple[Part, ...]:
        """Where was looked, when nothing is in danger by the best estimate."""
        return tuple(part for part in self.zone if part.estimate == LOOKED)


async def answered(office: Office, keeper: AtomKeeper, asked: ReportAsked, most_vertices: int) -> Answered:
    """Ask the question of a report.

    Args:
        office: Connections, networks, and the context of whoever asks.
        keeper: Large layers that are kept ready.
        asked: What is wanted.
        most_vertices: Most vertices of a drawn zone.

    Raises:
        GeoError: Whatever the question itself raises.
    """
    now = await _now(office)
    if asked.kind == "impact":
        return await _impact(office, keeper, asked, most_vertices, now)
    return await _compliance(office, asked, most_vertices, now)


async def _now(office: Office) -> dt.datetime:
    async with office.pools.raw(office.context.principal.clearance) as connection:
        found: dt.datetime = await connection.fetchval("SELECT now()")
    return found


async def _impact(
    office: Office, keeper: AtomKeeper, asked: ReportAsked, most_vertices: int, now: dt.datetime
) -> Answered:
    question = await asyncio.to_thread(impact_asked, asked.question, most_vertices)
    zoned = await located(office, question, most_vertices)
    answer = await impact_answer(office, keeper, replace(question, zone=zoned))
    parts = tuple(
        Part(bound, one.rank, one.code, one.label, one.shape)
        for bound, classes in zoned.bounds.items()
        for one in classes
    )
    if not zoned.best:
        parts += (Part(LOOKED, 1, LOOKED, _LOOKED, zoned.place().geometry),)
    body = answer.model_dump(mode="json", exclude_none=True)
    return Answered(body, parts, question.as_of or now, zoned.label)


async def _compliance(office: Office, asked: ReportAsked, most_vertices: int, now: dt.datetime) -> Answered:
    as_of, named = compliance_asked(asked.question)
    wanted = await asyncio.to_thread(zone_request, named, most_vertices)
    instant = moment_asked(as_of)
    context = replace(office.context, as_of=instant)
    async with office.pools.connection(context.principal.clearance) as connection:
        place = await find_place(connection, wanted, context)
    return await judged(office, RedLine(place, 1), instant, now)


async def judged(office: Office, line: RedLine, as_of: dt.datetime | None, now: dt.datetime | None = None) -> Answered:
    """Judge a red line for a report; `now` is asked of the database where it is absent."""
    moment = as_of or now or await _now(office)
    answer = await compliance_answer(office, line, as_of)
    part = Part("best", 1, "red-line", RED_LINE, line.place.geometry)
    return Answered(answer.model_dump(mode="json", exclude_none=True), (part,), moment, line.place.label)


def compliance_asked(body: Mapping[str, Any]) -> tuple[str | None, Json]:
    """The instant and the zone in a question about compliance.

    Raises:
        BadBody: When the instant is no text.
    """
    as_of = body.get("as_of")
    if not isinstance(as_of, str | None):
        raise BadBody("as_of is an RFC 3339 instant.", where="as_of")
    return as_of, {name: value for name, value in body.items() if name != "as_of"}
