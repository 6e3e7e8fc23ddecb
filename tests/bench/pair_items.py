"""Features over HTTP: our service against tipg."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import sqlalchemy as sa

from geoservice.db.credentials import Role
from layers.table import current_table
from tests.bench import servers, workload
from tests.bench.client import run_pass
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World, peer_reader

CONNECTIONS = 4
LIMIT = 100
SERIAL = {"max_parallel_workers_per_gather": "0"}


def measure(world: World, repetitions: int, requests: int, tell: Callable[[str], None]) -> list[Figures]:
    """Boxes, then single features; three sides in turn."""
    password = peer_reader(world.database)
    with (
        servers.geoservice(world) as ours,
        servers.tipg(world, password, {}) as plain,
        servers.tipg(world, password, SERIAL) as serial,
    ):
        found = []
        for title, mine, theirs, conditions in (_boxes(world, requests), _single(world, requests)):
            ports = (("geoservice", ours, mine), ("tipg", plain, theirs), ("tipg, parallel query off", serial, theirs))
            for _, port, paths in ports:
                run_pass(port, paths[: requests // 4], CONNECTIONS, gzip=True)
            tell(title)
            figures = in_turn([_side(*one) for one in ports], repetitions, tell)
            found.append(comparison(title, "requests/s", conditions, figures))
    return found


def _side(name: str, port: int, paths: list[str]) -> Side:
    return name, lambda: run_pass(port, paths, CONNECTIONS, gzip=True).rate


def _common(world: World, requests: int) -> str:
    return (
        f"{requests} requests for features of {LAYER} as GeoJSON with the attributes {', '.join(world.attributes)}; "
        f"gzip, {CONNECTIONS} connections, uvicorn with {servers.WORKERS} workers on both sides. tipg runs in a "
        "virtual environment of its own and reads the same table through a role that row policies do not touch, with "
        "the planner settings of the server unless stated."
    )


def _boxes(world: World, requests: int) -> tuple[str, list[str], list[str], str]:
    texts = [",".join(map(str, box)) for box in workload.boxes(world.bounds(), requests)]
    mine = [f"/collections/{LAYER}/items?bbox={text}&limit={LIMIT}&f=json" for text in texts]
    theirs = [
        f"/collections/geo.{LAYER}/items?bbox={text}&limit={LIMIT}&f=geojson&properties={','.join(world.attributes)}"
        for text in texts
    ]
    conditions = f"Boxes of {workload.BOX_DEGREES} by {workload.BOX_DEGREES} degrees, limit {LIMIT}, the same on both "
    return "Features in a box", mine, theirs, conditions + "sides. " + _common(world, requests)


def _single(world: World, requests: int) -> tuple[str, list[str], list[str], str]:
    table = current_table(world.layer)
    with world.database.transaction(Role.WRITER) as connection:
        rows = connection.execute(sa.select(table.c.fid, table.c.key).order_by(table.c.fid)).all()
    taken = [rows[number] for number in workload.chosen(len(rows), requests)]
    mine = [f"/collections/{LAYER}/items/{quote(row.key, safe='')}?f=json" for row in taken]
    names = ",".join(world.attributes)
    theirs = [f"/collections/geo.{LAYER}/items/{row.fid}?f=geojson&properties={names}" for row in taken]
    conditions = "geoservice by the public key (text), tipg by the table's primary key (bigint). "
    return "One feature by id", mine, theirs, conditions + _common(world, requests)
