"""Threads that draw rasters: what takes too long is answered for, holds one place only, and never begins in vain."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from geoservice.db.engine import Database
from geoservice.tiles.easels import Easels
from ingest.raster import load_raster
from layers.errors import QueryTimeout
from tests.geoservice.test_raster_service import RELIEF, tile
from tests.support.loading import prepared
from tests.support.rasters import grid, raster_catalog, raster_plan, write_tif
from tests.support.service import running
from tiles.raster import RasterTiles

SOON = 0.2
AMPLE = 1.5
"""Seconds within which a busy machine begins what is asked of it."""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What slow pictures wait for; open at the end in any case, because threads are waited for."""
    event = threading.Event()
    yield event
    event.set()


def test_what_is_quick_is_given() -> None:
    easels = Easels(2, 30)
    assert asyncio.run(easels.draw(lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        asyncio.run(easels.draw(lambda: 1 // 0))
    easels.close()


def test_what_is_slow_holds_its_place_and_no_other(gate: threading.Event) -> None:
    easels, begun = Easels(2, AMPLE), []

    async def scene() -> None:
        with pytest.raises(QueryTimeout, match=r"took longer than the 1\.5 s"):
            await easels.draw(gate.wait)
        assert await easels.draw(lambda: "beside it") == "beside it"
        with pytest.raises(QueryTimeout):
            await easels.draw(gate.wait)
        # Both places are taken now: nothing is begun, and nobody waits longer for it than for a picture.
        with pytest.raises(QueryTimeout):
            await easels.draw(lambda: begun.append("in vain"))
        gate.set()
        assert await easels.draw(lambda: "again") == "again"

    asyncio.run(scene())
    assert begun == []
    easels.close()


def test_what_nobody_waits_for_is_not_begun(gate: threading.Event) -> None:
    easels, begun = Easels(1, 30), []

    async def scene() -> None:
        first = asyncio.create_task(easels.draw(gate.wait))
        left = asyncio.create_task(easels.draw(lambda: begun.append("in vain")))
        await asyncio.sleep(0.05)
        left.cancel()
        await asyncio.sleep(0.05)
        gate.set()
        await first
        await easels.draw(lambda: None)

    asyncio.run(scene())
    assert begun == []
    easels.close()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("seconds", [SOON, 30])
def test_a_slow_tile_is_answered_in_time(
    database: Database, tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    catalog = raster_catalog(RELIEF)
    file = write_tif(tmp_path / "a.tif", np.full((50, 50), 80, dtype="float32"), grid(105, 39, 0.01))
    load_raster(raster_plan(RELIEF, file), prepared(database, catalog))
    monkeypatch.setattr(RasterTiles, "at", lambda *_: b"open" if gate.wait(1) else b"slow")
    with running(database, catalog, tile_timeout=seconds) as service:
        began = time.monotonic()
        answer = service.get(tile("relief", 105.25, 38.75, 12, "?f=png"))
        if seconds == SOON:
            assert (answer.status_code, answer.json()["title"]) == (503, "Query took too long")
            assert time.monotonic() - began < 1
        else:
            assert (answer.status_code, answer.content) == (200, b"slow"), "a service with time waits for it"
        assert service.get("/collections/relief").status_code == 200
