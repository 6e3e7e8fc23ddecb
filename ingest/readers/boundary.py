"""Boundary-point files (界址点 TXT) as land offices exchange them: attributes, parcels, points.

The template (`layers.boundary`) says what the columns mean. A mapping names it; without a name the templates are
tried on the first parcels, and exactly one must agree with the point counts and areas that the file itself declares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from ingest.readers.boundary_parcel import Parcel, RawParcel, parcels, parse
from ingest.readers.exchange import ATTRIBUTES, COORDINATES, ENCODINGS, SECTION
from ingest.readers.source import Chunk, Request, Source
from ingest.readers.stated_crs import Stated, crs_of, datum_of, geodetic, grid_of_zone, zone_prefix
from ingest.readers.table import find_encoding
from layers.boundary import BoundaryTemplate
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from layers.gauss import PREFIX, Grid

_ENTRY = re.compile(r"^\s*([^=＝:：]{1,40}?)\s*[=＝:：]\s*(.*?)\s*$")
_SAMPLE = 200
_CHUNK_POINTS = 200_000
_MOST_ATTRIBUTES = 200
_LINE_LIMIT = 1 << 16
_TEXT, _LINE = "$text", "$line"
_HALF_TURN, _LEAST_LONGITUDE = 180.0, 60.0
_NORTH, _EAST = (1_000_000.0, 6_300_000.0), (100_000.0, 900_000.0)
"""Plausible northings and eastings (without zone number) of parcels in metres: latitudes of 9 to 56 degrees, 400 km off
the central meridian. They do not overlap, so that swapped axes show."""


def open_boundary(request: Request) -> Source:
    """Open a boundary-point file.

    Raises:
        SourceUnreadable: When no encoding fits or it holds no parcel.
        SourceMismatch: When the mapping names an unknown template, or not exactly one template fits.
        CrsRefused: When zone, datum and coordinates contradict one another.
    """
    encoding = find_encoding(request.file, request.plan.mapping.encoding or ENCODINGS, request.name)
    text = _Text(request, encoding)
    template_name = _choose(text)
    template = request.plan.templates[template_name]
    crs, grid = _crs(text, template)
    return Source(
        driver="Boundary points",
        fields=(*template.header, *template.optional),
        chunks=lambda: _chunks(text, template, grid),
        crs=crs,
        encoding=encoding,
        facts={
            "template": template_name,
            "template_by": "mapping" if request.plan.mapping.template else "content",
            "attributes": text.attributes,
        },
    )


class _Text:
    """The decoded lines of a file and the attributes in front of its parcels."""

    def __init__(self, request: Request, encoding: str) -> None:
        self.request = request
        self._encoding = encoding
        self.attributes = self._attributes()

    def parcels(self, template: BoundaryTemplate) -> Iterator[RawParcel]:
        """The parcels of the file, as the template separates them."""
        # One more than allowed, so that the geometry budget can complain about it with the full sentence.
        return parcels(self._coordinate_lines(), template, self.request.plan.limits.vertices + 1)

    def sample(self, template: BoundaryTemplate) -> list[Parcel]:
        """The first parcels."""
        return [parse(raw, template) for raw in islice(self.parcels(template), _SAMPLE)]

    def _lines(self) -> Iterator[tuple[int, str]]:
        with self.request.file.open(encoding=self._encoding, newline=None) as handle:
            number = 0
            while line := handle.readline(_LINE_LIMIT):
                number += 1
                if len(line) == _LINE_LIMIT:
                    raise SourceUnreadable(
                        f"Line {number} of {self.request.name} is longer than {_LINE_LIMIT} characters.",
                        source=self.request.name,
                    )
                yield number, line.removeprefix("\ufeff").rstrip("\r\n")

    def _coordinate_lines(self) -> Iterator[tuple[int, str]]:
        """Lines of the coordinate section; all lines when no section is named at all."""
        sections = self._has_sections
        inside = not sections
        for number, line in self._lines():
            section = SECTION.match(line)
            if section is not None and sections:
                inside = section.group(1) == COORDINATES
            elif inside:
                yield number, line

    def _attributes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        self._has_sections = False
        inside = False
        for _, line in self._lines():
            section = SECTION.match(line)
            if section is not None:
                self._has_sections = True
                inside = section.group(1) == ATTRIBUTES
                if section.group(1) == COORDINATES:
                    break
            elif inside and (entry := _ENTRY.match(line)) and len(found) < _MOST_ATTRIBUTES:
                found[entry.group(1)] = entry.group(2)
        return found


def _choose(text: _Text) -> str:
    request = text.request
    known = request.plan.templates
    wanted = request.plan.mapping.template
    if wanted is not None:
        if wanted not in known:
            raise SourceMismatch(
                f"The mapping {request.plan.mapping_name!r} names the unknown template {wanted!r}; known: "
                f"{', '.join(known) or 'none'}."
            )
        return wanted
    tried = {name: text.sample(template) for name, template in known.items()}
    if not any(tried.values()):
        raise SourceUnreadable(f"{request.name} holds no parcel.", source=request.name)
    agree = {name: sum(_convincing(p) for p in sample) for name, sample in tried.items()}
    fits = [name for name, good in agree.items() if good * 2 > len(tried[name])]
    if len(fits) == 1:
        return fits[0]
    what = f"the templates {', '.join(fits)} all fit" if fits else "no template fits"
    counts = "; ".join(f"{name}: {agree[name]} of {len(tried[name])}" for name in known)
    raise SourceMismatch(
        f"For the boundary points of {request.name} {what} (parcels of the sample whose points, count and area agree: "
        f"{counts}). Name one with `template:` in the mapping {request.plan.mapping_name!r}.",
        templates=list(known),
    )


def _convincing(parcel: Parcel) -> bool:
    return parcel.fits and parcel.geometry is not None and _plausible(parcel.geometry)


def _plausible(geometry: shapely.Geometry) -> bool:
    """Whether x can be an easting and y a northing in China, or longitude and latitude in degrees."""
    west, south, east, north = map(float, shapely.bounds(geometry))
    if max(abs(west), abs(east)) <= _HALF_TURN:
        # No latitude of China reaches its least longitude.
        return 0 <= south <= north < _LEAST_LONGITUDE < west
    return (
        _NORTH[0] <= south <= north <= _NORTH[1]
        and _EAST[0] <= west % PREFIX <= _EAST[1]
        and _EAST[0] <= east % PREFIX <= _EAST[1]
    )


def _crs(text: _Text, template: BoundaryTemplate) -> tuple[pyproj.CRS | None, Grid | None]:
    """What the attributes state, checked against the coordinates; None when they name no datum."""
    stated = text.attributes.get("坐标系", "")
    datum = datum_of(stated)
    if stated and datum is None:
        raise CrsRefused(
            f"{text.request.name} states the coordinate system {stated[:40]!r}; expected are CGCS2000, Xian 1980 or "
            "Beijing 1954 by their usual names.",
            stated=stated[:200],
        )
    if datum is None:
        return None, None
    first = next((p.geometry for p in text.sample(template) if p.geometry is not None), None)
    if first is None:
        raise SourceUnreadable(
            f"No parcel of the first {_SAMPLE} in {text.request.name} can be read as the template says.",
            source=text.request.name,
        )
    west = float(shapely.bounds(first)[0])
    if "度" in text.attributes.get("计量单位", "") and abs(west) <= _HALF_TURN:
        return geodetic(datum), None
    attributes = text.attributes
    stated_zone = Stated(
        number=_whole(attributes.get("带号", "")),
        width=_whole(attributes.get("几度分带", "")),
        meridian=_decimal(attributes.get("中央子午线", "")),
    )
    grid = grid_of_zone(datum, stated_zone, west, text.request.name)
    return crs_of(grid), grid


def _whole(text: str) -> int | None:
    found = re.match(r"\s*(\d{1,3})\s*[度带°]?", text, re.ASCII)
    return int(found.group(1)) if found else None


def _decimal(text: str) -> float | None:
    found = re.match(r"\s*(\d{1,3}(?:\.\d{1,6})?)", text, re.ASCII)
    return float(found.group(1)) if found else None


def _chunks(text: _Text, template: BoundaryTemplate, grid: Grid | None) -> Iterator[Chunk]:
    batch: list[RawParcel] = []
    start = points = 0
    for raw in text.parcels(template):
        batch.append(raw)
        points += len(raw.points)
        if points >= _CHUNK_POINTS or len(batch) >= text.request.plan.limits.batch_rows:
            yield _chunk(text, template, grid, batch, start)
            start += len(batch)
            batch, points = [], 0
    if batch:
        yield _chunk(text, template, grid, batch, start)


def _chunk(text: _Text, template: BoundaryTemplate, grid: Grid | None, batch: list[RawParcel], start: int) -> Chunk:
    found = [parse(raw, template) for raw in batch]
    names = (*template.header, *template.optional)
    columns = {n: pa.array([p.values.get(n) for p in found], pa.string()) for n in names}
    columns[_LINE] = pa.array([raw.first for raw in batch], pa.int64())
    columns[_TEXT] = pa.array([raw.text for raw in batch], pa.string())
    chunk = Chunk(np.arange(start, start + len(batch), dtype=np.int64), columns)
    chunk.geometry = np.full(len(batch), None, dtype=object)
    for i, parcel in enumerate(found):
        reasons = parcel.complaints or _wrong_zone(parcel, grid, template)
        if reasons:
            chunk.broken[i] = " ".join(reasons)
        else:
            chunk.geometry[i] = parcel.geometry
    _note_areas(text, template, chunk, found)
    return chunk


def _wrong_zone(parcel: Parcel, grid: Grid | None, template: BoundaryTemplate) -> list[str]:
    """Complaints about eastings that do not belong to the zone of the file."""
    if parcel.geometry is None or grid is None:
        return []
    west, _, east, _ = map(float, shapely.bounds(parcel.geometry))
    prefixes = {zone_prefix(west), zone_prefix(east)}
    if prefixes != {grid.zone.number if grid.prefixed else None}:
        seen = " and ".join(sorted("none" if p is None else str(p) for p in prefixes))
        wanted = grid.zone.number if grid.prefixed else "none"
        return [f"The eastings carry the zone number {seen} where {wanted} was expected."]
    if (template.prefix == "required" and not grid.prefixed) or (template.prefix == "none" and grid.prefixed):
        return [f"The template expects eastings {'with' if template.prefix == 'required' else 'without'} zone number."]
    return []


def _note_areas(text: _Text, template: BoundaryTemplate, chunk: Chunk, found: list[Parcel]) -> None:
    differ = [int(chunk.position[i]) for i, p in enumerate(found) if p.area_differs and i not in chunk.broken]
    if differ and template.area is not None:
        message = f"The declared area ({template.area.column}) differs from the area that the points enclose."
        text.request.notes.add("declared-area", "warning", message, differ)
