"""Rows of quarantine as a file that an officer can mend in a spreadsheet or a map, and that file read back.

CSV: UTF-8 with a byte order mark, one column per source field, the geometry as WKT; XLSX: the same as a workbook.
GeoJSON: the geometry in the CRS of the source, which the file names in the member `crs` of older GeoJSON; GPKG: the
same as a GeoPackage. All key the rows by their number in quarantine. CSV and GeoJSON are read back.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import shapely
import sqlalchemy as sa
from shapely.errors import ShapelyError
from shapely.geometry import shape

from ingest.export_geopackage import Table, write_geopackage
from ingest.export_workbook import write_workbook
from ingest.set_aside import SetAside, as_written, field_names, mend, row
from layers.errors import BadParameter, SourceMismatch, SourceMissing, SourceUnreadable

NUMBER, REASON, FIRST_REASON, ROW, SOURCE = "$quarantine", "$reason", "$first_reason", "$row", "$source"
GEOMETRY, UNREAD = "$geometry", "$unread"
_OURS = (NUMBER, REASON, FIRST_REASON, ROW, SOURCE, GEOMETRY)
_MOST_BYTES = 256 << 20
_NO_SHAPE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, ShapelyError)
# Spreadsheets in East Asian languages take the wide signs for the narrow ones.
_BEGINS = r"[=+\-@\t\r\n＝＋－＠]"
_FORMULA = re.compile(rf"'*{_BEGINS}")
_QUOTED = re.compile(rf"'+{_BEGINS}")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", re.ASCII)


def export(found: Sequence[SetAside], file: Path) -> None:
    """Write rows into a new file, in the format of its suffix; none is left when that fails.

    Raises:
        SourceMismatch: When the suffix is of no format, rows for a map have different CRS, or a workbook cannot hold
            them.
        SourceMissing: When the file exists or cannot be written.
    """
    writer = _WRITERS.get(file.suffix.lower())
    if writer is None:
        known = ", ".join(_WRITERS)
        raise SourceMismatch(f"Rows of quarantine are exported as {known}; {file.name} is none of them.")
    try:
        with file.open("xb") as handle, ExitStack() as undo:
            undo.callback(file.unlink)
            writer(found, handle)
            undo.pop_all()
    except OSError as error:
        raise SourceMissing(f"{file.name} cannot be written: {error.strerror}.", source=file.name) from error


def exported(found: Sequence[SetAside], kind: str) -> bytes:
    """Rows as the bytes of such a file.

    Args:
        found: The rows.
        kind: `csv`, `xlsx`, `geojson` or `gpkg`.

    Raises:
        SourceMismatch: As `export`.
    """
    content = io.BytesIO()
    _WRITERS[f".{kind}"](found, content)
    return content.getvalue()


def is_read_back(file: Path) -> bool:
    """Whether `mend_from` reads files of this kind."""
    return file.suffix.lower() in _READERS


def mend_from(connection: sa.Connection, file: Path) -> int:
    """Mend rows as an exported file says that was edited since.

    Only what differs from the present content counts, so a file may be read back twice. Columns of ours other than the
    number and the geometry are ignored.

    Returns:
        How many rows were changed.

    Raises:
        SourceMissing: When there is no such file.
        SourceUnreadable: When it is no such export, or too large.
        UnknownRow, BadParameter: As `ingest.set_aside.mend`; no row was changed then.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise SourceMismatch(f"Mended rows are read from .csv or .geojson; save {file.name} as one of them.")
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SourceUnreadable(f"{file.name} has more than the {_MOST_BYTES >> 20} MiB allowed.", source=file.name)
        return sum(_mend_one(connection, file, entry) for entry in reader(file))
    except OSError as error:
        raise SourceMissing(f"{file.name} cannot be read: {error.strerror}.", source=file.name) from error
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError, RecursionError) as error:
        raise SourceUnreadable(f"{file.name} is not an export of quarantine: {error}.", source=file.name) from error


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula; plain numbers stay as they are."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restored(text: str) -> str:
    """The text that `defused` was given."""
    return text[1:] if _QUOTED.match(text) else text


def _write_csv(found: Sequence[SetAside], handle: BinaryIO) -> None:
    with _text(handle) as text:
        text.write("\ufeff")
        csv.writer(text).writerows(_cells(found))


def _write_xlsx(found: Sequence[SetAside], handle: BinaryIO) -> None:
    write_workbook(lambda: _cells(found), handle)


def _cells(found: Sequence[SetAside]) -> Iterator[list[str]]:
    """The header, then one row of texts after the other; none of them is a formula."""
    names = field_names(found)
    yield [*_OURS, *(defused(name) for name in names)]
    for one in found:
        now = one.now
        wkt = "" if now.geometry is None else shapely.to_wkt(now.geometry, rounding_precision=-1)
        cells = [*(str(value) for value in _about(one).values()), wkt or now.unread or ""]
        cells += [as_written(now.fields.get(name)) for name in names]
        yield [str(one.id), *(defused(cell) for cell in cells)]


@contextmanager
def _text(handle: BinaryIO) -> Iterator[TextIO]:
    text = io.TextIOWrapper(handle, encoding="utf-8", newline="", write_through=True)
    try:
        yield text
    finally:
        text.detach()


def _read_csv(file: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_MOST_BYTES)
    with file.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.reader(handle)
        names = [restored(name) for name in next(reader, [])]
        for cells in reader:
            if any(cells):
                yield {name: restored(cell) for name, cell in zip(names, cells, strict=False)}


def _crs_of(found: Sequence[SetAside]) -> str | None:
    """The one CRS of all rows.

    Raises:
        SourceMismatch: When there are several.
    """
    systems = {(one.facts["reader"] or {}).get("crs") for one in found}
    if len(systems) > 1:
        raise SourceMismatch("These rows come from sources in different CRS; export them source by source, or as CSV.")
    return next(iter(systems), None)


def _write_geopackage(found: Sequence[SetAside], handle: BinaryIO) -> None:
    about = [{NUMBER: one.id, **_about(one)} for one in found]
    columns: list[tuple[str, list[str | None]]] = [
        (name, [str(facts[name]) for facts in about]) for name in (NUMBER, REASON, FIRST_REASON, ROW, SOURCE)
    ]
    columns.append((UNREAD, [one.now.unread for one in found]))
    columns += [(name, [as_written(one.now.fields.get(name)) or None for one in found]) for name in field_names(found)]
    write_geopackage(Table(columns, [one.now.geometry for one in found], _crs_of(found)), handle)


def _write_geojson(found: Sequence[SetAside], handle: BinaryIO) -> None:
    crs = _crs_of(found)
    body: dict[str, Any] = {"type": "FeatureCollection"}
    if crs is not None and crs.startswith("EPSG:"):
        body["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs[5:]}"}}
    body["features"] = [_feature(one) for one in found]
    with _text(handle) as text:
        json.dump(body, text, ensure_ascii=False)


_WRITERS: dict[str, Callable[[Sequence[SetAside], BinaryIO], None]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".geojson": _write_geojson,
    ".json": _write_geojson,
    ".gpkg": _write_geopackage,
}


def _about(one: SetAside) -> dict[str, Any]:
    """Our columns between the number and the geometry."""
    names = {REASON: "reason", FIRST_REASON: "first_reason", ROW: "row", SOURCE: "source"}
    return {column: one.facts[name] for column, name in names.items()}


def _feature(one: SetAside) -> dict[str, Any]:
    now = one.now
    ours = {NUMBER: one.id, **_about(one)}
    fields = {name: as_written(value) for name, value in now.fields.items()}
    geometry = None if now.geometry is None else json.loads(shapely.to_geojson(now.geometry))
    return {"type": "Feature", "id": one.id, "geometry": geometry, "properties": {**ours, **fields}}


def _read_geojson(file: Path) -> Iterator[dict[str, Any]]:
    body = json.loads(file.read_text(encoding="utf-8-sig"))
    features = body.get("features") if isinstance(body, dict) else None
    for feature in features if isinstance(features, list) else ():
        if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
            raise SourceUnreadable(f"{file.name} holds something that is no feature.", source=file.name)
        properties = {name: as_written(value) for name, value in feature["properties"].items()}
        if NUMBER not in properties and "id" in feature:
            properties[NUMBER] = str(feature["id"])
        geometry = feature.get("geometry")
        yield {**properties, **({} if geometry is None else {GEOMETRY: geometry})}


_READERS: dict[str, Callable[[Path], Iterator[dict[str, Any]]]] = {
    ".csv": _read_csv,
    ".geojson": _read_geojson,
    ".json": _read_geojson,
}


def _mend_one(connection: sa.Connection, file: Path, entry: Mapping[str, Any]) -> bool:
    written = str(entry.get(NUMBER, "")).strip()
    if not (written.isascii() and written.isdigit() and len(written) <= len(str(2**62))):
        raise SourceUnreadable(
            f"{file.name} has a row without a number in {NUMBER}; export the rows and edit that file.", source=file.name
        )
    number = int(written)
    found = row(connection, number)
    fields = {name: value or None for name, value in entry.items() if name not in _OURS}
    changed = {name: value for name, value in fields.items() if as_written(found.now.fields.get(name)) != (value or "")}
    # A file of several sources has columns that this row does not know; they are empty for it.
    known = {name: value for name, value in changed.items() if name in found.now.fields or value is not None}
    geometry = _geometry(entry.get(GEOMETRY), found)
    return bool(known or geometry is not None) and mend(connection, number, known, geometry)


def _geometry(written: Any, found: SetAside) -> shapely.Geometry | None:
    """The geometry of an edited row; None when it is the one that the row has."""
    now = found.now
    if written in (None, "", now.unread):
        return None
    geometry = parse_geometry(written, found.id)
    same = now.geometry is not None and shapely.equals_identical(
        shapely.force_2d(now.geometry), shapely.force_2d(geometry)
    )
    return None if same else geometry


def parse_wkt(text: str, number: int) -> shapely.Geometry:
    """A geometry that somebody wrote for a row.

    Raises:
        BadParameter: When it is no WKT.
    """
    geometry = shapely.from_wkt(text, on_invalid="ignore")
    if geometry is None:
        raise BadParameter(f"The geometry given for row {number} is no WKT.", parameter="geometry")
    return geometry


def parse_geometry(written: str | Mapping[str, Any], number: int) -> shapely.Geometry:
    """A geometry that somebody wrote for a row, as WKT or as an object of GeoJSON.

    Raises:
        BadParameter: When it is neither.
    """
    return parse_wkt(written, number) if isinstance(written, str) else _shape(written, number)


def _shape(written: Any, number: int) -> shapely.Geometry:
    try:
        return shape(written)
    except _NO_SHAPE as error:
        raise BadParameter(
            f"The geometry given for row {number} is no GeoJSON geometry.", parameter="geometry"
        ) from error
