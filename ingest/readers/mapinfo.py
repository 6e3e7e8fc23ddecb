"""MapInfo tables (.tab with .dat, .map, .id) and interchange files (.mif with .mid), made ready for GDAL."""

from __future__ import annotations

import re

from ingest.readers.prepared import Prepared
from ingest.readers.source import Request
from layers.errors import SourceUnreadable

_HEAD = 1 << 16
_CHARSET = re.compile(rb"""^\s*!?charset\s+"?([A-Za-z0-9_]+)"?""", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^\s*Type\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_ELSEWHERE = re.compile(rb"\bcreate\s+view\b|\bopen\s+table\b|IsSeamless\"?\s*=\s*\"?TRUE", re.IGNORECASE)
_CHARSETS = {
    "windowssimpchinese": "gb18030",
    "windowstradchinese": "cp950",
    "windowslatin1": "cp1252",
    "iso8859_1": "iso-8859-1",
    "utf-8": "utf-8",
}
_COMPANIONS = {".tab": ".dat", ".mif": ".mid"}


def prepare_mapinfo(request: Request) -> Prepared:
    """Check that a MapInfo table is whole and stands for itself.

    Raises:
        SourceUnreadable: When the file with the attributes is missing, or the table refers to other files.
    """
    suffix = request.file.suffix.lower()
    companion = _COMPANIONS[suffix]
    present = {p.suffix.lower() for p in request.file.parent.iterdir() if p.stem == request.file.stem}
    with request.file.open("rb") as handle:
        head = handle.read(_HEAD)
    if suffix == ".tab":
        _refuse_elsewhere(request, head)
    if companion not in present:
        raise SourceUnreadable(
            f"{request.name} lacks its {companion} file with the attributes; send all files of the table.",
            source=request.name,
        )
    found = _CHARSET.search(head)
    encoding = _CHARSETS.get(found.group(1).decode("ascii").lower()) if found else None
    return Prepared(request.file, found_encoding=encoding, strict=True)


def _refuse_elsewhere(request: Request, head: bytes) -> None:
    """A table may be a view, a link to a database or a mosaic of other tables: files that nobody sent."""
    kind = _TYPE.search(head)
    if _ELSEWHERE.search(head) or (kind is not None and kind.group(1).upper() not in (b"NATIVE", b"DBF")):
        raise SourceUnreadable(
            f"{request.name} is a MapInfo table that refers to other files or databases; save it as a native table.",
            source=request.name,
        )
