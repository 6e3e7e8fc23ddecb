"""Zone arithmetic and code formulas, judged by the EPSG registry and PROJ's own projections."""

from __future__ import annotations

import math

import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.gauss import (
    FALSE_EASTING,
    FARTHEST,
    NAMES,
    Grid,
    Width,
    Zone,
    all_grids,
    grid_of,
    zone_at,
    zone_in,
    zone_of,
)

GRIDS = all_grids()
LONGITUDES = st.floats(73.5, 135.0)


def test_every_code_is_what_the_registry_says() -> None:
    assert len(GRIDS) == 4 * (11 + 21) * 2
    for grid in GRIDS:
        crs = pyproj.CRS.from_epsg(grid.code or 0)
        assert crs.coordinate_operation is not None
        assert crs.geodetic_crs is not None
        values = {p.name: p.value for p in crs.coordinate_operation.params}
        assert NAMES[crs.geodetic_crs.datum.name if crs.geodetic_crs.datum else ""] == grid.datum
        assert values["Longitude of natural origin"] == grid.zone.meridian
        assert values["False easting"] == FALSE_EASTING + (grid.zone.prefix if grid.prefixed else 0)
        assert f"{grid.zone.width}-degree" in crs.name or grid.zone.width == 6
        assert ("zone" in crs.name or crs.name.endswith(tuple("0123456789"))) == grid.prefixed
        assert not crs.is_deprecated


def test_recognition_by_parameters_finds_the_grid_again() -> None:
    for grid in GRIDS:
        found = grid_of(pyproj.CRS.from_epsg(grid.code or 0))
        assert found is not None
        assert (found.datum, found.prefixed, found.zone.meridian) == (grid.datum, grid.prefixed, grid.zone.meridian)
        assert found.zone == grid.zone or not grid.prefixed


ESRI = (
    'PROJCS["{name}",GEOGCS["GCS",DATUM["{datum}",SPHEROID["S",{ellipsoid}]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["{method}"],PARAMETER["False_Easting",{east}],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",{meridian}],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


@pytest.mark.parametrize(
    ("name", "datum", "ellipsoid", "east", "meridian", "code"),
    [
        ("CGCS2000_3_Degree_GK_Zone_39", "D_China_2000", "6378137.0,298.257222101", 39500000.0, 117.0, 4527),
        ("CGCS2000_3_Degree_GK_CM_117E", "D_China_2000", "6378137.0,298.257222101", 500000.0, 117.0, 4548),
        ("Xian_1980_3_Degree_GK_CM_117E", "D_Xian_1980", "6378140.0,298.257", 500000.0, 117.0, 2384),
        ("Beijing_1954_GK_Zone_20", "D_Beijing_1954", "6378245.0,298.3", 20500000.0, 117.0, 21420),
        ("何", "D_New_Beijing", "6378245.0,298.3", 20500000.0, 117.0, 4575),
    ],
)
@pytest.mark.parametrize("method", ["Gauss_Kruger", "Transverse_Mercator"])
def test_prj_files_without_a_code_are_recognised(
    name: str, datum: str, ellipsoid: str, east: float, meridian: float, code: int, method: str
) -> None:
    text = ESRI.format(name=name, datum=datum, ellipsoid=ellipsoid, east=east, meridian=meridian, method=method)
    found = grid_of(pyproj.CRS.from_wkt(text))
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("code", [3857, 4490, 32650, 2263, 3395, 2326])
def test_other_systems_are_no_grid_of_china(code: int) -> None:
    assert grid_of(pyproj.CRS.from_epsg(code)) is None


def test_feet_and_odd_false_eastings_are_no_grid() -> None:
    base = "+proj=tmerc +lon_0=117 +k=1 +ellps=GRS80 +type=crs"
    assert grid_of(pyproj.CRS(f"{base} +x_0=500000 +units=us-ft")) is None
    assert grid_of(pyproj.CRS(f"{base} +x_0=39400000")) is None
    assert grid_of(pyproj.CRS(f"{base} +x_0=40500000")) is None
    assert grid_of(pyproj.CRS(f"{base} +x_0=39500000")) == Grid(None, Zone(39), prefixed=True)


@given(LONGITUDES, st.sampled_from([3, 6]))
def test_a_longitude_lies_within_half_a_zone_of_its_meridian(longitude: float, width: Width) -> None:
    zone = zone_of(longitude, width)
    assert zone.width == width
    assert -width / 2 <= longitude - zone.meridian < width / 2


@given(LONGITUDES, st.floats(4.0, 53.5), st.sampled_from([3, 6]))
def test_the_prefix_of_a_projected_place_names_its_zone(longitude: float, latitude: float, width: Width) -> None:
    zone = zone_of(longitude, width)
    forward = pyproj.Transformer.from_crs(4490, zone.code("cgcs2000", prefixed=True), always_xy=True)
    easting, _ = forward.transform(longitude, latitude)
    assert zone_in(easting) == zone


def test_zones_by_meridian_and_edges() -> None:
    assert [zone_at(m, 3) for m in (75, 117, 135, 78.0000001, 138, 72)] == [Zone(25), Zone(39), Zone(45), *[None] * 3]
    assert [zone_at(m, 6) for m in (75, 117, 135, 78)] == [Zone(13), Zone(20), Zone(23), None]
    assert (zone_of(115.5, 3), zone_of(115.4999, 3), zone_of(120, 6)) == (Zone(39), Zone(38), Zone(21))
    for number in (12, 24, 46, 0, -1):
        with pytest.raises(ValueError, match=f"there is no zone {number} in China"):
            Zone(number)


@pytest.mark.parametrize("easting", [447950.5, 12500000.0, 24500000.0, 46500000.0, math.nan, math.inf, -39447950.0])
def test_eastings_without_a_zone(easting: float) -> None:
    assert zone_in(easting) is None


def test_a_prefix_far_from_its_meridian_is_none() -> None:
    assert zone_in(39_500_000 + FARTHEST) == Zone(39)
    assert zone_in(39_500_000 + FARTHEST + 1) is None
    assert zone_in(39_050_000) is None


@pytest.mark.parametrize(("longitude", "width"), [(40.0, 3), (70.0, 3), (66.0, 3), (137.5, 3), (10.0, 6), (150.0, 6)])
def test_no_zone_beyond_china(longitude: float, width: Width) -> None:
    with pytest.raises(ValueError, match="China has no"):
        zone_of(longitude, width)
