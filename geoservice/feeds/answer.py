"""What a feed answers: a file for layers, or readings; and how old it is."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from geoservice.observations.forms import readings_of
from geoservice.observations.wire import CSV, NDJSON, table_of_rows
from layers.errors import BadBody

Form = Literal["csv", "ndjson", "openaq"]
ACCEPT = "application/geo+json, application/json, text/csv, application/xml, */*;q=0.5"
_MEDIA: Mapping[Form, str] = {"csv": CSV, "ndjson": NDJSON}
_PLAIN = re.compile(r"[^0-9A-Za-z_.-]+")
_LONGEST_NAME = 80
_GENERATED = re.compile(rb'"generated"\s*:\s*(\d{12,14})\s*[,}]')
_HEAD = 4096


def file_name(address: str, name: str) -> str:
    """Name of the file under which an answer is loaded: the last part of the address, or the name of the feed."""
    last = PurePosixPath(unquote(urlsplit(address).path)).name
    return _PLAIN.sub("_", last)[-_LONGEST_NAME:].lstrip(".") or name


def stamp(body: bytes, modified: str | None) -> dt.datetime | None:
    """When an answer was made: what GeoJSON of earthquakes says of itself (`metadata.generated`, in ms), or its header.

    Returns:
        None where it says nothing.
    """
    found = _GENERATED.search(body[:_HEAD])
    try:
        if found is not None:
            return dt.datetime.fromtimestamp(int(found[1]) / 1000, dt.UTC)
        return None if modified is None else email.utils.parsedate_to_datetime(modified).astimezone(dt.UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def readings(body: bytes, form: Form, prefix: str) -> pa.Table:
    """The readings of an answer, as `observations.write` takes them.

    Args:
        body: The answer.
        form: How it is written; `openaq` is JSON of the OpenAQ API, version 2 or 3.
        prefix: Stands before the names of stations.

    Raises:
        BadBody: When it is not that.
    """
    if form == "openaq":
        return table_of_rows(_openaq(body, prefix))
    table = readings_of(body, _MEDIA[form])
    if not prefix:
        return table
    stations = [None if one is None else prefix + one for one in table["station"].to_pylist()]
    place = table.schema.get_field_index("station")
    return table.set_column(place, table.schema.field(place), pa.array(stations, pa.string()))


def _openaq(body: bytes, prefix: str) -> Iterator[Mapping[str, Any] | str]:
    """Measurements of OpenAQ: `results` with value, parameter, unit, place and time.

    Source: OpenAQ API, `/v3/sensors/{id}/measurements`, `/v3/locations/{id}/latest`, and `/v2/measurements`.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, list):
        raise BadBody("The answer is no JSON of OpenAQ: it has no list of results.")
    for one in results:
        try:
            yield _measurement(one, prefix)
        except (KeyError, TypeError, AttributeError):
            yield json.dumps(one)[:1000]


def _measurement(one: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    parameter = one.get("parameter")
    if isinstance(parameter, Mapping):
        named, unit = parameter["name"], parameter.get("units")
    else:
        named, unit = parameter, one.get("unit")
    place = one.get("locationsId", one.get("locationId"))
    if place is None or named is None:
        raise KeyError("place")
    row = {"station": f"{prefix}{place}", "property": named, "unit": unit, "result": one["value"], **_times(one)}
    return {name: value for name, value in row.items() if value is not None}


def _times(one: Mapping[str, Any]) -> dict[str, Any]:
    """Means hold from the beginning of their period to its end."""
    period = one.get("period")
    if isinstance(period, Mapping):
        return {"time": period["datetimeFrom"]["utc"], "end": (period.get("datetimeTo") or {}).get("utc")}
    moment = one.get("datetime") or one["date"]
    return {"time": moment["utc"]}
