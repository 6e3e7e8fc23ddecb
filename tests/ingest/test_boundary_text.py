"""What is written as boundary points is read back as it was, for every template there is."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.boundary_text import BoundaryRecord, write
from ingest.readers.boundary_parcel import parcels, parse
from layers.boundary import BoundaryTemplate
from layers.catalog import read_catalog
from layers.errors import BadGeometry

TEMPLATES = dict(read_catalog().templates)
WORDS = st.text(st.sampled_from("东西南北地块一二三AB12 -"), max_size=12).map(str.strip)


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Geometry:
    """One to three squares apart from one another, each with or without a hole, corners in whole millimetres."""
    parts = []
    for place in range(draw(st.integers(1, 3))):
        west = 39_400_000 + place * 1000 + draw(st.integers(0, 400_000)) / 1000
        south = 4_000_000 + draw(st.integers(0, 400_000_000)) / 1000
        size = draw(st.integers(10_000, 500_000)) / 1000
        hole = [shapely.box(west + size / 4, south + size / 4, west + size / 2, south + size / 2)]
        outer = shapely.box(west, south, west + size, south + size)
        parts.append(outer.difference(hole[0]) if draw(st.booleans()) else outer)
    whole = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return shapely.transform(whole, lambda c: np.round(c, 3))


def read_back(text: str, template: BoundaryTemplate) -> list[tuple[dict[str, str], shapely.Geometry]]:
    body = list(enumerate(text.splitlines(), start=1))
    start = next(i for i, line in body if line == "[地块坐标]")
    found = [parse(raw, template) for raw in parcels(body[start:], template, 10_000)]
    assert all(p.fits and p.geometry is not None for p in found), [p.complaints for p in found]
    return [(p.values, p.geometry) for p in found if p.geometry is not None]


@pytest.mark.parametrize("name", list(TEMPLATES))
@settings(max_examples=40, deadline=None)
@given(shapes=st.lists(polygons(), min_size=1, max_size=4), words=WORDS)
def test_round_trip(name: str, shapes: list[shapely.Geometry], words: str) -> None:
    template = TEMPLATES[name]
    own = {"地块编号": words, "地块名称": words}
    text = "".join(write([BoundaryRecord(s, own) for s in shapes], template, {"带号": "39"}))
    found = read_back(text, template)
    assert len(found) == len(shapes)
    for (values, geometry), shape in zip(found, shapes, strict=True):
        assert shapely.equals(geometry, shape)
        assert shapely.get_num_geometries(geometry) == shapely.get_num_geometries(shape)
        assert (values["地块编号"], values["地块名称"]) == (words, words)


def test_the_text_of_a_hand_made_parcel() -> None:
    square = shapely.box(39447000, 4419000, 39447100, 4419100)
    record = BoundaryRecord(square, {"地块编号": "DK,1", "地块名称": "东\n一"})
    lines = "".join(write([record], TEMPLATES["national"], {"坐标系": "2000国家大地坐标系"})).split("\r\n")
    assert lines == [
        "[属性描述]",
        "坐标系=2000国家大地坐标系",
        "[地块坐标]",
        "5,1.0000,DK 1,东 一,面,,,,@",
        "J1,1,4419000.000,39447100.000",
        "J2,1,4419100.000,39447100.000",
        "J3,1,4419100.000,39447000.000",
        "J4,1,4419000.000,39447000.000",
        "J1,1,4419000.000,39447100.000",
        "",
    ]


@pytest.mark.parametrize("geometry", [shapely.Point(1, 1), shapely.Polygon(), shapely.MultiPolygon()])
def test_only_areas_are_written(geometry: shapely.Geometry) -> None:
    with pytest.raises(BadGeometry, match="empty or none"):
        list(write([BoundaryRecord(geometry)], TEMPLATES["national"], {}))


def test_an_island_in_a_hole_is_a_part_of_its_own() -> None:
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(20, 20, 80, 80))
    island = shapely.box(40, 40, 60, 60)
    whole = shapely.MultiPolygon([ring, island])
    template = TEMPLATES["national"].model_copy(update={"area": None})
    [(_, geometry)] = read_back("".join(write([BoundaryRecord(whole)], template, {})), template)
    assert shapely.equals(geometry, whole)
    assert shapely.area(geometry) == 100 * 100 - 60 * 60 + 20 * 20
