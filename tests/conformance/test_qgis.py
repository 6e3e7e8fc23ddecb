"""QGIS as a client: what it draws of this service lies where it is. Needs `scripts/install --qgis`, or is skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyproj
import pytest

from tests.conformance.pictures import pixels
from tests.support.site import SIDE, SOUTH, WEST

SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("qgis_program.py")
WIDTH = 600


def has_qgis() -> bool:
    probe = subprocess.run([SYSTEM_PYTHON, "-c", "import qgis.core"], check=False, capture_output=True)
    return probe.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not has_qgis(), reason="QGIS is not installed"),
]


def extent(crs: str) -> tuple[float, ...]:
    """The site and a tenth of its width around it, in a CRS, with x to the east."""
    move = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    margin = SIDE / 10
    box = (WEST - margin, SOUTH - margin, WEST + SIDE + margin, SOUTH + SIDE + margin)
    return move.transform_bounds(*box)


def height(crs: str) -> int:
    """Height of an image whose pixels are square."""
    west, south, east, north = extent(crs)
    return round(WIDTH * (north - south) / (east - west))


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of QGIS without a screen; whatever it leaves behind goes into the folder."""
    own = dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR"), str(folder))
    return {**os.environ, "QT_QPA_PLATFORM": "offscreen", **own}


def draw(layers: list[tuple[str, str]], crs: str, folder: Path) -> npt.NDArray[Any]:
    """Let QGIS draw layers; the first lies on top. Red, green, blue by row and column."""
    image = folder / "drawn.png"
    asked = {"layers": layers, "crs": crs, "extent": extent(crs), "size": (WIDTH, height(crs)), "image": str(image)}
    done = subprocess.run(
        [SYSTEM_PYTHON, str(PROGRAM)], input=json.dumps(asked), env=surroundings(folder),
        check=True, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert all(layer["valid"] for layer in said["layers"]), said
    assert not said["errors"]
    return pixels(image.read_bytes())[:3]


def at(image: npt.NDArray[Any], crs: str, lon: float, lat: float) -> npt.NDArray[Any]:
    """The pixel of a place."""
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    west, south, east, north = extent(crs)
    col = int((x - west) / (east - west) * WIDTH)
    row = int((north - y) / (north - south) * height(crs))
    return image[:, row, col]


def shows_fields(image: npt.NDArray[Any], crs: str) -> None:
    """Both fields are drawn where they lie, and nothing in the north-east or around them."""
    for lon, lat in ((0.05, 0.05), (0.15, 0.05), (0.05, 0.15), (0.195, 0.005), (0.005, 0.195)):
        assert (at(image, crs, WEST + lon, SOUTH + lat) != 255).any(), (lon, lat)
    for lon, lat in ((0.15, 0.15), (0.105, 0.195), (-0.005, 0.1), (0.1, -0.005), (0.205, 0.05)):
        assert (at(image, crs, WEST + lon, SOUTH + lat) == 255).all(), (lon, lat)


def test_vector_tiles(address: str, tmp_path: Path) -> None:
    template = f"{address}/collections/field/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt"
    image = draw([("tiles", f"type=xyz&url={template}&zmin=0&zmax=14")], "EPSG:3857", tmp_path)
    shows_fields(image, "EPSG:3857")


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857", "EPSG:4507"])
def test_maps_of_the_map_service(address: str, tmp_path: Path, crs: str) -> None:
    """QGIS swaps the axes of a CRS as its definition says; the fields lie right only when the service does too."""
    source = f"contextualWMSLegend=0&crs={crs}&dpiMode=7&format=image/png&layers=field&styles=default&url={address}/wms"
    shows_fields(draw([("wms", source)], crs, tmp_path), crs)
