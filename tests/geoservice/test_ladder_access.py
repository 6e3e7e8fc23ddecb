"""What rises above a reader is gone from every zoom with the edition that raises it, though no worker runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from geoservice import ladder
from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.house import House
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.entry import IDENTITY
from ingest import withhold
from ingest.editions import withdraw
from layers.access import Clearance, Principal, decide
from layers.model import VectorLayer
from tests.support.edits import Editor
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches

GRID = morecantile.tms.get("WebMercatorQuad")
PUBLIC, INTERNAL, RESTRICTED = (Principal("reader", clearance) for clearance in Clearance)
UNIQUE = "9999"
"""The value of the one row that rises."""
CODE = "3-3"
"""Its key."""
ZOOMS = range(3, 19)
BELOW = 10
TILES = {"from": 3, "to": 18}
Seen = dict[int, list[Any]]


def surfaces() -> VectorLayer:
    return patches(tiles={**TILES, "mosaic": {"by": "kind", "below": BELOW}})


def points() -> VectorLayer:
    layer = trial_layer(
        "patch",
        style={"circle": {"colour": {"by": "kind", "colours": {UNIQUE: "#aa2222"}}}},
        attributes={
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
        },
        time=None,
        tiles={**TILES, "cluster": {"below": BELOW}},
        sources={"all": {"match": ["*.gpkg"], "complete": True}},
    )
    assert isinstance(layer, VectorLayer)
    return layer


def rows_of(layer: VectorLayer) -> list[dict[str, Any]]:
    """Open rows, one of which has a value of its own."""
    rows = mesh(8, 8, 1)
    for row in rows:
        row["level"] = None
        if layer.geometry == "point":
            row["geometry"] = row["geometry"].centroid
    rows[27]["kind"] = UNIQUE
    if layer.geometry == "point":
        rows[27]["geometry"] = shapely.MultiPoint([shapely.get_coordinates(rows[k]["geometry"])[0] for k in (27, 28)])
    return rows


class World:
    """A service whose ladder stands and whose tiles are kept, somebody who edits, and no worker."""

    def __init__(self, database: Database, folder: Path, layer: VectorLayer) -> None:
        self.database, self.layer, self.folder = database, layer, folder
        self.catalog = trial_catalog(layer)
        self.rows = rows_of(layer)
        self.secret = self.rows[27]
        where = self.secret["geometry"]
        self.place = where.geoms[0].coords[0] if layer.geometry == "point" else where.centroid.coords[0]
        self.target = prepared(database, self.catalog)
        self.load(self.rows, "first")
        self.editor = Editor(database, layer)
        self.editor.rows = {row["code"]: dict(row) for row in self.rows}
        assert ladder.renew(database, layer) is not None
        same = {"credentials_file": database.settings.credentials_path, "socket_dir": Path(database.parameters["host"])}
        made = database.settings.model_copy(update={"home": folder, "tile_disk_mb": 64, "tile_memory_mb": 64, **same})
        self.house: House = create_app(made, self.catalog).state.house

    def load(self, rows: list[dict[str, Any]], name: str) -> int:
        report = load_file(self.catalog, self.target, "patch", write_rows(self.folder / f"{name}.gpkg", rows))
        assert report.edition is not None
        return report.edition

    def raise_secret(self, level: str = "restricted") -> None:
        self.secret["level"] = level
        self.editor.bring_to(self.rows)

    async def open(self) -> None:
        await self.house.pools.__aenter__()
        await self.house.settle()
        await self.house.tiles.watch.look()

    async def close(self) -> None:
        self.house.tiles.close()
        self.house.writer.close()
        await self.house.pools.__aexit__(None, None, None)

    async def seen(self, reader: Principal, *, kept: bool) -> Seen:
        """What a reader sees around the row of each zoom, from the cache or drawn anew."""
        found: Seen = {}
        for zoom in ZOOMS:
            tile = GRID.tile(*self.place, zoom)
            request = TileRequest(self.layer, decide(reader, "read", self.layer), zoom, tile.y, tile.x)
            drawing = partial(draw, self.house, reader, request)
            if kept:
                entry = await self.house.tiles.tile(self.house.tiles.place(request), drawing)
                found[zoom] = features(entry.body(IDENTITY))
            else:
                found[zoom] = features((await drawing()).body)
        return found

    async def both(self, reader: Principal) -> list[Seen]:
        await self.house.tiles.watch.look()
        return [await self.seen(reader, kept=True), await self.seen(reader, kept=False)]


def features(body: bytes) -> list[Any]:
    decoded = mapbox_vector_tile.decode(body, default_options={"y_coord_down": True}) if body else {}
    found = decoded.get("patch", {}).get("features", [])
    return sorted(found, key=repr)


def tells(one: Any) -> bool:
    """Whether a feature of a tile speaks of the row."""
    return one["properties"].get("key") == CODE or UNIQUE in repr(one["properties"])


def counted(seen: list[Any]) -> int:
    return sum(one["properties"].get("count", 1) for one in seen)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as found:
        yield found


@pytest.fixture(params=[surfaces, points], ids=["surfaces", "points"])
def world(
    request: pytest.FixtureRequest, database: Database, runner: asyncio.Runner, tmp_path: Path
) -> Iterator[World]:
    found = World(database, tmp_path, request.param())
    runner.run(found.open())
    yield found
    runner.run(found.close())


def open_everywhere(world: World, runner: asyncio.Runner) -> tuple[list[Seen], list[Seen]]:
    """What the public and the highest reader see before the row rises, from the cache and drawn anew."""
    before, inside = runner.run(world.both(PUBLIC)), runner.run(world.both(RESTRICTED))
    # There it is, at each zoom; a cell of a low zoom counts it without telling its value.
    assert world.secret["code"] == CODE
    assert [zoom for zoom in ZOOMS if zoom >= BELOW and not any(map(tells, before[0][zoom]))] == []
    assert all(counted(before[0][zoom]) for zoom in ZOOMS)
    return before, inside


def hidden_everywhere(world: World, runner: asyncio.Runner, before: list[Seen], inside: list[Seen]) -> None:
    for reader in (PUBLIC, INTERNAL):
        for number, seen in enumerate(runner.run(world.both(reader))):
            assert not [zoom for zoom in ZOOMS if any(map(tells, seen[zoom]))]
            fewer = {zoom: (counted(before[number][zoom]), counted(seen[zoom])) for zoom in range(3, BELOW)}
            assert all(less < more for more, less in fewer.values()), (number, fewer)
    # Who may see it loses nothing below the zooms of the rows, which show the new level.
    for was, now in zip(inside, runner.run(world.both(RESTRICTED)), strict=True):
        assert [zoom for zoom in range(3, BELOW) if was[zoom] != now[zoom]] == []
        assert all(any(map(tells, now[zoom])) for zoom in ZOOMS if zoom >= BELOW)


def rises(world: World, runner: asyncio.Runner) -> tuple[list[Seen], list[Seen]]:
    seen = open_everywhere(world, runner)
    world.raise_secret()
    return seen


def test_a_row_that_rises_is_gone_at_every_zoom_without_a_worker(world: World, runner: asyncio.Runner) -> None:
    hidden_everywhere(world, runner, *rises(world, runner))
    # What was hidden is what the next refresh works out again: then it is as if it had been built from all rows.
    assert ladder.renew(world.database, world.layer) is not None
    refreshed = runner.run(world.both(PUBLIC))
    ladder.renew(world.database, world.layer, anew=True)
    assert runner.run(world.both(PUBLIC)) == refreshed


def test_without_the_writer_s_care_it_would_be_seen(
    world: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    monkeypatch.setattr(withhold, "_hide", lambda *_: None)
    seen = rises(world, runner)
    with pytest.raises(AssertionError):
        hidden_everywhere(world, runner, *seen)


def test_when_very_many_rise_the_ladder_goes(
    world: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withhold, "MANY", 0)
    runner.run(world.both(PUBLIC))
    world.raise_secret("internal")
    for seen in runner.run(world.both(PUBLIC)):
        assert not [zoom for zoom in ZOOMS if any(map(tells, seen[zoom]))]
        assert all(counted(seen[zoom]) for zoom in ZOOMS if zoom < 12)
    with world.database.transaction(Role.OWNER) as connection:
        left = connection.execute(sa.text("SELECT count(*) FROM ladder.patch_cell")).scalar_one()
    assert left == 0
    assert ladder.renew(world.database, world.layer) is not None


def test_a_row_that_went_and_came_back_higher_is_gone_too(world: World, runner: asyncio.Runner) -> None:
    runner.run(world.both(PUBLIC))
    world.editor.bring_to([row for row in world.rows if row is not world.secret])
    world.raise_secret("internal")
    for seen in runner.run(world.both(PUBLIC)):
        assert not [zoom for zoom in ZOOMS if any(map(tells, seen[zoom]))]


def test_an_edition_that_is_taken_back_is_gone_for_everybody(world: World, runner: asyncio.Runner) -> None:
    mistake = {**world.rows[3], "kind": "8888", "code": "mistake"}
    mistaken = world.load([*world.rows, mistake], "mistaken")
    ladder.renew(world.database, world.layer)
    withdraw(world.layer, world.target, mistaken, principal="officer", reason="was not to be told")
    for reader in (PUBLIC, RESTRICTED):
        for seen in runner.run(world.both(reader)):
            assert "8888" not in repr(seen)
            assert UNIQUE in repr(seen), "what was not taken back is still there"
    ladder.renew(world.database, world.layer)
    refreshed = runner.run(world.both(RESTRICTED))
    ladder.renew(world.database, world.layer, anew=True)
    assert runner.run(world.both(RESTRICTED)) == refreshed


def public_rungs(world: World) -> int:
    """How many rungs show the row to the public."""
    found = 0
    with world.database.transaction(Role.OWNER) as connection:
        names = sa.inspect(connection).get_table_names(schema="ladder")
        for name in [name for name in names if name.startswith("patch_z")]:
            table = sa.table(name, sa.column("key"), sa.column("_clearance"), schema="ladder")
            row = sa.select(table.c["_clearance"]).where(table.c.key == world.secret["code"])
            found += connection.execute(row).scalar_one() == 0
    return found


@pytest.fixture
def flat(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path, surfaces())


@pytest.mark.parametrize("careful", [True, False])
def test_a_row_that_rises_while_the_ladder_is_built(
    flat: World, monkeypatch: pytest.MonkeyPatch, careful: bool
) -> None:
    real = ladder._build

    def overtaken(*arguments: Any) -> None:
        real(*arguments)
        flat.raise_secret()

    monkeypatch.setattr(ladder, "_build", overtaken)
    if not careful:
        monkeypatch.setattr(ladder, "_caught_up", lambda _engine, _layer, edition: edition)
    ladder.renew(flat.database, flat.layer, anew=True)
    assert (public_rungs(flat) == 0) == careful


@pytest.mark.parametrize("careful", [True, False])
def test_a_row_that_rises_while_the_ladder_is_refreshed(
    flat: World, monkeypatch: pytest.MonkeyPatch, careful: bool
) -> None:
    real, editing = ladder._remember, threading.Thread(target=flat.raise_secret)

    def overtaken(*arguments: Any) -> None:
        real(*arguments)
        editing.start()
        # It waits for this refresh to end, or for the rows that it replaces.
        time.sleep(1.0)

    flat.secret["geometry"] = flat.secret["geometry"].buffer(-0.0002)
    flat.editor.bring_to(flat.rows)
    monkeypatch.setattr(ladder, "_remember", overtaken)
    if not careful:
        monkeypatch.setattr(ladder, "_turn", lambda *_: nullcontext())
    ladder.renew(flat.database, flat.layer)
    editing.join(60)
    assert not editing.is_alive()
    assert (public_rungs(flat) == 0) == careful


def test_a_kept_tile_would_outlive_it_without_an_entry_of_the_change(
    flat: World, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control of the kept tiles."""
    monkeypatch.setattr(withhold, "_note", lambda *_: None)
    runner.run(flat.open())
    runner.run(flat.seen(PUBLIC, kept=True))
    flat.raise_secret()
    kept, fresh = runner.run(flat.both(PUBLIC))
    told = {zoom: (any(map(tells, kept[zoom])), any(map(tells, fresh[zoom]))) for zoom in range(BELOW, 18)}
    assert set(told.values()) == {(True, False)}
    runner.run(flat.close())


def test_kept_tiles_of_a_layer_that_is_defined_otherwise_are_given_up(flat: World, runner: asyncio.Runner) -> None:
    runner.run(flat.open())
    kept = runner.run(flat.seen(PUBLIC, kept=True))
    assert any(map(tells, kept[18]))
    spots = list(flat.house.tiles.shelf._entries)
    assert any(flat.house.tiles.at_hand(spot) is not None for spot in spots)
    closed = surfaces().model_copy(update={"clearance": Clearance.INTERNAL})
    prepared(flat.database, trial_catalog(closed))
    flat.house.tiles.watch.on_return = flat.house.tiles.forget
    runner.run(flat.house.tiles.watch.look())
    assert all(flat.house.tiles.at_hand(spot) is None for spot in spots)
    runner.run(flat.close())


def test_a_load_that_raises_nothing_leaves_the_ladder_alone(flat: World) -> None:
    """Only what rose costs anything: the lock is not even asked for."""
    asked: list[str] = []
    engine = flat.target.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    rows = [{**row, "kind": "0101"} for row in flat.rows]
    flat.load(rows, "second")
    assert not [statement for statement in asked if "ladder." in statement]
    rows[5]["level"] = "internal"
    flat.load(rows, "third")
    assert [statement for statement in asked if "ladder." in statement]


def test_cells_that_the_writer_hides_are_those_that_a_refresh_counts_again(database: Database) -> None:
    """For boxes on and beside the lines of the grid: no cell is hidden that would stay hidden."""
    from layers.table import mosaic_cells  # noqa: PLC0415
    from tiles.ladder.build import _places  # noqa: PLC0415

    random = np.random.default_rng(5)
    layer = surfaces()
    lines = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * random.integers(0, 2**15, 40) / 2**15))))
    west = random.integers(0, 2**15, 40) / 2**15 * 360 - 180
    boxes = np.column_stack([west, lines, np.minimum(west + 0.01, 180), np.minimum(lines + 0.01, 89.9)])
    with database.transaction(Role.OWNER) as connection:
        for box in boxes.tolist():
            hidden = connection.execute(
                sa.select(*mosaic_cells(sa.func.ST_MakeEnvelope(*box), BELOW, withhold.SLACK))
            ).one()
            again = _places(layer, np.array([box]))
            first, last = again.min(axis=0), again.max(axis=0)
            assert (first <= hidden[:2]).all()
            assert (last >= hidden[2:]).all()
            # It is hidden at least where it lies.
            assert (np.array(hidden[2:]) - hidden[:2] >= last - first - 2).all()
