"""Tile matrix sets: addresses, places, limits and documents, against morecantile, pyproj and formulas."""

from __future__ import annotations

import json
import math
from typing import Any

import morecantile
import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.crs import CRS84_URI
from layers.errors import TileOutside, UnknownResource
from layers.extent import Extent
from tiles.grid import bounds_degrees, bounds_mercator
from tiles.sets.model import MatrixSet
from tiles.sets.registry import MatrixSets, matrix_sets
from tiles.sets.standard import zone_ids

SETS = matrix_sets(("zone3", "zone6", "meridian3"))
WORLD = ("WebMercatorQuad", "WorldCRS84Quad", "CGCS2000Quad")
SOME = (*WORLD, "CGCS2000GK3Zone25", "CGCS2000GK3Zone39", "CGCS2000GK6Zone20", "CGCS2000GK3CM117E")
HALF = math.pi * 6378137.0
# 1.2 of the reference: 116.3913 E, 39.9075 N in the projections of CGCS2000, computed elsewhere.
POINT = (116.3913, 39.9075)
KNOWN = {
    "CGCS2000GK3Zone39": (39447950.515, 4419435.790),
    "CGCS2000GK3CM117E": (447950.515, 4419435.790),
    "CGCS2000GK6Zone20": (20447950.515, 4419435.790),
    "WebMercatorQuad": (12956620.249, 4852509.522),
    "CGCS2000Quad": POINT,
    "WorldCRS84Quad": POINT,
}


def oracle(name: str) -> morecantile.TileMatrixSet:
    """The set as morecantile reads our document of it; the registered ones as it ships them."""
    if name in ("WebMercatorQuad", "WorldCRS84Quad"):
        return morecantile.tms.get(name)
    return morecantile.TileMatrixSet.model_validate(json.loads(json.dumps(SETS.get(name).document)))


def addresses(name: str) -> st.SearchStrategy[tuple[int, int, int]]:
    grid = SETS.get(name)
    return st.sampled_from(sorted(grid.matrices)).flatmap(
        lambda z: st.tuples(
            st.just(z),
            st.integers(0, grid.matrices[z].height - 1),
            st.integers(0, grid.matrices[z].width - 1),
        )
    )


@pytest.mark.parametrize("name", SOME)
@given(data=st.data())
def test_tiles_lie_where_morecantile_puts_them(name: str, data: st.DataObject) -> None:
    z, row, col = data.draw(addresses(name))
    place = SETS.get(name).place(z, row, col)
    expected = oracle(name).xy_bounds(morecantile.Tile(x=col, y=row, z=z))
    span = place.matrix.span
    assert place.bounds == pytest.approx(tuple(expected), abs=span * 1e-6)


@pytest.mark.parametrize(("name", "where"), KNOWN.items())
def test_a_known_point_lies_in_its_tile(name: str, where: tuple[float, float]) -> None:
    grid = SETS.get(name)
    for z in (grid.first, 12, grid.last):
        tile = oracle(name).tile(*POINT, z)
        west, south, east, north = grid.place(z, tile.y, tile.x).bounds
        # The known coordinates are rounded to a millimetre, tiles of the last level are decimetres wide.
        slack = 0.001
        assert west - slack <= where[0] <= east + slack
        assert south - slack <= where[1] <= north + slack


@given(st.integers(0, 24).flatmap(lambda z: st.tuples(st.just(z), *[st.integers(0, 2**z - 1)] * 2)))
def test_web_mercator_follows_the_formula(address: tuple[int, int, int]) -> None:
    z, row, col = address
    size = 2 * HALF / 2**z
    expected = (col * size - HALF, HALF - (row + 1) * size, (col + 1) * size - HALF, HALF - row * size)
    assert bounds_mercator(z, row, col) == pytest.approx(expected, abs=1e-6)
    west, south, east, north = bounds_degrees(z, row, col)
    assert (west, east) == pytest.approx((col / 2**z * 360 - 180, (col + 1) / 2**z * 360 - 180), abs=1e-9)
    latitudes = [math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * r / 2**z)))) for r in (row + 1, row)]
    assert (south, north) == pytest.approx(latitudes, abs=1e-9)


@pytest.mark.parametrize("name", [n for n in SOME if n.startswith("CGCS2000GK")])
@given(data=st.data(), across=st.floats(0, 1), down=st.floats(0, 1))
def test_the_box_in_degrees_holds_the_tile(name: str, data: st.DataObject, across: float, down: float) -> None:
    z, row, col = data.draw(addresses(name))
    place = SETS.get(name).place(z, row, col)
    left, bottom, right, top = place.bounds
    # PROJ, by way of the definition and not of the code of the registry.
    meridian, easting = {"Zone25": (75, 25.5e6), "Zone39": (117, 39.5e6), "Zone20": (117, 20.5e6)}.get(
        name[-6:], (117, 5e5)
    )
    back = pyproj.Proj(proj="tmerc", lon_0=meridian, x_0=easting, a=6378137.0, rf=298.257222101)
    lon, lat = back(left + across * (right - left), bottom + down * (top - bottom), inverse=True)
    west, south, east, north = place.degrees()
    slack = (east - west) * 1e-3
    assert west - slack <= lon <= east + slack
    assert south - slack <= lat <= north + slack
    metres = place.mercator()
    x, y = math.radians(lon) * 6378137.0, math.asinh(math.tan(math.radians(lat))) * 6378137.0
    assert metres[0] - 1 - slack * 1e5 <= x <= metres[2] + 1 + slack * 1e5
    assert metres[1] - 1 - slack * 2e5 <= y <= metres[3] + 1 + slack * 2e5


@pytest.mark.parametrize("name", WORLD[1:])
def test_sets_in_degrees(name: str) -> None:
    grid = SETS.get(name)
    assert grid.place(0, 0, 1).bounds == (0.0, -90.0, 180.0, 90.0)
    assert grid.place(1, 1, 3).degrees() == (90.0, -90.0, 180.0, 0.0)
    # The buffer does not leave the world.
    assert grid.place(0, 0, 0).degrees(0.1) == pytest.approx((-180, -90, 18, 90))


def test_levels_of_one_number_have_one_scale() -> None:
    """Level n of Gauss-Krueger is that of WebMercatorQuad, level n of CGCS2000Quad is n + 1 of Tianditu's `c`."""
    # Scale denominators of Chinese electronic maps (1.6 of the reference).
    for level, scale in ((7, 4622333.68), (10, 577791.71), (15, 18055.99), (18, 2256.999), (20, 564.25)):
        for name in ("WebMercatorQuad", "CGCS2000GK3Zone39", "CGCS2000GK6Zone20"):
            # They take a pixel of 96 dpi; the standard one of 0.28 mm.
            found = SETS.get(name).matrices[level].scale * 0.00028 / (0.0254 / 96)
            assert found == pytest.approx(scale, rel=1e-5)
        assert SETS.get("CGCS2000Quad").matrices[level - 1].scale * 0.00028 / (0.0254 / 96) == pytest.approx(
            scale, rel=1e-5
        )


@pytest.mark.parametrize("name", SOME)
def test_the_zoom_of_a_level_is_at_least_as_fine(name: str) -> None:
    grid = SETS.get(name)
    for level, matrix in grid.matrices.items():
        mercator = 156543.03392804097 / 2**matrix.zoom
        metres = matrix.cell * (111319.49079327358 if grid.family == "degrees" else 1)
        assert mercator <= metres * 1.01
        assert mercator * 2 > metres
        assert matrix.zoom == level + (grid.family == "degrees")


def test_the_document_of_cgcs2000_quad() -> None:
    told = SETS.get("CGCS2000Quad").document
    assert told["crs"] == "http://www.opengis.net/def/crs/EPSG/0/4490"
    assert told["orderedAxes"] == ["Lat", "Lon"]
    like = morecantile.tms.get("WorldCRS84Quad").model_dump(mode="json", by_alias=True)
    for ours, theirs in zip(told["tileMatrices"], like["tileMatrices"], strict=True):
        assert ours["pointOfOrigin"] == [90, -180]
        for key in ("id", "scaleDenominator", "cellSize", "tileWidth", "matrixWidth", "matrixHeight"):
            assert ours[key] == theirs[key]


def test_the_documents_of_zones() -> None:
    for family, prefixed, width in (("zone3", True, 3), ("zone6", True, 6), ("meridian3", False, 3)):
        for name in zone_ids(family):
            told = SETS.get(name).document
            crs = pyproj.CRS.from_user_input(told["crs"])
            values = {p.name: p.value for p in crs.coordinate_operation.params}  # type: ignore[union-attr]
            number = str(int(values["False easting"])).removesuffix("500000")
            meridian = int(values["Longitude of natural origin"])
            assert name in (f"CGCS2000GK{width}Zone{number}", f"CGCS2000GK3CM{meridian}E")
            assert bool(number) == prefixed
            assert [axis.direction for axis in crs.axis_info] == ["north", "east"]
            assert told["orderedAxes"] == ["N", "E"]
            assert len(told["tileMatrices"]) == 18
            for matrix in told["tileMatrices"]:
                north, west = matrix["pointOfOrigin"]
                size = matrix["cellSize"] * 256
                # Tiles are counted from where the central meridian meets the equator.
                assert (values["False easting"] - west) / size == pytest.approx(matrix["matrixWidth"] / 2)
                assert north / size == pytest.approx(matrix["matrixHeight"])
                assert matrix["cellSize"] == pytest.approx(156543.03392804097 / 2 ** int(matrix["id"]))


@pytest.mark.parametrize(
    ("name", "address", "limit"),
    [
        ("WebMercatorQuad", (25, 0, 0), 24),
        ("WebMercatorQuad", (3, 8, 0), 7),
        ("WebMercatorQuad", (3, 0, -1), 7),
        ("WebMercatorQuad", ("3", "1.0", "0"), 7),
        ("WebMercatorQuad", ("3", "", "0"), 7),
        ("WebMercatorQuad", ("3", "+1", "0"), 7),
        ("WebMercatorQuad", ("3", "٣", "0"), 7),
        ("CGCS2000Quad", (24, 0, 0), 23),
        ("CGCS2000Quad", (0, 1, 0), 0),
        ("CGCS2000Quad", (0, 0, 2), 1),
        ("CGCS2000Quad", ("x", "0", "0"), 23),
        ("CGCS2000Quad", ("5", "9" * 4000, "0"), 31),
        ("CGCS2000GK3Zone39", (4, 0, 0), 22),
        ("CGCS2000GK3Zone39", (5, 5, 0), 4),
        ("CGCS2000GK3Zone39", (6, 0, 2), 1),
    ],
)
def test_tiles_outside_are_told_the_range(name: str, address: tuple[Any, Any, Any], limit: int) -> None:
    with pytest.raises(TileOutside) as caught:
        SETS.get(name).place(*address)
    assert caught.value.facts["maximum"] == limit
    assert f"to {limit}" in caught.value.detail


@pytest.mark.parametrize("name", ["", "webmercatorquad", "../etc", "x" * 500, "CGCS2000GK3Zone24", "CGCS2000GK3Zone46"])
def test_unknown_sets(name: str) -> None:
    with pytest.raises(UnknownResource, match="offered: WebMercatorQuad, WorldCRS84Quad, CGCS2000Quad"):
        SETS.get(name)


def test_only_wanted_zones_are_offered() -> None:
    assert MatrixSets().ids == WORLD
    assert len(matrix_sets(("zone3",)).ids) == 3 + 21
    assert len(SETS.ids) == 3 + 21 + 11 + 21
    with pytest.raises(UnknownResource):
        matrix_sets(("zone6",)).get("CGCS2000GK3Zone39")


def _limits(grid: MatrixSet, extent: Extent, z: int) -> dict[str, Any]:
    (found,) = grid.limits(extent, [grid.matrices[z]])
    return found


@given(
    st.sampled_from(WORLD),
    st.floats(-179, 178),
    st.floats(-80, 79),
    st.floats(0.001, 1),
    st.floats(0.001, 1),
    st.integers(0, 10),
)
def test_limits_hold_exactly_the_tiles_of_the_extent(
    name: str, west: float, south: float, width: float, height: float, z: int
) -> None:
    extent = Extent(west, south, west + width, south + height)
    found = _limits(SETS.get(name), extent, z)
    assert found["tileMatrix"] == str(z)
    tiles = list(oracle("WebMercatorQuad" if name == WORLD[0] else "WorldCRS84Quad").tiles(*extent.as_list(), zooms=z))
    assert found["minTileCol"] == min(t.x for t in tiles)
    assert found["maxTileCol"] == max(t.x for t in tiles)
    assert found["minTileRow"] == min(t.y for t in tiles)
    assert found["maxTileRow"] == max(t.y for t in tiles)


@given(
    st.floats(112, 121),
    st.floats(1, 50),
    st.floats(0.001, 1),
    st.floats(0.001, 4),
    st.integers(5, 22),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9),
)
def test_limits_of_a_zone_hold_every_point_of_the_extent(
    west: float, south: float, width: float, height: float, z: int, points: list[tuple[float, float]]
) -> None:
    grid = SETS.get("CGCS2000GK3Zone39")
    found = _limits(grid, Extent(west, south, west + width, south + height), z)
    lon, lat = np.array([(west + x * width, south + y * height) for x, y in points]).T
    x, y = pyproj.Transformer.from_crs(4490, 4527, always_xy=True).transform(lon, lat)
    matrix = oracle("CGCS2000GK3Zone39").matrix(z)
    north, left = matrix.pointOfOrigin
    columns, rows = (x - left) / matrix.cellSize // 256, (north - y) / matrix.cellSize // 256
    assert (columns >= found["minTileCol"]).all()
    assert (columns <= found["maxTileCol"]).all()
    assert (rows >= found["minTileRow"]).all()
    assert (rows <= found["maxTileRow"]).all()


def test_limits_at_the_edges_of_the_world() -> None:
    world = Extent(-180, -90, 180, 90)
    keys = ("minTileRow", "maxTileRow", "minTileCol", "maxTileCol")
    for name, last in (("WebMercatorQuad", (0, 15, 0, 15)), ("CGCS2000Quad", (0, 15, 0, 31))):
        assert tuple(_limits(SETS.get(name), world, 4)[key] for key in keys) == last
    across = _limits(SETS.get("WebMercatorQuad"), Extent(170, -10, -170, 10), 4)
    assert tuple(across[key] for key in keys) == (7, 8, 0, 15)
    # All of a zone, when the data cover the world; nothing, when they lie elsewhere.
    zone = SETS.get("CGCS2000GK3Zone39")
    assert tuple(_limits(zone, world, 6)[key] for key in keys) == (0, 9, 0, 1)
    assert zone.limits(Extent(-120, 30, -110, 40), zone.matrices.values()) == []
    assert zone.limits(Extent(116, -40, 117, -30), zone.matrices.values()) == []


def test_zones_are_offered_where_they_are_meant_for() -> None:
    beijing, urumqi = Extent(116, 39, 117, 40), Extent(87, 43, 88, 44)
    found = {name: [grid.id for grid in SETS if grid.reaches(e)] for name, e in (("b", beijing), ("u", urumqi))}
    assert found["b"] == [*WORLD, "CGCS2000GK3Zone39", "CGCS2000GK6Zone20", "CGCS2000GK3CM117E"]
    assert found["u"] == [*WORLD, "CGCS2000GK3Zone29", "CGCS2000GK6Zone15", "CGCS2000GK3CM87E"]
    # Across 180 degrees there is no zone.
    assert [grid.id for grid in SETS if grid.reaches(Extent(170, -10, -170, 10))] == list(WORLD)


def test_crs_of_the_sets() -> None:
    assert SETS.get("WorldCRS84Quad").crs_uri == CRS84_URI
    assert SETS.get("CGCS2000GK3Zone39").crs_uri == "http://www.opengis.net/def/crs/EPSG/0/4527"
    assert [SETS.get(name).family for name in SOME] == ["mercator", "degrees", "degrees", *["projected"] * 4]
