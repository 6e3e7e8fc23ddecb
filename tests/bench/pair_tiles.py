"""Vector tiles: our service over HTTP against the bare statement of a table-serving tile server, without HTTP."""

from __future__ import annotations

from collections.abc import Callable

from geoservice.db.credentials import Role
from tests.bench import plain, servers, workload
from tests.bench.client import run_pass
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, PEER_ROLE, World, peer_reader

CONNECTIONS = 4
"""On both sides: where other programs run too, more connections would get a larger share of the machine."""


def measure(world: World, repetitions: int, requests: int, tell: Callable[[str], None]) -> Figures:
    """Both sides in turn."""
    addresses = workload.tiles(world.bounds(), requests)
    paths = [f"/collections/{LAYER}/tiles/WebMercatorQuad/{a.z}/{a.y}/{a.x}" for a in addresses]
    statement = plain.table_statement(world.layer, world.attributes)
    jobs = [(statement, {"z": a.z, "x": a.x, "y": a.y}) for a in addresses]
    reader = {"user": PEER_ROLE, "password": peer_reader(world.database)}
    login = {**world.database.asyncpg_arguments(Role.READER_PUBLIC), **reader}
    with servers.geoservice(world) as port:
        run_pass(port, paths[: requests // 4], CONNECTIONS, gzip=False)
        sides: list[Side] = [
            ("geoservice", lambda: run_pass(port, paths, CONNECTIONS, gzip=False).rate),
            ("ST_AsMVT", lambda: plain.rate(login, jobs, CONNECTIONS, {})),
            ("ST_AsMVT, parallel query off", lambda: plain.rate(login, jobs, CONNECTIONS, plain.SERIAL)),
        ]
        found = in_turn(sides, repetitions, tell)
    mix = ", ".join(f"z{z} {share} %" for z, share in workload.ZOOMS.items())
    conditions = (
        f"{len(addresses)} tiles of the layer {LAYER} ({mix}; seed {workload.SEED}), none from a cache. geoservice: "
        f"HTTP, {servers.WORKERS} workers, {CONNECTIONS} connections, bodies not compressed; low zooms from the "
        "layer's ladder, with the attributes that they need, z14 and above from its rows. ST_AsMVT: "
        "`ST_AsMVT(ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(z, x, y), 4096, 64, true))` over the same "
        f"table with an index test on the stored geometry, {CONNECTIONS} database connections, no HTTP, planner "
        "settings of the server unless stated. It delivers fid, key and the public attributes at every zoom: "
        f"{', '.join(world.attributes)}."
    )
    return comparison("Vector tiles", "tiles/s", conditions, found)
