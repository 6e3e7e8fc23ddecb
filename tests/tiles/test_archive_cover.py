"""Which tiles are drawn for an archive: all that a thing reaches into, as shapely sees it, and few more."""

from __future__ import annotations

import math

import morecantile
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from tiles.archive.cover import MARGIN, tiles_below, window, world_boxes
from tiles.archive.parts import Area, Part, addresses, parts_of
from tiles.archive.subject import Address, Box, Shapes

GRID = morecantile.tms.get("WebMercatorQuad")
MERCATOR = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
HIGH = 9
places = st.tuples(st.floats(100, 130), st.floats(-40, 60))


@st.composite
def lines(draw: st.DrawFn) -> shapely.Geometry:
    start = draw(places)
    steps = draw(st.lists(st.tuples(st.floats(-6, 6), st.floats(-6, 6)), min_size=1, max_size=4))
    points = np.cumsum([start, *steps], axis=0)
    points[:, 1] = np.clip(points[:, 1], -80, 80)
    return shapely.LineString(points)


class Shelf:
    """Things in memory, as a drawer tells of them."""

    def __init__(self, things: list[shapely.Geometry]) -> None:
        self.things = np.array(things, dtype=object)
        self.drawn: list[Address] = []

    def inside(self, window: Box) -> np.ndarray:
        return self.things[shapely.intersects(shapely.box(*shapely.bounds(self.things).T), shapely.box(*window))]

    def count(self, window: Box, most: int) -> int:
        return min(most, len(self.inside(window)))

    def shapes(self, window: Box, wide: float) -> Shapes:
        found = self.inside(window)
        boxes = shapely.bounds(found).reshape(-1, 4)
        large = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > wide
        return Shapes(boxes, np.where(large, found, None))

    def draw(self, address: Address) -> bytes:
        raise AssertionError("nothing is drawn here")

    def close(self) -> None:
        pass


def grown(tile: morecantile.Tile, share: float) -> shapely.Geometry:
    box = GRID.xy_bounds(tile)
    more = (box.right - box.left) * share
    return shapely.box(box.left - more, box.bottom - more, box.right + more, box.top + more)


@settings(max_examples=20)
@given(things=st.lists(lines(), min_size=1, max_size=4))
def test_every_tile_that_a_thing_reaches_into_is_found_and_none_far_from_all(things: list[shapely.Geometry]) -> None:
    shelf = Shelf(things)
    parts = parts_of(shelf, (0, HIGH), Area())
    found = {a for part in parts for a in addresses(shelf, part, (0, HIGH), Area())}
    flat = shapely.transform(np.array(things, dtype=object), lambda c: np.column_stack(MERCATOR.transform(*c.T)))
    for z in (0, 3, 6, HIGH):
        for tile in GRID.tiles(*shapely.total_bounds(things), zooms=[z]):
            reached = shapely.intersects(flat, grown(tile, 64 / 4096)).any()
            assert not reached or (tile.z, tile.x, tile.y) in found
    # Boxes of small things may touch a tile that their line does not; four tiles of the highest zoom are no more.
    for z, x, y in found:
        if z == HIGH:
            assert shapely.distance(flat, grown(morecantile.Tile(x, y, z), 4)).min() == 0
    assert len(found) == sum(len(list(addresses(shelf, part, (0, HIGH), Area()))) for part in parts)


def test_a_surface_is_filled() -> None:
    """A province has hundreds of tiles inside, which its outline does not touch."""
    shelf = Shelf([shapely.box(100.0, 30.0, 108.0, 36.0)])
    found = {a for part in parts_of(shelf, (8, 8), Area()) for a in addresses(shelf, part, (8, 8), Area())}
    assert found == {(8, t.x, t.y) for t in GRID.tiles(100.0, 30.0, 108.0, 36.0, zooms=[8])}


def test_zoom_levels_and_area_are_kept() -> None:
    shelf = Shelf([shapely.Point(105 + i / 10, 35) for i in range(100)])
    area = Area.of(shapely.box(106, 34, 107, 36))
    found = [a for part in parts_of(shelf, (5, 8), area) for a in addresses(shelf, part, (5, 8), area)]
    assert {z for z, _, _ in found} == {5, 6, 7, 8}
    allowed = {(t.z, t.x, t.y) for t in GRID.tiles(106, 34, 107, 36, zooms=[5, 6, 7, 8])}
    assert set(found) <= allowed
    assert len(found) == len(set(found))


def test_many_things_in_one_place_are_cut_into_parts() -> None:
    shelf = Shelf([shapely.Point(105 + i % 100 / 1000, 35 + i // 100 / 1000) for i in range(20_000)])
    parts = parts_of(shelf, (0, 14), Area())
    assert len([part for part in parts if part.root is not None]) >= 4
    assert len({part.name for part in parts}) == len(parts)


@pytest.mark.parametrize("south", [84.0, -90.0])
def test_the_poles_are_the_last_row(south: float) -> None:
    shelf = Shelf([shapely.box(10, south, 11, south + 6)])
    found = list(addresses(shelf, Part("all", (0, 0, 0)), (0, 3), Area()))
    assert {y for z, _, y in found if z == 3} == {0 if south > 0 else 7}


def test_windows_and_boxes_agree_with_morecantile() -> None:
    west, south, east, north = window((7, 100, 50))
    bounds = GRID.bounds(morecantile.Tile(100, 50, 7))
    assert bounds.left - west == pytest.approx(MARGIN * 360 / 128)
    assert south < bounds.bottom < bounds.top < north
    assert east > bounds.right
    x, y, _, _ = world_boxes(np.array([[105.0, 38.0, 105.0, 38.0]]))[0]
    tile = GRID.tile(105.0, 38.0, 12)
    assert (math.floor(x * 4096), math.floor(y * 4096)) == (tile.x, tile.y)


def test_tiles_of_a_root_stay_below_it() -> None:
    shapes = Shapes(np.array([[-180.0, -85.0, 180.0, 85.0]]), np.array([None], dtype=object))
    found = tiles_below((3, 6, 3), shapes, 6)
    assert [len(found[z]) for z in (3, 4, 5, 6)] == [1, 4, 16, 64]
    for z, tiles in found.items():
        assert {(x >> (z - 3), y >> (z - 3)) for x, y in tiles.tolist()} == {(6, 3)}
