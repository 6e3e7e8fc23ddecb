"""One object of a VCT file: identifier, feature code, and its geometry by coordinates or by references to lines.

Versions 2 and 3 differ in what they count, so that the lines themselves decide: a line with a separator has
coordinates, one without is a number. Coordinates come out as they are written, first value first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.boundary_parcel import assembled
from ingest.readers.vct_text import Lines, Schema

Coordinates = npt.NDArray[np.float64]
LineOf = Callable[[int], Coordinates | None]
"""Coordinates of the line with an identifier, or None when the file has none."""
_WHOLE = re.compile(r"^[+-]?\d{1,18}$", re.ASCII)
_END = re.compile(r"^(?:point|line|polygon|annotation)end$", re.IGNORECASE)
_INDIRECT, _BY_LINES, _BY_AREAS = 100, 21, 22
_POLYLINE, _DIRECTED, _GROUP = (1, 11), 3, 4
_RING = 4


class Fault(Exception):
    """Why an object cannot be read; a sentence."""


@dataclass
class VctObject:
    """An object as it stands in the file.

    Attributes:
        line: Number of its first line.
        number: Its identifier.
        code: Its feature code.
        text: Text of an annotation.
        parts: Coordinates of its points, lines or rings.
        references: Identifiers of lines; a negative one is taken backwards, 0 separates rings.
        by_areas: Whether the references are to other areas.
        original: Its lines as they stand in the file, with their numbers.
    """

    line: int
    number: int = 0
    code: str = ""
    text: str | None = None
    parts: list[Coordinates] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    by_areas: bool = False
    original: str | None = None


class ObjectReader:
    """Reads the objects of a section one after the other."""

    def __init__(self, lines: Lines, schema: Schema, most: int) -> None:
        """Read from these lines; an object may have `most` vertices."""
        self._lines = lines
        self._schema = schema
        self._most = most
        self._ways = {
            "point": self._point,
            "line": self._line,
            "polygon": self._polygon,
            "annotation": self._annotation,
        }

    def read(self, section: str, found: VctObject) -> None:
        """Read one object, its first line being the next.

        Raises:
            Fault: When it does not follow the format; `resume` goes on with the next one.
            Truncated: When the file ends.
        """
        found.number = self._whole("an identifier")
        found.code = self._take()
        # The style may be left empty.
        self._lines.next(blank=True)
        self._ways[section](found)
        if self._lines.peek() == "0":
            self._lines.next()

    def resume(self, section: str) -> None:
        """Pass over what is left of a broken object: up to its closing zero, or the end of the section."""
        while self._lines.peek().lower() != f"{section}end":
            if self._lines.next() == "0":
                return

    def _point(self, found: VctObject) -> None:
        kind = self._whole("a type of point")
        usual = 2 if kind == _DIRECTED else 1
        count = self._whole("a number of points") if _WHOLE.match(self._lines.peek()) else usual
        points = self._coordinates(count)
        # The second point of a directed point tells its direction only.
        found.parts = [points if kind == _GROUP else points[:1]]

    def _annotation(self, found: VctObject) -> None:
        self._whole("a type of annotation")
        found.text = self._take()
        count = self._whole("a number of points") if _WHOLE.match(self._lines.peek()) else 1
        found.parts = [self._coordinates(count)]

    def _line(self, found: VctObject) -> None:
        kind = self._whole("a type of line")
        if kind == _INDIRECT:
            found.references = self._references()
        else:
            found.parts = self._elements(kind)

    def _polygon(self, found: VctObject) -> None:
        kind = self._whole("a type of area") if _WHOLE.match(self._lines.peek()) else None
        self._coordinates(1)
        if kind is None:
            kind = 1 if self._schema.head.get("topo", "0") == "0" else _INDIRECT
        if kind != _INDIRECT:
            found.parts = self._elements(1)
            return
        how = self._whole("a number of references")
        if how in (_BY_LINES, _BY_AREAS) and _WHOLE.match(self._lines.peek()) and not self._is_list(how):
            found.by_areas = how == _BY_AREAS
            found.references = self._references()
        else:
            found.references = self._references(how)

    def _is_list(self, count: int) -> bool:
        """Whether the next line already lists as many references as this number, so that it is a count."""
        return len(self._schema.split(self._lines.peek())) == count

    def _elements(self, kind: int) -> list[Coordinates]:
        """Parts of a line or rings of an area: counted elements of a type each, or just points."""
        count = self._whole("a number of parts or points")
        if not _WHOLE.match(self._lines.peek()):
            return [self._typed(kind, self._coordinates(count))]
        if count > self._most:
            raise Fault(f"The object announces {count} parts, more than are allowed.")
        return [self._element() for _ in range(count)]

    def _element(self) -> Coordinates:
        kind = self._whole("a type of part")
        return self._typed(kind, self._coordinates(self._whole("a number of points")))

    def _typed(self, kind: int, points: Coordinates) -> Coordinates:
        if kind not in _POLYLINE:
            raise Fault(f"A part is a curve of type {kind}; only straight parts are read.")
        return points

    def _references(self, count: int | None = None) -> list[int]:
        count = self._whole("a number of references") if count is None else count
        if not 0 < count <= self._most:
            raise Fault(f"The object announces {count} references.")
        found: list[int] = []
        while len(found) < count:
            # A line may end with a separator.
            for text in filter(None, self._schema.split(self._take())):
                if not _WHOLE.match(text):
                    raise Fault(f"Line {self._lines.number}: {text[:40]!r} stands where a reference was expected.")
                found.append(int(text))
        return found

    def _coordinates(self, count: int) -> Coordinates:
        if not 0 < count <= self._most:
            raise Fault(f"The object announces {count} points; 1 to {self._most} are allowed.")
        points = np.empty((count, 2))
        for i in range(count):
            values = self._schema.split(self._take())
            try:
                points[i] = float(values[0]), float(values[1])
            except (ValueError, IndexError):
                raise Fault(f"Line {self._lines.number}: coordinates were expected.") from None
        return points

    def _take(self) -> str:
        """The next line; the end of the section is left for whoever reads sections."""
        if _END.match(self._lines.peek()):
            raise Fault(f"Line {self._lines.number}: the section ends inside an object.")
        return self._lines.next()

    def _whole(self, what: str) -> int:
        text = self._take()
        if not _WHOLE.match(text):
            raise Fault(f"Line {self._lines.number}: {text[:40]!r} stands where {what} was expected.")
        return int(text)


def shape_of(found: VctObject, section: str, line_of: LineOf) -> shapely.Geometry:
    """Geometry of an object.

    Raises:
        Fault: When lines are missing, do not meet, or a ring is degenerate.
    """
    if section in ("point", "annotation"):
        points = [shapely.Point(p) for part in found.parts for p in part]
        return points[0] if len(points) == 1 else shapely.MultiPoint(points)
    if section == "line":
        return _lines(found, line_of)
    if found.by_areas:
        raise Fault("The area is made of other areas; such areas are not read.")
    rings = _rings(found.references, line_of) if found.references else [_closed(part) for part in found.parts]
    if not rings:
        raise Fault("The area has no ring.")
    return assembled(rings)


def _lines(found: VctObject, line_of: LineOf) -> shapely.Geometry:
    parts = [_referred(r, line_of) for r in found.references if r] if found.references else found.parts
    runs: list[list[Coordinates]] = []
    for part in parts:
        if runs and (runs[-1][-1][-1] == part[0]).all():
            runs[-1].append(part[1:])
        else:
            runs.append([part])
    lines = [np.concatenate(run) for run in runs]
    if any(len(line) < 2 for line in lines):  # noqa: PLR2004 - a line has two ends
        raise Fault("A line has only one point.")
    built = [shapely.LineString(line) for line in lines]
    return built[0] if len(built) == 1 else shapely.MultiLineString(built)


def _rings(references: list[int], line_of: LineOf) -> list[Coordinates]:
    """Rings from lines end to end; a ring is complete where it comes back to its first point."""
    rings: list[Coordinates] = []
    run: list[Coordinates] = []
    for reference in references:
        if reference == 0:
            if run:
                raise Fault("The lines of a ring do not come back to its first point.")
            continue
        line = _referred(reference, line_of)
        if run and (run[-1][-1] != line[0]).any():
            raise Fault(f"The line {abs(reference)} does not begin where the line before it ends.")
        run.append(line if not run else line[1:])
        if (run[0][0] == line[-1]).all():
            rings.append(_closed(np.concatenate(run)))
            run = []
    if run:
        raise Fault("The lines of a ring do not come back to its first point.")
    return rings


def _referred(reference: int, line_of: LineOf) -> Coordinates:
    found = line_of(abs(reference))
    if found is None:
        raise Fault(f"The line {abs(reference)} that the object refers to is not in the file.")
    return found[::-1] if reference < 0 else found


def _closed(ring: Coordinates) -> Coordinates:
    closed = ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])
    if len(closed) < _RING:
        raise Fault("A ring has fewer than three different points.")
    return closed
