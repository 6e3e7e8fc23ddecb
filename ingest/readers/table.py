"""Text tables (CSV and its kin), with points in two columns, WKT, or no geometry at all."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from ingest.readers import lines
from ingest.readers.decide import Evidence, decide, known
from ingest.readers.placing import geometry_columns, headings, place
from ingest.readers.source import Chunk, Request, Source
from layers.errors import SourceMismatch, SourceUnreadable

_BLOCK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_FIELD_LIMIT = 64 << 20
_WIDE = ("utf-16", "utf-32")
"""Encodings of two or four bytes per letter: lines cannot be told apart before they are decoded."""
_KEEP = "surrogateescape"
_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class _Text:
    """Encoding of a table, and whether some of its bytes are no text in it."""

    encoding: str
    spoiled: bool


def open_table(request: Request) -> Source:
    """Open a text table.

    Raises:
        SourceUnreadable: When no encoding fits, a header is missing or double, or it has no rows.
        SourceMismatch: When the mapping's coordinate columns do not exist.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    text = _text_of(request)
    fields = headings(request, _header(request, text))
    has_geometry = geometry_columns(request, fields)
    return Source(
        driver="CSV",
        fields=fields,
        chunks=lambda: _chunks(request, text, fields),
        has_geometry=has_geometry,
        encoding=text.encoding,
        lonlat_table=request.plan.mapping.point is not None,
    )


def _text_of(request: Request) -> _Text:
    """A byte order mark decides at once; otherwise the mapping, or statistics."""
    file, insisted = request.file, request.plan.mapping.encoding
    if _marked(file) or any(known(e).startswith(_WIDE) for e in insisted):
        return _Text(find_encoding(file, insisted, request.name), spoiled=False)
    evidence = Evidence(request.name, "", insisted, [], list(lines.sample(file)), lambda e: lines.scan(file, e))
    decision, scan = decide(evidence, request.notes)
    return _Text(decision.encoding, spoiled=scan.bad > 0)


def _marked(file: Path) -> str | None:
    with file.open("rb") as handle:
        head = handle.read(4)
    return next((e for bom, e in _BOMS if head.startswith(bom)), None)


def find_encoding(file: Path, candidates: tuple[str, ...], name: str) -> str:
    """The first encoding in which the whole file can be read; a byte order mark decides at once.

    Raises:
        SourceUnreadable: Naming the encodings tried and the byte at which each failed.
    """
    marked = _marked(file)
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
    decoder = codecs.getincrementaldecoder(known(encoding))()
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


def _rows(request: Request, text: _Text) -> Iterator[list[str]]:
    errors = _KEEP if text.spoiled else "strict"
    with request.file.open(encoding=text.encoding, errors=errors, newline="") as handle:
        try:
            yield from csv.reader(handle, delimiter=request.plan.mapping.delimiter, strict=True)
        except csv.Error as error:
            raise SourceUnreadable(f"{request.name} is not a well-formed text table: {error}.") from error


def _header(request: Request, text: _Text) -> tuple[str, ...]:
    mapping = request.plan.mapping
    first = next(_rows(request, text), None)
    if first is None:
        raise SourceUnreadable(f"{request.name} holds no rows.", source=request.name)
    if not mapping.header:
        if len(first) != len(mapping.columns):
            raise SourceMismatch(
                f"{request.name} has {len(first)} columns, but the mapping names {len(mapping.columns)}."
            )
        return mapping.columns
    if any(_ESCAPED.search(name) for name in first):
        raise SourceUnreadable(
            f"The header of {request.name} holds bytes that are no text in the encoding {text.encoding}.",
            source=request.name,
        )
    names = tuple(mapping.columns) or tuple(n.strip() for n in first)
    double = next((n for n, times in Counter(names).items() if n and times > 1), None)
    if double is not None:
        raise SourceUnreadable(f"{request.name} has two columns {double!r}.", source=request.name)
    return tuple(n or f"column_{i + 1}" for i, n in enumerate(names))


def _chunks(request: Request, text: _Text, fields: tuple[str, ...]) -> Iterator[Chunk]:
    rows = _rows(request, text)
    if request.plan.mapping.header:
        next(rows, None)
    # An empty line is no row.
    filled = (row for row in rows if row)
    start = 0
    while block := list(islice(filled, request.plan.limits.batch_rows)):
        spoiled = _keep_bytes(block, text) if text.spoiled else {}
        yield _chunk(request, block, fields, start, spoiled)
        start += len(block)


def _keep_bytes(rows: list[list[str]], text: _Text) -> dict[int, str]:
    """Put `hex:...` in the place of cells with bytes that are no text; rows concerned, each with a sentence."""
    broken: dict[int, str] = {}
    for i, row in enumerate(rows):
        for k, cell in enumerate(row):
            if _ESCAPED.search(cell):
                row[k] = f"hex:{cell.encode(text.encoding, _KEEP).hex()}"
                broken[i] = f"The row holds bytes that are no text in the encoding {text.encoding}."
    return broken


def _chunk(
    request: Request, rows: list[list[str]], fields: tuple[str, ...], start: int, spoiled: dict[int, str]
) -> Chunk:
    width = len(fields)
    broken = spoiled | {
        i: f"The row has {len(row)} columns where {width} were expected."
        for i, row in enumerate(rows)
        if len(row) != width
    }
    original = {i: tuple(rows[i]) for i in broken}
    for i in broken:
        rows[i] = (rows[i] + [""] * width)[:width]
    columns = {n: pa.array(c, pa.string()) for n, c in zip(fields, zip(*rows, strict=True), strict=True)}
    chunk = Chunk(np.arange(start, start + len(rows), dtype=np.int64), columns, broken=broken, original=original)
    place(chunk, request.plan.mapping)
    return chunk
