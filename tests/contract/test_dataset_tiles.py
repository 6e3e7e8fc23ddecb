"""Tiles of several collections, and the size that no tile exceeds: what is left out matters least and is said."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely

from geoservice.house import House
from geoservice.ladder import renew
from geoservice.settings import Settings
from geoservice.tiles import drawing, several
from geoservice.tiles.drawing import Drawn, TileRequest
from layers.access import Clearance, Principal, decide
from layers.errors import QueryTimeout
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, plain_bytes, running
from tiles.budget import TILE_BYTES

GRID = morecantile.tms.get("WebMercatorQuad")
HEAP = 36_000
WEST, SOUTH, SIDE = 105.05, 38.05, 0.2
READERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
LEVELS = ("public", "internal", "restricted", "public", "public", "public")


def heap_rows() -> list[dict[str, Any]]:
    """Points whose names do not compress, in one tile; some are above the public."""
    random = np.random.default_rng(4)
    places = random.uniform(0, SIDE, (HEAP, 2)) + np.array([WEST, SOUTH])
    amounts = random.permutation(HEAP)
    return [
        {
            "code": f"h{number}",
            "name": random.bytes(12).hex(),
            "amount": float(amounts[number]),
            "level": LEVELS[number % len(LEVELS)],
            "geometry": shapely.Point(*places[number]),
        }
        for number in range(HEAP)
    ]


def strip_rows() -> list[dict[str, Any]]:
    """Areas side by side, each larger than the one before."""
    shapes = [shapely.box(WEST + i / 500, SOUTH, WEST + (i + 0.9) / 500, SOUTH + i / 500) for i in range(90)]
    rows = [{"code": f"s{i}", "name": f"name {i}", "level": None, "geometry": shapes[i]} for i in range(1, 90)]
    np.random.default_rng(8).shuffle(rows)
    return rows


@dataclass
class Crowd:
    """A service with a heap of points and a strip of areas."""

    service: Service
    heap: list[dict[str, Any]]

    @property
    def house(self) -> House:
        found: House = self.service.client.app.state.house  # type: ignore[attr-defined]
        return found

    def draw(self, name: str, budget: int, reader: Clearance = Clearance.PUBLIC) -> Drawn:
        """One tile of a collection under another budget, drawn inside the service."""
        asker = Principal("test", reader)
        layer = self.service.catalog.layer(name)
        assert isinstance(layer, VectorLayer)
        request = TileRequest(layer, decide(asker, "read", layer), TILE.z, TILE.y, TILE.x, budget=budget)
        portal = self.service.client.portal
        assert portal is not None
        return portal.call(drawing.draw, self.house, asker, request)


TILE = GRID.tile(WEST + SIDE / 2, SOUTH + SIDE / 2, 9)


@pytest.fixture(scope="module")
def crowd(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    heap = trial_layer(
        "heap", tiles={"from": 0, "to": 14, "importance": {"by": "amount"}}, time=None, portal={"visible": True}
    )
    strip = trial_layer("strip", geometry="polygon", style={"fill": "#336699"}, time=None)
    closed = trial_layer("closed", clearance="restricted", time=None, portal={"visible": True})
    table = trial_layer("listed", kind="table", geometry=None, style=None, time=None)
    catalog = trial_catalog(heap, strip, closed, table)
    folder: Path = tmp_path_factory.mktemp("crowd")
    rows = heap_rows()
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "heap", write_rows(folder / "heap.gpkg", rows))
        load_file(catalog, target, "strip", write_rows(folder / "strip.gpkg", strip_rows()))
        load_file(catalog, target, "closed", write_rows(folder / "closed.gpkg", [{**rows[0], "code": "c"}]))
        assert isinstance(strip, VectorLayer)
        assert renew(database, strip) is not None
        with running(database, catalog) as found:
            yield Crowd(found, rows)


def address(query: str = "", tile: morecantile.Tile = TILE) -> str:
    return f"/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?{query}"


def decoded(body: bytes) -> dict[str, Any]:
    return dict(mapbox_vector_tile.decode(body)) if body else {}


def visible(rows: list[dict[str, Any]], reader: Clearance | None) -> dict[str, float]:
    most = Clearance.PUBLIC if reader is None else reader
    return {row["code"]: row["amount"] for row in rows if Clearance[row["level"].upper()] <= most}


@pytest.mark.parametrize("reader", READERS)
def test_a_tile_that_would_be_too_large_keeps_what_matters_most(crowd: Crowd, reader: Clearance | None) -> None:
    path = f"/collections/heap/tiles/WebMercatorQuad/{TILE.z}/{TILE.y}/{TILE.x}"
    response = crowd.service.get(path, reader, **{"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert TILE_BYTES / 2 < int(response.headers["content-length"]) <= TILE_BYTES
    shown = {f["properties"]["key"] for f in decoded(plain_bytes(response))["heap"]["features"]}
    known = visible(crowd.heap, reader)
    assert shown < known.keys()
    # What is counted as left out is of what this reader may see, and nothing else.
    assert len(shown) + int(response.headers["geoservice-dropped"]) == len(known)
    assert min(known[key] for key in shown) > max(known[key] for key in known.keys() - shown)


def test_without_a_budget_the_tile_would_be_larger(crowd: Crowd) -> None:
    drawn = crowd.draw("heap", 10**9)
    assert drawn.dropped == 0
    assert len(gzip.compress(drawn.body)) > TILE_BYTES
    assert len(decoded(drawn.body)["heap"]["features"]) == len(visible(crowd.heap, None))


def test_more_features_than_fit_any_tile_are_not_drawn_first(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiles.vector.MOST_FEATURES", 1000)
    crowd.house.reading.statements.clear()
    try:
        drawn = crowd.draw("heap", 100_000)
    finally:
        monkeypatch.undo()
        crowd.house.reading.statements.clear()
    shown = decoded(drawn.body)["heap"]["features"]
    assert len(shown) + drawn.dropped == len(visible(crowd.heap, None))
    assert min(f["properties"]["amount"] for f in shown) > 0


@pytest.mark.parametrize("budget", [600, 900, 1200])
def test_of_areas_the_largest_stay(crowd: Crowd, budget: int) -> None:
    """Drawn from a rung of the ladder."""
    drawn = crowd.draw("strip", budget)
    shown = {f["properties"]["key"] for f in decoded(drawn.body)["strip"]["features"]}
    assert 0 < len(shown) < 89
    assert drawn.dropped == 89 - len(shown)
    assert shown == {f"s{i}" for i in range(90 - len(shown), 90)}


def test_a_budget_that_nothing_fits_leaves_an_empty_tile(crowd: Crowd) -> None:
    drawn = crowd.draw("strip", 10)
    assert (drawn.body, drawn.dropped) == (b"", 89)


def test_several_collections_come_in_one_tile(crowd: Crowd) -> None:
    response = crowd.service.get(address("collections=strip,closed"), Clearance.RESTRICTED)
    found = decoded(plain_bytes(response))
    assert {name: len(layer["features"]) for name, layer in found.items()} == {"strip": 89, "closed": 1}
    assert response.headers["cache-control"].startswith("private")
    public = crowd.service.get(address("collections=strip"))
    assert decoded(plain_bytes(public)).keys() == {"strip"}
    assert public.headers["cache-control"] == "no-cache"


def test_collections_share_the_size_of_a_tile(crowd: Crowd) -> None:
    response = crowd.service.get(address("collections=heap,strip"), **{"Accept-Encoding": "gzip"})
    assert int(response.headers["content-length"]) <= TILE_BYTES
    found = decoded(plain_bytes(response))
    assert found["strip"]["features"]
    left_out = len(visible(crowd.heap, None)) + 89 - sum(len(layer["features"]) for layer in found.values())
    assert int(response.headers["geoservice-dropped"]) == left_out


def test_without_a_choice_the_tile_has_what_the_portal_shows_at_first(crowd: Crowd) -> None:
    assert decoded(plain_bytes(crowd.service.get(address()))).keys() == {"heap"}
    mine = decoded(plain_bytes(crowd.service.get(address(), Clearance.RESTRICTED)))
    assert mine.keys() == {"heap", "closed"}


def test_no_more_layers_than_a_tile_may_have_are_chosen(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "MOST_LAYERS", 1)
    assert len(several.chosen_layers(crowd.house, Principal("test", Clearance.RESTRICTED), None)) == 1


@pytest.mark.parametrize("name", ["closed", "missing", "listed", "heap/x", "%00", "'; DROP TABLE"])
def test_what_one_may_not_see_is_missing(crowd: Crowd, name: str) -> None:
    response = crowd.service.get(address(f"collections=heap,{name}"))
    assert response.status_code == 404
    if name in ("closed", "missing"):
        assert response.json()["detail"].replace(name, "x").startswith("There is no collection 'x'")


@pytest.mark.parametrize(
    "query",
    ["collections=", "collections=heap,", "collections=heap,heap", "collections=" + ",".join("abcdefghijklmnopq"),
     "collections=heap&edition=1", "collections=heap&between=1/2", "collections=heap&as-of=tomorrow", "f=png",
     "collections=heap&collections=strip"],
)  # fmt: skip
def test_what_cannot_be_drawn_together_is_refused(crowd: Crowd, query: str) -> None:
    assert crowd.service.get(address(query)).status_code == 400


def test_a_tile_beyond_all_layers_is_missing(crowd: Crowd) -> None:
    far = GRID.tile(-100.0, 0.0, 9)
    assert crowd.service.get(address("collections=strip,heap", far)).status_code == 404
    for place in ("9/-1/0", "9/0/512", "99/0/0", "x/0/0", "9/0/1e3"):
        assert crowd.service.get(f"/tiles/WebMercatorQuad/{place}").status_code == 404
    assert crowd.service.get("/tiles/NoSuchQuad/0/0/0").status_code == 404


def test_a_tile_that_takes_too_long_is_given_up(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object) -> Drawn:
        await asyncio.sleep(5)
        raise AssertionError("nobody waited")

    monkeypatch.setattr(drawing, "_within_budget", slow)
    hurried = crowd.house.settings.model_copy(update={"tile_timeout": 0.05})
    monkeypatch.setattr(crowd.house, "settings", hurried)
    with pytest.raises(QueryTimeout, match=r"0\.05 s"):
        crowd.draw("strip", TILE_BYTES)
    response = crowd.service.get(address("collections=strip"))
    assert response.status_code == 503


def test_what_is_given_up_ends_in_the_database_too(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement of a tile that nobody waits for any longer is cancelled, and its connection serves again."""
    hurried = crowd.house.settings.model_copy(update={"tile_timeout": 0.001})
    with monkeypatch.context() as patched:
        patched.setattr(crowd.house, "settings", hurried)
        with pytest.raises(QueryTimeout):
            crowd.draw("heap", 10**9)
    running_now = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE state = 'active' AND query LIKE '%ST_AsMVT%' AND pid <> pg_backend_pid()"
    )

    async def busy() -> int:
        await asyncio.sleep(0.2)
        async with crowd.house.pools.raw(Clearance.PUBLIC) as connection:
            return int(await connection.fetchval(running_now))

    portal = crowd.service.client.portal
    assert portal is not None
    assert portal.call(busy) == 0
    assert crowd.draw("strip", TILE_BYTES).body


def test_parallel_plans_and_compilation_are_off(crowd: Crowd) -> None:
    async def options() -> dict[str, str]:
        async with crowd.house.pools.raw(Clearance.PUBLIC) as connection:
            names = ("jit", "max_parallel_workers_per_gather")
            return {name: await connection.fetchval("SELECT current_setting($1)", name) for name in names}

    portal = crowd.service.client.portal
    assert portal is not None
    assert portal.call(options) == {"jit": "off", "max_parallel_workers_per_gather": "0"}
