"""The words of CQL2 (OGC 21-065r2): its operators, by the names that they have in JSON."""

from __future__ import annotations

AND, OR, NOT = "and", "or", "not"
LIKE, BETWEEN, IN, IS_NULL = "like", "between", "in", "isNull"
CASEI, ACCENTI = "casei", "accenti"
EQUALITY = frozenset({"=", "<>"})
COMPARISON = EQUALITY | {"<", ">", "<=", ">="}
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "div", "^"})
SPATIAL = frozenset(
    f"s_{name}" for name in ("contains", "crosses", "disjoint", "equals", "intersects", "overlaps", "touches", "within")
)
TEMPORAL = frozenset(
    f"t_{name}"
    for name in (
        *("after", "before", "contains", "disjoint", "during", "equals", "finishedBy", "finishes"),
        *("intersects", "meets", "metBy", "overlappedBy", "overlaps", "startedBy", "starts"),
    )
)
ARRAY = frozenset({"a_contains", "a_containedBy", "a_equals", "a_overlaps"})
CALLED = {name.lower(): name for name in (*SPATIAL, *TEMPORAL, *ARRAY, CASEI, ACCENTI)}
"""Operators that are written as functions in text, in any case of letters."""
OPERATORS = frozenset({AND, OR, NOT, LIKE, BETWEEN, IN, IS_NULL}) | COMPARISON | ARITHMETIC | set(CALLED.values())

KEYWORDS = frozenset({"AND", "OR", "NOT", "LIKE", "BETWEEN", "IN", "IS", "NULL", "TRUE", "FALSE", "DIV"})
"""Names that stand for a property in text only between double quotes."""
GEOMETRIES = {
    name.upper(): name
    for name in (
        *("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"),
        "GeometryCollection",
    )
}
"""Geometry types: as WKT writes them, and as GeoJSON does."""
