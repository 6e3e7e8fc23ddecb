"""Loads of rasters through the confined child into a real database: assets, editions, figures, files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import IngestReport, ReadLimits, plan
from ingest.raster import load_raster, sweep_orphans
from ingest.raster_store import keep, sweep
from ingest.record import LoadTarget, layer_lock
from layers.errors import (
    ConfigurationError,
    CrsRefused,
    GeoError,
    SourceError,
    SourceMismatch,
    SourceMissing,
    SourceUnreadable,
)
from layers.model import RasterLayer
from layers.system import edition, layer_figures, layer_state, outbox, raster_asset
from tests.support.loading import prepared, trial_layer
from tests.support.rasters import (
    CLASSED,
    COVER,
    grid,
    mapped,
    ramp_of_numbers,
    raster_catalog,
    raster_layer,
    raster_plan,
    write_tif,
)

RELIEF = raster_layer()
COVERED = raster_layer("cover", clearance="restricted", **CLASSED)
WHOLE = raster_layer("whole", **mapped(complete=True))


@pytest.fixture
def target(database: Database, tmp_path: Path) -> LoadTarget:
    made = prepared(database, raster_catalog(RELIEF, COVERED, WHOLE))
    return dataclasses.replace(made, rasters=tmp_path / "rasters")


def load(target: LoadTarget, file: Path, layer: RasterLayer = RELIEF) -> IngestReport:
    return load_raster(raster_plan(layer, file), target)


def assets(target: LoadTarget, layer: RasterLayer = RELIEF) -> list[sa.Row[tuple[object, ...]]]:
    outline = sa.func.ST_AsBinary(raster_asset.c.footprint).label("outline")
    statement = sa.select(raster_asset, outline).where(raster_asset.c.layer == layer.name).order_by(raster_asset.c.id)
    with target.engine.connect() as connection:
        return list(connection.execute(statement).all())


def one(target: LoadTarget, statement: sa.Select[tuple[object, ...]]) -> sa.Row[tuple[object, ...]]:
    with target.engine.connect() as connection:
        return connection.execute(statement).one()


def total(target: LoadTarget, table: sa.Table) -> int:
    with target.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_load_makes_an_asset_an_edition_and_an_event(target: LoadTarget, tmp_path: Path) -> None:
    cells = ramp_of_numbers(20, 30)
    seen: list[int] = []
    file = write_tif(tmp_path / "dem.tif", cells)
    report = load_raster(raster_plan(RELIEF, file), target, principal="tester", progress=seen.append)
    assert (report.read, report.inserted, report.updated, report.unchanged) == (1, 1, 0, 0)
    assert report.balanced
    assert sum(seen) == 1
    (asset,) = assets(target)
    stored = target.rasters / asset.file
    assert asset.file == f"{hashlib.sha256(stored.read_bytes()).hexdigest()}.tif"
    assert (asset.edition, asset.source, asset.crs) == (report.edition, "dem.tif", "EPSG:4490")
    assert (asset.width, asset.height, asset.clearance, asset.valid_to) == (30, 20, 0, None)
    assert asset.bands[0]["total"] == cells.sum()
    assert shapely.from_wkb(bytes(asset.outline)).bounds == pytest.approx((100.0, 39.8, 100.3, 40.0))
    with rasterio.open(stored) as dataset:
        np.testing.assert_array_equal(dataset.read(1), cells)
    made = one(target, sa.select(edition))
    assert (made.principal, made.inserted, made.sha256) == ("tester", 1, hashlib.sha256(file.read_bytes()).hexdigest())
    assert made.committed == asset.valid_from
    event = one(target, sa.select(outbox))
    assert (event.layer, event.edition) == ("relief", report.edition)
    assert (event.west, event.south, event.east, event.north) == pytest.approx((100.0, 39.8, 100.3, 40.0))
    assert (
        one(target, sa.select(layer_state.c.edition).where(layer_state.c.layer == "relief")).edition == report.edition
    )


def test_a_second_load_changes_nothing(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    first = load(target, file)
    before = assets(target)
    again = load(target, file)
    assert (again.edition, again.inserted, again.unchanged) == (None, 0, 1)
    assert again.balanced
    assert again.summary == first.summary
    assert assets(target) == before
    assert total(target, edition) == 1
    assert total(target, outbox) == 1


def test_the_same_cells_in_another_wrapping_change_nothing(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    load(target, file)
    write_tif(file, ramp_of_numbers(20, 30), compress="zstd", tiled=True, blockxsize=16, blockysize=16)
    again = load(target, file)
    assert (again.edition, again.unchanged) == (None, 1)
    assert len(assets(target)) == 1


def test_other_content_of_the_same_name_replaces(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    load(target, file)
    write_tif(file, ramp_of_numbers(20, 30) + 1, grid(101, 41, 0.01))
    report = load(target, file)
    assert (report.inserted, report.updated, report.unchanged) == (0, 1, 0)
    former, new = assets(target)
    assert former.valid_to == new.valid_from
    assert new.valid_to is None
    assert former.file != new.file
    # The former file stays for as-of reads.
    assert {p.name for p in target.rasters.iterdir()} == {former.file, new.file}
    event = one(target, sa.select(outbox).order_by(outbox.c.id.desc()).limit(1))
    assert (event.west, event.north) == pytest.approx((100.0, 41.0))
    assert (event.east, event.south) == pytest.approx((101.3, 39.8))


def test_back_to_former_content_is_an_edition_of_its_own(target: LoadTarget, tmp_path: Path) -> None:
    file = tmp_path / "dem.tif"
    for plus in (0, 1, 0):
        load(target, write_tif(file, ramp_of_numbers(20, 30) + plus))
    first, _, third = assets(target)
    assert first.file == third.file
    assert (first.valid_to is None, third.valid_to is None) == (False, True)
    assert total(target, edition) == 3


def test_sources_of_other_names_add_up_and_figures_follow(target: LoadTarget, tmp_path: Path) -> None:
    load(target, write_tif(tmp_path / "a.tif", ramp_of_numbers(10, 10), grid(100, 40, 0.01)))
    load(target, write_tif(tmp_path / "b.tif", ramp_of_numbers(10, 10), grid(110, 50, 0.01)))
    rows = [r for r in assets(target) if r.valid_to is None]
    assert [r.source for r in rows] == ["a.tif", "b.tif"]
    found = one(
        target, sa.select(layer_figures).where(layer_figures.c.layer == "relief", layer_figures.c.clearance == 0)
    )
    assert found.rows == 2
    assert (found.west, found.south, found.east, found.north) == pytest.approx((100.0, 39.9, 110.1, 50.0))


def test_a_complete_source_ends_the_others(target: LoadTarget, tmp_path: Path) -> None:
    load(target, write_tif(tmp_path / "a.tif", ramp_of_numbers(10, 10)), WHOLE)
    report = load(target, write_tif(tmp_path / "b.tif", ramp_of_numbers(10, 10) + 1), WHOLE)
    assert (report.inserted, report.deleted) == (1, 1)
    assert [r.valid_to is None for r in assets(target, WHOLE)] == [False, True]
    again = load(target, tmp_path / "b.tif", WHOLE)
    assert (again.edition, again.unchanged, again.deleted) == (None, 1, 0)


def test_a_restricted_layer_is_counted_for_its_readers_only(
    database: Database, target: LoadTarget, tmp_path: Path
) -> None:
    load(target, write_tif(tmp_path / "c.tif", np.array([[1, 2]], dtype="uint8")), COVERED)
    (asset,) = assets(target, COVERED)
    assert asset.clearance == 2
    assert one(target, sa.select(layer_figures.c.clearance).where(layer_figures.c.layer == "cover")).clearance == 2
    with database.transaction(Role.READER_PUBLIC) as connection:
        seen = connection.execute(sa.select(sa.func.count()).select_from(raster_asset)).scalar_one()
    assert seen == 0


def test_findings_are_in_the_report_and_in_the_edition(target: LoadTarget, tmp_path: Path) -> None:
    report = load(target, write_tif(tmp_path / "c.tif", np.array([[1, 9]], dtype="uint8")), COVERED)
    assert [f.rule for f in report.summary.findings] == ["class-not-listed"]
    kept = one(target, sa.select(edition.c.report)).report
    assert kept["summary"]["findings"][0]["count"] == 1
    assert kept["summary"]["facts"]["raster"]["bands"][0]["classes"] == {"1": 1, "9": 1}


def test_a_lost_file_comes_back(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    load(target, file)
    (asset,) = assets(target)
    (target.rasters / asset.file).unlink()
    report = load(target, file)
    assert (report.edition, report.unchanged) == (None, 1)
    assert (target.rasters / asset.file).is_file()


def test_a_new_mapping_rewrites_the_same_source(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    load(target, file)
    report = load(target, file, raster_layer(**mapped(nodata=7)))
    assert report.updated == 1
    assert assets(target)[-1].bands[0]["valid"] == 599


def broken_source(tmp_path: Path, kind: str) -> Path:
    """A file that must not come in."""
    file = tmp_path / "bad.tif"
    if kind == "empty":
        file.touch()
    elif kind == "text":
        file.write_text("no raster")
    elif kind == "no-crs":
        write_tif(file, ramp_of_numbers(4, 4), crs=None)
    elif kind == "bands":
        write_tif(file, np.ones((2, 4, 4), dtype="uint8"))
    elif kind == "cut":
        noise = np.random.default_rng(0).random((600, 600)).astype("float32")
        write_tif(file, noise, compress="deflate")
        os.truncate(file, file.stat().st_size // 2)
    elif kind == "vrt":
        inner = write_tif(tmp_path / "inner.tif", ramp_of_numbers(4, 4))
        subprocess.run(["gdal_translate", "-q", "-of", "VRT", str(inner), str(file)], check=True)
    return file


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("missing", SourceMissing),
        ("empty", SourceUnreadable),
        ("text", SourceUnreadable),
        ("cut", SourceUnreadable),
        ("vrt", SourceUnreadable),
        ("no-crs", CrsRefused),
        ("bands", SourceMismatch),
    ],
)
def test_a_bad_source_leaves_nothing_behind(
    target: LoadTarget, tmp_path: Path, kind: str, error: type[GeoError]
) -> None:
    file = broken_source(tmp_path, kind)
    with pytest.raises(error) as caught:
        load(target, file)
    assert "bad.tif" in caught.value.detail
    assert str(tmp_path) not in caught.value.detail
    assert assets(target) == []
    assert (total(target, edition), total(target, outbox)) == (0, 0)
    assert not target.rasters.exists() or not any(target.rasters.iterdir())


def test_a_reader_that_runs_out_of_time_is_stopped(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(20, 30))
    with pytest.raises(SourceUnreadable, match="longer than"):
        load_raster(raster_plan(RELIEF, file, ReadLimits(seconds=0.05)), target)
    assert assets(target) == []


def test_a_layer_of_rows_is_refused(target: LoadTarget, tmp_path: Path) -> None:
    layer = trial_layer(sources={"tif": {"match": ["*.tif"]}})
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(4, 4))
    with pytest.raises(SourceMismatch, match="not rasters"):
        load_raster(plan(layer, file, {COVER.id: COVER, "clearance@1": COVER}), target)


def test_two_loads_of_one_layer_do_not_meet(target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "dem.tif", ramp_of_numbers(4, 4))
    with layer_lock(target.engine, RELIEF), pytest.raises(SourceError, match="under way"):
        load(target, file)
    assert load(target, file).inserted == 1


class TestStore:
    """The folder of files."""

    def test_orphans_are_swept_when_they_are_old(self, target: LoadTarget, tmp_path: Path) -> None:
        load(target, write_tif(tmp_path / "dem.tif", ramp_of_numbers(4, 4)))
        (asset,) = assets(target)
        orphan, part, stranger, young = (
            target.rasters / name for name in (f"{'0' * 64}.tif", ".part-00ff", "notes.txt", f"{'1' * 64}.tif")
        )
        for file in (orphan, part, stranger, young):
            file.write_bytes(b"II*\0")
        old = time.time() - 100_000
        for file in (orphan, part, stranger, target.rasters / asset.file):
            os.utime(file, (old, old))
        assert set(sweep_orphans(target)) == {orphan.name, part.name}
        assert {p.name for p in target.rasters.iterdir()} == {asset.file, stranger.name, young.name}

    def test_a_folder_that_is_not_there_has_no_orphans(self, tmp_path: Path) -> None:
        assert sweep(tmp_path / "none", set()) == ()

    def test_links_and_other_things_are_not_taken(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"II*\0secret")
        link, text = tmp_path / "link.tif", tmp_path / "text.tif"
        link.symlink_to(secret)
        text.write_bytes(b"no raster")
        for file in (link, text, tmp_path / "none.tif", tmp_path):
            with pytest.raises(SourceUnreadable):
                keep(file, tmp_path / "rasters")
        assert not (tmp_path / "rasters").exists()

    def test_a_folder_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        file = write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4))
        (tmp_path / "rasters").write_text("a file where the folder should be")
        with pytest.raises(ConfigurationError, match="folder of raster files"):
            keep(file, tmp_path / "rasters")
