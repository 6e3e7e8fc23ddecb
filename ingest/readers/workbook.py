"""Parts of an Excel workbook (XLSX), looked through before a library opens them.

Every XML part is walked once with a parser that expands nothing: a document type anywhere refuses the workbook. The
walk over the sheets also notes what a library that reads values would hide: formulas that were never computed, and
merged cells. Source of the element names: ECMA-376, part 1, chapter 18.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

from ingest.readers.source import Request
from layers.errors import SourceUnreadable

_BLOCK = 1 << 20
_SHEETS = "xl/worksheets/"
_STRINGS = "xl/sharedStrings.xml"
_STRINGS_SHARE = 16
"""Shared texts may take this part of the reader's memory when packed out; as objects they take many times more."""
_XML = (".xml", ".rels", ".vml")


@dataclass
class SheetFacts:
    """What a sheet holds besides values.

    Attributes:
        uncached: How many formulas have no value, because no program computed them.
        merged: Merged ranges, such as `A1:C1`.
    """

    uncached: int = 0
    merged: list[str] = field(default_factory=list)


def look_through(request: Request, archive: zipfile.ZipFile) -> dict[str, SheetFacts]:
    """Walk all XML parts of a workbook and gather the facts of its sheets.

    Args:
        request: For its name and limits.
        archive: The opened workbook; its directory was checked already.

    Returns:
        Part of a sheet, such as `xl/worksheets/sheet1.xml` -> its facts.

    Raises:
        SourceUnreadable: When a part is damaged, unpacks to more than allowed, or declares a document type.
    """
    facts: dict[str, SheetFacts] = {}
    left = request.plan.limits.unpacked
    for member in archive.infolist():
        if not member.filename.lower().endswith(_XML):
            continue
        is_sheet = member.filename.startswith(_SHEETS)
        walk = _Walk(facts.setdefault(member.filename, SheetFacts())) if is_sheet else None
        try:
            with archive.open(member) as part:
                left -= _parse(request, part, walk, left)
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, OSError) as error:
            raise SourceUnreadable(
                f"{request.name} is a damaged workbook: {str(error)[:120]}.", source=request.name
            ) from error
    return facts


def refuse_big_strings(request: Request, archive: zipfile.ZipFile) -> None:
    """Refuse a workbook whose shared texts, which a library keeps in memory, would not fit.

    Raises:
        SourceUnreadable: Naming both sizes.
    """
    size = next((m.file_size for m in archive.infolist() if m.filename == _STRINGS), 0)
    limit = request.plan.limits.memory // _STRINGS_SHARE
    if size > limit:
        raise SourceUnreadable(
            f"{request.name} has {size >> 20} MiB of texts, more than the {limit >> 20} MiB that can be kept; save it "
            "as CSV.",
            source=request.name,
        )


def _parse(request: Request, part: IO[bytes], walk: _Walk | None, left: int) -> int:
    """Parse a part to its end and say how many bytes came out."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype(request)
    if walk is not None:
        parser.StartElementHandler, parser.EndElementHandler = walk.start, walk.end
        parser.CharacterDataHandler = walk.text
    size = 0
    try:
        while block := part.read(_BLOCK):
            size += len(block)
            if size > left:
                raise SourceUnreadable(
                    f"{request.name} unpacks to more than the {request.plan.limits.unpacked} bytes allowed."
                )
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise SourceUnreadable(
            f"{request.name} is a damaged workbook: {expat.ErrorString(error.code)} in line {error.lineno}.",
            source=request.name,
        ) from error
    return size


def _refuse_doctype(request: Request) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise SourceUnreadable(
            f"{request.name} declares a document type (DTD or entities); such a workbook is not read.",
            source=request.name,
        )

    return refuse


class _Walk:
    """Follows the cells of a sheet."""

    def __init__(self, facts: SheetFacts) -> None:
        self._facts = facts
        self._formula = self._filled = self._in_value = False

    def start(self, tag: str, given: dict[str, str]) -> None:
        """An element begins."""
        name = tag.rpartition(":")[2]
        if name == "c":
            self._formula = self._filled = False
        elif name == "f":
            self._formula = True
        elif name == "v":
            self._in_value = True
        elif name == "mergeCell":
            self._facts.merged.append(given.get("ref", ""))

    def text(self, text: str) -> None:
        """Text between elements."""
        self._filled = self._filled or (self._in_value and bool(text))

    def end(self, tag: str) -> None:
        """An element ends."""
        name = tag.rpartition(":")[2]
        if name == "v":
            self._in_value = False
        elif name == "c" and self._formula and not self._filled:
            self._facts.uncached += 1
