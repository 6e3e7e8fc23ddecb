"""TopoJSON, worked by hand from the format specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from layers.model import Layer
from tests.ingest.reading import Result, read_here, vector

# Two unit squares that share the edge x=1, on a grid of a tenth of a degree from (100, 30).
TRANSFORM = {"scale": [0.1, 0.1], "translate": [100, 30]}
ARCS = [[[10, 0], [0, 10]], [[10, 10], [-10, 0], [0, -10], [10, 0]], [[10, 0], [10, 0], [0, 10], [-10, 0]]]
SQUARES = {
    "type": "GeometryCollection",
    "geometries": [
        {"type": "Polygon", "arcs": [[0, 1]], "id": "w", "properties": {"n": 1}},
        {"type": "MultiPolygon", "arcs": [[[2, -1]]], "properties": {"n": 2, "t": "x"}},
        {"type": None, "properties": {}},
    ],
}


def read_topology(tmp_path: Path, topology: dict[str, Any], layer: Layer | None = None, **mapping: Any) -> Result:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"type": "Topology", **topology}))
    chosen = layer or vector("polygon", {"code": "text", "n": "integer"}, geometry_required=False)
    return read_here(file, chosen, **{"crs": "EPSG:4326", **mapping})


def test_shared_arcs_are_decoded_once_and_reversed(tmp_path: Path) -> None:
    topology = {"transform": TRANSFORM, "arcs": ARCS, "objects": {"squares": SQUARES}}
    found = read_topology(tmp_path, topology, fields={"id": "code"})
    west, east, none = (r["geom"] for r in found.good)
    assert west.equals(shapely.box(100, 30, 101, 31))
    assert east.equals(shapely.box(101, 30, 102, 31))
    assert none is None
    assert [(r["code"], r["n"]) for r in found.good] == [("w", 1), (None, 2), (None, None)]
    assert found.summary.unmapped_fields == ("t",)


def test_points_and_lines_with_and_without_transform(tmp_path: Path) -> None:
    shapes = {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Point", "coordinates": [5, 5]},
            {"type": "MultiPoint", "coordinates": [[0, 0], [1, 2]]},
            {"type": "LineString", "arcs": [0]},
            {"type": "MultiLineString", "arcs": [[0], [-1]]},
        ],
    }
    plain = {"arcs": [[[0, 0], [1, 1], [2, 0]]], "objects": {"a": shapes}}
    found = [r["geom"].wkt for r in read_topology(tmp_path, plain, vector("any")).good]
    assert found == [
        "POINT (5 5)",
        "MULTIPOINT ((0 0), (1 2))",
        "LINESTRING (0 0, 1 1, 2 0)",
        "MULTILINESTRING ((0 0, 1 1, 2 0), (2 0, 1 1, 0 0))",
    ]
    quantised = {**plain, "transform": {"scale": [2, 1], "translate": [10, 0]}}
    found = [r["geom"].wkt for r in read_topology(tmp_path, quantised, vector("any")).good]
    assert found[:3] == ["POINT (20 5)", "MULTIPOINT ((10 0), (12 2))", "LINESTRING (10 0, 12 1, 16 1)"]


def test_objects_and_crs(tmp_path: Path) -> None:
    topology = {"transform": TRANSFORM, "arcs": ARCS, "objects": {"a": SQUARES, "b": SQUARES["geometries"][0]}}
    with pytest.raises(SourceMismatch, match="objects a, b; the mapping must name one"):
        read_topology(tmp_path, topology)
    assert read_topology(tmp_path, topology, sublayer="b").summary.read == 1
    with pytest.raises(CrsRefused, match="states no coordinate reference system"):
        read_topology(tmp_path, topology, sublayer="b", crs=None)


def test_broken_geometries_are_bad_rows(tmp_path: Path) -> None:
    shapes = {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Polygon", "arcs": [[99]]},
            {"type": "Blob", "arcs": [[0]]},
            {"type": "Polygon"},
            {"type": "Polygon", "arcs": [[0, 1]]},
        ],
    }
    topology = {"transform": TRANSFORM, "arcs": ARCS, "objects": {"a": shapes}}
    found = read_topology(tmp_path, topology, vector("polygon"))
    assert (found.summary.good, found.summary.bad) == (1, 3)
    assert all("does not follow the TopoJSON format" in r["_reason"] for r in found.bad)


@pytest.mark.parametrize(
    "text", ["{", '{"type":"Topology"}', '{"type":"Topology","objects":{"a":{"type":null}},"arcs":[5]}']
)
def test_what_is_no_topology(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.topojson").write_text(text)
    with pytest.raises(SourceUnreadable):
        read_here(tmp_path / "a.topojson", vector(), crs="EPSG:4326")


def test_depth_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.topojson").write_text('{"type":"Topology","arcs":' + "[" * 100_000)
    with pytest.raises(SourceUnreadable, match=r"nested too deeply|not valid JSON"):
        read_here(tmp_path / "a.topojson", vector(), crs="EPSG:4326")
