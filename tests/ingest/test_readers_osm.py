"""OpenStreetMap extracts made here, object by object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import osmium
import pytest
import shapely
from osmium.osm import mutable

from layers.errors import SourceMismatch, SourceUnreadable
from tests.ingest.reading import read, read_here, vector

NODES = {
    1: (0, 0),
    2: (1, 0),
    3: (1, 1),
    4: (0, 1),
    5: (0.25, 0.25),
    6: (0.75, 0.25),
    7: (0.75, 0.75),
    8: (5, 5),
    9: (6, 6),
}


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    file = tmp_path / "a.osm.pbf"
    writer = osmium.SimpleWriter(str(file))
    tags = {8: {"place": "town", "name": "Ville", "name:zh": "城"}, 9: {"place": "sea"}}
    for number, where in NODES.items():
        writer.add_node(mutable.Node(id=number, location=where, tags=tags.get(number, {})))
    for number, nodes, way_tags in (
        (10, [8, 9], {"highway": "primary", "lanes": "2"}),
        (11, [1, 2, 3, 4, 1], {"building": "yes"}),
        (12, [1, 2, 3, 4, 1], {}),
        (13, [5, 6, 7, 5], {}),
        (14, [1, 2, 3, 1], {"highway": "pedestrian", "area": "yes"}),
        (15, [1, 2, 777, 3, 4], {"highway": "track"}),
        (16, [777, 778], {"highway": "track"}),
        (17, [1, 2, 3, 1], {"highway": "track"}),
        (18, [1, 2, 3, 1], {"building": "yes", "area": "no"}),
    ):
        writer.add_way(mutable.Way(id=number, nodes=nodes, tags=way_tags))
    members = [("w", 12, "outer"), ("w", 13, "inner")]
    writer.add_relation(mutable.Relation(id=20, members=members, tags={"type": "multipolygon", "building": "school"}))
    broken = [("w", 999, "outer")]
    writer.add_relation(mutable.Relation(id=21, members=broken, tags={"type": "multipolygon", "building": "yes"}))
    writer.add_relation(mutable.Relation(id=22, members=members, tags={"type": "route", "route": "bus"}))
    writer.close()
    return file


ATTRIBUTES = {"ident": "text", "name_zh": "text", "kind": "text"}
NAMED: dict[str, Any] = {
    "fields": {"$fid": "ident", "name:zh": "name_zh", "building": "kind", "highway": "kind", "place": "kind"}
}


def test_points(extract: Path) -> None:
    found = read(extract, vector("point", ATTRIBUTES), select={"place": ["town"]}, **NAMED)
    (town,) = found.good
    assert (town["ident"], town["name_zh"], town["kind"], town["geom"].wkt) == ("n8", "城", "town", "POINT (5 5)")
    assert (found.summary.read, found.summary.not_selected, found.summary.crs) == (2, 1, "EPSG:4326")


def test_lines(extract: Path) -> None:
    found = read(extract, vector("line", ATTRIBUTES), select={"highway": "*"}, **NAMED)
    shapes = {r["ident"]: r["geom"].wkt for r in found.good}
    assert shapes == {
        "w10": "LINESTRING (5 5, 6 6)",
        "w15": "MULTILINESTRING ((0 0, 1 0), (1 1, 0 1))",
        "w17": "LINESTRING (0 0, 1 0, 1 1, 0 0)",
    }
    (bad,) = found.bad
    assert json.loads(bad["_raw"])["$fid"] == "w16"
    assert "nodes are missing" in bad["_reason"]
    assert "incomplete-way" in found.rules()
    assert found.summary.read == 6


def test_areas_of_ways_and_relations(extract: Path) -> None:
    found = read(extract, vector("polygon", ATTRIBUTES), select={"building": "*"}, **NAMED)
    shapes = {r["ident"]: r["geom"] for r in found.good}
    assert set(shapes) == {"w11", "r20"}
    assert shapes["w11"].equals(shapely.box(0, 0, 1, 1))
    hole = shapely.Polygon([NODES[5], NODES[6], NODES[7]])
    assert shapes["r20"].equals(shapely.difference(shapely.box(0, 0, 1, 1), hole))
    (bad,) = found.bad
    raw = json.loads(bad["_raw"])
    assert (raw["$fid"], raw["building"]) == ("r21", "yes")
    assert "cannot be assembled" in bad["_reason"]


def test_points_and_areas_together(extract: Path) -> None:
    found = read_here(extract, vector("any", ATTRIBUTES), any_of={"building": ["school"], "place": ["town"]}, **NAMED)
    assert sorted(r["ident"] for r in found.good) == ["n8", "r20"]
    assert found.summary.read == found.summary.good + found.summary.bad + found.summary.not_selected


def test_unknown_sublayer_and_damage(extract: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceMismatch, match="no sublayer 'rivers'"):
        read_here(extract, vector("point", ATTRIBUTES), sublayer="rivers")
    data = extract.read_bytes()
    (tmp_path / "cut.osm.pbf").write_bytes(data[: len(data) - 40])
    with pytest.raises(SourceUnreadable, match="not a readable OpenStreetMap file"):
        read(tmp_path / "cut.osm.pbf", vector("polygon", ATTRIBUTES), select={"building": "*"}, **NAMED)
    (tmp_path / "text.osm.pbf").write_text("hello")
    with pytest.raises(SourceUnreadable, match="should be OpenStreetMap PBF"):
        read_here(tmp_path / "text.osm.pbf", vector("point", ATTRIBUTES))
