"""Tiles that nobody asked for before: our service over HTTP against tipg, bare statements, and our own ladder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.credentials import Role
from layers.access import ANONYMOUS, decide
from layers.ladder import Rung, mosaic_at, rung_at
from layers.model import Mosaic, VectorLayer
from tests.bench import plain, servers
from tests.bench.client import Pass, run_pass
from tests.bench.nation import country, work
from tests.bench.nation.work import Asked
from tests.bench.nation.world import Nation, as_loaded
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import PEER_ROLE, peer_reader
from tiles import vector
from tiles.grid import web_mercator
from tiles.target import tile_values

CONNECTIONS = 4
SEEDED = (
    "Before each pass geoservice keeps what its workers draw after a load (`tiles seed --low`: up to 400 tiles of the "
    "lowest zoom levels of each layer) and nothing else."
)
COUNTRY = (
    "A synthetic country: 1,000,000 parcels (17 vertices), 300,000 roads, 50,000 rivers (275 vertices) and 2,900 "
    "counties (3,000 vertices). "
    f"{CONNECTIONS} connections on every side, over HTTP gzip, {servers.WORKERS} workers. "
    "tipg (in an environment of its own, parallel query off, at most 10,000 features in a tile) and ST_AsMVT "
    "(`ST_AsMVT(ST_AsMVTGeom(ST_Transform(geom, 3857), ...))` with an index test, parallel query off, no HTTP) read "
    "the same tables through a role that row policies do not touch."
)


def measure(nation: Nation, repetitions: int, number: int, tell: Callable[[str], None]) -> list[Figures]:
    """The mix of all zooms, then the zooms that no load seeds; all sides in turn."""
    password = peer_reader(nation.database, country.LAYERS)
    login = {**nation.database.asyncpg_arguments(Role.READER_PUBLIC), "user": PEER_ROLE, "password": password}
    own = nation.database.asyncpg_arguments(Role.READER_PUBLIC)
    every, detail = work.mix(number), work.unseeded(2 * number)
    with (
        servers.geoservice(nation, kept=True) as ours,
        servers.geoservice(nation) as cold,
        servers.tipg(nation, password, plain.SERIAL, "roads") as theirs,
    ):
        # Each side has prepared its statements; what ours keeps of it is given up before the first pass.
        for port in (ours, cold):
            run_pass(port, [one.path for one in every[:100]], CONNECTIONS, gzip=True)
        run_pass(theirs, [one.path_of_tipg for one in every[:40]], CONNECTIONS, gzip=True)
        whole = Ours(ours, every, lambda: as_loaded(nation))
        hard = Ours(cold, detail)
        tell("Tiles of all zooms")
        mixed = in_turn(
            [
                ("geoservice", whole.rate),
                ("tipg", lambda: run_pass(theirs, [a.path_of_tipg for a in every], CONNECTIONS, gzip=True).rate),
                ("ST_AsMVT", lambda: plain.rate(login, _plain_jobs(nation, every), CONNECTIONS, plain.SERIAL)),
            ],
            repetitions,
            tell,
        )
        tell("Tiles of high zooms")
        sides: list[Side] = [
            ("geoservice", hard.rate),
            ("tipg", lambda: run_pass(theirs, [a.path_of_tipg for a in detail], CONNECTIONS, gzip=True).rate),
            ("ST_AsMVT", lambda: plain.rate(login, _plain_jobs(nation, detail), CONNECTIONS, plain.SERIAL)),
            ("own statements, no HTTP", lambda: plain.rate(own, _own_jobs(nation, detail), CONNECTIONS, plain.SERIAL)),
        ]
        high = in_turn(sides, repetitions, tell)
    return [
        comparison(
            "Tiles of a country, z5 to z16", "tiles/s", f"{len(every)} tiles. {SEEDED} {whole.told()} {COUNTRY}", mixed
        ),
        comparison(
            "Tiles of a country, z11 to z16",
            "tiles/s",
            f"{len(detail)} tiles, each once, none kept. {hard.told()} As above.",
            high,
        ),
    ]


class Ours:
    """Our side: passes over a list."""

    def __init__(self, port: int, asked: Sequence[Asked], before: Callable[[], None] | None = None) -> None:
        """Ask a service at a port for some tiles; `before` is called before each pass."""
        self._before = before
        self._port, self._paths = port, [one.path for one in asked]
        self._passes: list[Pass] = []

    def rate(self) -> float:
        """Tiles per second of one pass."""
        if self._before is not None:
            self._before()
        self._passes.append(run_pass(self._port, self._paths, CONNECTIONS, gzip=True))
        return self._passes[-1].rate

    def told(self) -> str:
        """How long answers took and how large they were."""
        patience = sorted(one.patience for one in self._passes)[len(self._passes) // 2]
        return (
            f"Of geoservice's answers 99 of 100 came within {patience:.0f} ms; median {self._passes[0].size:,} bytes."
        )


def _plain_jobs(nation: Nation, asked: Sequence[Asked]) -> list[plain.Job]:
    statements = {
        name: plain.table_statement(nation.layer(name), decide(ANONYMOUS, "read", nation.layer(name)).attributes)
        for name in country.LAYERS
    }
    return [(statements[one.layer], _values(one)) for one in asked]


def _own_jobs(nation: Nation, asked: Sequence[Asked]) -> list[plain.Job]:
    """The statements of our own service."""
    found, known = [], {}
    for one in asked:
        layer = nation.layer(one.layer)
        step = mosaic_at(layer, one.tile.z) or rung_at(layer, one.tile.z)
        if (one.layer, step) not in known:
            known[one.layer, step] = compile_statement(_own(layer, step))
        found.append((known[one.layer, step], _values(one)))
    return found


def _own(layer: VectorLayer, step: Rung | Mosaic | None) -> sa.Select[Any]:
    decision = decide(ANONYMOUS, "read", layer)
    if step is None:
        return vector.tile_statement(layer, decision)
    if isinstance(step, Mosaic):
        return vector.mosaic_statement(layer, step, decision)
    return vector.rung_statement(layer, step, decision)


def _values(asked: Asked) -> Mapping[str, Any]:
    tile = asked.tile
    return tile_values(web_mercator().place(tile.z, tile.y, tile.x))
