"""After any edits, a tile from the cache is the tile that is drawn anew: at every zoom, for every reader.

The test commits some dozens of random edits. `GEOSERVICE_TEST_EDITS=10000` makes it a long run of as many.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from geoservice import ladder
from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.house import House
from geoservice.tiles.cache import MEGABYTE
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.entry import IDENTITY
from geoservice.tiles.journal import Journal
from layers.access import Clearance, Principal, decide
from tests.geoservice.test_ladder import ACTS, edited
from tests.support.edits import Editor
from tests.support.loading import load_file, prepared, trial_catalog, write_rows
from tests.support.patches import ORIGIN, SIDE, mesh, patches

EDITS = int(os.environ.get("GEOSERVICE_TEST_EDITS", "60"))
COLUMNS, MOST = 14, 8
ZOOMS = range(5, 15)
GRID = morecantile.tms.get("WebMercatorQuad")
READERS = [Principal("reader", clearance) for clearance in Clearance]
BOX = (*(ORIGIN - SIDE / 2), *(ORIGIN + COLUMNS * SIDE + SIDE / 2))
TILES = [tile for zoom in ZOOMS for tile in GRID.tiles(*BOX, zooms=[zoom])]
Edit = tuple[str, int, int]


class World:
    """Two workers of a service, one of which has its tiles on disk only, and somebody who edits."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.layer = database, patches()
        catalog = trial_catalog(self.layer)
        self.rows = mesh(COLUMNS, COLUMNS, 1)
        target = prepared(database, catalog)
        self.editor = Editor(database, self.layer)
        # The first rows come as a load, which makes the indexes.
        load_file(catalog, target, "patch", write_rows(folder / "patch.gpkg", self.rows[:1]))
        self.editor.rows = {row["code"]: dict(row) for row in self.rows[:1]}
        self.editor.bring_to(self.rows)
        ladder.renew(database, self.layer)
        same = {"credentials_file": database.settings.credentials_path, "socket_dir": Path(database.parameters["host"])}
        made = database.settings.model_copy(update={"home": folder, "tile_disk_mb": 64, **same})
        apps = [create_app(made.model_copy(update={"tile_memory_mb": size}), catalog) for size in (64, 0)]
        self.houses: list[House] = [app.state.house for app in apps]
        self.edits = self.compared = 0

    async def open(self) -> None:
        for house in self.houses:
            await house.pools.__aenter__()
            await house.settle()
            await house.tiles.watch.look()

    async def close(self) -> None:
        for house in self.houses:
            house.tiles.close()
            house.writer.close()
            await house.pools.__aexit__(None, None, None)

    def request(self, tile: morecantile.Tile, reader: Principal) -> TileRequest:
        return TileRequest(self.layer, decide(reader, "read", self.layer), tile.z, tile.y, tile.x)

    async def compare(self, tiles: list[morecantile.Tile]) -> None:
        """Every tile for every reader, from both workers, with the tile that is drawn anew."""
        for house in self.houses:
            await house.tiles.watch.look()
        for tile in tiles:
            for reader in READERS:
                request = self.request(tile, reader)
                fresh = await draw(self.houses[0], reader, request)
                for house in self.houses:
                    place = house.tiles.place(request)
                    entry = await house.tiles.tile(place, partial(draw, house, reader, request))
                    kept = entry.body(IDENTITY)
                    assert kept == fresh.body or features(kept) == features(fresh.body), (tile, reader, entry.stamp)
                    self.compared += 1


def features(body: bytes) -> dict[str, Any]:
    """What a tile says, whatever the order in which it says it: rows of a coverage come as they lie on disk."""
    decoded = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True}) if body else {}
    return {name: sorted(map(repr, layer["features"])) for name, layer in decoded.items()}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as found:
        yield found


@pytest.fixture(scope="module")
def world(
    module_database: Database, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    found = World(module_database, tmp_path_factory.mktemp("home"))
    runner.run(found.open())
    yield found
    runner.run(found.close())


ONE_EDIT = st.tuples(st.sampled_from(sorted(ACTS)), st.integers(0, 10_000), st.integers(0, 50))
TURNS = st.tuples(
    st.lists(ONE_EDIT, min_size=1, max_size=MOST),
    # Mostly the ladder follows; sometimes tiles are asked for before it does.
    st.integers(0, 4),
    st.integers(0, 2**32 - 1),
)


def turn(world: World, runner: asyncio.Runner, edits: list[Edit], lag: int, seed: int, share: float) -> None:
    world.rows = edited(world.rows, edits)
    if len(world.rows) < COLUMNS**2 // 2:
        world.rows = mesh(COLUMNS, COLUMNS, world.edits)
    world.editor.bring_to(world.rows)
    world.edits += len(edits)
    if lag:
        ladder.renew(world.database, world.layer)
    chosen = np.random.default_rng(seed).random(len(TILES)) < share
    runner.run(world.compare([tile for tile, one in zip(TILES, chosen, strict=True) if one]))


@settings(
    max_examples=math.ceil(EDITS / (MOST / 2)),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
    deadline=None,
)
@given(TURNS)
def _any_edits(world: World, runner: asyncio.Runner, told: tuple[list[Edit], int, int]) -> None:
    if world.edits < EDITS:
        turn(world, runner, *told, share=0.25)


def test_after_any_edits_a_kept_tile_is_what_is_drawn_anew(world: World, runner: asyncio.Runner) -> None:
    while world.edits < EDITS:
        _any_edits(world, runner)  # type: ignore[call-arg]
    ladder.renew(world.database, world.layer)
    runner.run(world.compare(TILES))
    counts = world.houses[0].tiles.counts, world.houses[1].tiles.counts
    print(f"{world.edits} edits, {world.compared} tiles compared, {counts}")
    assert world.compared > 500
    # The test would prove nothing of a cache that draws everything anew.
    assert counts[0].memory > world.compared / 20
    assert counts[1].disk > world.compared / 20


def test_without_the_boxes_of_changes_tiles_would_be_stale(
    world: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the same comparison fails when no later change concerns any tile."""
    runner.run(world.compare(TILES))
    monkeypatch.setattr(Journal, "_met", lambda *_: None)
    everything: list[Edit] = [("kind", at, at + 1) for at in range(40)]
    with pytest.raises(AssertionError):
        turn(world, runner, everything, 1, 0, share=1.0)


def test_there_is_room_for_what_is_kept(world: World) -> None:
    assert world.houses[0].tiles.shelf.limit == 64 * MEGABYTE
    assert world.houses[1].tiles.shelf.limit == 0
