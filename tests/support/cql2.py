"""CQL2 made for tests: filters at random as CQL2 JSON, and the same filters written as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Json = Any
_BINARY = frozenset({"=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "^", "div", "and", "or", "like", "in"})
_WKT = {"Point": 0, "LineString": 1, "MultiPoint": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3}


def written(node: Json) -> str:
    """CQL2 text of CQL2 JSON, with parentheses around every operation."""
    if isinstance(node, dict):
        return _operation(node["op"], node["args"]) if "op" in node else _literal(node)
    if isinstance(node, list):
        return "(" + ", ".join(map(written, node)) + ")"
    if isinstance(node, str):
        return "'" + node.replace("'", "''") + "'"
    return str(node).upper() if isinstance(node, bool) else repr(node)


def _literal(node: Mapping[str, Json]) -> str:
    if "property" in node:
        return '"' + node["property"].replace('"', '""') + '"'
    if "interval" in node:
        return "INTERVAL(" + ", ".join(map(written, node["interval"])) + ")"
    if "bbox" in node:
        return "BBOX(" + ", ".join(map(repr, node["bbox"])) + ")"
    for name in ("date", "timestamp"):
        if name in node:
            return f"{name.upper()}({written(node[name])})"
    return wkt(node)


def wkt(geometry: Mapping[str, Json]) -> str:
    """Well-known text of a GeoJSON geometry."""
    if geometry["type"] == "GeometryCollection":
        return "GEOMETRYCOLLECTION(" + ", ".join(map(wkt, geometry["geometries"])) + ")"
    place = _WKT[geometry["type"]]
    inner = _nested(geometry["coordinates"], place)
    return f"{geometry['type'].upper()}{f'({inner})' if place == 0 else inner}"


def _nested(coordinates: Json, depth: int) -> str:
    if depth == 0:
        return " ".join(map(repr, coordinates))
    return "(" + ", ".join(_nested(one, depth - 1) for one in coordinates) + ")"


def _operation(op: str, args: list[Json]) -> str:
    said = [written(arg) for arg in args]
    if op in _BINARY:
        return "(" + f" {op.upper()} ".join(said) + ")"
    form = {"not": "(NOT {})", "between": "({} BETWEEN {} AND {})", "isNull": "({} IS NULL)"}.get(op)
    return f"{op.upper()}(" + ", ".join(said) + ")" if form is None else form.format(*said)


# -------------------------------------------------------------------- filters at random


def operation(op: str, *args: Json) -> Json:
    """An operation in CQL2 JSON."""
    return {"op": op, "args": list(args)}


def named(name: str) -> Json:
    """A property in CQL2 JSON."""
    return {"property": name}


TEXTS = ("", "a", "A", "ab", "Äpfel", "äpfel", "apfel", "点一", "it's", "a%b", "a_b", "x\\y", "éa", "ΣΑΣ")
WHOLES = (-7, -1, 0, 1, 2, 3, 5, 40)
NUMBERS = (-2.5, -1, 0, 0.5, 1, 2, 3, 12.25)
DAYS = ("2024-02-29", "2025-12-31", "2026-01-01", "2026-06-15")
MOMENTS = ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-06-15T12:00:00.5Z", "2026-06-16T00:00:00Z")
PATTERNS = ("a%", "%a", "_", "%", "", "a\\%b", "a\\_b", "x\\\\y", "%'%", "Ä%", "a_b", "_p%")


def _shapes() -> st.SearchStrategy[Json]:
    """Points, lines and boxes whose corners lie on a grid of 4 x 4, so that borders are shared all the time."""
    at = st.integers(0, 4)
    place = st.tuples(at, at).map(lambda p: [float(p[0]), float(p[1])])
    point = place.map(lambda p: {"type": "Point", "coordinates": p})
    line = st.lists(place, min_size=2, max_size=4, unique_by=tuple).map(
        lambda ps: {"type": "LineString", "coordinates": ps}
    )

    def ring(corners: tuple[Json, Json]) -> Json:
        (x1, y1), (x2, y2) = corners
        return [[x1, y1], [x2, y1], [x2, y2], [x1, y2], [x1, y1]]

    apart = st.tuples(place, place).filter(lambda c: c[0][0] < c[1][0] and c[0][1] < c[1][1])
    area = apart.map(lambda c: {"type": "Polygon", "coordinates": [ring(c)]})
    box = apart.map(lambda c: {"bbox": [*c[0], *c[1]]})
    return st.one_of(point, line, area, box)


SHAPES = _shapes()
RELATIONS = ("intersects", "disjoint", "equals", "touches", "within", "contains", "crosses", "overlaps")


def _calculated(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.builds(operation, st.sampled_from(["+", "-", "*", "/"]), inner, inner)


NUMERIC = st.recursive(
    st.one_of(st.sampled_from(NUMBERS), st.sampled_from([named("amount"), named("number")])), _calculated, max_leaves=4
)
TEXTUAL = st.one_of(
    st.sampled_from(TEXTS),
    st.just(named("name")),
    st.just(operation("casei", named("name"))),
    st.just(operation("accenti", named("name"))),
    st.sampled_from(TEXTS).map(lambda t: operation("casei", t)),
    st.sampled_from(TEXTS).map(lambda t: operation("accenti", t)),
)
DATES = st.one_of(st.sampled_from(DAYS).map(lambda d: {"date": d}), st.just(named("seen")))
TIMES = st.one_of(st.sampled_from(MOMENTS).map(lambda m: {"timestamp": m}), st.just(named("moment")))
COMPARED = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
SPANS = st.tuples(st.sampled_from(["..", *MOMENTS[:2]]), st.sampled_from(["..", *MOMENTS[2:]])).map(
    lambda pair: {"interval": list(pair)}
)


def _in(name: str, values: tuple[Any, ...]) -> st.SearchStrategy[Json]:
    listed = st.lists(st.sampled_from(values), min_size=1, max_size=3)
    return st.builds(operation, st.just("in"), st.just(named(name)), listed)


ATOMS = st.one_of(
    st.builds(operation, COMPARED, NUMERIC, NUMERIC),
    st.builds(operation, COMPARED, TEXTUAL, TEXTUAL),
    st.builds(operation, COMPARED, DATES, DATES),
    st.builds(operation, COMPARED, TIMES, TIMES),
    st.builds(operation, st.just("="), st.just(named("flag")), st.booleans()),
    st.just(named("flag")),
    st.builds(operation, st.just("like"), st.just(named("name")), st.sampled_from(PATTERNS)),
    st.builds(operation, st.just("between"), NUMERIC, st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)),
    _in("name", TEXTS),
    _in("number", WHOLES),
    st.builds(
        operation,
        st.just("isNull"),
        st.sampled_from([named(n) for n in ("name", "amount", "flag", "seen", "geometry")]),
    ),
    st.builds(operation, st.sampled_from([f"s_{name}" for name in RELATIONS]), st.just(named("geometry")), SHAPES),
    st.builds(
        operation,
        st.sampled_from(["t_after", "t_before", "t_during", "t_intersects", "t_disjoint"]),
        st.just(named("moment")),
        SPANS,
    ),
)


def _joined(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.builds(lambda op, args: operation(op, *args), st.sampled_from(["and", "or"]), several),
        st.builds(operation, st.just("not"), inner),
    )


FILTERS = st.recursive(ATOMS, _joined, max_leaves=6)
"""Filters over `name` (text), `number` (integer), `amount` (number), `flag`, `seen` (date), `moment`, `geometry`."""


def as_json(node: Json) -> str:
    """The text of CQL2 JSON."""
    return json.dumps(node, ensure_ascii=False)
