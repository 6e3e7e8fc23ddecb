"""One parcel of a boundary-point file, read as a template says; no files, no coordinate reference systems.

Coordinates come out as x = east, y = north. A parcel that does not follow its template keeps its complaints; nothing
in it is guessed or mended.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from layers.boundary import SQUARE_METRES, BoundaryTemplate

Ring = npt.NDArray[np.float64]
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_COMMENTS = ("#", "//")
_SHOWN = 3
_RING, _LINE = 3, 2
_POINT, _LINES, _AREA = "点", "线", "面"
_SURFACE = 2


@dataclass
class RawParcel:
    """The lines of one parcel: its header (None for points without one) and its points, each with its line number.

    Attributes:
        header: Line number and text of the header.
        points: Line number and text of every point line, as far as they are kept.
        surplus: How many point lines were not kept because the parcel is too big.
    """

    header: tuple[int, str] | None
    points: list[tuple[int, str]] = field(default_factory=list)
    surplus: int = 0

    @property
    def first(self) -> int:
        """Number of its first line, from 1."""
        return self.header[0] if self.header is not None else self.points[0][0]

    @property
    def text(self) -> str:
        """Its original lines, each with its number."""
        lines = [self.header, *self.points] if self.header is not None else self.points
        rest = f"\n({self.surplus} more lines)" if self.surplus else ""
        return "\n".join(f"{number}: {text}" for number, text in lines) + rest


@dataclass
class Parcel:
    """A parcel as its template understands it.

    Attributes:
        values: Header column -> text; empty when the header cannot be read.
        geometry: Point, line or area in the coordinates of the file (x = east, y = north), or None.
        complaints: Why the parcel cannot be loaded, sentences.
        area_differs: Whether the declared area lies outside the tolerance of the template.
    """

    values: dict[str, str] = field(default_factory=dict)
    geometry: shapely.Geometry | None = None
    complaints: list[str] = field(default_factory=list)
    area_differs: bool = False

    @property
    def fits(self) -> bool:
        """Whether everything that the template lets one check is right."""
        return not self.complaints and not self.area_differs


@dataclass(frozen=True)
class _Corner:
    line: int
    label: str
    ring: str
    x: float
    y: float


def parcels(lines: Iterable[tuple[int, str]], template: BoundaryTemplate, most_points: int) -> Iterator[RawParcel]:
    """Group the lines of the coordinate section: a header and the points that follow.

    Args:
        lines: Line number (from 1) and text.
        template: Says how a header line ends.
        most_points: Point lines kept of one parcel; further ones are only counted.
    """
    current: RawParcel | None = None
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith(_COMMENTS):
            continue
        if _columns(text, template)[-1] == template.end:
            if current is not None:
                yield current
            current = RawParcel((number, text))
            continue
        current = RawParcel(None) if current is None else current
        if len(current.points) < most_points:
            current.points.append((number, text))
        else:
            current.surplus += 1
    if current is not None:
        yield current


def parse(raw: RawParcel, template: BoundaryTemplate) -> Parcel:
    """Read one parcel."""
    found = Parcel()
    if raw.header is None:
        found.complaints.append(f"Line {raw.first}: points stand before the first parcel header.")
        return found
    found.values = _values(raw.header, template, found.complaints)
    if raw.surplus:
        found.complaints.append(f"The parcel has {len(raw.points) + raw.surplus} points, more than are allowed.")
        return found
    corners = [c for point in raw.points if (c := _corner(point, template, found.complaints)) is not None]
    if found.complaints:
        found.complaints = _cut(found.complaints)
        return found
    rings = _rings(corners, template, found)
    if not found.complaints:
        _compare_count(raw, rings, template, found)
    if not found.complaints:
        found.geometry = _geometry(rings, template, found)
    if not found.complaints:
        _compare_area(template, found)
    return found


def _columns(text: str, template: BoundaryTemplate) -> list[str]:
    first, *others = template.separators
    for separator in others:
        text = text.replace(separator, first)
    return [column.strip() for column in text.split(first)]


def _values(header: tuple[int, str], template: BoundaryTemplate, complaints: list[str]) -> dict[str, str]:
    number, text = header
    columns = _columns(text, template)[:-1]
    names = (*template.header, *template.optional)
    if not len(template.header) <= len(columns) <= len(names):
        wanted = str(len(names)) if not template.optional else f"{len(template.header)} to {len(names)}"
        complaints.append(f"Line {number}: the header has {len(columns)} columns where {wanted} were expected.")
        return {}
    values = dict(zip(names, columns, strict=False))
    if not _WHOLE.fullmatch(values[template.count.column]):
        complaints.append(f"Line {number}: the header states no number of points.")
    return values


def _corner(point: tuple[int, str], template: BoundaryTemplate, complaints: list[str]) -> _Corner | None:
    number, text = point
    columns = _columns(text, template)
    if len(columns) != len(template.point):
        complaints.append(
            f"Line {number}: a point has {len(columns)} columns where {len(template.point)} were expected."
        )
        return None
    parts = dict(zip(template.point, columns, strict=True))
    north, east = _number(parts["x"]), _number(parts["y"])
    if north is None or east is None:
        wrong = parts["x"] if north is None else parts["y"]
        complaints.append(f"Line {number}: a coordinate is {wrong[:40]!r} where a number was expected.")
        return None
    return _Corner(number, parts.get("label", ""), parts["ring"], east, north)


def _number(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def _rings(corners: list[_Corner], template: BoundaryTemplate, found: Parcel) -> list[list[_Corner]]:
    """Rings by ring number; a ring also ends where it comes back to its first point."""
    rings: list[list[_Corner]] = []
    closed = True
    for corner in corners:
        if closed or corner.ring != rings[-1][0].ring:
            rings.append([corner])
            closed = False
            continue
        rings[-1].append(corner)
        closed = template.closing != "open" and _same(rings[-1][0], corner)
    if not rings:
        found.complaints.append("The parcel has no points.")
    return rings


def _same(one: _Corner, other: _Corner) -> bool:
    return (one.x, one.y) == (other.x, other.y)


def _is_closed(ring: list[_Corner]) -> bool:
    return len(ring) > 1 and _same(ring[0], ring[-1])


def _compare_count(raw: RawParcel, rings: list[list[_Corner]], template: BoundaryTemplate, found: Parcel) -> None:
    declared = int(found.values[template.count.column])
    counted = len(raw.points)
    if template.count.of == "corners":
        counted -= sum(_is_closed(ring) for ring in rings)
    if declared != counted:
        found.complaints.append(
            f"The header in line {raw.first} announces {declared} points, but {counted} follow in lines "
            f"{raw.points[0][0]} to {raw.points[-1][0]}."
        )


def _geometry(rings: list[list[_Corner]], template: BoundaryTemplate, found: Parcel) -> shapely.Geometry | None:
    kind = found.values.get(template.shape or "", "") or _AREA
    lines = [np.array([(c.x, c.y) for c in ring]) for ring in rings]
    if kind == _POINT:
        points = [shapely.Point(place) for place in np.concatenate(lines)]
        return points[0] if len(points) == 1 else shapely.MultiPoint(points)
    if kind == _LINES:
        if any(len(line) < _LINE for line in lines):
            found.complaints.append("A line has only one point.")
            return None
        built = [shapely.LineString(line) for line in lines]
        return built[0] if len(built) == 1 else shapely.MultiLineString(built)
    if kind != _AREA:
        found.complaints.append(f"The shape is {kind[:20]!r} where {_POINT}, {_LINES} or {_AREA} was expected.")
        return None
    return _polygon(rings, template, found)


def _polygon(rings: list[list[_Corner]], template: BoundaryTemplate, found: Parcel) -> shapely.Geometry | None:
    closed: list[Ring] = []
    for ring in rings:
        name = f"The ring {ring[0].ring} in lines {ring[0].line} to {ring[-1].line}"
        ends_where_it_began = _is_closed(ring)
        if template.closing == "repeated" and not ends_where_it_began:
            found.complaints.append(f"{name} does not come back to its first point.")
            continue
        if template.closing == "open" and ends_where_it_began:
            found.complaints.append(f"{name} repeats its first point, which rings of this template do not.")
            continue
        points = np.array([(c.x, c.y) for c in ring])
        if not ends_where_it_began:
            points = np.concatenate([points, points[:1]])
        if len(np.unique(points, axis=0)) < _RING:
            found.complaints.append(f"{name} has fewer than {_RING} different points.")
            continue
        closed.append(points)
    if found.complaints:
        found.complaints = _cut(found.complaints)
        return None
    return assembled(closed)


def assembled(rings: list[Ring]) -> shapely.Geometry:
    """Closed rings to one polygon or multipolygon: what lies inside an odd number of others is a hole.

    The numbers of rings do not tell holes from further parts reliably, their places do.
    """
    areas = [shapely.Polygon(ring) for ring in rings]
    if len(areas) == 1:
        return areas[0]
    inside = [[j for j in range(len(areas)) if j != i and _lies_in(areas[i], areas[j])] for i in range(len(areas))]
    shells = [i for i in range(len(areas)) if len(inside[i]) % 2 == 0]
    holes: dict[int, list[Ring]] = {i: [] for i in shells}
    for i in range(len(areas)):
        if len(inside[i]) % 2:
            # Its shell is the innermost ring around it.
            owner = max(inside[i], key=lambda j: (len(inside[j]), -areas[j].area))
            holes.setdefault(owner, []).append(rings[i])
    parts = [shapely.Polygon(rings[i], holes[i]) for i in shells]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _lies_in(one: shapely.Polygon, other: shapely.Polygon) -> bool:
    if one.area >= other.area or not shapely.intersects(shapely.box(*one.bounds), shapely.box(*other.bounds)):
        return False
    if one.is_valid and other.is_valid:
        return bool(shapely.covers(other, one))
    # A ring that crosses itself has no inside to compare; most of its corners decide.
    corners = shapely.points(shapely.get_coordinates(one))
    whole = shapely.make_valid(other)
    return bool(np.mean(shapely.covers(whole, corners)) > 1 / 2)


def _compare_area(template: BoundaryTemplate, found: Parcel) -> None:
    rule = template.area
    if rule is None or found.geometry is None or shapely.get_dimensions(found.geometry) != _SURFACE:
        return
    text = found.values[rule.column]
    declared = _number(text)
    if declared is None:
        if text:
            found.complaints.append(f"The area is {text[:40]!r} where a number was expected.")
        return
    if declared == 0:
        return
    unit = SQUARE_METRES[rule.unit]
    planar = float(shapely.area(found.geometry))
    rounding = 10.0 ** -len(text.partition(".")[2]) * unit
    found.area_differs = abs(declared * unit - planar) > planar * rule.tolerance + rounding
    if found.area_differs and rule.otherwise == "refuse":
        found.complaints.append(
            f"The header states an area of {text} ({rule.unit}), but the points enclose {planar / unit:.4f}."
        )


def _cut(complaints: list[str]) -> list[str]:
    if len(complaints) <= _SHOWN:
        return complaints
    return [*complaints[:_SHOWN], f"There are {len(complaints) - _SHOWN} more faults."]
