"""Loads of sources that hold several rasters: one edition, an asset each, the bad ones in quarantine."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from geoservice.db.engine import Database
from ingest.job import IngestReport, LoadOptions, plan
from ingest.raster import load_raster
from ingest.record import LoadTarget
from layers.model import RasterLayer
from layers.system import edition, outbox, quarantine, raster_asset
from tests.support.loading import prepared
from tests.support.rasters import COVER, grid, ramp_of_numbers, raster_catalog, raster_layer, write_tif

TILES = {"sources": {"zip": {"match": ["*.zip", "*.tif"]}}}
RELIEF = raster_layer(**TILES)
WHOLE = raster_layer("whole", sources={"zip": {"match": ["*.zip"], "complete": True}})


@pytest.fixture
def target(database: Database, tmp_path: Path) -> LoadTarget:
    made = prepared(database, raster_catalog(RELIEF, WHOLE))
    return dataclasses.replace(made, rasters=tmp_path / "rasters")


def load(target: LoadTarget, file: Path, layer: RasterLayer = RELIEF, *, dry_run: bool = False) -> IngestReport:
    report = load_raster(plan(layer, file, {COVER.id: COVER}, options=LoadOptions(dry_run=dry_run)), target)
    assert report.balanced
    return report


def pack(folder: Path, name: str, tiles: dict[str, float | None]) -> Path:
    """An archive of tiles, each with cells from its own number on; None makes a file that is no raster."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        for place, (tile, first) in enumerate(tiles.items()):
            if first is None:
                archive.writestr(tile, "no raster")
                continue
            made = write_tif(folder / "tile.tif", ramp_of_numbers(4, 4) + first, grid(100 + place, 40, 0.1))
            archive.write(made, tile)
    return folder / name


def current(target: LoadTarget, layer: RasterLayer = RELIEF) -> dict[str, int]:
    statement = sa.select(raster_asset.c.source, raster_asset.c.edition).where(
        raster_asset.c.layer == layer.name, raster_asset.c.valid_to.is_(None)
    )
    with target.engine.connect() as connection:
        return {row.source: row.edition for row in connection.execute(statement)}


def total(target: LoadTarget, table: sa.Table) -> int:
    with target.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_an_archive_of_tiles_is_one_edition(target: LoadTarget, tmp_path: Path) -> None:
    file = pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": 1, "c.tif": 2})
    report = load(target, file)
    assert (report.read, report.inserted, report.quarantined) == (3, 3, 0)
    assert set(current(target).values()) == {report.edition}
    assert (total(target, edition), total(target, outbox)) == (1, 1)
    again = load(target, file)
    assert (again.edition, again.unchanged) == (None, 3)


def test_a_later_delivery_replaces_tiles_by_their_names(target: LoadTarget, tmp_path: Path) -> None:
    first = load(target, pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": 1, "c.tif": 2}))
    second = load(target, pack(tmp_path, "b.zip", {"x.tif": 9, "b.tif": 5, "c.tif": 2}))
    assert (second.inserted, second.updated, second.unchanged) == (1, 1, 1)
    assert current(target) == {
        "a.tif": first.edition,
        "b.tif": second.edition,
        "c.tif": first.edition,
        "x.tif": second.edition,
    }
    # The first delivery no longer stands: loading it again is no "nothing to do".
    third = load(target, pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": 1, "c.tif": 2}))
    assert (third.updated, third.unchanged) == (1, 2)


def test_a_bad_tile_is_in_quarantine_and_the_sums_add_up(target: LoadTarget, tmp_path: Path) -> None:
    file = pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": None})
    for _ in range(2):
        report = load(target, file)
        assert (report.read, report.quarantined, report.inserted + report.unchanged) == (2, 1, 1)
    with target.engine.connect() as connection:
        (row,) = connection.execute(sa.select(quarantine)).all()
    assert (row.layer, row.source, row.raw) == ("relief", "a.zip", '{"raster": "b.tif"}')
    assert "should be a GeoTIFF" in row.reason


def test_a_complete_delivery_ends_tiles_that_it_lacks_but_not_bad_ones(target: LoadTarget, tmp_path: Path) -> None:
    load(target, pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": 1, "c.tif": 2}), WHOLE)
    report = load(target, pack(tmp_path, "b.zip", {"a.tif": 0, "b.tif": None}), WHOLE)
    assert (report.unchanged, report.quarantined, report.deleted) == (1, 1, 1)
    assert set(current(target, WHOLE)) == {"a.tif", "b.tif"}


def test_a_dry_run_tells_and_writes_nothing(target: LoadTarget, tmp_path: Path) -> None:
    load(target, pack(tmp_path, "a.zip", {"a.tif": 0, "b.tif": 1}))
    before = current(target), sorted(p.name for p in target.rasters.iterdir()), total(target, quarantine)
    report = load(target, pack(tmp_path, "b.zip", {"a.tif": 7, "c.tif": 1, "d.tif": None}), dry_run=True)
    assert (report.edition, report.inserted, report.updated, report.quarantined) == (None, 1, 1, 1)
    assert (current(target), sorted(p.name for p in target.rasters.iterdir()), total(target, quarantine)) == before


def test_an_archive_and_a_bare_tile_share_their_names(target: LoadTarget, tmp_path: Path) -> None:
    load(target, pack(tmp_path, "a.zip", {"deep/a.tif": 0}))
    report = load(target, write_tif(tmp_path / "a.tif", ramp_of_numbers(4, 4) + 3))
    assert report.updated == 1
    assert list(current(target)) == ["a.tif"]
