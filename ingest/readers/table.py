"""Text tables (CSV and its kin), with points in two columns, WKT, or no geometry at all."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from ingest.readers.placing import geometry_columns, place
from ingest.readers.source import Chunk, Request, Source
from layers.errors import SourceMismatch, SourceUnreadable

_BLOCK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FIELD_LIMIT = 64 << 20


def open_table(request: Request) -> Source:
    """Open a text table.

    Raises:
        SourceUnreadable: When no encoding fits, a header is missing or double, or it has no rows.
        SourceMismatch: When the mapping's coordinate columns do not exist.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    encoding = find_encoding(request.file, request.plan.mapping.encoding or ("utf-8",), request.name)
    fields = _header(request, encoding)
    has_geometry = geometry_columns(request, fields)
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
    place(chunk, request.plan.mapping)
    return chunk
