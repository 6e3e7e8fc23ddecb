"""The comparisons: all divisions at once against exactextract, and zones that are asked about again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from exactextract import exact_extract

from geoservice.analysis.cells import on_raster
from geoservice.analysis.raster_sums import RasterSums, marks_of
from geoservice.analysis.sums import Sums
from layers.asset import Asset
from tests.bench.client import BenchError
from tests.bench.results import Figures, comparison
from tests.bench.zonal import world

ALL = (
    "Sum, number of cells, least and greatest value in 2,900 counties (3,000 vertices each) over {cells:,} cells of 32 "
    "bits ({side:,} by {side:,}, tiles of 512 cells, zstd), once. geoservice: one process, one thread, nothing kept. "
    "exactextract: two processes, each with half of the counties, which lie together, `feature-sequential`; starting "
    "the processes and reading the counties is not measured. Numbers of cells and sums are the same to {sums:.0e}, "
    "extremes to the last bit (but of {grazed}, whose outline grazes a cell that only one side counts)."
)
AGAIN = (
    "{what} The other side is geoservice with nothing kept; every figure is the same to the last bit. Kept sums "
    "of blocks take {megabytes:,.0f} MB beside the raster and were made in {made:.0f} s."
)
ZONES = "{zones} round zones of a tenth of the raster each, over the kept sums of blocks, each asked twice in a row."
DIVISIONS = "The same counties once more, whose sums are kept; reading the file of sums is measured."
SAME = 1e-6
"""exactextract keeps shares with 24 bits."""
_ZONES = 5
_MOST_GRAZED = 5


def measure(home: Path, side: int, tell: Callable[[str], None]) -> list[Figures]:
    """All comparisons."""
    asset, frame = world.raster(home / "zonal", side), world.divisions(home)
    shapes = frame.geometry.to_list()
    begun = time.perf_counter()
    plain = _sums(asset, shapes)
    ours = time.perf_counter() - begun
    tell(f"  geoservice: {ours:.1f} s")
    theirs, found = _extracted(asset, frame)
    tell(f"  exactextract: {theirs:.1f} s")
    grazed = _compare(plain, found)
    told = ALL.format(cells=side * side, side=side, sums=SAME, grazed=grazed)
    rates = {"geoservice": [len(shapes) / ours], "exactextract, two processes": [len(shapes) / theirs]}
    title = "Statistics of 2,900 divisions over a raster"
    return [comparison(title, "divisions/s", told, rates), *_again(asset, shapes, (ours, plain), tell)]


def _again(
    asset: Asset, shapes: list[shapely.Geometry], first: tuple[float, Sums], tell: Callable[[str], None]
) -> list[Figures]:
    zones = _circles()
    plain, _, cold = _each(asset, zones)
    with tempfile.TemporaryDirectory() as folder:
        kept = RasterSums(Path(folder))
        begun = time.perf_counter()
        kept.keep_blocks(asset)
        made = time.perf_counter() - begun
        blocks = kept.blocks(asset)
        prepared, new, warm = _each(asset, zones, blocks)
        _equal(plain, prepared)
        tell(f"  zones: {sum(cold):.2f} s, with sums of blocks {sum(warm):.2f} s")
        kept.keep_polygons(asset, shapes)
        kept = RasterSums(Path(folder))
        begun = time.perf_counter()
        known = kept.polygons(asset)
        if known is None:
            raise BenchError("the sums of the divisions were not kept")
        looked = known.sums.some(known.find(marks_of(shapes)))
        again = time.perf_counter() - begun
        _equal(first[1], looked)
        tell(f"  divisions: {first[0]:.2f} s, kept {again:.3f} s")
        size = sum(file.stat().st_size for file in Path(folder).glob("*.blocks")) / 1e6
    told = {
        what: AGAIN.format(what=what, megabytes=size, made=made) for what in (ZONES.format(zones=_ZONES), DIVISIONS)
    }
    some = {
        "geoservice, kept": [1 / t for t in warm],
        "geoservice, nothing kept": [1 / t for t in cold],
        "geoservice, kept, asked for the first time": [1 / t for t in new],
    }
    whole = {"geoservice, kept": [len(shapes) / again], "geoservice, nothing kept": [len(shapes) / first[0]]}
    return [
        comparison("Zones over a raster, asked again", "zones/s", told[ZONES.format(zones=_ZONES)], some),
        comparison("Divisions over a raster, asked again", "divisions/s", told[DIVISIONS], whole),
    ]


def _each(
    asset: Asset, zones: list[shapely.Polygon], blocks: Sums | None = None
) -> tuple[Sums, list[float], list[float]]:
    """Sums in each zone, the seconds of the first question about each, and those of the second."""
    found = []
    seconds: tuple[list[float], list[float]] = ([], [])
    for zone in zones:
        for told in seconds:
            begun = time.perf_counter()
            sums = _sums(asset, [zone], blocks)
            told.append(time.perf_counter() - begun)
        found.append(sums)
    together = Sums(*(np.concatenate([one.arrays()[name] for one in found]) for name in found[0].arrays()))
    return together, *seconds


def _sums(asset: Asset, shapes: list[shapely.Geometry], blocks: Sums | None = None) -> Sums:
    with on_raster(asset, shapely.MultiPolygon(), blocks) as here:
        return here.sums(shapes)


def _circles() -> list[shapely.Polygon]:
    """Round zones of about a tenth of the country, wholly in it."""
    west, south = world.country.WEST, world.country.SOUTH
    radius = (world.country.WIDTH * world.country.HEIGHT / 10 / np.pi) ** 0.5
    random = np.random.default_rng(world.SEED)
    low, high = radius, np.array([world.country.WIDTH, world.country.HEIGHT]) - radius
    middles = random.uniform(low, high, (_ZONES, 2)) + np.array([west, south])
    return [shapely.Point(middle).buffer(radius, 64) for middle in middles]


def _extracted(asset: Asset, frame: gpd.GeoDataFrame) -> tuple[float, Any]:
    """Seconds of two processes that begin together, and their figures in the order of the divisions."""
    half = len(frame) // 2
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        list(processes.map(_ready, [0.5, 0.5]))
        begun = time.perf_counter()
        made = list(processes.map(_extract, [str(asset.path)] * 2, [frame[:half], frame[half:]]))
        seconds = time.perf_counter() - begun
    return seconds, np.concatenate(made)


def _ready(seconds: float) -> None:
    """Keeps a process busy until the other one has begun."""
    time.sleep(seconds)


def _extract(file: str, frame: gpd.GeoDataFrame) -> Any:
    return exact_extract(file, frame, ["sum", "count", "min", "max"], output="pandas").to_numpy()


def _compare(ours: Sums, theirs: Any) -> int:
    """In how many divisions extremes differ: outlines may graze a cell that only one side counts."""
    figures = np.nan_to_num(theirs[:, :2])
    close = np.allclose(np.stack([ours.total, ours.count], axis=1), figures, rtol=SAME, atol=SAME)
    some = figures[:, 1] > SAME
    extremes = np.stack([ours.minimum, ours.maximum], axis=1)
    grazed = int((extremes[some] != theirs[some, 2:]).any(axis=1).sum())
    if not close or grazed > _MOST_GRAZED:
        raise BenchError("exactextract finds other figures.")
    return grazed


def _equal(one: Sums, other: Sums) -> None:
    if not all(np.array_equal(array, other.arrays()[name]) for name, array in one.arrays().items()):
        raise BenchError("what is kept changes a figure.")
