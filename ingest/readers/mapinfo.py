"""MapInfo tables (.tab with .dat, .map, .id) and interchange files (.mif with .mid), made ready for GDAL."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.readers import dbf, lines
from ingest.readers.decide import Evidence, decide
from ingest.readers.prepared import ANY, Prepared
from ingest.readers.source import Request
from layers.errors import SourceUnreadable

_HEAD = 1 << 16
_COPY = 1 << 20
_MAP_BLOCK = 512
"""A .map file consists of whole blocks."""
_MENDED = "mended"
_CHARSET = re.compile(rb"""^(\s*!?charset\s+)("?)([A-Za-z0-9_-]+)("?)""", re.IGNORECASE | re.MULTILINE)
_FIELDS = re.compile(rb"^\s*Fields\s+(\d+)\s*$", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^\s*Type\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_ELSEWHERE = re.compile(rb"\bcreate\s+view\b|\bopen\s+table\b|IsSeamless\"?\s*=\s*\"?TRUE", re.IGNORECASE)
_CHARSETS = {
    "WindowsSimpChinese": "gb18030",
    "WindowsTradChinese": "cp950",
    "WindowsLatin1": "cp1252",
    "UTF-8": "utf-8",
}
_ENCODINGS = {charset.lower(): encoding for charset, encoding in _CHARSETS.items()}
_NAMES = {encoding: charset for charset, encoding in _CHARSETS.items()}
_COMPANIONS = {".tab": ".dat", ".mif": ".mid"}


def prepare_mapinfo(request: Request) -> Prepared:
    """Check that a MapInfo table is whole and stands for itself, and find the encoding of its texts.

    Raises:
        SourceUnreadable: When the file with the attributes is missing, the table refers to other files, or its texts
            are in no expected encoding.
    """
    suffix = request.file.suffix.lower()
    companion = _COMPANIONS[suffix]
    beside = {p.suffix.lower(): p for p in request.file.parent.iterdir() if p.stem == request.file.stem}
    with request.file.open("rb") as handle:
        head = handle.read(_HEAD)
    if suffix == ".tab":
        _refuse_elsewhere(request, head)
    if companion not in beside:
        raise SourceUnreadable(
            f"{request.name} lacks its {companion} file with the attributes; send all files of the table.",
            source=request.name,
        )
    if suffix == ".tab":
        _refuse_cut(request, beside)
    found = _CHARSET.search(head)
    stated = _ENCODINGS.get(found.group(3).decode("ascii").lower()) if found else None
    decision, scan = decide(_evidence(request, beside[companion], head, stated), request.notes)
    file = request.file
    if decision.encoding != stated and scan.filled and decision.encoding in _NAMES and found is not None:
        file = _restated(request, beside, found, _NAMES[decision.encoding].encode())
    # MapInfo counts features from 1.
    spoiled = {row + 1: {ANY: next(iter(fields.values())).hex()} for row, fields in scan.spoiled.items()}
    return Prepared(file, found_encoding=decision.encoding, spoiled=spoiled, strict=True, rows=scan.rows)


def _refuse_cut(request: Request, beside: dict[str, Path]) -> None:
    """The .id holds, for each row of the .dat, where its object begins in the .map (0 = it has none)."""
    rows = dbf.layout_of(beside[".dat"], request.name).rows
    if ".id" not in beside and ".map" not in beside:
        return
    missing = next((part for part in (".id", ".map") if part not in beside), None)
    if missing is not None:
        raise SourceUnreadable(f"{request.name} lacks its {missing} file; send all files of the table.")
    places, size = np.fromfile(beside[".id"], dtype="<u4"), beside[".map"].stat().st_size
    if len(places) < rows or (rows and int(places.max()) >= size) or size % _MAP_BLOCK:
        raise SourceUnreadable(
            f"{request.name} is truncated: its .id or .map file is shorter than its {rows} rows need.",
            source=request.name,
        )


def _evidence(request: Request, companion: Path, head: bytes, stated: str | None) -> Evidence:
    declared = [] if stated is None else [(stated, "the charset of the table")]
    insisted = request.plan.mapping.encoding
    if companion.suffix.lower() == ".mid":
        sample = list(lines.sample(companion))
        return Evidence(request.name, "of the .mid", insisted, declared, sample, lambda e: lines.scan(companion, e))
    layout = _texts_alone(dbf.layout_of(companion, request.name), head)
    sample = list(dbf.sample(companion, layout))
    return Evidence(request.name, "of the .dat", insisted, declared, sample, lambda e: dbf.scan(companion, layout, e))


def _texts_alone(layout: dbf.Layout, head: bytes) -> dbf.Layout:
    """The layout without the fields that are no text: a .dat calls its binary numbers and dates characters, too."""
    found = _FIELDS.search(head)
    wanted = head[found.end() :].splitlines()[1 : int(found.group(1)) + 1] if found else []
    kinds = [line.split()[1].lower() for line in wanted if len(line.split()) > 1]
    if len(kinds) != len(layout.names):
        return layout
    return replace(layout, texts=tuple(text for text in layout.texts if kinds[text[0]].startswith(b"char")))


def _restated(request: Request, beside: dict[str, Path], found: re.Match[bytes], charset: bytes) -> Path:
    """A copy of the .tab or .mif that states another charset: GDAL takes it from nowhere else."""
    folder = request.scratch / _MENDED
    folder.mkdir()
    for path in beside.values():
        if path != request.file:
            (folder / path.name).symlink_to(path)
    target = folder / request.file.name
    with request.file.open("rb") as source, target.open("wb") as out:
        head = source.read(_HEAD)
        out.write(head[: found.start(3)] + charset + head[found.end(3) :])
        while block := source.read(_COPY):
            out.write(block)
    return target


def _refuse_elsewhere(request: Request, head: bytes) -> None:
    """A table may be a view, a link to a database or a mosaic of other tables: files that nobody sent."""
    kind = _TYPE.search(head)
    if _ELSEWHERE.search(head) or (kind is not None and kind.group(1).upper() not in (b"NATIVE", b"DBF")):
        raise SourceUnreadable(
            f"{request.name} is a MapInfo table that refers to other files or databases; save it as a native table.",
            source=request.name,
        )
