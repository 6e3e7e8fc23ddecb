"""Reports in files: how the seal is put into pages and PDF files, and found there again.

A file cannot hold its own digest. Both kinds are made with a gap for the seal; the digest is that of the file with the
gap empty, and the seal goes into the gap and nowhere else. So every byte of the file is either signed or the seal.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from geoservice.reports.errors import ContentChanged
from geoservice.reports.manifest import FileDigest, canonical
from geoservice.reports.seal import Sealed, holds, read_sealed
from layers.errors import BadBody

JSON_NAME, HTML_NAME, PDF_NAME = "report.json", "report.html", "report.pdf"
GPKG_NAME, XLSX_NAME = "report.gpkg", "report.xlsx"
NAMES_BY_SUFFIX = {".html": HTML_NAME, ".pdf": PDF_NAME, ".gpkg": GPKG_NAME, ".xlsx": XLSX_NAME}
"""Names of the files of a report, by how they end."""
CONTENTS, CONTENTS_SIGNATURE = "contents.json", "contents.sig"
HTML_GAP = b'<script type="application/json" id="report-seal"></script>'
_OPEN, _CLOSE = HTML_GAP[: -len(b"</script>")], b"</script>"
PDF_MARK = b"/GeoserviceSeal"
_PDF_GAP = re.compile(rb"/GeoserviceSeal (\d{1,10})\b[^>]{0,200}>>\s*stream\r?\n")
_MOST = 512 << 20
_MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class Carried:
    """A report as it was found in a file: the seal, and the files that came with it, by name, without the seal."""

    sealed: Sealed
    files: dict[str, bytes]


def with_seal_html(page: bytes, sealed: Sealed) -> bytes:
    """A page with the seal in its gap."""
    # In a script element nothing ends it but `</`; written so, JSON reads the same.
    inner = sealed.as_json().replace(b"<", b"\\u003c")
    return _one(page, HTML_GAP, lambda: page.replace(HTML_GAP, _OPEN + inner + _CLOSE))


def without_seal_html(page: bytes) -> tuple[bytes, bytes]:
    """A page with an empty gap, and what was in it.

    Raises:
        BadBody: When it has no gap.
    """
    if page.count(_OPEN) != 1:
        raise BadBody("This page is no report: it holds no seal, or more than one.")
    before, _, rest = page.partition(_OPEN)
    inner, found, after = rest.partition(_CLOSE)
    if not found:
        raise BadBody("The page breaks off within its seal.")
    return before + HTML_GAP + after, inner


def with_seal_pdf(file: bytes, sealed: Sealed) -> bytes:
    """A PDF file with the seal in its gap; what the seal leaves of the gap stays white space."""
    start, room = _gap(file)
    text = sealed.as_json()
    if len(text) > room:
        raise ValueError(f"the gap of {room} bytes is too small for a seal of {len(text)}")
    return file[:start] + text.ljust(room) + file[start + room :]


def without_seal_pdf(file: bytes) -> tuple[bytes, bytes]:
    """A PDF file with an empty gap, and what was in it.

    Raises:
        BadBody: When it has no gap.
    """
    start, room = _gap(file)
    return file[:start] + b" " * room + file[start + room :], file[start : start + room].rstrip()


def _gap(file: bytes) -> tuple[int, int]:
    # The first one: what follows may be text that a seal holds.
    found = _PDF_GAP.search(file)
    if found is None or found.end() + int(found[1]) > len(file):
        raise BadBody("This PDF file is no report: it holds no seal.")
    return found.end(), int(found[1])


def _one(text: bytes, part: bytes, made: Callable[[], bytes]) -> bytes:
    if text.count(part) != 1:
        raise ValueError("a page has one gap for its seal")
    return made()


def opened(name: str, content: bytes) -> Carried:
    """Find the report in a file: JSON, HTML, PDF, or the ZIP of a field package.

    Args:
        name: Name of the file, for messages.
        content: Its bytes.

    Raises:
        BadBody: When there is no report in it.
        ContentChanged: When a package holds other files than it names.
    """
    if content.startswith(b"%PDF-"):
        return Carried(_sealed(without_seal_pdf(content)[1]), {PDF_NAME: content})
    if content.startswith(b"PK"):
        return _package(content)
    start = content[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return Carried(_sealed(without_seal_html(content)[1]), {HTML_NAME: content})
    if start.startswith(b"{"):
        return Carried(_sealed(content), {})
    raise BadBody(f"{name[:80]} is no report: expected its JSON, page, PDF file, or field package (ZIP).")


def _sealed(text: bytes) -> Sealed:
    try:
        value: Any = json.loads(text)
    except ValueError:
        raise BadBody("The seal of the report is no JSON.") from None
    return read_sealed(value)


def _package(content: bytes) -> Carried:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES or sum(one.file_size for one in entries) > _MOST:
                raise BadBody("This package is larger than any package of a report.")
            found = {one.filename: archive.read(one) for one in entries if not one.is_dir()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        raise BadBody("The package cannot be unpacked.") from None
    if JSON_NAME not in found:
        raise BadBody(f"This package is no report: it holds no {JSON_NAME}.")
    return Carried(_sealed(found.pop(JSON_NAME)), found)


def check_files(carried: Carried) -> list[str]:
    """Compare the files that came with a report with the digests of its manifest.

    Returns:
        Names of those that were compared.

    Raises:
        ContentChanged: When one is not what was signed, or nothing that was signed names it.
    """
    listed = _listed(carried)
    for name, content in carried.files.items():
        if name in (CONTENTS, CONTENTS_SIGNATURE):
            continue
        known = carried.sealed.manifest.files.get(name)
        if known is not None:
            if FileDigest.of(_base(name, content, carried.sealed)) != known:
                raise ContentChanged(f"The file {name[:80]} is not what was signed.")
        elif listed.get(name) != FileDigest.of(content):
            raise ContentChanged(f"The file {name[:80]} is not what was signed, or is named by nothing that was.")
    return sorted(carried.files)


def _listed(carried: Carried) -> dict[str, FileDigest]:
    """The files that the signed list of a package names; a list that was not signed names none.

    Raises:
        ContentChanged: When the list is not of this report, or names a file that is missing.
    """
    text, signature = (carried.files.get(name) for name in (CONTENTS, CONTENTS_SIGNATURE))
    if text is None or signature is None:
        return {}
    if not holds(text, signature, carried.sealed.certificate):
        raise ContentChanged(f"The list of files ({CONTENTS}) is not what was signed.")
    told = json.loads(text)
    listed = {name: FileDigest.model_validate(one) for name, one in told["files"].items()}
    if told["report"] != carried.sealed.manifest.id:
        raise ContentChanged(f"The list of files ({CONTENTS}) is that of another report.")
    if missing := sorted(set(listed) - set(carried.files) - {JSON_NAME}):
        raise ContentChanged(f"The package lacks {missing[0][:80]}, which its list names.")
    return listed


def contents(report: str, files: Mapping[str, bytes]) -> bytes:
    """The list of the files of a package, to be signed."""
    return canonical(
        {"files": {name: FileDigest.of(body).model_dump() for name, body in files.items()}, "report": report}
    )


def _base(name: str, content: bytes, sealed: Sealed) -> bytes:
    """A file without its seal; a seal in it must be the one of the report."""
    ways = {HTML_NAME: (without_seal_html, with_seal_html), PDF_NAME: (without_seal_pdf, with_seal_pdf)}
    if name not in ways:
        return content
    take, put = ways[name]
    base, _ = take(content)
    if put(base, sealed) != content:
        raise ContentChanged(f"The file {name} carries another seal than the report.")
    return base
