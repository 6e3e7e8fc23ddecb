"""Exceedances of limits over HTTP."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.played import Exercise, played_of
from geoservice.exceedances.find import Exceedance, Wish, find_exceedances
from geoservice.exceedances.limits import AIR, DECLARED, WATER, Grade, Limit
from geoservice.exceedances.now import Current, Standing, beyond_now
from geoservice.house import Asker, Inside
from geoservice.http.documents import document
from geoservice.http.links import self_links
from geoservice.http.negotiation import DOCUMENT, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.http.texts import storable
from geoservice.observations.played import mark
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from layers.errors import BadParameter
from layers.extent import parse_bbox
from layers.interval import parse_datetime

router = APIRouter(tags=["exceedances"])
PATH = "/exceedances"
FEW, MOST = 1_000, 10_000
LONGEST = dt.timedelta(days=1100)
_USUAL = dt.timedelta(days=30)
_STANDARDS = {"gb3095": AIR, "gb3838": WATER, "declared": DECLARED}


@dataclass(frozen=True)
class ExceedanceQuery:
    """Which exceedances are wanted."""

    datetime: Annotated[
        str | None, Query(description="Interval start/end of at most three years; default: the last 30 days.")
    ] = None
    property: Annotated[str | None, Query(description="Codes of properties, separated by commas.")] = None
    station: Annotated[str | None, Query(description="Key of a station.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    standard: Annotated[str | None, Query(description="gb3095 (air), gb3838 (surface water) or declared.")] = None
    grade: Annotated[Grade, Query(description="Grade of the limits of air.")] = "2"
    limit: Annotated[str | None, Query(description=f"Most events, 1 to {MOST}; large values are clamped.")] = None
    exercise: Exercise = None

    def wish(self) -> Wish:
        """The same for the domain.

        Raises:
            BadParameter: When a parameter is not acceptable.
        """
        start, end = _span(self.datetime)
        _require_text(property=self.property, station=self.station)
        wish = Wish(
            start=start,
            end=end,
            properties=None if self.property is None else tuple(self.property.split(",")),
            station=self.station,
            standard=_standard(self.standard),
            grade=self.grade,
            limit=parse_limit(self.limit, FEW, MOST),
            played=played_of(self.exercise),
        )
        return wish if self.bbox is None else Wish(**{**vars(wish), "boxes": tuple(parse_bbox(self.bbox).boxes())})


@dataclass(frozen=True)
class CurrentQuery:
    """Which current exceedances are wanted."""

    property: Annotated[str | None, Query(description="Codes of properties, separated by commas.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    standard: Annotated[str | None, Query(description="gb3095 (air), gb3838 (surface water) or declared.")] = None
    grade: Annotated[Grade, Query(description="Grade of the limits of air.")] = "2"
    hours: Annotated[int, Query(ge=1, le=168, description="How old a reading, or the end of a mean, may be.")] = 24
    limit: Annotated[str | None, Query(description=f"Most answers, 1 to {MOST}; large values are clamped.")] = None
    exercise: Exercise = None

    def wish(self) -> Current:
        """The same for the domain, as of this moment.

        Raises:
            BadParameter: When a parameter is not acceptable.
        """
        _require_text(property=self.property)
        return Current(
            at=dt.datetime.now(dt.UTC),
            fresh=dt.timedelta(hours=self.hours),
            properties=None if self.property is None else tuple(self.property.split(",")),
            standard=_standard(self.standard),
            grade=self.grade,
            boxes=() if self.bbox is None else tuple(parse_bbox(self.bbox).boxes()),
            limit=parse_limit(self.limit, FEW, MOST),
            played=played_of(self.exercise),
        )


@router.get(PATH, summary="Exceedances of limits")
async def exceedances(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[ExceedanceQuery, together(ExceedanceQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Runs of readings or means beyond the limits of their standard or a declared threshold, the latest first."""
    chosen = negotiate(request, f, DOCUMENT)
    wish = asked.wish()
    async with house.pools.connection(asker.clearance) as connection:
        found, more = await find_exceedances(connection, asker.clearance, wish)
    written = {name: value for name, value in request.query_params.items() if name != "f"}
    body = {
        "datetime": f"{_text(wish.start)}/{_text(wish.end)}",
        "numberReturned": len(found),
        "more": more,
        "exceedances": [_told(one) for one in found],
        "links": self_links(request, PATH, chosen, DOCUMENT, **written),
    }
    return document(request, "exceedances", body, chosen, lang, headers={"Cache-Control": "private, no-store"})


@router.get(f"{PATH}/now", summary="What is beyond a limit now")
async def exceedances_now(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[CurrentQuery, together(CurrentQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Current readings and means beyond the limits of their standard or a declared threshold, the worst first."""
    chosen = negotiate(request, f, DOCUMENT)
    wish = asked.wish()
    async with house.pools.connection(asker.clearance) as connection:
        found, more = await beyond_now(connection, asker.clearance, wish)
    written = {name: value for name, value in request.query_params.items() if name != "f"}
    body = {
        "datetime": _text(wish.at),
        "numberReturned": len(found),
        "more": more,
        "exceedances": [_standing(one) for one in found],
        "links": self_links(request, f"{PATH}/now", chosen, DOCUMENT, **written),
    }
    return document(request, "exceedances", body, chosen, lang, headers={"Cache-Control": "private, no-store"})


def _told(one: Exceedance) -> dict[str, Any]:
    limit, stream = one.limit, one.stream
    return {
        **mark(stream.exercise),
        "station": stream.station,
        "name": stream.name,
        "datastream": stream.key,
        "property": stream.property,
        "property_title": {"zh": stream.label_zh or stream.label, "en": stream.label},
        "point": [stream.x, stream.y],
        "begin": _text(one.begin),
        "end": _text(one.end),
        "values": one.values,
        "basis": limit.basis,
        "worst": {"value": one.worst, "unit": stream.unit_symbol or stream.unit, "datetime": _text(one.worst_time)},
        "limit": _limit(limit),
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "value": limit.value,
        "unit": limit.unit,
        "side": "below" if limit.below else "above",
        "standard": limit.standard,
        "edition": limit.edition,
        "name": limit.title,
    }


def _standing(one: Standing) -> dict[str, Any]:
    stream = one.stream
    return {
        **mark(stream.exercise),
        "station": stream.station,
        "name": stream.name,
        "datastream": stream.key,
        "property": stream.property,
        "property_title": {"zh": stream.label_zh or stream.label, "en": stream.label},
        "point": [stream.x, stream.y],
        "datetime": _text(one.time),
        "value": one.value,
        "unit": stream.unit_symbol or stream.unit,
        "basis": one.limit.basis,
        "excess": one.excess,
        "limit": _limit(one.limit),
    }


def _require_text(**given: str | None) -> None:
    for name, text in given.items():
        if text is not None and (not text or not storable(text)):
            raise BadParameter(f"{name} is a text that is not empty.", parameter=name)


def _span(text: str | None) -> tuple[dt.datetime, dt.datetime]:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    if text is None:
        return now - _USUAL, now
    interval = parse_datetime(text)
    end = interval.end or now
    start = interval.start or end - _USUAL
    if not dt.timedelta(0) < end - start <= LONGEST:
        raise BadParameter(f"datetime spans at most {LONGEST.days} days, forwards.", parameter="datetime")
    return start, end


def _standard(text: str | None) -> str | None:
    if text is None:
        return None
    if text not in _STANDARDS:
        raise BadParameter(f"standard is one of {', '.join(_STANDARDS)}; {text[:30]!r} is not.", parameter="standard")
    return _STANDARDS[text]


def _text(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


BLOCK = Block("exceedances", None, "experimental", (), router, no_links)
