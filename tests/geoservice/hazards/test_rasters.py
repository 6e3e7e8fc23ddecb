"""Zones of rasters: bands of depths and codes, floods over a valley whose heights are known, a dam that breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import pytest
import rasterio.warp
import shapely

from geoservice.hazards.method import Feature, Found, Raster
from layers.asset import Asset
from layers.errors import BadParameter
from tests.geoservice.hazards.made import assert_disjoint, metres2, shapes, whole, zone_of
from tests.support.rasters import CLASSED, grid, raster_layer, write_tif

GAUSS = "EPSG:4544"
"""CGCS2000 / 3-degree Gauss-Krueger CM 105E: metres."""
CELL, ROWS, COLUMNS = 20.0, 160, 120
WEST, NORTH = 500_000.0, 4_300_000.0
SLOPE, FALL = 0.1, 0.005
"""Metres per metre: of the sides towards the river in the middle, and of the river towards the south."""


def raster(folder: Path, cells: npt.NDArray[Any], name: str = "relief", **changes: Any) -> Found:
    layer = raster_layer(name, **changes)
    file = write_tif(
        folder / f"{name}.tif", cells, grid(WEST, NORTH, CELL), GAUSS, nodata=255 if cells.dtype == np.uint8 else -9999
    )
    box = (WEST, NORTH - CELL * cells.shape[0], WEST + CELL * cells.shape[1], NORTH)
    west, south, east, north = rasterio.warp.transform_bounds(GAUSS, "EPSG:4326", *box)
    found = Raster(layer, (Asset(file, (west, south, east, north), GAUSS),))
    return Found(rasters={"dem": found, "raster": found})


def degrees(x: float, y: float) -> tuple[float, float]:
    way = pyproj.Transformer.from_crs(GAUSS, "EPSG:4326", always_xy=True)
    lon, lat = way.transform(x, y)
    return float(lon), float(lat)


def box_of(west: float, south: float, east: float, north: float) -> list[float]:
    """The box of a part of the grid, in metres from its south-western corner, in degrees."""
    bottom = NORTH - CELL * ROWS
    return [*degrees(WEST + west, bottom + south), *degrees(WEST + east, bottom + north)]


def valley() -> npt.NDArray[np.float32]:
    """A river in column 60, sides that rise evenly from it, all falling gently to the south."""
    away = np.abs(np.arange(COLUMNS) - 60) * CELL * SLOPE
    along = (ROWS - np.arange(ROWS)) * CELL * FALL
    return (100 + away[None, :] + along[:, None]).astype(np.float32)


INSIDE = box_of(400, 700, 2000, 2500)
RIVER = {
    "type": "LineString",
    "coordinates": [degrees(WEST + 60.5 * CELL, NORTH - 1), degrees(WEST + 60.5 * CELL, NORTH - CELL * ROWS + 1)],
}


def test_depths_of_a_raster(tmp_path: Path) -> None:
    depth = np.zeros((20, 20), dtype=np.float32)
    depth[5:10, 5:15], depth[5:7, 5:10], depth[12, :] = 0.75, 2.5, -9999
    found = raster(tmp_path, depth, bands=[{"name": "depth", "unit": "m", "nodata": -9999, "range": [0, 100]}])
    corner = degrees(WEST - 100, NORTH - 500), degrees(WEST + 500, NORTH + 100)
    zone = zone_of("flood-depth", found, collection="relief", bbox=[*corner[0], *corner[1]])
    areas = {code: metres2(one) for code, one in shapes(zone.classes).items()}
    assert areas == pytest.approx({"2-3": 10 * 400.0, "0.5-1": 40 * 400.0}, rel=2e-3)
    assert_disjoint(zone.classes)
    assert [one.code for one in zone.bound("low")] == ["2-3", "0.05-0.5"]
    assert [one.code for one in zone.bound("high")] == ["2-3", "1-2", "0.05-0.5"]


def test_codes_of_a_raster(tmp_path: Path) -> None:
    cells = np.full((20, 20), 1, dtype=np.uint8)
    cells[:10], cells[15:] = 3, 2
    found = raster(tmp_path, cells, "cover", **CLASSED)
    classes = [{"values": [v], "code": c, "label": {"zh": c, "en": c}} for v, c in ((3, "high"), ("2", "middle"))]
    bbox = [*degrees(WEST, NORTH - 400), *degrees(WEST + 400, NORTH)]
    zone = zone_of("model-raster", found, collection="cover", bbox=bbox, classes=classes, kind="landslide")
    areas = {code: metres2(one) for code, one in shapes(zone.classes).items()}
    assert areas == pytest.approx({"high": 200 * 400.0, "middle": 100 * 400.0}, rel=2e-3)
    with pytest.raises(BadParameter, match="no band 2"):
        zone_of("model-raster", found, collection="cover", bbox=bbox, classes=classes, band=2)
    nothing = zone_of("model-raster", found, collection="cover", bbox=bbox, breaks=[9])
    assert (nothing.classes, nothing.looked) == ((), tuple(bbox))


def test_a_river_rises_in_a_valley(tmp_path: Path) -> None:
    """Water of a level stands as far from the river as the sides need to rise by it, on both sides."""
    found = raster(tmp_path, valley())
    drawn = Found(rasters=found.rasters, places={"river": shapely.geometry.shape(RIVER)})
    told: dict[str, Any] = {"bbox": INSIDE, "level": 21.0, "level_error": 8.0, "breaks": [0, 10]}
    zone = zone_of("river-flood", drawn, **told, river=RIVER)
    assert zone.screening
    # Cells of a side lie 2 m above one another: 10 of them rise less than 21 m, 5 of them less than 11 m.
    length = 1800.0
    areas = {code: metres2(one) for code, one in shapes(zone.classes).items()}
    assert areas["10+"] == pytest.approx((2 * 5 + 1) * CELL * length, rel=0.01)
    assert areas["0-10"] == pytest.approx(10 * CELL * length, rel=0.01)
    for bound, cells in (("low", 2 * 6 + 1), ("high", 2 * 14 + 1)):
        assert metres2(whole(zone.bound(bound))) == pytest.approx(cells * CELL * length, rel=0.01)  # type: ignore[arg-type]
    again = zone_of("river-flood", drawn, **told, river=RIVER)
    assert again.canonical() == zone.canonical()
    unnamed = zone_of("river-flood", found, **told, upstream_km2=0.1)
    assert metres2(whole(unnamed.classes)) == pytest.approx(metres2(whole(zone.classes)), rel=0.02)


def test_behind_a_divide_nothing_is_flooded(tmp_path: Path) -> None:
    """Ground lower than the water stays dry where a ridge turns it away from the river."""
    heights = valley()
    heights[:, 75:] = 100 + (ROWS - np.arange(ROWS))[:, None] * CELL * FALL
    heights[:, 74] += 40
    found = raster(tmp_path, heights)
    drawn = Found(rasters=found.rasters, places={"river": shapely.geometry.shape(RIVER)})
    zone = zone_of("river-flood", drawn, bbox=INSIDE, level=21.0, river=RIVER)
    east = degrees(WEST + 74 * CELL, NORTH - 1500)[0]
    assert whole(zone.classes).bounds[2] < east


def test_a_dam_breaks(tmp_path: Path) -> None:
    """Four ninths of the depth at the dam, less and less downstream: the flood narrows, and nothing lies upstream."""
    found = raster(tmp_path, valley())
    dam = Feature("d1", shapely.Point(*degrees(WEST + 60.5 * CELL, NORTH - 40.5 * CELL)), {"height": 45.0})
    zone = zone_of("dam-break", Found(rasters=found.rasters, features={"dam": (dam,)}), id="d1", reach=2000)
    assert (zone.kind, zone.screening) == ("dam-break", True)
    area = whole(zone.classes)
    east, edge = WEST + 60.5 * CELL, NORTH - 43.5 * CELL

    def wet(metres: float, side: float) -> bool:
        return bool(shapely.contains_xy(area, *degrees(east + side, edge - metres)))

    # 20 m of water at the dam stand 200 m to each side, half of it a kilometre further on.
    assert wet(40, 160)
    assert not wet(40, 230)
    assert wet(1000, 80)
    assert not wet(1000, 140)
    assert not wet(2050, 0)
    assert not wet(-200, 0)
    low, high = (metres2(whole(zone.bound(bound))) for bound in ("low", "high"))
    assert low < metres2(area) < high


def test_a_hollow_beside_the_dam_does_not_let_the_flood_run_upstream(tmp_path: Path) -> None:
    """The lowest cell near the dam lies beside the river: the river passes it by, and what it drains stays upstream."""
    heights = valley()
    river = heights[:, 60]
    heights[43, 62] = (river[43] + river[44]) / 2
    found = raster(tmp_path, heights)
    dam = Feature("d1", shapely.Point(*degrees(WEST + 60.5 * CELL, NORTH - 40.5 * CELL)), {"height": 45.0})
    area = whole(zone_of("dam-break", Found(rasters=found.rasters, features={"dam": (dam,)}), id="d1").classes)
    middle = WEST + 60.5 * CELL
    assert shapely.contains_xy(area, *degrees(middle, NORTH - 50.5 * CELL))
    assert not shapely.contains_xy(area, *degrees(middle, NORTH - 30.5 * CELL))


def test_without_heights_or_rivers(tmp_path: Path) -> None:
    found = raster(tmp_path, valley())
    far = Found(rasters=found.rasters, places={"river": shapely.LineString([(0, 0), (1, 1)])})
    with pytest.raises(BadParameter, match="No river touches"):
        zone_of("river-flood", far, bbox=INSIDE, level=5, river={"type": "LineString"})
    here = Found(rasters=found.rasters)
    with pytest.raises(BadParameter, match="no height at the dam"):
        zone_of("dam-break", here, position=degrees(WEST - 500, NORTH - 500), depth=10, reach=1000)
