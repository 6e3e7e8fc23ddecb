"""GetFeature: from what is asked to the bytes of the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from geoservice.formats.known import EXPORT_FORMATS, FileFormat
from geoservice.formats.rows import batch_of
from geoservice.formats.subject import Subject, about_layer
from geoservice.formats.target import pyproj_of
from geoservice.house import House
from geoservice.wfs import features
from geoservice.wfs.asked import Asked
from geoservice.wfs.find import Wanted, count_rows, read_rows, wanted
from geoservice.wfs.words import GML_FORMAT, WfsError
from layers.access import Principal
from layers.offered import CRS84

_GML = frozenset({"application/gml+xml", "text/xml", "gml32", "gml3", "text/xml; subtype=gml/3.2"})
_OTHERS = {
    "application/json": "geojson",
    "application/geo+json": "geojson",
    "json": "geojson",
    "geojson": "geojson",
    "text/csv": "csv",
    "csv": "csv",
}


@dataclass(frozen=True)
class Answer:
    """An answer: media type, bytes, edition that it shows."""

    media: str
    body: bytes
    edition: int | None = None


async def get_feature(house: House, asker: Principal, asked: Asked, address: str) -> Answer:
    """Answer GetFeature, or GetPropertyValue when the request names a value.

    Args:
        house: The service.
        asker: Who asks.
        asked: What is asked.
        address: Address of the service without a query.

    Raises:
        WfsError: When it cannot be answered.
    """
    if asked.stored is not None:
        return await _by_id(house, asker, asked, address)
    chosen = _format(asked)
    found = wanted(house, asker, asked)
    if chosen is not None and chosen.plain:
        found = replace(found, crs=CRS84, swapped=False)
    written, schema = features.collection if found.value is None else features.values, _schema(address, found)
    async with house.pools.raw(asker.clearance) as connection:
        if asked.hits or found.query.limit == 0:
            number = await count_rows(connection, house.reading, found)
            return Answer(GML_FORMAT, written(found, [], _head(number, 0), schema))
        rows = await read_rows(connection, house.reading, found, gml=chosen is None)
    state = (await house.states(asker, [found.layer]))[found.layer.name]
    page = rows[: found.query.limit]
    if chosen is not None:
        return Answer(chosen.media, _as_file(found, chosen, page), state.edition)
    more = len(rows) > len(page)
    known = state.rows if not found.query.filtered(found.layer) else None
    matched = known if more else found.start + len(page)
    head = {**_head(matched, len(page)), **_links(asked, found, address, more=more)}
    return Answer(GML_FORMAT, written(found, page, head, schema), state.edition)


async def _by_id(house: House, asker: Principal, asked: Asked, address: str) -> Answer:
    """The feature of an id as a document of its own, or the value of its property."""
    identifier = asked.parameters.get("id", "")
    if not identifier:
        raise WfsError("GetFeatureById wants the parameter ID.", "MissingParameterValue", "ID")
    missing = WfsError(f"There is no feature {identifier[:80]!r}.", "NotFound", "ID")
    alone = replace(asked, types=(), filter=None, bbox=None, ids=(identifier,), start=0, stored=None)
    try:
        found = wanted(house, asker, alone)
    except WfsError as error:
        raise (missing if error.locator == "typeNames" else error) from None
    async with house.pools.raw(asker.clearance) as connection:
        rows = await read_rows(connection, house.reading, replace(found, query=replace(found.query, limit=1)), gml=True)
    if found.value is not None:
        head = _head(len(rows), len(rows))
        return Answer(GML_FORMAT, features.values(found, rows, head, _schema(address, found)))
    if not rows:
        raise missing
    return Answer(GML_FORMAT, features.alone(found, rows[0]))


def _format(asked: Asked) -> FileFormat | None:
    """The format of an answer; None for GML."""
    name = (asked.format or GML_FORMAT).strip().lower()
    if name in _GML or name.partition(";")[0].strip() in _GML:
        return None
    if name not in _OTHERS or asked.value is not None:
        others = ", application/geo+json or text/csv" if asked.value is None else ""
        raise WfsError(
            f"outputFormat is {GML_FORMAT}{others}; {name[:60]!r} is not.",
            "InvalidParameterValue",
            "outputFormat",
        )
    return EXPORT_FORMATS[_OTHERS[name]]


def _as_file(found: Wanted, chosen: FileFormat, rows: list[Any]) -> bytes:
    about = about_layer(found.layer, found.decision.rule.max_clearance)
    subject = Subject(found.layer, found.attributes, pyproj_of(found.crs), about, shapes=found.shaped)
    with TemporaryDirectory(prefix="geoservice-") as folder:
        file = Path(folder) / "answer"
        chosen.write(subject, iter([batch_of(rows, subject)]), file)
        return file.read_bytes()


def _head(matched: int | None, returned: int) -> dict[str, str]:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    shown = "unknown" if matched is None else str(matched)
    return {"timeStamp": now, "numberMatched": shown, "numberReturned": str(returned)}


def _schema(address: str, found: Wanted) -> str:
    query = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "DescribeFeatureType", "TYPENAMES": found.layer.name}
    return f"{address}?{urlencode(query)}"


def _links(asked: Asked, found: Wanted, address: str, *, more: bool) -> dict[str, str]:
    """Addresses of the pages before and behind; a request as XML has none, because it cannot be written as one."""
    if not asked.pairs or (asked.count is None and not more and not found.start):
        return {}
    links = {}
    size = found.query.limit
    if found.start:
        links["previous"] = _page(asked.pairs, address, max(0, found.start - size), min(size, found.start))
    if more:
        links["next"] = _page(asked.pairs, address, found.start + size, size)
    return links


def _page(pairs: Mapping[str, str], address: str, start: int, count: int) -> str:
    return f"{address}?{urlencode({**pairs, 'STARTINDEX': start, 'COUNT': count})}"
