"""Environmental indices over HTTP: what there are, one set of values, and many at once."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.parameters import PROPERTY_PARAMETERS, together, undeclared
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from layers.errors import BadBody, BadParameter
from layers.indices.answer import IndexAnswer
from layers.indices.registry import INDICES, Index, described, find_index, judge
from layers.indices.water import good_ratio

router = APIRouter(prefix="/indices", tags=["indices"])
PATH = "/indices"
MOST_ROWS = 10_000
_BEIJING = dt.timezone(dt.timedelta(hours=8))
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class DayQuery:
    """The query parameters that say by which edition values are judged."""

    date: Annotated[str | None, Query(description="Day of the values, such as 2026-05-01; today when absent.")] = None
    edition: Annotated[str | None, Query(description="Edition of the standard, instead of that of the day.")] = None


class Batch(BaseModel):
    """Many sets of values for one index."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, float | None]] = Field(min_length=1, max_length=MOST_ROWS)
    date: str | None = Field(default=None, max_length=10)
    dates: list[str] | None = Field(default=None, max_length=MOST_ROWS)
    edition: str | None = Field(default=None, max_length=40)
    options: dict[str, str] = Field(default_factory=dict)


@router.get("", summary="Environmental indices")
async def index_list(request: Request, f: Format = None, lang: Language = None) -> Response:
    """The indices there are: items with units, options, editions of the standard with their days."""
    chosen = negotiate(request, f, DOCUMENT)
    language = language_of(request, lang)
    found = [{**described(one, language), "links": _to(request, one)} for one in INDICES.values()]
    body = {"indices": found, "links": self_links(request, PATH, chosen, DOCUMENT)}
    return document(request, "indices", body, chosen, lang)


@router.get("/{index_name}", summary="An environmental index", openapi_extra=PROPERTY_PARAMETERS)
async def index_of(
    request: Request,
    index_name: str,
    asked: Annotated[DayQuery, together(DayQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """The class of values, each given as a parameter named by its item; without any, what the index takes."""
    chosen = negotiate(request, f, DOCUMENT)
    index = find_index(index_name)
    given, _ = undeclared(request)
    body = described(index, language_of(request, lang))
    if given:
        options = {name: value for name, value in given.items() if name in index.options}
        values = {name: _number(name, value) for name, value in given.items() if name not in options}
        body = judge(index, values, _day(asked.date), asked.edition, options).model_dump(mode="json")
    written = {name: value for name, value in request.query_params.items() if name != "f"}
    body["links"] = self_links(request, f"{PATH}/{index.name}", chosen, DOCUMENT, **written)
    return document(request, "index", body, chosen, lang)


@router.post("/{index_name}", summary="An environmental index of many sets of values")
async def index_batch(request: Request, index_name: str, body: Batch) -> Response:
    """The class of each row; of surface water also the share of classes I to III, in per cent."""
    index = find_index(index_name)
    answers = await run_in_threadpool(_judged, index, body)
    made: dict[str, Any] = {"index": index.name, "answers": [one.model_dump(mode="json") for one in answers]}
    if index.name == "surface-water":
        made["goodRatio"] = good_ratio(one.grade.code for one in answers if one.grade is not None)
    return document(request, "index", made, "json", None, headers={"Cache-Control": "no-store"})


def _judged(index: Index, body: Batch) -> list[IndexAnswer]:
    days: Sequence[str | None] = body.dates or [body.date] * len(body.rows)
    if len(days) != len(body.rows):
        raise BadBody("dates has one day for each row, or is left out.")
    return [
        _row(index, row, number, _day(day), body)
        for number, (row, day) in enumerate(zip(body.rows, days, strict=True), start=1)
    ]


def _row(index: Index, row: Mapping[str, float | None], number: int, day: dt.date, body: Batch) -> IndexAnswer:
    values = {name: value for name, value in row.items() if value is not None}
    try:
        return judge(index, values, day, body.edition, body.options)
    except BadParameter as error:
        raise BadBody(f"Row {number}: {error.detail}", row=number) from None


def _number(name: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadParameter(f"{name[:40]} is a decimal number such as 12.5; {text[:40]!r} is not.", parameter=name[:40])
    return float(text)


def _day(text: str | None) -> dt.date:
    """The day that is meant; today is that of Beijing, where the standards hold."""
    if text is None:
        return dt.datetime.now(_BEIJING).date()
    try:
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise BadParameter(f"date is a day such as 2026-05-01; {text[:30]!r} is not.", parameter="date")


def _to(request: Request, index: Index) -> list[dict[str, Any]]:
    return [link(url(request, f"{PATH}/{index.name}"), "item", JSON, index.title.en)]


BLOCK = Block("indices", None, "stable", (), router, no_links)
