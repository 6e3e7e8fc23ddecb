"""Planes of maps, against pyproj: which ground an image shows, in every offered CRS."""

from __future__ import annotations

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import CrsRefused
from tiles.plane import CELL, LEVEL, Plane, grown, map_crs, map_systems, mercator_of, window

GEOD = pyproj.Geod(ellps="WGS84")
ZONE = "EPSG:4526"  # 3-degree zone 38, central meridian 114 degrees, eastings with the zone's number


def plane(crs: str, box: tuple[float, float, float, float], width: int = 600, height: int = 400) -> Plane:
    return Plane(map_crs(crs), box, width, height)


@pytest.mark.parametrize("name", [name for name in map_systems() if name.startswith("EPSG")])
def test_the_axis_order_is_that_of_the_registry(name: str) -> None:
    assert map_crs(name).swapped == (pyproj.CRS.from_user_input(name).axis_info[0].direction == "north")


@pytest.mark.parametrize("name", list(map_systems()))
def test_the_reach_of_a_system_is_where_it_can_show(name: str) -> None:
    crs = map_crs(name)
    found = window(crs, (-1e12, -1e12, 1e12, 1e12))
    assert found is not None
    assert found == pytest.approx(crs.world, abs=6.0)
    assert window(crs, (1e9, 1e9, 2e9, 2e9)) is None


@pytest.mark.parametrize(
    "name", ["", "EPSG:4214", "EPSG:2327", "EPSG:32650", "urn:ogc:def:crs:EPSG::4490", "AUTO2:42001"]
)
def test_other_systems_are_refused(name: str) -> None:
    with pytest.raises(CrsRefused):
        map_crs(name)


@given(lon=st.floats(110, 118), lat=st.floats(20, 50))
def test_a_place_lies_where_pyproj_puts_it(lon: float, lat: float) -> None:
    x, y = pyproj.Transformer.from_crs(4490, 4526, always_xy=True).transform(lon, lat)
    one = plane(ZONE, (38_000_000, 2_000_000, 39_000_000, 6_000_000), 1000, 4000)
    assert one.point(lon, lat) == pytest.approx(((x - 38_000_000) / 1000, (6_000_000 - y) / 1000), abs=1e-3)
    assert one.degrees(*one.point(lon, lat)) == pytest.approx((lon, lat), abs=1e-7)


def test_the_scale_is_that_on_the_ground() -> None:
    """A point at the centre is as long on the ellipsoid as the plane says, whatever the CRS."""
    boxes = {
        "EPSG:3857": (12_600_000, 4_400_000, 12_700_000, 4_470_000),
        "CRS:84": (113.0, 36.0, 114.0, 36.54),
        ZONE: (38_400_000, 4_000_000, 38_600_000, 4_133_000),
    }
    for name, box in boxes.items():
        one = plane(name, box)
        lon, lat = one.degrees(300, 200)
        east, north = one.degrees(301, 200), one.degrees(300, 199)
        across, down = GEOD.inv(lon, lat, *east)[2], GEOD.inv(lon, lat, *north)[2]
        assert one.ground == pytest.approx(math.sqrt(across * down), rel=0.004), name


def test_zoom_is_that_of_web_mercator_with_the_same_scale() -> None:
    side = 40075016.685578488 / 2**9
    assert plane("EPSG:3857", (0, 0, side, side), 512, 512).zoom == pytest.approx(9)
    # The same ground at the same size, in degrees and in a zone.
    merc = plane("EPSG:3857", (12_690_000, 4_400_000, 12_692_000, 4_402_000), 512, 512)
    lon, lat = merc.centre
    half = merc.ground * 256
    x, y = pyproj.Transformer.from_crs(4490, 4526, always_xy=True).transform(lon, lat)
    assert plane(ZONE, (x - half, y - half, x + half, y + half), 512, 512).zoom == pytest.approx(merc.zoom, abs=0.01)


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_cells_cover_the_image_without_gaps(width: int, height: int) -> None:
    one = plane("CRS:84", (0.0, 0.0, width / 100, height / 100), width, height)
    cells = list(one.cells())
    assert len(cells) == math.ceil(width / 512) * math.ceil(height / 512)
    first, last = cells[0].box, cells[-1].box
    assert (first[0], first[3]) == pytest.approx((0.0, height / 100))
    assert last[2] >= width / 100 - 1e-9
    assert last[1] <= 1e-9
    assert all(c.box[2] - c.box[0] == pytest.approx(5.12) for c in cells)


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_the_camera_puts_the_corner_of_the_image_on_a_corner_of_cells(width: int, height: int) -> None:
    one = plane("CRS:84", (0.0, 0.0, 1.0, 1.0), width, height)
    lon, lat = one.camera
    world = CELL * 2**LEVEL
    x = (lon + 180) / 360 * world - width / 2
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * world - height / 2
    assert (x, y) == pytest.approx((world / 2, world / 2), abs=1e-4)


def test_a_window_holds_all_places_of_its_box() -> None:
    crs, box = map_crs(ZONE), (38_200_000, 3_000_000, 38_900_000, 5_000_000)
    west, south, east, north = window(crs, box) or (0, 0, 0, 0)
    x, y = np.meshgrid(np.linspace(box[0], box[2], 60), np.linspace(box[1], box[3], 60))
    lon, lat = pyproj.Transformer.from_crs(4526, 4490, always_xy=True).transform(x, y)
    assert west <= lon.min() < lon.max() <= east
    assert south <= lat.min() < lat.max() <= north


def test_a_grown_box_is_wider_by_its_margin() -> None:
    assert grown((0, 0, 64, 32), 1 / 64) == (-1, -0.5, 65, 32.5)


def test_boxes_in_mercator_end_where_mercator_ends() -> None:
    half = 20037508.342789244
    assert mercator_of((-180, -90, 180, 90)) == pytest.approx((-half, -half, half, half), abs=1e-3)
