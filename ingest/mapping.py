"""Source fields to attributes: choosing rows, naming, values, units, times (`layers.sources.SourceMapping`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.casting import EXPECTED, as_text, cast, without_zone
from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.readers.sniff import EXPECTED as FORMATS
from ingest.readers.source import Chunk, Source
from ingest.rows import Rows, breach, shown
from ingest.vertical import Heights, settle_heights, stated
from ingest.wire import arrow_type
from layers.errors import SourceMismatch
from layers.model import Attribute
from layers.sources import OTHER, SPECIAL_FIELDS

_SUFFIXES = frozenset(FORMATS)
_PATTERN_LETTERS = "%z"


class Mapper:
    """Applies the mapping of a plan to the chunks of a source."""

    def __init__(self, plan: IngestPlan, source: Source, notes: Notes) -> None:
        """Resolve which source fields feed which attribute.

        Raises:
            SourceMismatch: When the mapping names a field that the source lacks.
        """
        self._plan = plan
        self._mapping = plan.mapping
        self._attributes: Mapping[str, Attribute] = plan.layer.attributes
        self._notes = notes
        self._stem = _stem(plan.source.name)
        self._null = pa.array(["", *self._mapping.null], pa.string())
        self._feeds = self._resolve(source)
        self.heights = self._heights_of(source)
        self.unmapped = () if source.any_field else self._unused(source)

    def select(self, chunk: Chunk) -> Chunk:
        """The rows that the mapping's `select` and `any_of` accept, and those the reader complained about."""
        rules, either = self._mapping.select, self._mapping.any_of
        if not rules and not either:
            return chunk
        keep = np.ones(len(chunk), dtype=bool)
        for name, accepted in rules.items():
            keep &= self._accepts(chunk, name, accepted)
        if either:
            keep &= np.logical_or.reduce([self._accepts(chunk, n, a) for n, a in either.items()])
        keep[list(chunk.broken)] = True
        return chunk.take(keep)

    def rows(self, chunk: Chunk) -> Rows:
        """Typed attributes of the rows of a chunk, with a complaint for every value that does not fit."""
        rows = Rows(chunk.position, chunk.geometry, self._mapping.tolerate, self._notes)
        for row, sentence in chunk.broken.items():
            rows.refuse(row, sentence)
        composed = self._composed(chunk)
        for name, attribute in self._attributes.items():
            if name in self._mapping.constants:
                value = pa.scalar(str(self._mapping.constants[name]), pa.string())
                found = pa.array([value.as_py()] * len(chunk), pa.string())
            else:
                found = self._found(chunk, name, composed.get(name))
            self._store(rows, name, attribute, found)
        for name, entry in self._mapping.lookup.items():
            rows.columns[name] = self._looked_up(rows, name, entry.list, entry.by, entry.take)
        return rows

    def _resolve(self, source: Source) -> dict[str, list[str]]:
        feeds: dict[str, list[str]] = {name: [] for name in self._attributes}
        for field, name in self._mapping.fields.items():
            feeds[name].append(field)
        for name, fields in feeds.items():
            if name in source.fields and name not in self._mapping.fields:
                fields.append(name)
        if not source.any_field:
            self._check_known(source, feeds)
        return feeds

    def _check_known(self, source: Source, feeds: dict[str, list[str]]) -> None:
        known = {*source.fields, *SPECIAL_FIELDS}
        others = [*self._mapping.select, *self._mapping.any_of, *self._mapping.template_fields()]
        others += [self._mapping.address.field] if self._mapping.address else []
        missing = [f for f in others if f not in known]
        for name in feeds:
            fields = [f for f, target in self._mapping.fields.items() if target == name]
            absent = [f for f in fields if f not in known]
            if absent and len(absent) == len(fields):
                missing += absent
            else:
                for field in absent:
                    message = (
                        f"The source has no field {field!r}, which the mapping names; another one takes its place."
                    )
                    self._notes.add("absent-field", "info", message, count=1)
        if missing:
            raise SourceMismatch(
                f"{self._plan.source.name} has no field {missing[0]!r}, which the mapping {self._plan.mapping_name!r} "
                f"names; it has {', '.join(source.fields) or 'none'}.",
                missing=missing,
                fields=list(source.fields),
            )

    def _unused(self, source: Source) -> tuple[str, ...]:
        mapping = self._mapping
        used = {f for fields in self._feeds.values() for f in fields}
        used |= {*mapping.select, *mapping.any_of, *mapping.template_fields()}
        used |= {mapping.point.x, mapping.point.y} if mapping.point else set()
        used |= {mapping.wkt} if mapping.wkt else set()
        used |= {mapping.address.field} if mapping.address else set()
        return tuple(f for f in source.fields if f not in used)

    def _field(self, chunk: Chunk, name: str) -> pa.Array:
        """A source field with "no value" as null, or nulls when this chunk does not have it."""
        column = chunk.fields.get(name)
        if column is None and name in SPECIAL_FIELDS:
            column = self._special(chunk, name)
        if column is None:
            return pa.nulls(len(chunk), pa.string())
        if pa.types.is_string(column.type):
            empty = pc.is_in(pc.utf8_trim_whitespace(column), value_set=self._null)
        elif self._mapping.null:
            empty = pc.is_in(as_text(column), value_set=self._null)
        else:
            return column
        return pc.if_else(empty, pa.scalar(None, column.type), column)

    def _special(self, chunk: Chunk, name: str) -> pa.Array | None:
        if name == "$fid":
            return pa.array(chunk.position)
        if name == "$file":
            return pa.array([self._stem] * len(chunk), pa.string())
        if chunk.geometry is None:
            return None
        if name == "$geometry_type":
            return pa.array([None if g is None else g.geom_type for g in chunk.geometry], pa.string())
        found = _heights(chunk)
        return pc.add(found, self.heights.shift) if self.heights is not None and self.heights.shift else found

    def _heights_of(self, source: Source) -> Heights | None:
        """What the heights of points stand on, when they go into an attribute."""
        if "$z" not in {*self._mapping.fields, *self._mapping.template_fields()}:
            return None
        wanted = getattr(self._plan.layer, "vertical_datum", None)
        found = stated(source.crs) or self._mapping.vertical_datum
        return settle_heights(found, wanted, self._mapping.vertical, self._plan.source.name, self._notes)

    def _accepts(self, chunk: Chunk, name: str, accepted: str | tuple[str, ...]) -> npt.NDArray[np.bool_]:
        column = self._field(chunk, name)
        if accepted == "*":
            found = column.is_valid()
        else:
            found = pc.is_in(pc.utf8_trim_whitespace(as_text(column)), value_set=pa.array(accepted, pa.string()))
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)

    def _composed(self, chunk: Chunk) -> dict[str, pa.Array]:
        if not self._mapping.compose:
            return {}
        fields = {f: self._field(chunk, f).to_pylist() for f in self._mapping.template_fields()}
        rows = (dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True))
        built = [self._mapping.composed(row) for row in rows]
        return {name: pa.array([b[name] for b in built], pa.string()) for name in self._mapping.compose}

    def _found(self, chunk: Chunk, name: str, composed: pa.Array | None) -> pa.Array:
        columns = [self._field(chunk, f) for f in self._feeds[name] if f in chunk.fields or f in SPECIAL_FIELDS]
        if composed is not None:
            columns.append(composed)
        if not columns:
            return pa.nulls(len(chunk), pa.string())
        if len(columns) > 1 and len({c.type for c in columns}) > 1:
            columns = [as_text(c) for c in columns]
        return columns[0] if len(columns) == 1 else pc.coalesce(*columns)

    def _store(self, rows: Rows, name: str, attribute: Attribute, found: pa.Array) -> None:
        if name in self._mapping.values:
            found = _replaced(as_text(found), self._mapping.values[name])
        formats = self._mapping.times.get(name, ())
        kind = "number" if name in self._mapping.factor else attribute.type
        column, lost = cast(found, kind, formats)
        if name in self._mapping.factor:
            column = _scaled(column, self._mapping.factor[name], attribute.type)
        rows.columns[name] = column
        self._note_zone(rows, name, attribute, found, formats)
        if len(lost):
            texts = as_text(found)
            expected = _expectation(kind, formats)
            rows.reject(
                breach("type", f"Values of {name} cannot be read as {expected}.", lost, name, texts),
                lambda i: f"Attribute {name!r} is {shown(texts[i].as_py())}, where {expected} was expected.",
            )

    def _note_zone(
        self, rows: Rows, name: str, attribute: Attribute, found: pa.Array, formats: tuple[str, ...]
    ) -> None:
        if attribute.type != "datetime" or any(_PATTERN_LETTERS in f or f.startswith("epoch") for f in formats):
            return
        naive = without_zone(found)
        if len(naive):
            message = f"Times of {name} that state no zone were read as UTC."
            self._notes.add("time-zone", "info", message, rows.position[naive])

    def _looked_up(self, rows: Rows, name: str, list_id: str, by: str, take: str) -> pa.Array:
        codes = self._plan.codelists[list_id].codes
        table = {code: getattr(entry, take) for code, entry in codes.items()}
        found = pa.array([table.get(v) for v in as_text(rows.columns[by]).to_pylist()], pa.string())
        converted, _ = cast(found, self._attributes[name].type)
        return pc.coalesce(rows.columns[name], converted)


def _stem(name: str) -> str:
    path = PurePath(name)
    while path.suffix.lower() in _SUFFIXES:
        path = PurePath(path.stem)
    return path.name


def _heights(chunk: Chunk) -> pa.Array:
    heights = np.full(len(chunk), np.nan)
    if chunk.geometry is not None:
        points = shapely.get_type_id(chunk.geometry) == shapely.GeometryType.POINT
        heights[points] = shapely.get_z(chunk.geometry[points])
    return pa.array(heights, from_pandas=True)


def _replaced(texts: pa.Array, table: Mapping[str, str | None]) -> pa.Array:
    listed = {k: v for k, v in table.items() if k != OTHER}
    has_other = OTHER in table
    other = table.get(OTHER)

    def one(value: str | None) -> str | None:
        if value is None:
            return None
        key = value if value in listed else value.strip()
        if key in listed:
            return listed[key]
        return other if has_other else value

    unique = pc.unique(texts).to_pylist()
    answers = {v: one(v) for v in unique}
    return pa.array([answers[v] for v in texts.to_pylist()], pa.string())


def _scaled(column: pa.Array, factor: float, kind: str) -> pa.Array:
    product = pc.multiply(column, factor)
    return pc.cast(pc.round(product), arrow_type(kind)) if kind == "integer" else product


def _expectation(kind: str, formats: tuple[str, ...]) -> str:
    written = [f for f in formats if f != "iso"]
    return EXPECTED[kind] + (f" written as {' or '.join(formats)}" if written else "")
