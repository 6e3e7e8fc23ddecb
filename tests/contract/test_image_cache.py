"""Kept tiles of rasters: drawn once, never older than what stands, and nobody's but those who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geoservice.db.engine import Database
from geoservice.tiles.images import colours_of
from geoservice.tiles.place import definition_of
from geoservice.tiles.watch import Watch
from ingest.raster import load_raster
from layers.access import Clearance
from tests.contract.test_tile_cache import counts, house_of, look
from tests.geoservice.test_raster_service import RELIEF, SECRET, pixels, tile
from tests.support.loading import prepared
from tests.support.rasters import grid, raster_catalog, raster_plan, write_tif
from tests.support.service import Service, running
from tiles.grid import web_mercator

CATALOG = raster_catalog(RELIEF, SECRET)
PNG = tile("relief", 105.25, 38.75, 12, "?f=png")
PLACE = grid(105, 39, 0.01)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Iterator[Service]:
    target = prepared(database, CATALOG)
    load_raster(raster_plan(RELIEF, heights(tmp_path / "a.tif", 80)), target)
    load_raster(raster_plan(SECRET, write_tif(tmp_path / "b.tif", np.full((50, 50), 2, "uint8"), PLACE)), target)
    with running(database, CATALOG) as found:
        look(found)
        yield found


def heights(file: Path, value: float) -> Path:
    return write_tif(file, np.full((50, 50), value, dtype="float32"), PLACE)


def load_more(served: Service, file: Path) -> None:
    load_raster(raster_plan(RELIEF, file), prepared(served.database, CATALOG))


def test_an_image_is_drawn_once_and_looks_the_same_from_everywhere(served: Service) -> None:
    first = served.get(PNG)
    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    drawn, memory = counts(served).drawn, counts(served).memory
    again = served.get(PNG)
    assert (again.content, dict(again.headers)) == (first.content, dict(first.headers))
    assert (counts(served).drawn, counts(served).memory) == (drawn, memory + 1)
    house_of(served).tiles.scribe.close()
    house_of(served).tiles.shelf.clear()
    disk = served.get(PNG)
    assert (disk.content, dict(disk.headers)) == (first.content, dict(first.headers))
    assert (counts(served).drawn, counts(served).disk) == (drawn, 1)
    same = served.get(PNG, **{"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_each_format_is_a_tile_of_its_own(served: Service) -> None:
    for _ in range(2):
        for image in ("png", "webp", "jpeg"):
            answer = served.get(PNG.replace("png", image))
            assert answer.headers["content-type"] == f"image/{image}"
            assert "content-encoding" not in answer.headers
            assert abs(int(pixels(answer)[0].max()) - 80) <= 2
    assert counts(served).drawn == 3


@pytest.mark.parametrize("watched", [True, False])
def test_a_new_raster_is_seen_at_once(
    served: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    assert pixels(served.get(PNG))[0].max() == 80
    load_more(served, heights(tmp_path / "c.tif", 200))
    look(served)
    if not watched:
        monkeypatch.setattr(Watch, "stale_since", lambda *_: None)
    assert pixels(served.get(PNG))[0].max() == (200 if watched else 80)


def test_what_is_kept_for_one_reader_is_nobody_elses(served: Service) -> None:
    path = tile("secret_cover", 105.25, 38.75, 12, "?f=png")
    for _ in range(2):
        shown = served.get(path, Clearance.RESTRICTED)
        assert shown.status_code == 200
        assert shown.headers["cache-control"] == "private, no-cache"
        for clearance in (None, Clearance.PUBLIC, Clearance.INTERNAL):
            assert served.get(path, clearance).status_code == 404


def test_other_looks_and_other_times_are_not_the_kept_one(served: Service) -> None:
    plain = served.get(PNG)
    other = served.get(f"{PNG}&rescale=0,160")
    assert pixels(other)[0].max() == 128 != pixels(plain)[0].max()
    assert served.get(f"{PNG}&as-of=2020-01-01T00:00:00Z").content != plain.content
    assert served.get(PNG).content == plain.content
    assert counts(served).drawn == 1
    assert served.get(PNG.replace("png", "mvt")).status_code == 400


def test_a_damaged_file_leaves_nothing_behind(served: Service) -> None:
    files = list((served.database.settings.home / "rasters").iterdir())
    for file in files:
        file.rename(file.with_suffix(".away"))
    assert served.get(PNG).status_code == 503
    for file in files:
        file.with_suffix(".away").rename(file)
    assert served.get(PNG).status_code == 200


def test_colours_of_classes_are_part_of_the_name() -> None:
    """Who gives a class another colour must not be shown the former one."""
    known = CATALOG.codelists["cover@1"]
    red = {name: replace(code, colour="#ff0000") for name, code in known.codes.items()}
    told = [colours_of(SECRET, lists) for lists in (CATALOG.codelists, {"cover@1": replace(known, codes=red)})]
    assert told[0] != told[1]
    grid_set = web_mercator()
    named = {definition_of(SECRET.model_copy(), grid_set, lambda one=one: one) for one in told}
    assert len(named) == 2
    assert colours_of(RELIEF, CATALOG.codelists) == colours_of(RELIEF, {}), "it has no classes"
