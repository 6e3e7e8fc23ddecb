"""GDAL as a client of the Web Map Service: it finds the layers and puts maps where they belong."""

from __future__ import annotations

import httpx
import numpy as np
import pyproj
import pytest
import rasterio
import rasterio.features
import rasterio.transform
import shapely

from tests.conformance.pictures import pixels
from tests.support.site import SIDE, SOUTH, WEST, fields

COLUMNS, ROWS = 300, 250
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
SYSTEMS = {"EPSG:4490": "yxYX", "CRS:84": "xyXY", "EPSG:3857": "xyXY", "EPSG:4523": "yxYX"}


def description(address: str, crs: str, box: tuple[float, float, float, float], layers: str) -> str:
    left, bottom, right, top = box
    return (
        f"<GDAL_WMS><Service name='WMS'><Version>1.3.0</Version><ServerUrl>{address}/wms?</ServerUrl>"
        f"<Layers>{layers}</Layers><Styles></Styles><CRS>{crs}</CRS><ImageFormat>image/png</ImageFormat>"
        f"<Transparent>TRUE</Transparent><BBoxOrder>{SYSTEMS[crs]}</BBoxOrder></Service><DataWindow>"
        f"<UpperLeftX>{left}</UpperLeftX><UpperLeftY>{top}</UpperLeftY><LowerRightX>{right}</LowerRightX>"
        f"<LowerRightY>{bottom}</LowerRightY><SizeX>{COLUMNS}</SizeX><SizeY>{ROWS}</SizeY></DataWindow>"
        f"<BandsCount>4</BandsCount><BlockSizeX>128</BlockSizeX><BlockSizeY>128</BlockSizeY></GDAL_WMS>"
    )


def placed(crs: str) -> tuple[tuple[float, float, float, float], list[shapely.Geometry]]:
    """A box around the site and its fields, in the coordinates of a CRS (x to the east), by pyproj."""
    target = {"CRS:84": "OGC:CRS84"}.get(crs, crs)
    way = pyproj.Transformer.from_crs("EPSG:4490", target, always_xy=True)
    shapes = [
        shapely.transform(shapely.segmentize(row["geometry"], 0.005), way.transform, interleaved=False)
        for row in fields()
    ]
    west, south, east, north = shapely.total_bounds(shapes)
    wide, high = (east - west) / 10, (north - south) / 10
    return (west - wide, south - high, east + wide, north + high), shapes


@pytest.mark.parametrize("crs", SYSTEMS)
def test_the_wms_driver_puts_areas_where_they_are(address: str, crs: str) -> None:
    box, shapes = placed(crs)
    with rasterio.open(description(address, crs, box, "field")) as client:
        drawn = client.read(4) > 127
    transform = rasterio.transform.from_bounds(*box, COLUMNS, ROWS)
    expected = rasterio.features.rasterize(shapes, (ROWS, COLUMNS), transform=transform).astype(bool)
    assert expected.any()
    # What may differ are the pixels that an edge crosses or borders on.
    pixel = max((box[2] - box[0]) / COLUMNS, (box[3] - box[1]) / ROWS)
    touched = [shapely.buffer(shapely.boundary(shape), pixel / 100) for shape in shapes]
    rim = rasterio.features.rasterize(touched, (ROWS, COLUMNS), transform=transform, all_touched=True).astype(bool)
    assert not ((drawn != expected) & ~rim).any()


def test_the_wms_driver_lists_the_layers(address: str) -> None:
    with rasterio.open(f"WMS:{address}/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetCapabilities") as client:
        names = " ".join(client.subdatasets)
    for name in ("field", "spot", "way", "relief"):
        assert f"LAYERS={name}&" in names
    assert "hidden" not in names


@pytest.mark.parametrize("crs", ["CRS:84", "EPSG:3857", "EPSG:4523"])
def test_rasters_are_drawn_on_the_pixels_of_the_map(address: str, crs: str) -> None:
    """Each pixel whose centre lies on the raster, by pyproj, has the grey of its cells; all others are transparent."""
    box, _ = placed(crs)
    written = (box[1], box[0], box[3], box[2]) if SYSTEMS[crs] == "yxYX" else box
    query = {
        "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", "LAYERS": "relief", "STYLES": "", "CRS": crs,
        "BBOX": ",".join(map(str, written)), "WIDTH": COLUMNS, "HEIGHT": ROWS, "FORMAT": "image/png",
        "TRANSPARENT": "TRUE",
    }  # fmt: skip
    image = pixels(httpx.get(f"{address}/wms", params=query).content)
    x = box[0] + (np.arange(COLUMNS) + 0.5) * (box[2] - box[0]) / COLUMNS
    y = box[3] - (np.arange(ROWS) + 0.5) * (box[3] - box[1]) / ROWS
    target = {"CRS:84": "OGC:CRS84"}.get(crs, crs)
    lon, lat = pyproj.Transformer.from_crs(target, "EPSG:4490", always_xy=True).transform(*np.meshgrid(x, y))
    inside = (lon > WEST + 0.01) & (lon < WEST + SIDE - 0.01) & (lat > SOUTH + 0.01) & (lat < SOUTH + SIDE - 0.01)
    outside = (lon < WEST - 0.01) | (lon > WEST + SIDE + 0.01) | (lat < SOUTH - 0.01) | (lat > SOUTH + SIDE + 0.01)
    assert (image[3][inside] == 255).all()
    assert (image[3][outside] == 0).all()
    assert set(image[0][inside]) == {80}
