"""Sums kept beside rasters: they change no bit of a figure, they are used, and what is spoiled is made anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any, cast

import geopandas as gpd
import numpy as np
import pytest
import shapely
from exactextract import exact_extract

from geoservice.analysis import array_file
from geoservice.analysis.raster_sums import RasterSums
from geoservice.analysis.zonal import zonal
from geoservice.db.pools import Pools
from geoservice.impact import raster_keeper
from geoservice.impact.divisions import Division, Divisions
from geoservice.impact.hits import ZonePart
from geoservice.impact.raster import RasterTally, pieces_of_zone, raster_tally
from geoservice.impact.raster_keeper import RasterKeeper
from layers.asset import Asset
from layers.model import Text
from tests.support.rasters import grid, write_tif

HIGH, WIDE, CELL = 150, 210, 0.01
WORD = Text(zh="试", en="test")
ZONE = shapely.Point(101.05, 39.25).buffer(0.6, 40)


def raster(folder: Path, seed: int = 5, west: float = 100.0) -> Asset:
    """Cells of 32 bits, no whole number of blocks, a tenth of them without data."""
    random = np.random.default_rng(seed)
    cells = random.gamma(0.6, 80, (HIGH, WIDE)).astype("float32")
    cells[random.random(cells.shape) < 0.1] = -9999
    file = write_tif(folder / f"cells{seed}.tif", cells, grid(west, 40, CELL), nodata=-9999)
    return Asset(file, (west, 40 - HIGH * CELL, west + WIDE * CELL, 40), "EPSG:4490")


def divided() -> Divisions:
    """Eighty hexagon-like divisions with winding borders that fill the raster and reach beyond it."""
    points = np.random.default_rng(3).uniform((99.9, 38.4), (102.2, 40.1), (80, 2))
    box = shapely.box(99.8, 38.3, 102.3, 40.2)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=box))
    shapes = shapely.segmentize(shapely.intersection(cells, box), 0.007)
    return Divisions(tuple(Division(f"d{n}", None, None, WORD) for n in range(len(shapes))), shapes)


@pytest.fixture
def kept(tmp_path: Path) -> RasterSums:
    return RasterSums(tmp_path / "kept")


def tally(assets: list[Asset], sums: RasterSums | None = None) -> RasterTally:
    divisions = divided()
    known = sums.polygons(assets[0]) if sums is not None else None
    return raster_tally(assets, pieces_of_zone((ZonePart.of(1, ZONE, 500),), divisions, known), sums)


def test_kept_sums_change_no_bit(tmp_path: Path, kept: RasterSums) -> None:
    asset = raster(tmp_path)
    plain, whole = tally([asset]), zonal([asset], ZONE)
    kept.keep_blocks(asset)
    assert kept.blocks(asset) is not None
    assert (tally([asset], kept), zonal([asset], ZONE, kept=kept)) == (plain, whole)
    kept.keep_polygons(asset, divided().shapes.tolist())
    assert kept.polygons(asset) is not None
    assert tally([asset], kept) == plain
    assert len(plain.sums) > 30


def test_kept_sums_of_a_file_below_another_change_no_bit(tmp_path: Path, kept: RasterSums) -> None:
    assets = [raster(tmp_path, 6, 101.0), raster(tmp_path, 7)]
    plain = tally(assets)
    for asset in assets:
        kept.keep_blocks(asset)
        kept.keep_polygons(asset, divided().shapes.tolist())
    assert tally(assets, kept) == plain
    assert plain != tally(assets[:1])


def test_figures_are_those_of_exactextract(tmp_path: Path, kept: RasterSums) -> None:
    asset, divisions = raster(tmp_path), divided()
    kept.keep_blocks(asset)
    kept.keep_polygons(asset, divisions.shapes.tolist())
    found = kept.polygons(asset)
    assert found is not None
    frame = gpd.GeoDataFrame(geometry=list(divisions.shapes), crs="EPSG:4490")
    expected = exact_extract(str(asset.path), frame, ["sum", "count", "min", "max"], output="pandas")
    ours = found.sums
    # exactextract keeps shares with 24 bits.
    assert ours.total == pytest.approx(expected["sum"].to_numpy(), rel=1e-6, abs=1e-9)
    assert ours.count == pytest.approx(expected["count"].to_numpy(), rel=1e-6, abs=1e-9)
    there = expected["count"].to_numpy() > 0
    assert np.array_equal(ours.minimum[there], expected["min"].to_numpy()[there])
    assert np.array_equal(ours.maximum[there], expected["max"].to_numpy()[there])


@pytest.mark.parametrize("kind", ["blocks", "polygons"])
def test_what_is_kept_is_used(tmp_path: Path, kept: RasterSums, kind: str) -> None:
    asset = raster(tmp_path)
    plain = figures(asset)
    keep(kept, asset, kind)
    file = next((tmp_path / "kept").glob(f"*.{kind}"))
    found = array_file.read(file)
    assert found is not None
    array_file.write(file, found.words, {**found.arrays, "total": found.arrays["total"] + 1e6})
    assert figures(asset, RasterSums(tmp_path / "kept"))[kind] > plain[kind] + 1e6


def figures(asset: Asset, sums: RasterSums | None = None) -> dict[str, float]:
    return {
        "blocks": zonal([asset], ZONE, kept=sums).sum or 0.0,
        "polygons": sum(tally([asset], sums).sums.values()),
    }


def keep(kept: RasterSums, asset: Asset, kind: str = "blocks") -> None:
    if kind == "blocks":
        kept.keep_blocks(asset)
    else:
        kept.keep_polygons(asset, divided().shapes.tolist())


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "torn": lambda whole: whole[:-100],
    "longer": lambda whole: whole + b"\0",
    "head only": lambda whole: whole[:30],
    "magic": lambda whole: b"X" + whole[1:],
    "digest": lambda whole: whole[:25] + bytes([whole[25] ^ 1]) + whole[26:],
    "length": lambda whole: whole[:59] + b"\xff" + whole[60:],
    "cell": lambda whole: whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:],
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("kind", ["blocks", "polygons"])
def test_what_is_spoiled_is_made_anew(tmp_path: Path, kind: str, how: str) -> None:
    asset, folder = raster(tmp_path), tmp_path / "kept"
    keep(RasterSums(folder), asset, kind)
    file = next(folder.glob(f"*.{kind}"))
    whole = file.read_bytes()
    file.write_bytes(SPOILT[how](whole))
    again = RasterSums(folder)
    assert getattr(again, kind)(asset) is None
    keep(again, asset, kind)
    assert getattr(again, kind)(asset) is not None
    assert file.read_bytes() == whole


def test_a_raster_that_changed_has_nothing_kept(tmp_path: Path, kept: RasterSums) -> None:
    asset = raster(tmp_path)
    kept.keep_blocks(asset)
    kept.keep_polygons(asset, divided().shapes.tolist())
    os.utime(asset.path, ns=(1, 1))
    assert kept.blocks(asset) is None
    assert kept.polygons(asset) is None


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    asset, folder = raster(tmp_path), tmp_path / "kept"
    with ThreadPoolExecutor(4) as threads:
        made = [threads.submit(RasterSums(folder).keep_blocks, asset) for _ in range(8)]
        seen = [threads.submit(RasterSums(folder).blocks, asset) for _ in range(20)]
    assert all(one.exception() is None for one in [*made, *seen])
    assert [file.name for file in folder.iterdir()] == ["cells5.blocks"]
    assert RasterSums(folder).blocks(asset) is not None


def test_the_space_is_bounded_and_what_was_not_used_goes_first(tmp_path: Path) -> None:
    assets, folder = [raster(tmp_path, seed) for seed in (5, 6, 7)], tmp_path / "kept"
    RasterSums(folder).keep_blocks(assets[0])
    kept = RasterSums(folder, (folder / "cells5.blocks").stat().st_size * 5 // 2)
    for age, asset in enumerate(assets[:2]):
        kept.keep_blocks(asset)
        os.utime(folder / f"{asset.path.stem}.blocks", (1000 - age, 1000 - age))
    kept.keep_blocks(assets[2])
    assert sorted(file.name for file in folder.iterdir()) == ["cells5.blocks", "cells7.blocks"]
    small = RasterSums(tmp_path / "small", 1000)
    small.keep_blocks(assets[0])
    assert not (tmp_path / "small").exists()


def test_sums_of_a_raster_that_is_gone_are_removed(tmp_path: Path, kept: RasterSums) -> None:
    old, new = raster(tmp_path, 5), raster(tmp_path, 6)
    kept.keep_blocks(old)
    left = tmp_path / "kept" / "new-killed"
    left.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    old.path.unlink()
    kept.keep_blocks(new)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["cells6.blocks"]


class TestKeeper:
    """Who makes them, and when."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(raster_keeper, "LEAST_BYTES", 0)

    def prepared(self, folder: Path, asset: Asset, most: int = 1 << 20) -> bool:
        """Whether a keeper made the sums of a raster when it was told of it."""

        async def told() -> bool:
            keeper = RasterKeeper(folder, cast(Pools, None), most)
            task = keeper.prepare([asset])
            if task is not None:
                await task
                assert keeper.prepare([asset]) is None or keeper.sums.blocks(asset) is None
            await keeper.close()
            return keeper.sums.blocks(asset) is not None

        return asyncio.run(told())

    def test_a_raster_is_prepared_once(self, tmp_path: Path) -> None:
        assert self.prepared(tmp_path / "kept", raster(tmp_path))

    @pytest.mark.parametrize(("after", "again"), [(0.0, True), (3600.0, False)])
    def test_sums_that_went_are_made_anew_after_a_while(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, again: bool
    ) -> None:
        monkeypatch.setattr(raster_keeper, "AGAIN_SECONDS", after)
        asset, folder = raster(tmp_path), tmp_path / "kept"

        async def told() -> bool:
            keeper = RasterKeeper(folder, cast(Pools, None), 1 << 20)
            first = keeper.prepare([asset])
            assert first is not None
            await first
            for file in folder.glob("*.blocks"):
                file.unlink()
            second = keeper.prepare([asset])
            if second is not None:
                await second
            await keeper.close()
            return list(folder.glob("*.blocks")) != []

        assert asyncio.run(told()) == again

    def test_small_rasters_are_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(raster_keeper, "LEAST_BYTES", 1 << 30)
        assert not self.prepared(tmp_path / "kept", raster(tmp_path))

    def test_nothing_is_kept_where_that_is_switched_off(self, tmp_path: Path) -> None:
        assert not self.prepared(tmp_path / "kept", raster(tmp_path), 0)
        assert not (tmp_path / "kept").exists()

    def test_one_process_makes_them(self, tmp_path: Path) -> None:
        asset, folder = raster(tmp_path), tmp_path / "kept"
        folder.mkdir()
        with (folder / "lock").open("w") as lock:
            flock(lock, LOCK_EX)
            assert not self.prepared(folder, asset)
        assert self.prepared(folder, asset)

    def test_a_raster_that_is_gone_is_no_fault(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        asset: Any = raster(tmp_path)
        asset.path.unlink()

        async def told() -> None:
            keeper = RasterKeeper(tmp_path / "kept", cast(Pools, None), 1 << 20)
            task = keeper.prepare([asset])
            assert task is not None
            await asyncio.gather(task, return_exceptions=True)
            await keeper.close()

        asyncio.run(told())
        assert "sums of rasters are not kept" in caplog.text
