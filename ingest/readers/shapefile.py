"""Shapefiles, made ready for GDAL: what is missing beside the .shp is said, made again, or done without."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Sequence
from pathlib import Path

from ingest.readers.dbf import DESCRIPTOR, HEADER, Layout, layout_of, sample, scan
from ingest.readers.decide import Evidence, Scan, decide
from ingest.readers.prepared import Prepared
from ingest.readers.source import Request
from layers.errors import SourceUnreadable

_MENDED = "mended"
_NAME = 11
_HEAD, _INDEX_RECORD = 100, 8
_LANGUAGES = {
    0x01: "cp437",
    0x02: "cp850",
    0x03: "cp1252",
    0x13: "cp932",
    0x4D: "gb18030",
    0x4E: "cp949",
    0x4F: "cp950",
    0x50: "cp874",
    0x58: "cp1252",
    0x59: "cp1252",
    0x78: "cp950",
    0x79: "cp949",
    0x7A: "gb18030",
    0x7B: "cp932",
    0x7C: "cp874",
    0xC8: "cp1250",
    0xC9: "cp1251",
    0xCA: "cp1254",
    0xCB: "cp1253",
}
"""Language driver byte of dBase -> encoding. 0x57 means the code page of the machine that wrote the file: any."""
_WIDER = {"gbk": "gb18030", "gb2312": "gb18030", "big5": "cp950"}
"""Encodings that programs declare when they write a larger one."""
_PAGES = {"88591": "iso-8859-1", "65001": "utf-8", "utf8": "utf-8"}


def prepare_shapefile(request: Request) -> Prepared:
    """Find out about the files beside a .shp.

    A missing index (.shx) is made again by GDAL, in the private directory, where the .shp is a link or a copy. A
    missing table (.dbf) leaves geometries without attributes.

    Raises:
        SourceUnreadable: When the table is damaged, or text in none of the expected encodings.
    """
    beside = {p.suffix.lower(): p for p in request.file.parent.iterdir() if p.stem == request.file.stem}
    _refuse_cut(request)
    config: dict[str, str] = {}
    if ".shx" not in beside:
        config["SHAPE_RESTORE_SHX"] = "YES"
        message = "The index (.shx) is missing; it was made again from the geometries."
        request.notes.add("missing-index", "warning", message, count=1)
    if ".dbf" not in beside:
        message = "The table (.dbf) is missing; the geometries have no attributes."
        request.notes.add("missing-table", "warning", message, count=1)
        return Prepared(request.file, config=config)
    layout = layout_of(beside[".dbf"], request.name)
    _refuse_other_count(request, beside, layout.rows)
    encoding, found = _read(request, beside, layout)
    names = readable_names(layout.names, encoding)
    spoiled = {
        row: {names[number]: text.hex() for number, text in fields.items()} for row, fields in found.spoiled.items()
    }
    file = request.file
    if encoding == "utf-8" and any(not _is_utf8(n) for n in layout.names):
        file = _with_plain_names(request, beside, layout)
    return Prepared(
        file,
        encoding,
        encoding,
        names=names,
        raw_names=layout.names,
        spoiled=spoiled,
        strict=encoding == "utf-8",
        rows=found.rows,
        config=config,
    )


def _refuse_cut(request: Request) -> None:
    """The header of a .shp tells its length in words of 16 bits (ESRI Shapefile Technical Description, table 1)."""
    with request.file.open("rb") as handle:
        head = handle.read(_HEAD)
    stated, size = 2 * int.from_bytes(head[24:28], "big"), request.file.stat().st_size
    if len(head) < _HEAD or size < stated:
        raise SourceUnreadable(
            f"{request.name} is truncated: it announces {stated} bytes and has {size}.", source=request.name
        )


def _refuse_other_count(request: Request, beside: dict[str, Path], rows: int) -> None:
    """A table with another number of rows than there are shapes belongs to another file, or one of them is cut."""
    index = beside.get(".shx")
    shapes = rows if index is None else (index.stat().st_size - _HEAD) // _INDEX_RECORD
    if shapes != rows:
        raise SourceUnreadable(
            f"The table (.dbf) of {request.name} has {rows} rows, but its index (.shx) has {shapes} shapes; one of "
            "them is truncated or belongs to another file.",
            source=request.name,
        )


def readable_names(names: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    """Names of fields as text; half a character at the end is left out, and a double gets a number."""
    found: list[str] = []
    for number, raw in enumerate(names, start=1):
        name = raw.decode(encoding, "ignore") or f"field_{number}"
        found.append(name if name not in found else f"{name}_{number}")
    return tuple(found)


def _read(request: Request, beside: dict[str, Path], layout: Layout) -> tuple[str, Scan]:
    dbf = beside[".dbf"]
    declared = [(e, "the .cpg file") for e in _of_cpg(beside.get(".cpg"))]
    if layout.language in _LANGUAGES:
        declared.append((_LANGUAGES[layout.language], f"the language byte 0x{layout.language:02X} of the table"))
    evidence = Evidence(
        name=request.name,
        place="of the .dbf",
        insisted=request.plan.mapping.encoding,
        declared=declared,
        sample=list(sample(dbf, layout)),
        read=lambda encoding: scan(dbf, layout, encoding),
    )
    decision, found = decide(evidence, request.notes)
    return decision.encoding, found


def _of_cpg(cpg: Path | None) -> list[str]:
    """The encoding that a .cpg file names, if it names one that is known."""
    if cpg is None:
        return []
    text = cpg.read_bytes()[:64].decode("ascii", errors="ignore").strip().lower().removeprefix("ansi ")
    for spelling in (_PAGES.get(text, text), f"cp{text}"):
        try:
            name = codecs.lookup(spelling).name
        except LookupError:
            continue
        return [_WIDER.get(name, name)]
    return []


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _with_plain_names(request: Request, beside: dict[str, Path], layout: Layout) -> Path:
    """A copy of the table whose fields are called F1, F2 ...: GDAL gives up names that end inside a character."""
    folder = request.scratch / _MENDED
    folder.mkdir()
    for suffix, path in beside.items():
        if suffix == ".dbf":
            shutil.copyfile(path, folder / path.name)
        else:
            (folder / path.name).symlink_to(path)
    with (folder / beside[".dbf"].name).open("r+b") as handle:
        for number in range(len(layout.names)):
            handle.seek(HEADER + number * DESCRIPTOR)
            handle.write(f"F{number + 1}".encode().ljust(_NAME, b"\0"))
    return folder / request.file.name
