"""Tile matrix sets: addresses, bounds, limits and the JSON definition, against formulas and morecantile."""

from __future__ import annotations

import math

import morecantile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import TileOutside, UnknownResource
from layers.extent import Extent
from tiles import grid

QUAD = grid.WEB_MERCATOR_QUAD
HALF = math.pi * 6378137.0


@pytest.mark.parametrize("address", [(0, 0, 0), ("0", "0", "0"), (24, 2**24 - 1, 2**24 - 1), ("3", "7", "0")])
def test_tiles_that_exist(address: tuple[int | str, int | str, int | str]) -> None:
    assert grid.check_tile(QUAD, *address) == tuple(int(part) for part in address)


@pytest.mark.parametrize(
    ("address", "limit"),
    [
        ((25, 0, 0), 24),
        ((-1, 0, 0), 24),
        ((3, 8, 0), 7),
        ((3, 0, 8), 7),
        ((3, -1, 0), 7),
        (("x", "0", "0"), 24),
        (("3", "1.0", "0"), 7),
        (("3", "", "0"), 7),
        (("3", "+1", "0"), 7),
        (("3", "٣", "0"), 7),
        (("3", "9" * 40, "0"), 7),
    ],
)
def test_tiles_outside_are_told_the_range(address: tuple[int | str, int | str, int | str], limit: int) -> None:
    with pytest.raises(TileOutside) as caught:
        grid.check_tile(QUAD, *address)
    assert f"0 to {limit}" in caught.value.detail
    assert caught.value.facts["maximum"] == limit


@pytest.mark.parametrize("name", ["", "WorldCRS84Quad", "webmercatorquad", "../etc", "x" * 500])
def test_unknown_sets(name: str) -> None:
    for ask in (grid.tile_matrix_set, grid.tile_matrix_set_json, grid.uri, grid.crs_uri):
        with pytest.raises(UnknownResource, match="offered: WebMercatorQuad"):
            ask(name)
    with pytest.raises(UnknownResource):
        grid.check_tile(name, 0, 0, 0)


@given(st.integers(0, 24).flatmap(lambda z: st.tuples(st.just(z), *[st.integers(0, 2**z - 1)] * 2)))
def test_bounds_follow_the_formula(address: tuple[int, int, int]) -> None:
    z, row, col = address
    size = 2 * HALF / 2**z
    expected = (col * size - HALF, HALF - (row + 1) * size, (col + 1) * size - HALF, HALF - row * size)
    assert grid.bounds_mercator(z, row, col) == pytest.approx(expected, abs=1e-6)
    west, south, east, north = grid.bounds_degrees(z, row, col)
    assert (west, east) == pytest.approx((col / 2**z * 360 - 180, (col + 1) / 2**z * 360 - 180), abs=1e-9)
    latitudes = [math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * r / 2**z)))) for r in (row + 1, row)]
    assert (south, north) == pytest.approx(latitudes, abs=1e-9)


def test_the_definition_is_that_of_the_standard() -> None:
    told = grid.tile_matrix_set_json(QUAD)
    assert told["id"] == QUAD
    assert told["uri"] == grid.uri(QUAD) == "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
    assert told["crs"] == grid.crs_uri(QUAD) == "http://www.opengis.net/def/crs/EPSG/0/3857"
    assert [m["id"] for m in told["tileMatrices"]] == [str(z) for z in range(25)]
    for z, matrix in enumerate(told["tileMatrices"]):
        # 17-083r4, annex D: the scale denominator at a pixel of 0.28 mm halves from level to level.
        assert matrix["scaleDenominator"] == pytest.approx(559082264.0287178 / 2**z, rel=1e-12)
        assert matrix["cellSize"] == pytest.approx(matrix["scaleDenominator"] * 0.00028, rel=1e-9)
        assert (matrix["matrixWidth"], matrix["matrixHeight"]) == (2**z, 2**z)
        assert matrix["pointOfOrigin"] == pytest.approx([-20037508.342789244, 20037508.342789244])
        assert matrix["cornerOfOrigin"] == "topLeft"


@given(
    st.floats(-179, 178),
    st.floats(-80, 79),
    st.floats(0.001, 1),
    st.floats(0.001, 1),
    st.integers(0, 14),
    st.integers(0, 3),
)
def test_limits_hold_exactly_the_tiles_of_the_extent(
    west: float, south: float, width: float, height: float, z: int, more: int
) -> None:
    extent = Extent(west, south, west + width, south + height)
    found = grid.limits(QUAD, extent, z, z + more)
    assert [entry["tileMatrix"] for entry in found] == [str(level) for level in range(z, z + more + 1)]
    tms = morecantile.tms.get(QUAD)
    tiles = list(tms.tiles(*extent.as_list(), zooms=z)) if z < 11 else []
    if tiles:
        assert found[0]["minTileCol"] == min(t.x for t in tiles)
        assert found[0]["maxTileCol"] >= max(t.x for t in tiles)
        assert found[0]["minTileRow"] == min(t.y for t in tiles)
        assert found[0]["maxTileRow"] >= max(t.y for t in tiles)


def test_limits_at_the_edges_of_the_world() -> None:
    (whole,) = grid.limits(QUAD, Extent(-180, -90, 180, 90), 4, 4)
    assert {k: v for k, v in whole.items() if k != "tileMatrix"} == {
        "minTileRow": 0,
        "maxTileRow": 15,
        "minTileCol": 0,
        "maxTileCol": 15,
    }
    (across,) = grid.limits(QUAD, Extent(170, -10, -170, 10), 4, 4)
    assert (across["minTileCol"], across["maxTileCol"]) == (0, 15)
    assert (across["minTileRow"], across["maxTileRow"]) == (7, 8)
    assert grid.limits(QUAD, Extent(0, 0, 1, 1), 24, 30) == grid.limits(QUAD, Extent(0, 0, 1, 1), 24, 24)
