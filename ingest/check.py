"""Rules that rows obey: required values, patterns, ranges, code lists, keys, and the kind of geometry."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.job import IngestPlan
from ingest.rows import Breach, Rows, breach, shown
from layers.model import Attribute, VectorLayer

_FAMILIES = {
    "point": frozenset({"Point", "MultiPoint"}),
    "line": frozenset({"LineString", "LinearRing", "MultiLineString"}),
    "polygon": frozenset({"Polygon", "MultiPolygon"}),
}
_TYPE_NAMES = (
    "Point",
    "LineString",
    "LinearRing",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)
_FAMILIES["any"] = frozenset.union(*_FAMILIES.values())


def check_attributes(rows: Rows, plan: IngestPlan) -> None:
    """Complain about attributes that break a rule of the layer."""
    key = getattr(plan.layer, "key", ())
    for name, attribute in plan.layer.attributes.items():
        _check_pattern(rows, name, attribute)
        _check_range(rows, name, attribute)
        if attribute.list is not None:
            codes = tuple(plan.codelists[attribute.list].codes)
            _check_list(rows, name, codes, attribute.list)
        if attribute.required or name in key:
            _check_filled(rows, name, "a part of the key" if name in key else "required")


def _rows_where(mask: pa.Array) -> npt.NDArray[np.int64]:
    filled = pc.fill_null(mask, False)
    return np.flatnonzero(filled.to_numpy(zero_copy_only=False)).astype(np.int64)


def _check_filled(rows: Rows, name: str, why: str) -> None:
    empty = _rows_where(rows.columns[name].is_null())
    # A row whose value could not be read has been refused with a better sentence.
    known = f"Attribute {name!r}"
    fresh = [i for i in empty if known not in rows.bad.get(int(i), "")]
    rows.refuse_all(fresh, f"Attribute {name!r} is empty, but it is {why}.")
    if fresh:
        message = f"Values of {name} are missing, but {name} is {why}."
        rows.breaches.append(Breach("required", "error", message, np.array(fresh, dtype=np.int64), name))


def _check_pattern(rows: Rows, name: str, attribute: Attribute) -> None:
    if attribute.pattern is None:
        return
    column, pattern = rows.columns[name], attribute.pattern
    try:
        fits = pc.match_substring_regex(column, pattern)
    except pa.ArrowInvalid:
        # Python's expressions know more than RE2, such as looking ahead.
        compiled = re.compile(pattern)
        fits = pa.array([None if v is None else compiled.search(v) is not None for v in column.to_pylist()], pa.bool_())
    rows.reject(
        breach("pattern", f"Values of {name} do not match {pattern}.", _rows_where(pc.invert(fits)), name, column),
        lambda i: f"Attribute {name!r} is {shown(column[i].as_py())}, which does not match {pattern}.",
    )


def _check_range(rows: Rows, name: str, attribute: Attribute) -> None:
    if attribute.range is None:
        return
    low, high = attribute.range
    column = rows.columns[name]
    outside = pa.array(np.zeros(len(rows), dtype=bool))
    if low is not None:
        outside = pc.or_(outside, pc.fill_null(pc.less(column, low), False))
    if high is not None:
        outside = pc.or_(outside, pc.fill_null(pc.greater(column, high), False))
    bounds = f"{'-' if low is None else f'{low:g}'} to {'-' if high is None else f'{high:g}'}"
    rows.reject(
        breach("range", f"Values of {name} lie outside the range {bounds}.", _rows_where(outside), name, column),
        lambda i: f"Attribute {name!r} is {column[i].as_py():g}, outside the range {bounds}.",
    )


def _check_list(rows: Rows, name: str, codes: tuple[str, ...], list_id: str) -> None:
    column = rows.columns[name]
    known = pc.or_(column.is_null(), pc.is_in(column, value_set=pa.array(codes, pa.string())))
    message = f"Values of {name} are not in the code list {list_id}."
    rows.reject(
        breach("domain", message, _rows_where(pc.invert(known)), name, column),
        lambda i: f"Attribute {name!r} is {shown(column[i].as_py())}, which is not in the code list {list_id}.",
    )


class GeometryCheck:
    """Checks geometries against what the layer stores, and remembers whether all were of a wrong type."""

    def __init__(self, layer: VectorLayer, vertices: int) -> None:
        """Check for a layer; `vertices` is the budget of one geometry."""
        self._family = layer.geometry
        self._required = layer.geometry_required
        self._vertices = vertices
        self.wrong_types: set[str] = set()

    def budget(self, rows: Rows) -> None:
        """Refuse geometries with more vertices than a row may have; comes before anything costly."""
        if rows.geometry is None:
            return
        counts = shapely.get_num_coordinates(rows.geometry)
        heavy = np.flatnonzero(counts > self._vertices).astype(np.int64)
        _breach(rows, "geometry-size", f"Geometries have more than {self._vertices} vertices.", heavy)
        for row in heavy:
            rows.refuse(
                int(row), f"The geometry has {counts[row]} vertices, more than the {self._vertices} that are allowed."
            )
            rows.geometry[row] = None

    def kind(self, rows: Rows) -> None:
        """Refuse geometries of a type that the layer does not store, empty ones, and missing ones if required."""
        if rows.geometry is None:
            if self._required:
                rows.refuse_all(range(len(rows)), "The row has no geometry, but the layer requires one.")
                _breach(rows, "required", "Geometries are missing.", np.arange(len(rows), dtype=np.int64))
            return
        names = _type_names(rows.geometry)
        allowed = _FAMILIES[self._family]
        wrong = np.array([n is not None and n not in allowed for n in names], dtype=bool)
        wanted = "point, line or area" if self._family == "any" else self._family
        _breach(rows, "geometry-type", f"Geometries are no {wanted}.", np.flatnonzero(wrong).astype(np.int64))
        for row in np.flatnonzero(wrong):
            self.wrong_types.add(str(names[row]))
            rows.refuse(int(row), f"The geometry is a {names[row]}, where a {wanted} was expected.")
        rows.geometry[wrong] = None
        self._empty(rows, wrong)

    def _empty(self, rows: Rows, wrong: npt.NDArray[np.bool_]) -> None:
        if rows.geometry is None:
            return
        empty = shapely.is_empty(rows.geometry)
        rows.geometry[empty] = None
        missing = shapely.is_missing(rows.geometry) & ~wrong
        if not self._required:
            if empty.any():
                rows.notes.add("empty-geometry", "info", "Empty geometries count as none.", rows.position[empty])
            return
        # A row whose geometry was refused already has a better sentence.
        absent = [int(row) for row in np.flatnonzero(missing) if int(row) not in rows.bad or empty[row]]
        _breach(rows, "required", "Geometries are missing.", np.array(absent, dtype=np.int64))
        for row in absent:
            what = "is empty" if empty[row] else "is missing"
            rows.refuse(row, f"The geometry {what}, but the layer requires one.")


def _breach(rows: Rows, rule: str, message: str, which: npt.NDArray[np.int64]) -> None:
    if len(which):
        rows.breaches.append(Breach(rule, "error", message, which))


def _type_names(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    # Type ids start at -1 for a missing geometry.
    table = np.array([None, *_TYPE_NAMES], dtype=object)
    named: npt.NDArray[np.object_] = table[shapely.get_type_id(geometries) + 1]
    return named
