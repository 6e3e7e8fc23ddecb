"""Raster tiles: our drawing against rio-tiler's, in one process: no server built on it can be faster."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import morecantile
import rasterio
from rasterio.warp import transform_bounds
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles
from rio_tiler.io import Reader

from layers.asset import Asset
from layers.catalog import parse_layer
from layers.colormap import ramp_table
from layers.model import RasterLayer
from tests.bench import pair_cog
from tests.bench.client import BenchError
from tests.bench.results import Figures, comparison, in_turn
from tiles.handles import READ_OPTIONS, SHELF
from tiles.image import JPEG_QUALITY, WEBP_QUALITY, ImageFormat
from tiles.raster import RasterTiles

CELLS = 6000
ZOOMS = range(9, 15)
SEED = 20260101
_QUAD = morecantile.tms.get("WebMercatorQuad")
_QUALITY: dict[ImageFormat, dict[str, Any]] = {
    "png": {},
    "webp": {"QUALITY": WEBP_QUALITY},
    "jpeg": {"QUALITY": JPEG_QUALITY},
}
Address = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """One COG, the layer it is drawn as, and the tiles that are drawn."""

    asset: Asset
    layer: RasterLayer
    addresses: Sequence[Address]


def measure(repetitions: int, tiles: int, tell: Callable[[str], None]) -> list[Figures]:
    """Both sources in their formats, each with all sides in turn."""
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as home:
        for kind, formats in (("heights", ("png", "webp")), ("picture", ("png", "webp", "jpeg"))):
            scene = make_scene(Path(home), kind, tiles)
            for fmt in formats:
                tell(f" {kind}, {fmt}")
                found.append(_compare(scene, fmt, repetitions, tell))
    return found


def make_scene(folder: Path, kind: str, tiles: int) -> Scene:
    """Heights in EPSG:4490 or a picture in EPSG:3857 as a COG, and random tiles in it."""
    source, file = folder / f"{kind}.src.tif", folder / f"{kind}.tif"
    (pair_cog.heights if kind == "heights" else pair_cog.picture)(source, CELLS)
    profile = cog_profiles.get("deflate") | {"predictor": 3 if kind == "heights" else 2}
    cog_translate(source, file, profile, quiet=True, in_memory=False)
    source.unlink()
    with rasterio.open(file) as dataset:
        bounds = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        name = f"EPSG:{dataset.crs.to_epsg()}"
    layer = pair_cog.Case(file, kind, "deflate").layer()
    if kind == "heights":
        layer = _terrain(layer)
    chance = random.Random(SEED)  # noqa: S311
    places = [(chance.uniform(bounds[0], bounds[2]), chance.uniform(bounds[1], bounds[3])) for _ in range(tiles)]
    found = [_QUAD.tile(lon, lat, chance.choice(ZOOMS)) for lon, lat in places]
    return Scene(Asset(file, bounds, name), layer, [(tile.z, tile.y, tile.x) for tile in found])


def _terrain(layer: RasterLayer) -> RasterLayer:
    raw = layer.model_dump(by_alias=True, exclude={"theme", "name", "clearance"}, exclude_none=True)
    raw |= {"clearance": "public", "style": {"ramp": "terrain", "stretch": [0, 3000]}}
    found = parse_layer(raw, theme="bench", name=layer.name)
    if not isinstance(found, RasterLayer):
        raise BenchError("The layer of the benchmark is no raster.")
    return found


def _compare(scene: Scene, fmt: ImageFormat, repetitions: int, tell: Callable[[str], None]) -> Figures:
    ours = RasterTiles([scene.asset], scene.layer, {}, fmt)

    def newly() -> float:
        SHELF.clear()
        return _rate(scene.addresses, lambda address: _fresh(ours, address))

    sides: list[tuple[str, Callable[[], float]]] = [
        ("geoservice", lambda: _rate(scene.addresses, lambda address: ours.tile(*address))),
        ("geoservice, each file newly opened", newly),
        ("rio-tiler", lambda: _rate(scene.addresses, lambda address: _theirs(scene, fmt, address))),
    ]
    for address in scene.addresses[:5]:
        ours.tile(*address)
        _theirs(scene, fmt, address)
    quality = "".join(f", quality {value}" for value in _QUALITY[fmt].values())
    conditions = (
        f"{len(scene.addresses)} random tiles of 256 pixels, z{ZOOMS[0]} to z{ZOOMS[-1]} (seed {SEED}), of a COG of "
        f"{CELLS} x {CELLS} cells in {scene.asset.crs}, as {fmt.upper()}{quality}, bilinear, no HTTP and no tile "
        "cache; tiles per second of processor time. geoservice keeps files open and what GDAL unpacked of them, "
        "up to 128 MB; the second row is without that. rio-tiler: `Reader.tile` and `render` with the same colours, "
        "which is what a tile server on it does for every tile before HTTP."
    )
    return comparison(
        f"Raster tiles: {scene.layer.name}, {scene.asset.crs}, {fmt.upper()}",
        "tiles/s",
        conditions,
        in_turn(sides, repetitions, tell),
    )


def _rate(addresses: Sequence[Address], draw: Callable[[Address], bytes]) -> float:
    started = time.process_time()
    if not all(draw(address) for address in addresses):
        raise BenchError("A side of the benchmark drew nothing.")
    return len(addresses) / (time.process_time() - started)


def _fresh(tiles: RasterTiles, address: Address) -> bytes:
    SHELF.clear()
    return tiles.tile(*address)


def _theirs(scene: Scene, fmt: ImageFormat, address: Address) -> bytes:
    z, row, col = address
    with rasterio.Env(**READ_OPTIONS), Reader(str(scene.asset.path)) as source:
        image = source.tile(col, row, z, resampling_method="bilinear", reproject_method="bilinear")
        style = scene.layer.style
        if style.stretch is None or style.ramp is None:
            return bytes(image.render(img_format=fmt.upper(), **_QUALITY[fmt]))
        image.rescale((style.stretch,))
        colours = {step: (*colour, 255) for step, colour in enumerate(ramp_table(style))}
        return bytes(image.render(img_format=fmt.upper(), colormap=colours, **_QUALITY[fmt]))
