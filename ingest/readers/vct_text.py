"""The text of a VCT file (GB/T 17798 and the land-use standards built on it): lines, sections, head, structures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from layers.errors import SourceUnreadable

SHAPE_SECTIONS = ("point", "line", "polygon", "annotation")
"""Sections of objects that become rows, in lower case."""
_SECTION = re.compile(r"^([A-Za-z]+)(Begin|End)$", re.IGNORECASE)
_HEAD = re.compile(r"^\s*([A-Za-z]+)\s*[:：]\s*(.*?)\s*$")
_NUMBER = re.compile(r"^[+-]?\d+$", re.ASCII)
_LINE_LIMIT = 1 << 20
_MOST_STRUCTURES = 10_000
_MOST_KEPT = 5_000


class Truncated(Exception):
    """The lines end inside an object or section."""


class Lines:
    """Lines of a file with their numbers, one at a time, with one look ahead; comments are left out."""

    def __init__(self, file: Path, encoding: str, name: str) -> None:
        """Open a file; close it with `close`."""
        self._handle = file.open(encoding=encoding, newline=None)
        self._name = name
        self._ahead: str | None = None
        self._kept: list[str] = []
        self.number = 0

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def keep(self) -> None:
        """Keep the original lines from here on, the next one first."""
        self._kept = []

    def kept(self) -> str:
        """The lines kept, each with its number; of a very long object the first ones."""
        return "\n".join(self._kept)

    def next(self, *, blank: bool = False) -> str:
        """The next line, stripped; blank lines only when asked for.

        Raises:
            Truncated: At the end of the file.
            SourceUnreadable: When a line has no end within reason.
        """
        if self._ahead is not None:
            line, self._ahead = self._ahead, None
            return self._noted(line)
        while True:
            line = self._raw()
            if line.lower() == "commentbegin":
                while self._raw().lower() != "commentend":
                    continue
            elif line or blank:
                return self._noted(line)

    def _noted(self, line: str) -> str:
        if len(self._kept) < _MOST_KEPT:
            self._kept.append(f"{self.number}: {line}")
        return line

    def peek(self) -> str:
        """The next filled line, which `next` will give again."""
        if self._ahead is None:
            self._ahead = self.next()
            # It is kept when it is taken.
            if self._kept and len(self._kept) < _MOST_KEPT:
                self._kept.pop()
        return self._ahead

    def _raw(self) -> str:
        line = self._handle.readline(_LINE_LIMIT)
        if not line:
            raise Truncated
        self.number += 1
        if len(line) == _LINE_LIMIT:
            raise SourceUnreadable(f"Line {self.number} of {self._name} is longer than {_LINE_LIMIT} characters.")
        return line.removeprefix("\ufeff").strip()


@dataclass(frozen=True)
class FeatureCode:
    """A kind of objects: its code, name, geometry (`Point`, `Line`, ...), and the table of its attributes."""

    code: str
    name: str
    geometry: str
    table: str


@dataclass
class Schema:
    """Head, feature codes and table structures of a file.

    Attributes:
        head: Entries of the head, by name in lower case.
        codes: The feature codes.
        tables: Table -> names of its fields.
    """

    head: dict[str, str] = field(default_factory=dict)
    codes: list[FeatureCode] = field(default_factory=list)
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def separator(self) -> str:
        """Character between values; a comma when the head names none."""
        return self.head.get("separator") or ","

    def split(self, line: str) -> list[str]:
        """The values of a line."""
        return [value.strip() for value in line.split(self.separator)]


def sections(lines: Lines) -> Iterator[str]:
    """Names of the sections in lower case, each right after its first line; the caller may read on from there."""
    while True:
        try:
            line = lines.next()
        except Truncated:
            return
        match = _SECTION.match(line)
        if match is not None and match.group(2).lower() == "begin":
            yield match.group(1).lower()


def ends(line: str, section: str) -> bool:
    """Whether a line ends a section."""
    return line.lower() == f"{section}end"


def skip(lines: Lines, section: str) -> None:
    """Pass over the rest of a section.

    Raises:
        Truncated: When it does not end.
    """
    while not ends(lines.next(), section):
        continue


def read_head(lines: Lines, schema: Schema) -> None:
    """Read the head section, up to its end."""
    while not ends(line := lines.next(), "head"):
        entry = _HEAD.match(line)
        if entry is not None:
            schema.head[entry.group(1).lower()] = entry.group(2)


def read_codes(lines: Lines, schema: Schema) -> None:
    """Read the feature codes. Version 3 has four columns, version 2 a colour or three before the table."""
    while not ends(line := lines.next(), "featurecode"):
        parts = schema.split(line)
        if len(parts) < 2 or len(schema.codes) >= _MOST_STRUCTURES:  # noqa: PLR2004 - code and table at least
            continue
        words = [p for p in parts[3:] if p and not _NUMBER.match(p)]
        geometry = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 - a table without objects has two columns
        schema.codes.append(FeatureCode(parts[0], parts[1], geometry, words[0] if words else parts[0]))


def read_tables(lines: Lines, schema: Schema) -> None:
    """Read the structures: name and number of fields, then one line per field, then (in version 3) a zero."""
    while not ends(line := lines.next(), "tablestructure"):
        parts = schema.split(line)
        if len(parts) < 2 or not _NUMBER.match(parts[1]):  # noqa: PLR2004 - name and number
            continue
        fields: list[str] = []
        for _ in range(min(int(parts[1]), _MOST_STRUCTURES)):
            if ends(lines.peek(), "tablestructure") or lines.peek() == "0":
                break
            fields.append(schema.split(lines.next())[0])
        schema.tables[parts[0]] = tuple(fields)
        if lines.peek() == "0":
            lines.next()
