"""After an edit of one feature no tile is stale for long: at a zoom drawn from rows, from a rung, and from a mosaic."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import morecantile
import pytest

from geoservice import ladder
from geoservice.ladder import LadderKeeper
from geoservice.settings import Settings
from layers.access import Clearance
from tests.support.database import copied_database
from tests.support.edits import Editor
from tests.support.loading import load_file, prepared, trial_catalog, write_rows
from tests.support.patches import mesh, patches
from tests.support.service import Service, running

ZOOMS = (9, 12, 14)
LONGEST_SECONDS, TRIES = 4.0, 5
GRID = morecantile.tms.get("WebMercatorQuad")


def tags(served: Service, place: tuple[float, float]) -> list[str]:
    found = []
    for zoom in ZOOMS:
        tile = GRID.tile(*place, zoom)
        path = f"/collections/patch/tiles/WebMercatorQuad/{zoom}/{tile.y}/{tile.x}"
        response = served.get(path, Clearance.RESTRICTED)
        assert response.status_code == 200
        found.append(response.headers["etag"])
    return found


@pytest.mark.slow
def test_the_last_stale_tile_is_soon_gone(
    cluster_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = patches()
    catalog = trial_catalog(layer)
    monkeypatch.setattr(ladder, "read_catalog", lambda _: catalog)
    stop, seconds = threading.Event(), list[float]()
    rows = mesh(12, 12, 1)
    with copied_database(cluster_settings) as database:
        load_file(catalog, prepared(database, catalog), "patch", write_rows(tmp_path / "patch.gpkg", rows[:1]))
        editor = Editor(database, layer)
        editor.rows = {rows[0]["code"]: dict(rows[0])}
        editor.bring_to(rows)
        ladder.renew(database, layer)
        keeper = threading.Thread(target=LadderKeeper(database, stop).keep)
        keeper.start()
        try:
            with running(database, catalog) as served:
                changed, whole = rows[70], rows[70]["geometry"]
                place = whole.centroid.coords[0]
                for attempt in range(TRIES):
                    before = tags(served, place)
                    changed["geometry"] = whole.buffer(-0.0003 * (1 + attempt % 2))
                    changed["kind"] = f"999{attempt}"
                    editor.bring_to(rows)
                    seconds.append(gone_after(served, place, before))
        finally:
            stop.set()
            keeper.join()
    print("seconds until no tile was stale:", [round(one, 2) for one in seconds])
    # A second is the aim where nothing else runs. A machine that all tests share may be ten times as slow; what waits
    # for another reason than that (a lock, a pause after an error) waits for longer than this.
    assert min(seconds) < LONGEST_SECONDS


def gone_after(served: Service, place: tuple[float, float], before: list[str]) -> float:
    """Seconds until every tile is another one."""
    began = time.monotonic()
    while True:
        stale = [zoom for zoom, new, old in zip(ZOOMS, tags(served, place), before, strict=True) if new == old]
        if not stale:
            return time.monotonic() - began
        assert time.monotonic() - began < 30, f"tiles of {stale} stay stale"
