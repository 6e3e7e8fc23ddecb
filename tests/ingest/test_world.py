"""Lines and polygons over 180 degrees and around poles, measured on the ellipsoid by geodesics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from ingest.readers.antimeridian import crosses, cut_crossing
from tests.ingest.reading import Result, read_here, vector

EARTH = Geod(ellps="GRS80")
KINDS = {"LINESTRING": "line", "POLYGON": "polygon", "MULTIPOLYGON": "polygon", "MULTILINESTRING": "line"}


def area(geometry: shapely.Geometry) -> float:
    """Area in km2 of polygons whose edges are straight in longitude and latitude."""
    dense = shapely.segmentize(geometry, 0.1)
    return sum(abs(EARTH.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(dense)) / 1e6


def load(tmp_path: Path, wkt: str, **mapping: Any) -> Result:
    """One geometry of a text table."""
    (tmp_path / "a.csv").write_text(f"g\n{json.dumps(wkt)}\n")
    kind = KINDS[wkt.split("(", maxsplit=1)[0].strip()]
    return read_here(tmp_path / "a.csv", vector(kind), wkt="g", crs="EPSG:4326", **mapping)


def test_a_line_is_cut_with_a_warning(tmp_path: Path) -> None:
    found = load(tmp_path, "LINESTRING(170 10,179 19,-179 21,-170 30)")
    expected = shapely.from_wkt("MULTILINESTRING((170 10,179 19,180 20),(-180 20,-179 21,-170 30))")
    assert shapely.equals_exact(found.good[0]["geom"], expected, 1e-9)
    (finding,) = [f for f in found.summary.findings if f.rule == "antimeridian"]
    assert finding.severity == "warning"


def test_the_mapping_may_say_that_edges_cross(tmp_path: Path) -> None:
    found = load(tmp_path, "LINESTRING(170 10,-170 30)", antimeridian="cut")
    assert [f.severity for f in found.summary.findings if f.rule == "antimeridian"] == ["info"]
    assert found.good[0]["geom"].length == pytest.approx(np.hypot(20, 20))


def test_the_mapping_may_say_that_they_do_not(tmp_path: Path) -> None:
    """Negative control: kept, the line runs once around the wrong side of the globe."""
    found = load(tmp_path, "LINESTRING(170 10,-170 30)", antimeridian="keep")
    assert found.good[0]["geom"].wkt == "LINESTRING (170 10, -170 30)"
    assert "antimeridian" not in found.rules()


def test_a_polygon_with_a_hole(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "POLYGON((170 -20,-170 -20,-170 0,170 0,170 -20),(179 -11,179 -9,-179 -9,-179 -11,179 -11))",
    ).good[0]["geom"]
    expected = 2 * area(shapely.box(170, -20, 180, 0)) - 2 * area(shapely.box(179, -11, 180, -9))
    assert area(found) == pytest.approx(expected, rel=1e-9)
    assert found.bounds == (-180, -20, 180, 0)


def test_parts_that_do_not_cross_stay(tmp_path: Path) -> None:
    found = load(
        tmp_path, "MULTIPOLYGON(((178 -18,-179 -18,-179 -16,178 -16,178 -18)),((10 10,11 10,11 11,10 10)))"
    ).good[0]["geom"]
    assert len(found.geoms) == 3
    assert found.contains(shapely.Point(10.9, 10.5))


@pytest.mark.parametrize(
    "wkt",
    [
        "POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))",
        "POLYGON((-180 -90,180 -90,180 -60,90 -65,0 -62,-90 -65,-180 -60,-180 -90))",
        "MULTILINESTRING((170 1,171 1),(-171 1,-170 1))",
        "LINESTRING(-170 0,0 0,170 0)",
    ],
)
def test_frames_of_the_world_and_wide_features_stay(tmp_path: Path, wkt: str) -> None:
    found = load(tmp_path, wkt)
    assert shapely.equals(found.good[0]["geom"], shapely.from_wkt(wkt))
    assert "antimeridian" not in found.rules()


@pytest.mark.parametrize("latitude", [72.0, -72.0])
def test_a_ring_around_a_pole_is_completed(tmp_path: Path, latitude: float) -> None:
    around = [*range(-170, 180, 20), -170]
    ring = ",".join(f"{x} {latitude}" for x in around)
    found = load(tmp_path, f"POLYGON(({ring}))").good[0]["geom"]
    south, north = sorted((latitude, 90.0 if latitude > 0 else -90.0))
    assert area(found) == pytest.approx(area(shapely.box(-180, south, 180, north)), rel=1e-6)
    assert found.bounds == (-180, south, 180, north)


def test_eastings_of_a_whole_turn_are_still_brought_back(tmp_path: Path) -> None:
    found = load(tmp_path, "LINESTRING(170 10,190 30)")
    assert found.good[0]["geom"].bounds == (-180, 10, 180, 30)
    assert "longitude" in found.rules()


@st.composite
def stars(draw: st.DrawFn) -> shapely.Polygon:
    """A star-shaped polygon near 180 degrees, in continuous longitudes."""
    centre = draw(st.floats(150, 210)), draw(st.floats(-60, 60))
    count = draw(st.integers(3, 12))
    radii = draw(st.lists(st.floats(1.0, 25.0), min_size=count, max_size=count))
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return shapely.Polygon(
        [(centre[0] + r * np.cos(a), centre[1] + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
    )


@settings(max_examples=80, deadline=None)
@given(stars())
def test_cutting_keeps_area_and_vertices(whole: shapely.Polygon) -> None:
    """The same polygon written in longitudes of -180 to 180 covers the same places once it is cut."""
    given_ = shapely.transform(whole, lambda c: np.column_stack([(c[:, 0] + 180) % 360 - 180, c[:, 1]]))
    if not whole.is_valid or not crosses(given_):
        return
    found = cut_crossing(given_)
    assert found.is_valid
    assert found.bounds[0] >= -180
    assert found.bounds[2] <= 180
    assert area(found) == pytest.approx(area(whole), rel=1e-6, abs=1e-3)
    for vertex in shapely.points(shapely.get_coordinates(given_)):
        assert shapely.distance(found, vertex) < 1e-7


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-85, 85)), min_size=2, max_size=10))
def test_cut_lines_keep_their_length_and_lie_in_the_world(places: list[tuple[float, float]]) -> None:
    line = shapely.LineString(places)
    if not crosses(line) or line.length == 0:
        return
    found = cut_crossing(line)
    unrolled = shapely.LineString(np.column_stack([np.unwrap([p[0] for p in places], period=360), line.xy[1]]))
    assert found.length == pytest.approx(unrolled.length, rel=1e-9)
    assert abs(np.array(found.bounds)[[0, 2]]).max() <= 180


def test_what_reaches_over_180_degrees_in_the_west_is_cut_there(tmp_path: Path) -> None:
    found = load(tmp_path, "LINESTRING(-170 10,-190 30)")
    expected = shapely.from_wkt("MULTILINESTRING((-170 10,-180 20),(180 20,170 30))")
    assert shapely.equals(found.good[0]["geom"], expected)
    assert "longitude" in found.rules()


def test_a_map_of_the_world_may_overshoot_its_rim(tmp_path: Path) -> None:
    """An ice sheet whose rim lies metres beyond 180 degrees on both sides covers what it covered."""
    rim = "-180.00001 -89,-180.00001 -75,-180 -74,-180 -70,180.0000005 -70,180.0000005 -89,-180.00001 -89"
    found = load(tmp_path, f"POLYGON(({rim}))").good[0]["geom"]
    assert found.geom_type == "Polygon"
    assert found.bounds == (-180, -89, 180, -70)
    assert area(found) == pytest.approx(area(shapely.box(-180, -89, 180, -70)), rel=1e-6)


@pytest.mark.parametrize(
    "wkt", ["LINESTRING(-200 10,-190 30)", "LINESTRING(-400 10,-170 30)", "LINESTRING(-190 1,190 1)"]
)
def test_what_lies_wholly_or_far_beyond_is_refused_with_its_figures(tmp_path: Path, wkt: str) -> None:
    found = load(tmp_path, wkt)
    assert found.good == []
    (row,) = found.bad
    assert row["_reason"].startswith(f"The geometry lies outside the world: longitude {wkt[11:15]} to")
