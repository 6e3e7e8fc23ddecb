"""Text tables (CSV and its kin), with points in two columns, WKT, or no geometry at all."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.readers.source import Chunk, Geometries, Request, Source, decoded
from layers.errors import SourceMismatch, SourceUnreadable
from layers.model import VectorLayer

_BLOCK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FIELD_LIMIT = 64 << 20

Numbers = npt.NDArray[np.float64]


def open_table(request: Request) -> Source:
    """Open a text table.

    Raises:
        SourceUnreadable: When no encoding fits, a header is missing or double, or it has no rows.
        SourceMismatch: When the mapping's coordinate columns do not exist.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    encoding = find_encoding(request.file, request.plan.mapping.encoding or ("utf-8",), request.name)
    fields = _header(request, encoding)
    has_geometry = _geometry_columns(request, fields)
    return Source(
        driver="CSV",
        fields=fields,
        chunks=lambda: _chunks(request, encoding, fields),
        has_geometry=has_geometry,
        encoding=encoding,
        lonlat_table=request.plan.mapping.point is not None,
    )


def find_encoding(file: Path, candidates: tuple[str, ...], name: str) -> str:
    """The first encoding in which the whole file can be read; a byte order mark decides at once.

    Raises:
        SourceUnreadable: Naming the encodings tried and the byte at which each failed.
    """
    with file.open("rb") as handle:
        head = handle.read(4)
    marked = next((e for bom, e in _BOMS if head.startswith(bom)), None)
    failures: list[str] = []
    for encoding in (marked,) if marked else candidates:
        position = _first_bad_byte(file, encoding)
        if position is None:
            return encoding
        failures.append(f"{encoding} (fails at byte {position})")
    raise SourceUnreadable(
        f"{name} is not text in any expected encoding; tried {', '.join(failures)}. "
        "Name its encoding in the source mapping.",
        source=name,
    )


def _first_bad_byte(file: Path, encoding: str) -> int | None:
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as error:
        raise SourceMismatch(f"The source mapping names the unknown encoding {encoding!r}.") from error
    done = 0
    with file.open("rb") as handle:
        while True:
            block = handle.read(_BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return done - pending + error.start
            if not block:
                return None
            done += len(block)


def _rows(request: Request, encoding: str) -> Iterator[list[str]]:
    with request.file.open(encoding=encoding, newline="") as handle:
        try:
            yield from csv.reader(handle, delimiter=request.plan.mapping.delimiter, strict=True)
        except csv.Error as error:
            raise SourceUnreadable(f"{request.name} is not a well-formed text table: {error}.") from error


def _header(request: Request, encoding: str) -> tuple[str, ...]:
    mapping = request.plan.mapping
    first = next(_rows(request, encoding), None)
    if first is None:
        raise SourceUnreadable(f"{request.name} holds no rows.", source=request.name)
    if not mapping.header:
        if len(first) != len(mapping.columns):
            raise SourceMismatch(
                f"{request.name} has {len(first)} columns, but the mapping names {len(mapping.columns)}."
            )
        return mapping.columns
    names = tuple(mapping.columns) or tuple(n.strip() for n in first)
    double = next((n for n, times in Counter(names).items() if n and times > 1), None)
    if double is not None:
        raise SourceUnreadable(f"{request.name} has two columns {double!r}.", source=request.name)
    return tuple(n or f"column_{i + 1}" for i, n in enumerate(names))


def _geometry_columns(request: Request, fields: tuple[str, ...]) -> bool:
    mapping = request.plan.mapping
    wanted = [mapping.point.x, mapping.point.y] if mapping.point else [mapping.wkt] if mapping.wkt else []
    missing = [c for c in wanted if c not in fields]
    if missing:
        raise SourceMismatch(
            f"{request.name} has no column {missing[0]!r} for the geometry; it has {', '.join(fields)}.",
            fields=list(fields),
        )
    placed = bool(wanted) or mapping.address is not None
    if not placed and isinstance(request.plan.layer, VectorLayer) and request.plan.layer.geometry_required:
        raise SourceMismatch(
            f"The mapping {request.plan.mapping_name!r} does not say where {request.name} keeps its geometry "
            "(point, wkt or address).",
        )
    return bool(wanted)


def _chunks(request: Request, encoding: str, fields: tuple[str, ...]) -> Iterator[Chunk]:
    rows = _rows(request, encoding)
    if request.plan.mapping.header:
        next(rows, None)
    # An empty line is no row.
    filled = (row for row in rows if row)
    start = 0
    while block := list(islice(filled, request.plan.limits.batch_rows)):
        yield _chunk(request, block, fields, start)
        start += len(block)


def _chunk(request: Request, rows: list[list[str]], fields: tuple[str, ...], start: int) -> Chunk:
    width = len(fields)
    broken = {
        i: f"The row has {len(row)} columns where {width} were expected."
        for i, row in enumerate(rows)
        if len(row) != width
    }
    for i in broken:
        rows[i] = (rows[i] + [""] * width)[:width]
    columns = {n: pa.array(c, pa.string()) for n, c in zip(fields, zip(*rows, strict=True), strict=True)}
    chunk = Chunk(np.arange(start, start + len(rows), dtype=np.int64), columns, broken=broken)
    mapping = request.plan.mapping
    if mapping.point is not None:
        chunk.geometry = _points(chunk, mapping.point.x, mapping.point.y, mapping.null)
    elif mapping.wkt is not None:
        chunk.geometry = _wkt(chunk, mapping.wkt)
    return chunk


def _points(chunk: Chunk, x: str, y: str, null: tuple[str, ...]) -> Geometries:
    xs, ys = _numbers(chunk, x, null), _numbers(chunk, y, null)
    given = ~(np.isnan(xs) | np.isnan(ys))
    for i in np.flatnonzero(np.isnan(xs) != np.isnan(ys)):
        chunk.broken.setdefault(int(i), f"Only one of the coordinates {x!r} and {y!r} is given.")
    points: Geometries = np.full(len(chunk), None, dtype=object)
    points[given] = shapely.points(xs[given], ys[given])
    return points


def _numbers(chunk: Chunk, name: str, null: tuple[str, ...]) -> Numbers:
    text = pc.utf8_trim_whitespace(chunk.fields[name])
    empty = pc.is_in(text, value_set=pa.array(["", *null], pa.string()))
    text = pc.if_else(empty, pa.scalar(None, pa.string()), text)
    try:
        return np.asarray(pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:
        return _numbers_one_by_one(chunk, name, text)


def _numbers_one_by_one(chunk: Chunk, name: str, text: pa.Array) -> Numbers:
    values = np.full(len(text), np.nan)
    for i, value in enumerate(text.to_pylist()):
        try:
            values[i] = np.nan if value is None else float(value)
        except ValueError:
            chunk.broken.setdefault(i, f"The coordinate {name!r} is {value[:40]!r}, where a number was expected.")
            chunk.unread[i] = value[:200]
    return values


def _wkt(chunk: Chunk, name: str) -> Geometries:
    text = [value.strip() or None for value in chunk.fields[name].to_pylist()]
    found = decoded(np.array(text, dtype=object), shapely.from_wkt)
    for i, value in enumerate(text):
        if value is not None and found[i] is None:
            chunk.broken.setdefault(i, f"The column {name!r} holds no readable WKT geometry.")
            chunk.unread[i] = value[:2000]
    return found
