"""Lengths, areas and directions against PROJ's geodesics and published figures."""

from __future__ import annotations

import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geoservice.queries.measured import measured

GEOD = pyproj.Geod(ellps="GRS80")
"""Axes of GRS 80 and CGCS2000 differ by a tenth of a millimetre in the polar radius."""


def test_a_degree_of_the_meridian_at_45_degrees() -> None:
    # 111,131.8 m from 44.5 to 45.5 degrees north (tables of the meridian arc).
    found = measured(shapely.LineString([(105, 44.5), (105, 45.5)]))
    assert found["length_m"] == pytest.approx(111_131.8, abs=0.1)
    assert found["edges"] == [{"length_m": found["length_m"], "azimuth": 0.0}]


def test_a_square_kilometre_in_three_units() -> None:
    corners = []
    for azimuth in (45, 135, 225, 315):
        lon, lat, _ = GEOD.fwd(105, 38, azimuth, 1000 / 2**0.5)
        corners.append((lon, lat))
    found = measured(shapely.Polygon(corners))
    assert found["area_m2"] == pytest.approx(1e6, rel=1e-5)
    assert found["area_ha"] == pytest.approx(100, rel=1e-5)
    assert found["area_mu"] == pytest.approx(1500, rel=1e-5)
    assert found["perimeter_m"] == pytest.approx(4000, rel=1e-5)


@given(st.floats(-179, 179), st.floats(-80, 80), st.floats(0, 359.9), st.floats(1, 500))
def test_short_lines_are_geodesics(lon: float, lat: float, azimuth: float, metres: float) -> None:
    other_lon, other_lat, _ = GEOD.fwd(lon, lat, azimuth, metres)
    if abs(other_lon - lon) > 180:
        return
    found = measured(shapely.LineString([(lon, lat), (other_lon, other_lat)]))
    assert found["length_m"] == pytest.approx(metres, abs=2e-3)
    assert abs((found["edges"][0]["azimuth"] - azimuth + 180) % 360 - 180) < 0.01


def test_points_measure_nothing_and_long_lines_only_as_a_whole() -> None:
    assert measured(shapely.Point(105, 38)) == {}
    zigzag = shapely.LineString([(105 + n / 1e4, 38 + n % 2 / 1e4) for n in range(1002)])
    assert set(measured(zigzag)) == {"length_m"}
    assert set(measured(shapely.MultiLineString([[(0, 0), (1, 0)], [(0, 1), (1, 1)]]))) == {"length_m"}
