"""Archives of rasters, archives drawn by a cluster, and the command that builds them."""

from __future__ import annotations

from pathlib import Path

import distributed
import morecantile
import numpy as np
import pytest
import shapely
from pmtiles.reader import MmapSource, Reader, all_tiles
from rasterio.io import MemoryFile

from geoservice.archives.build import Hands, build
from geoservice.archives.request import ArchiveRequest
from geoservice.cli import run
from geoservice.db.engine import Database
from ingest.raster import load_raster
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import BadParameter, ConfigurationError, UnknownLayer
from tests.support.jobs import write_layers
from tests.support.loading import load_file, prepared, write_rows
from tests.support.rasters import grid, raster_catalog, raster_layer, raster_plan, write_tif
from tests.support.service import running
from tiles.archive.vectors import Snapshot

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
GRID = morecantile.tms.get("WebMercatorQuad")
SIZE = 60


def test_a_raster_has_an_archive_of_images(database: Database, tmp_path: Path) -> None:
    relief = raster_layer("relief", tiles={"from": 6, "to": 11})
    secret = raster_layer("secret", clearance="restricted")
    catalog = raster_catalog(relief, secret)
    target = prepared(database, catalog)
    cells = np.full((SIZE, SIZE), 80, dtype="float32")
    # The south-eastern half has no data: its tiles are empty, and are left out.
    cells[np.add.outer(np.arange(SIZE), np.arange(SIZE)) > SIZE] = -9999
    load_raster(raster_plan(relief, write_tif(tmp_path / "a.tif", cells, grid(105, 39, 0.01), nodata=-9999)), target)
    made = build(database, catalog, ArchiveRequest(("relief",), image="webp"), tmp_path / "relief.pmtiles")
    with made.file.open("rb") as handle:
        source = MmapSource(handle)
        found, header = dict(all_tiles(source)), Reader(source).header()
    assert header["tile_type"].name == "WEBP"
    assert {z for z, _, _ in found} == set(range(6, 12))
    with running(database, catalog) as service:
        for (z, x, y), body in found.items():
            answer = service.get(f"/collections/relief/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=webp")
            assert answer.content == body
            with MemoryFile(body) as memory, memory.open() as image:
                assert image.read().any()
    deepest = {a for a in found if a[0] == 11}
    assert reached(-0.015) <= deepest <= reached(0.015) < reached(1.0)
    with pytest.raises(UnknownLayer):
        build(database, catalog, ArchiveRequest(("secret",)), tmp_path / "no.pmtiles")
    with pytest.raises(BadParameter, match="raster"):
        build(database, catalog, ArchiveRequest(("relief", "secret"), Clearance.RESTRICTED), tmp_path / "no.pmtiles")


def reached(margin: float) -> set[tuple[int, int, int]]:
    """Tiles of zoom 11, in the box of the file, that the half with data meets when it is grown by degrees."""
    half = shapely.buffer(shapely.Polygon([(105, 39), (105.6, 39), (105, 38.4)]), margin)
    tiles = GRID.tiles(105, 38.4, 105.6, 39, zooms=[11])
    return {(t.z, t.x, t.y) for t in tiles if shapely.box(*GRID.bounds(t)).intersects(half)}


class Place:
    """A layer of points on disk, as a cluster and a command find it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.layers = write_layers(folder, "mark", tiles={"from": 4, "to": 10})
        self.catalog = read_catalog(self.layers)
        rows = [{"code": f"m{i}", "geometry": shapely.Point(80 + i % 10 * 4, 20 + i // 10 * 3)} for i in range(60)]
        file = write_rows(folder / "mark.gpkg", rows)
        load_file(self.catalog, prepared(database, self.catalog), "mark", file)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    return Place(database, tmp_path)


def test_the_workers_of_a_cluster_draw_the_same_bytes(place: Place, tmp_path: Path) -> None:
    request = ArchiveRequest(("mark",))
    here = build(place.database, place.catalog, request, tmp_path / "here" / "mark.pmtiles").file
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        hands = Hands(scheduler=cluster.scheduler_address)
        there = build(place.database, place.catalog, request, tmp_path / "there" / "mark.pmtiles", hands).file
    assert here.read_bytes() == there.read_bytes()


def test_a_scheduler_that_is_not_there_is_said(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Dask scheduler"):
        build(
            place.database, place.catalog, ArchiveRequest(("mark",)), tmp_path / "a.pmtiles", Hands(scheduler="x://y")
        )


def test_the_order_does_not_print_the_password() -> None:
    seen = Snapshot("password=opensesame", "0001")
    assert seen.dsn == "password=opensesame"
    assert "opensesame" not in repr(seen)


def test_the_command(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEOSERVICE_HOME", str(place.database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", place.database.settings.database_name)
    monkeypatch.setenv("GEOSERVICE_LAYERS_DIR", str(place.layers))
    monkeypatch.chdir(tmp_path)
    assert run(["tiles", "build", "m.pmtiles", "mark", "--area", "79,19,85,40", "--zooms", "5-7"]) == 0
    assert "m.pmtiles: " in capsys.readouterr().out
    with Path("m.pmtiles").open("rb") as handle:
        source = MmapSource(handle)
        found = {z for (z, _, _), _ in all_tiles(source)}
        metadata = Reader(source).metadata()
    assert found == {5, 6, 7}
    assert metadata["name"] == "m"
    for wrong in (
        ["--zooms", "seven"],
        ["--zooms", "7-5"],
        ["--area", "1,2,3"],
        ["--area", "1,1,1,1"],
        ["--area", "adcode:999999"],
        ["--clearance", "secret"],
        ["--format", "gif"],
    ):
        assert run(["tiles", "build", "n.pmtiles", "mark", *wrong]) == 2
        assert capsys.readouterr().err.strip().startswith("geoservice: ")
        assert not Path("n.pmtiles").exists()
