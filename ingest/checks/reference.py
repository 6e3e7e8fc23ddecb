"""Rules about other layers: values that must stand there, surfaces that rows must lie in.

What they need of the other layer lies in a file beside the source, written by `ingest.references`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.checks.curves import Coordinates, Geometries
from ingest.checks.single import Which, apply
from ingest.rows import Breach, Rows, breach, shown
from layers.area import MAX_EDGE_DEGREES
from layers.checks import Referential, Within
from layers.model import RowLayer

VALUES = pa.schema(
    [
        pa.field("value", pa.string()),
        pa.field("begins", pa.timestamp("us", tz="UTC")),
        pa.field("ends", pa.timestamp("us", tz="UTC")),
    ]
)
SURFACES = pa.schema([pa.field("name", pa.string()), pa.field("geom", pa.binary())])
_DEGREE = 1000.0 / MAX_EDGE_DEGREES
_NARROWEST = 0.01
_DAY = dt.timedelta(days=1)
Span = tuple[dt.datetime, dt.datetime | None]


def file_of(number: int) -> str:
    """Name of the file for the rule of this number in the layer's rules."""
    return f"geoservice-reference-{number}.arrow"


class References:
    """The rules of one layer that look at other layers."""

    def __init__(self, layer: RowLayer, directory: Path) -> None:
        """Read the files that belong to the rules; what no loader handed over is like a layer without rows."""
        self._judges: list[_Values | _Surfaces] = []
        for number, rule in enumerate(layer.rules()):
            if isinstance(rule, Referential):
                self._judges.append(_Values(rule, _table(directory / file_of(number), VALUES)))
            elif isinstance(rule, Within):
                self._judges.append(_Surfaces(rule, _table(directory / file_of(number), SURFACES)))

    def judge(self, rows: Rows) -> None:
        """Judge the rows of a chunk; a layer without rows judges nothing, and a finding says so."""
        for judge in self._judges:
            if judge.empty:
                message = f"Nothing was compared with layer {judge.rule.layer}: no rows of it are at hand."
                rows.notes.add(judge.rule.rule, "info", message, count=len(rows))
            else:
                judge.judge(rows)


def _table(file: Path, schema: pa.Schema) -> pa.Table:
    if not file.is_file():
        return schema.empty_table()
    with pa.ipc.open_stream(str(file)) as reader:
        return reader.read_all()


class _Values:
    """Values that stood in an attribute of another layer, and when."""

    def __init__(self, rule: Referential, table: pa.Table) -> None:
        self.rule = rule
        self.empty = table.num_rows == 0
        self._current = pc.unique(table.filter(table.column("ends").is_null()).column("value").combine_chunks())
        self._spans: dict[str, list[Span]] = defaultdict(list)
        if rule.at is not None and not self.empty:
            first = pc.min(table.column("begins")).as_py()
            for row in table.to_pylist():
                # The base does not know what was before its first edition: what stood there then counts as older.
                begins = dt.datetime.min.replace(tzinfo=dt.UTC) if row["begins"] == first else row["begins"]
                self._spans[row["value"]].append((begins, row["ends"]))

    def judge(self, rows: Rows) -> None:
        """Find the rows whose value does not stand in the other layer."""
        rule, column = self.rule, rows.columns[self.rule.attribute]
        texts = pc.cast(column, pa.string())
        known = pc.is_in(texts, value_set=self._current).to_numpy(zero_copy_only=False)
        when = "" if rule.at is None else f" at the date in {rule.at}"
        if rule.at is not None:
            known = self._known_then(texts, rows.columns[rule.at], known)
        which = np.flatnonzero(~known & texts.is_valid().to_numpy(zero_copy_only=False)).astype(np.int64)
        message = f"Values of {rule.attribute} do not stand in {rule.by} of layer {rule.layer}{when}."
        found = breach(rule.rule, message, which, rule.attribute, column, rule.severity)
        where = f"{rule.by} of layer {rule.layer}{when}"
        apply(
            rows,
            rule,
            found,
            lambda i: f"Attribute {rule.attribute!r} is {shown(column[i].as_py())}, which does not stand in {where}.",
        )

    def _known_then(self, texts: pa.Array, dates: pa.Array, now: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        found = now.copy()
        moments = zip(texts.to_pylist(), dates.to_pylist(), strict=True)
        for i, (value, date) in enumerate(moments):
            if value is not None and date is not None:
                found[i] = any(_holds(span, date) for span in self._spans.get(value, ()))
        return found


def _holds(span: Span, date: dt.date | dt.datetime) -> bool:
    """Whether a value stood at a moment, or at any moment of a day (UTC)."""
    begins, ends = span
    if isinstance(date, dt.datetime):
        return begins <= date and (ends is None or date < ends)
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return begins < midnight + _DAY and (ends is None or ends > midnight)


class _Surfaces:
    """Surfaces of another layer, by the value that names them or all together."""

    def __init__(self, rule: Within, table: pa.Table) -> None:
        self.rule = rule
        self.empty = table.num_rows == 0
        shapes = np.asarray(shapely.from_wkb(table.column("geom").to_numpy(zero_copy_only=False)), dtype=object)
        self._by: dict[str | None, list[shapely.Geometry]] = defaultdict(list)
        for name, shape in zip(table.column("name").to_pylist(), shapes, strict=True):
            self._by[name].append(shape)
        self._tree = shapely.STRtree(shapes)
        self._shapes = shapes
        shapely.prepare(shapes)

    def judge(self, rows: Rows) -> None:
        """Find the rows that leave the surface they must lie in."""
        rule = self.rule
        if rows.geometry is None:
            return
        present = np.flatnonzero(~shapely.is_missing(rows.geometry) & rows.good).astype(np.int64)
        outside = self._outside_named(rows, present) if rule.by else self._outside_any(rows.geometry, present)
        whose = "any surface" if rule.by is None else f"the surface that {rule.attribute} names"
        message = f"Geometries leave {whose} of layer {rule.layer} by more than {rule.tolerance:g} m."
        found = Breach(rule.rule, rule.severity, message, np.array(outside, dtype=np.int64))
        apply(rows, rule, found, lambda _: message.replace("Geometries leave", "The geometry leaves"))

    def _outside_named(self, rows: Rows, present: Which) -> list[int]:
        names = pc.cast(rows.columns[self.rule.attribute or ""], pa.string()).to_pylist()
        geometries: Any = rows.geometry
        outside = []
        for row in present:
            # A row that names no surface is for the rules `required` and `referential` to judge.
            surfaces = self._by.get(names[row]) if names[row] is not None else None
            if surfaces and not self._lies_in(geometries[row], surfaces):
                outside.append(int(row))
        return outside

    def _outside_any(self, geometries: Geometries, present: Which) -> list[int]:
        inside, _ = self._tree.query(geometries[present], predicate="covered_by")
        doubtful = np.delete(present, np.unique(inside))
        near = [self._shapes[self._tree.query(self._around(geometries[row]))] for row in doubtful]
        pairs = zip(doubtful, near, strict=True)
        return [int(row) for row, surfaces in pairs if not self._lies_in(geometries[row], surfaces)]

    def _around(self, geometry: shapely.Geometry) -> shapely.Geometry:
        """The box of a geometry, widened by the tolerance."""
        west, south, east, north = shapely.bounds(geometry)
        margin = 1.01 * self.rule.tolerance / _DEGREE
        wide = margin / max(float(np.cos(np.radians(max(abs(south), abs(north))))), _NARROWEST)
        box: shapely.Geometry = shapely.box(west - wide, south - margin, east + wide, north + margin)
        return box

    def _lies_in(self, geometry: shapely.Geometry, surfaces: Iterable[shapely.Geometry]) -> bool:
        return any(shapely.covers(s, geometry) or excess(geometry, s) <= self.rule.tolerance for s in surfaces)


def excess(geometry: shapely.Geometry, surface: shapely.Geometry) -> float:
    """How far a geometry leaves a surface at most, in metres: 0 when it lies in it.

    Distances are taken in a plane that is true around the geometry; what lies more than the geometry's own extent away
    counts as infinitely far.
    """
    rest = shapely.difference(geometry, surface)
    if shapely.is_empty(rest):
        return 0.0
    west, south, east, north = shapely.bounds(geometry)
    margin = max(east - west, north - south) + 10 / _DEGREE
    near = shapely.clip_by_rect(surface, west - margin, south - margin, east + margin, north + margin)
    if shapely.is_empty(near):
        return float("inf")
    scale = max(float(np.cos(np.radians((south + north) / 2))), _NARROWEST)

    def flat(points: Coordinates) -> Coordinates:
        return np.asarray((points - [west, south]) * [_DEGREE * scale, _DEGREE])

    corners = shapely.points(shapely.get_coordinates(shapely.transform(rest, flat)))
    return float(shapely.distance(corners, shapely.transform(near, flat)).max())
