"""Text formats: CSV (RFC 4180) without formulas, GeoJSON (RFC 7946), its text sequences (RFC 8142), and NDJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import shapely

from geoservice.formats.shapes import rounded, shapes_of
from geoservice.formats.subject import GEOMETRY, KEY, Batches, Subject

# Spreadsheets in East Asian languages take the wide signs for the narrow ones.
_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?$"
_RECORD_SEPARATOR = b"\x1e"


def write_csv(subject: Subject, batches: Batches, file: Path) -> None:
    """CSV in UTF-8; the geometry is WKT in the column `geometry`."""
    _write_table(subject, batches, file, _with_wkt)


def write_csv_points(subject: Subject, batches: Batches, file: Path) -> None:
    """CSV in UTF-8; points are in the columns `x` and `y`, which are empty for rows without a point."""
    _write_table(subject, batches, file, _with_xy)


def _write_table(subject: Subject, batches: Batches, file: Path, shown: Any) -> None:
    empty = shown(subject, pa.RecordBatch.from_pylist([], schema=subject.schema))
    with pyarrow.csv.CSVWriter(file, empty.schema) as writer:
        for batch in batches:
            writer.write_batch(shown(subject, batch))


def _with_wkt(subject: Subject, batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = _plain_columns(batch)
    if subject.spatial:
        wkt = shapely.to_wkt(shapes_of(batch), rounding_precision=subject.decimals, trim=True)
        columns["geometry"] = pa.array(wkt, pa.string())
    return pa.RecordBatch.from_pydict(columns)


def _with_xy(subject: Subject, batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = _plain_columns(batch)
    shapes = shapes_of(batch)
    for name, values in (("x", shapely.get_x(shapes)), ("y", shapely.get_y(shapes))):
        columns[name] = pa.array(np.round(values, subject.decimals), pa.float64(), from_pandas=True)
    return pa.RecordBatch.from_pydict(columns)


def _plain_columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Columns without the geometry: texts that no spreadsheet takes for a formula, times as RFC 3339 in UTC."""
    found = {}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if name == GEOMETRY:
            continue
        if pa.types.is_string(values.type):
            found[name] = defused(values)
        else:
            found[name] = moments(values) if pa.types.is_timestamp(values.type) else values
    return found


def defused(texts: pa.Array) -> pa.Array:
    """Texts, those in front of which a spreadsheet would calculate led by an apostrophe; plain numbers stay."""
    dangerous = pc.and_(pc.match_substring_regex(texts, _FORMULA), pc.invert(pc.match_substring_regex(texts, _NUMBER)))
    return pc.if_else(dangerous, pc.binary_join_element_wise("'", texts, ""), texts)


def moments(values: pa.Array) -> pa.Array:
    """Times as texts, with fractions of a second only where there are any."""
    texts = [None if t is None else t.isoformat().replace("+00:00", "Z") for t in values.to_pylist()]
    return pa.array(texts, pa.string())


def write_ndjson(subject: Subject, batches: Batches, file: Path) -> None:
    """GeoJSON features, one per line (NDJSON)."""
    _write_lines(subject, batches, file, b"")


def write_geojson_seq(subject: Subject, batches: Batches, file: Path) -> None:
    """A GeoJSON text sequence (RFC 8142): each feature begins with a record separator."""
    _write_lines(subject, batches, file, _RECORD_SEPARATOR)


def _write_lines(subject: Subject, batches: Batches, file: Path, before: bytes) -> None:
    with file.open("xb") as handle:
        for batch in batches:
            handle.writelines(before + feature.encode() + b"\n" for feature in features(subject, batch))


def write_geojson(subject: Subject, batches: Batches, file: Path) -> None:
    """One GeoJSON feature collection; what the file says of itself stands in front of the features."""
    head = {"type": "FeatureCollection", "name": subject.layer.name, "about": subject.about.facts()}
    with file.open("xb") as handle:
        write_collection(handle, head, (features(subject, batch) for batch in batches))


def write_collection(handle: BinaryIO, head: dict[str, Any], parts: Iterator[list[str]]) -> None:
    """One JSON object: the members of `head`, then `features` with the texts of all parts."""
    handle.write(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "features": [')
    between = b"\n"
    for part in parts:
        for feature in part:
            handle.write(between + feature.encode())
            between = b",\n"
    handle.write(b"\n]}\n")


def features(subject: Subject, batch: pa.RecordBatch) -> list[str]:
    """The rows of a batch as GeoJSON features."""
    shapes = geometries(subject, batch)
    made = []
    for row, shape in zip(json_rows(batch), shapes, strict=True):
        head = json.dumps({"type": "Feature", "id": row.pop(KEY)}, ensure_ascii=False)[:-1]
        made.append(f'{head}, "geometry": {shape}, "properties": {json.dumps(row, ensure_ascii=False)}}}')
    return made


def geometries(subject: Subject, batch: pa.RecordBatch) -> list[str]:
    """GeoJSON geometries of the rows, `null` where there is none."""
    if not subject.spatial:
        return ["null"] * batch.num_rows
    texts = shapely.to_geojson(rounded(shapes_of(batch), subject.decimals))
    return ["null" if text is None else text for text in texts]


def json_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Key and attributes of the rows as JSON knows them; numbers that are not finite are null."""
    columns = {}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if name != GEOMETRY:
            columns[name] = _json_values(values)
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _json_values(values: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(values.type):
        values = moments(values)
    elif pa.types.is_date(values.type):
        values = values.cast(pa.string())
    elif pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_finite(values), values, None)
    found: list[Any] = values.to_pylist()
    return found
