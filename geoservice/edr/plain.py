"""Answers as GeoJSON features and as CSV rows: one for each place and time."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any

from geoservice.edr.describe import measured
from geoservice.edr.model import Answer, Part
from layers.errors import TooLarge

GEOJSON, CSV = "application/geo+json", "text/csv; charset=utf-8"
MOST_FEATURES = 50_000
_HEAD = ["location", "longitude", "latitude", "datetime", "parameter", "value", "unit"]
Row = tuple[float, float, str | None, dict[str, float | None]]


def features_json(answer: Answer) -> str:
    """An answer as a feature collection of points in CRS84, with a property for each parameter.

    Raises:
        TooLarge: When it has too many features.
    """
    found = list[dict[str, Any]]()
    for part in answer.parts:
        names = list(part.values)
        units = {name: one.unit for name, one in part.parameters.items() if one.unit}
        for lon, lat, time, values in rows(part):
            _require_few(len(found))
            head = {
                "location": part.id,
                "label": part.label,
                "datetime": time,
                "parameter-name": names,
                "along": part.along,
            }
            told = {name: value for name, value in head.items() if value is not None}
            geometry = {"type": "Point", "coordinates": [lon, lat]}
            properties = {**told, "units": units, **values}
            found.append({"type": "Feature", "geometry": geometry, "properties": properties})
    known = {name: one for part in answer.parts for name, one in part.parameters.items()}
    body = {"type": "FeatureCollection", "parameters": measured(known, "en"), "features": found}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def rows_csv(answer: Answer) -> str:
    """An answer as a table with a row for each value; what has no data has no row.

    Raises:
        TooLarge: When it has too many rows.
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(_HEAD)
    number = 0
    for part in answer.parts:
        for lon, lat, time, values in rows(part):
            for name, value in values.items():
                if value is not None:
                    _require_few(number := number + 1)
                    writer.writerow([_safe(part.id), lon, lat, time, name, value, part.parameters[name].unit])
    return target.getvalue()


def rows(part: Part) -> Iterator[Row]:
    """Longitude, latitude, time and values of each place and time of a domain."""
    columns = {name: [None if math.isnan(v) else v for v in values.tolist()] for name, values in part.values.items()}
    x, y = part.x.tolist(), part.y.tolist()
    times = [time.isoformat().replace("+00:00", "Z") for time in part.t]
    places: list[tuple[float, float, str | None]]
    if part.domain == "Grid":
        places = [(lon, lat, None) for lat in y for lon in x]
    elif part.domain == "PointSeries":
        places = [(x[0], y[0], time) for time in times]
    else:
        places = [(lon, lat, times[n] if times else None) for n, (lon, lat) in enumerate(zip(x, y, strict=True))]
    for number, (lon, lat, time) in enumerate(places):
        yield lon, lat, time, {name: column[number] for name, column in columns.items()}


def _require_few(count: int) -> None:
    if count > MOST_FEATURES:
        raise TooLarge(
            f"The answer would have more than {MOST_FEATURES:,} rows; ask for less, or for f=CoverageJSON.",
            limit=MOST_FEATURES,
        )


def _safe(text: str | None) -> str | None:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text
