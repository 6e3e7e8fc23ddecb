"""VCT (GB/T 17798-2007 and the land-use exchange formats 2.0 and 3.0): objects with their attributes, one by one.

The file is read twice: first for structures, lines and attributes, which go to a scratch file, then for the objects.
`sublayer` chooses them by feature code, feature name or table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from ingest.readers.exchange import ENCODINGS
from ingest.readers.source import Chunk, Request, Source
from ingest.readers.stated_crs import Stated, crs_of, datum_of, datum_of_ellipsoid, geodetic, grid_of_zone
from ingest.readers.table import find_encoding
from ingest.readers.vct_object import Fault, ObjectReader, VctObject, shape_of
from ingest.readers.vct_store import Store
from ingest.readers.vct_text import (
    SHAPE_SECTIONS,
    Lines,
    Schema,
    Truncated,
    ends,
    read_codes,
    read_head,
    read_tables,
    sections,
    skip,
)
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable

_STORE = "geoservice-vct.sqlite"
_ID, _CODE, _WORDS, _TEXT, _LINE = "$fid", "$code", "$annotation", "$text", "$line"
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)
_MERIDIANS = (73.0, 136.0)
_CHUNK_VERTICES = 500_000
_NORTH = ("N", "北")


@dataclass
class _Survey:
    """What the first reading found out."""

    schema: Schema
    store: Store
    codes: frozenset[str] = frozenset()
    table: str = ""
    doubles: list[int] = field(default_factory=list)

    @property
    def needs_lines(self) -> bool:
        """Whether objects may refer to lines."""
        return any(c.code in self.codes and c.geometry.lower() in ("line", "polygon") for c in self.schema.codes)

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the chosen table."""
        return self.schema.tables.get(self.table, ())


def open_vct(request: Request) -> Source:
    """Open a VCT file.

    Raises:
        SourceUnreadable: When it is cut off, in no known encoding, or has no such section as it needs.
        SourceMismatch: When the mapping does not say which of several kinds of objects is meant.
        CrsRefused: When its head contradicts itself or states units that are not read.
    """
    encoding = find_encoding(request.file, request.plan.mapping.encoding or ENCODINGS, request.name)
    survey = _survey(request, encoding)
    return Source(
        driver="VCT",
        fields=survey.fields,
        chunks=lambda: _chunks(request, encoding, survey),
        crs=_crs(request, survey.schema) if survey.codes else None,
        has_geometry=bool(survey.codes),
        encoding=encoding,
        facts={"version": survey.schema.head.get("version"), "table": survey.table, "codes": sorted(survey.codes)},
    )


def _survey(request: Request, encoding: str) -> _Survey:
    survey = _Survey(Schema(), Store(request.scratch / _STORE))
    readers = {"head": read_head, "featurecode": read_codes, "tablestructure": read_tables}
    complete = False
    with closing(Lines(request.file, encoding, request.name)) as lines:
        section = "head"
        try:
            for section in sections(lines):
                if section in readers:
                    readers[section](lines, survey.schema)
                    continue
                if not survey.table:
                    _choose(request, survey)
                if section == "line" and survey.needs_lines:
                    _keep_lines(request, lines, survey)
                elif section == "attribute":
                    complete = True
                    _keep_attributes(lines, survey)
                else:
                    skip(lines, section)
        except Truncated:
            raise _cut_off(request, section) from None
    if not complete:
        # Attributes come last: without them the rows would be empty, and nobody would know.
        raise SourceUnreadable(f"{request.name} has no section of attributes; it is cut off.", source=request.name)
    return survey


def _cut_off(request: Request, section: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{request.name} ends inside the section {section}; the file is cut off.", source=request.name
    )


def _choose(request: Request, survey: _Survey) -> None:
    """Which objects are meant: by feature code, feature name or table; the only kind when nothing is said."""
    schema = survey.schema
    spatial = [c for c in schema.codes if c.geometry.lower() in SHAPE_SECTIONS]
    wanted = request.plan.mapping.sublayer
    if wanted is None:
        tables = {c.table for c in spatial}
        chosen = spatial if len(tables) == 1 else []
    else:
        chosen = [c for c in spatial if wanted in (c.code, c.name, c.table)]
    if not chosen and wanted in schema.tables:
        survey.table = wanted
        return
    if len({c.table for c in chosen}) != 1:
        known = ", ".join(f"{c.code} {c.name} ({c.table})" for c in spatial[:30]) or ", ".join(schema.tables) or "none"
        raise SourceMismatch(
            f"{request.name} has the feature codes {known}; the mapping must name one code, name or table as sublayer.",
            codes=[c.code for c in spatial],
        )
    survey.codes, survey.table = frozenset(c.code for c in chosen), chosen[0].table


def _keep_lines(request: Request, lines: Lines, survey: _Survey) -> None:
    reader = ObjectReader(lines, survey.schema, request.plan.limits.vertices)
    while not ends(lines.peek(), "line"):
        found = VctObject(lines.number)
        try:
            reader.read("line", found)
        except Fault:
            # Whoever refers to it will say so; as a row of its own it is met again.
            reader.resume("line")
            continue
        if len(found.parts) == 1:
            survey.store.add_line(found.number, found.parts[0])
        elif found.parts:
            joined = [found.parts[0], *(p[1:] for p in found.parts[1:])]
            survey.store.add_line(found.number, np.concatenate(joined))
    lines.next()


def _keep_attributes(lines: Lines, survey: _Survey) -> None:
    """Keep the rows of the chosen table; a table ends with TableEnd or with the section."""
    table = ""
    while not ends(line := lines.next(), "attribute"):
        if line.lower() == "tableend":
            table = ""
        elif not table:
            table = line
        elif table == survey.table:
            first = line.partition(survey.schema.separator)[0].strip()
            number = int(first) if re.fullmatch(r"\d{1,18}", first, re.ASCII) else -lines.number
            if not survey.store.add_attributes(number, lines.number, line):
                survey.doubles.append(lines.number)


def _crs(request: Request, schema: Schema) -> pyproj.CRS | None:
    """What the head states; None when it names no national datum."""
    head, name = schema.head, request.name
    spheroid = [p.strip() for p in head.get("spheroid", "").split(",")]
    axis = next((float(p) for p in spheroid[1:] if _DECIMAL.fullmatch(p)), 0.0)
    datum = datum_of(spheroid[0]) or datum_of_ellipsoid(axis)
    if datum is None:
        return None
    unit = (head.get("xyunit") or head.get("unit") or "M").upper()
    if unit.startswith("D"):
        return geodetic(datum)
    if not unit.startswith("M"):
        raise CrsRefused(f"{name} states coordinates in the unit {unit[:20]!r}; metres (M) and degrees (D) are read.")
    easting = _numbers(head.get("extentmin", ""))
    east = easting[1 if _is_swapped(head) else 0] if len(easting) > 1 else 0.0
    parameters = _numbers(head.get("parameters", ""))
    meridian = next((p for p in parameters if _MERIDIANS[0] <= p <= _MERIDIANS[1]), None)
    if meridian is None and head.get("meridian"):
        meridian = next(iter(_numbers(head["meridian"])), None)
    width = next((int(p) for p in reversed(parameters) if p in (3.0, 6.0)), None)
    return crs_of(grid_of_zone(datum, Stated(width=width, meridian=meridian), east, name))


def _is_swapped(head: dict[str, str]) -> bool:
    """Whether the first coordinate is the northing."""
    return head.get("xaxisdirection", "E").upper().startswith(_NORTH)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in re.split(r"[,，;\s]+", text) if _DECIMAL.fullmatch(part)]


@dataclass
class _Batch:
    """Rows on their way into a chunk."""

    objects: list[VctObject] = field(default_factory=list)
    rows: list[list[str] | None] = field(default_factory=list)
    shapes: list[shapely.Geometry | None] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)
    vertices: int = 0


class _Rows:
    """Objects with their attributes, as chunks."""

    def __init__(self, request: Request, survey: _Survey) -> None:
        self._request = request
        self._survey = survey
        self._batch = _Batch()
        self._start = 0
        head = survey.schema.head
        offset = _numbers(head.get("offset", ""))
        self._offset = np.array(offset[:2] if len(offset) > 1 else [0.0, 0.0])
        self._swapped = _is_swapped(head)

    def add(self, found: VctObject, section: str, fault: str | None) -> Iterator[Chunk]:
        """Add an object; gives a chunk when one is full."""
        shape, reasons = None, [fault] if fault else []
        if not fault and not self._survey.store.is_new(found.number):
            reasons.append(f"The identifier {found.number} comes twice.")
        if not reasons:
            try:
                shape = self._moved(shape_of(found, section, self._survey.store.line))
            except Fault as error:
                reasons.append(str(error))
        kept = self._survey.store.attributes(found.number) if found.number else None
        values = self._values(kept, reasons)
        yield from self._append(found, values, shape, reasons)

    def add_ownerless(self) -> Iterator[Chunk]:
        """Attributes that no object has: rows without a place."""
        for number, line, text in self._survey.store.ownerless():
            reasons: list[str] = []
            values = self._values((line, text), reasons)
            if self._survey.codes:
                reasons.append(f"The attributes in line {line} belong to no object.")
            yield from self._append(VctObject(line, number), values, None, reasons)
        for line in self._survey.doubles:
            yield from self._append(
                VctObject(line), None, None, [f"Line {line}: attributes of this number came before."]
            )

    def rest(self) -> Iterator[Chunk]:
        """The last chunk."""
        if self._batch.objects:
            yield self._chunk()

    def _values(self, kept: tuple[int, str] | None, reasons: list[str]) -> list[str] | None:
        if kept is None:
            return None
        values = self._survey.schema.split(kept[1])
        wanted = len(self._survey.fields)
        if len(values) == wanted + 1:
            return values[1:]
        if len(values) != wanted:
            reasons.append(f"The attributes in line {kept[0]} have {len(values)} values where {wanted} were expected.")
            return None
        return values

    def _moved(self, shape: shapely.Geometry) -> shapely.Geometry:
        if not self._swapped and not self._offset.any():
            return shape
        return shapely.transform(shape, lambda c: (c + self._offset)[:, ::-1] if self._swapped else c + self._offset)

    def _append(
        self, found: VctObject, values: list[str] | None, shape: shapely.Geometry | None, reasons: list[str]
    ) -> Iterator[Chunk]:
        batch = self._batch
        if reasons:
            batch.broken[len(batch.objects)] = " ".join(reasons)
        batch.vertices += int(shapely.get_num_coordinates(shape))
        # Coordinates and references of many objects would fill the memory; the geometry has them already.
        found.parts, found.references = [], []
        found.original = found.original if reasons else None
        batch.objects.append(found)
        batch.rows.append(values)
        batch.shapes.append(shape)
        if len(batch.objects) >= self._request.plan.limits.batch_rows or batch.vertices >= _CHUNK_VERTICES:
            yield self._chunk()

    def _chunk(self) -> Chunk:
        batch, self._batch = self._batch, _Batch()
        count = len(batch.objects)
        columns = {_ID: pa.array([str(o.number) if o.number > 0 else None for o in batch.objects], pa.string())}
        for place, name in enumerate(self._survey.fields):
            columns[name] = pa.array([None if r is None else r[place] for r in batch.rows], pa.string())
        columns[_CODE] = pa.array([o.code or None for o in batch.objects], pa.string())
        columns[_LINE] = pa.array([o.line for o in batch.objects], pa.int64())
        columns[_WORDS] = pa.array([o.text for o in batch.objects], pa.string())
        columns[_TEXT] = pa.array([o.original for o in batch.objects], pa.string())
        chunk = Chunk(np.arange(self._start, self._start + count, dtype=np.int64), columns, broken=batch.broken)
        if self._survey.codes:
            chunk.geometry = np.array([*batch.shapes, None], dtype=object)[:-1]
        bare = [int(chunk.position[i]) for i, r in enumerate(batch.rows) if r is None and i not in batch.broken]
        if bare and self._survey.fields:
            message = f"Objects have no row in the table {self._survey.table}; their attributes are empty."
            self._request.notes.add("no-attributes", "warning", message, bare)
        self._start += count
        return chunk


def _chunks(request: Request, encoding: str, survey: _Survey) -> Iterator[Chunk]:
    rows = _Rows(request, survey)
    with closing(survey.store), closing(Lines(request.file, encoding, request.name)) as lines:
        for section in sections(lines):
            try:
                if section not in SHAPE_SECTIONS or not survey.codes:
                    skip(lines, section)
                    continue
                yield from _section(request, lines, section, survey, rows)
            except Truncated:
                raise _cut_off(request, section) from None
        yield from rows.add_ownerless()
        yield from rows.rest()


def _section(request: Request, lines: Lines, section: str, survey: _Survey, rows: _Rows) -> Iterator[Chunk]:
    reader = ObjectReader(lines, survey.schema, request.plan.limits.vertices)
    while not ends(lines.peek(), section):
        found, fault = VctObject(lines.number), None
        lines.keep()
        try:
            reader.read(section, found)
        except Fault as error:
            fault = str(error)
            reader.resume(section)
        found.original = lines.kept()
        # What cannot even be told by its code may be one of ours: it is not lost silently.
        if found.code in survey.codes or (fault and not found.code):
            yield from rows.add(found, section, fault)
    lines.next()
