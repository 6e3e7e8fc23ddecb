"""Routes over a grid of roads with closures: the service over HTTP beside pgRouting on the same rows.

pgRouting is asked on a connection of its own, without HTTP, from node to node: over all edges, and over those in a box
around the way. Run as `python -m tests.bench.ways`; it needs `postgresql-15-pgrouting`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyogrio
import shapely

from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from ingest.job import plan
from ingest.load import LoadTarget, load
from layers.catalog import Catalog
from tests.bench import servers
from tests.bench.names import Place, prepared, report

WEST, SOUTH, PACE = 105.0, 30.0, 0.01
SPEEDS = {"primary": 60.0, "secondary": 50.0, "residential": 30.0}
OURS, THEIRS = "geoservice", "pgRouting, all edges"
SELDOM = 20
"""Routes that the other side is asked for."""
MARGIN = 0.2
"""How far the box of pgRouting reaches beyond both ends, in parts of their distance."""
EDGES = "SELECT id, source, target, cost, cost AS reverse_cost FROM bench.edge WHERE NOT ST_Intersects(geom, {zone})"
TABLE = """
CREATE EXTENSION IF NOT EXISTS pgrouting;
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.edge (id bigint PRIMARY KEY, source bigint, target bigint, cost double precision, geom geometry)
"""


@dataclass(frozen=True)
class Grid:
    """Roads between the neighbours of a grid: node positions, the nodes of each road, classes, lines."""

    nodes: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    lines: np.ndarray


@dataclass(frozen=True)
class Asked:
    """A route: its two nodes, and the zones that are closed."""

    start: int
    end: int
    zones: tuple[shapely.Polygon, ...]


def main() -> None:
    """Prepare what is not there yet, ask both sides the same, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, default=Path("/var/cache/geoservice-bench-ways"))
    asked.add_argument("--side", type=int, default=300)
    asked.add_argument("--requests", type=int, default=60)
    given = asked.parse_args()
    delays_of(given.home, given.side, given.requests)


def delays_of(home: Path, side: int, requests: int) -> dict[str, list[float]]:
    """Seconds of each request by side, told as they come."""
    place, catalog = prepared(home)
    found: dict[str, list[float]] = {}
    answers: dict[str, list[float]] = {}
    try:
        grid = made(side)
        _fill(place, catalog, grid)
        routes = questions(grid, requests)
        with place.database.psycopg(Role.ADMIN, autocommit=True) as admin, servers.geoservice(place) as port:
            _table(admin, grid)
            sides: tuple[tuple[str, Sequence[Asked], Callable[[Asked], float]], ...] = (
                (OURS, routes, lambda a: ask(port, grid, a, compare=False)),
                ("geoservice, with the way without closures", routes, lambda a: ask(port, grid, a, compare=True)),
                ("pgRouting, box", routes[:SELDOM], lambda a: peer(admin, grid, a, boxed=True)),
                (THEIRS, routes[:SELDOM], lambda a: peer(admin, grid, a, boxed=False)),
            )
            for name, some, answer in sides:
                found[name], answers[name] = measured(name, some, answer)
            off = max(abs(a - b) for a, b in zip(answers[OURS], answers[THEIRS], strict=False))
            print(f"{len(grid.ends)} edges; durations differ by at most {off:.2f} s")
    finally:
        EmbeddedCluster(place.settings).stop()
    return found


def made(side: int) -> Grid:
    """A grid whose nodes are a little out of place; all roads have a bend."""
    chance = np.random.default_rng(3)
    x, y = np.meshgrid(WEST + np.arange(side) * PACE, SOUTH + np.arange(side) * PACE)
    nodes = np.round(np.stack([x, y], axis=-1) + chance.uniform(-0.2, 0.2, (side, side, 2)) * PACE, 7)
    number = np.arange(side * side).reshape(side, side)
    across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
    ends = np.concatenate([across, np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)])
    nodes = nodes.reshape(-1, 2)
    middle = np.round(nodes[ends].mean(axis=1) + chance.uniform(-0.05, 0.05, (len(ends), 2)) * PACE, 7)
    lines = shapely.linestrings(np.stack([nodes[ends[:, 0]], middle, nodes[ends[:, 1]]], axis=1))
    return Grid(nodes, ends, chance.choice(list(SPEEDS), len(ends)), lines)


def questions(grid: Grid, number: int) -> list[Asked]:
    """Ways between random nodes, with two closed circles beside the straight line between them."""
    chance = np.random.default_rng(7)
    found = []
    while len(found) < number:
        start, end = chance.integers(0, len(grid.nodes), 2).tolist()
        a, b = grid.nodes[start], grid.nodes[end]
        middles = [a + (b - a) * share + chance.uniform(-0.05, 0.05, 2) for share in (0.35, 0.65)]
        zones = tuple(shapely.Point(m).buffer(0.08, quad_segs=16) for m in middles)
        clear = not any(zone.contains(shapely.Point(p)) for zone in zones for p in (a, b))
        found += [Asked(start, end, zones)] if clear else []
    return found


def ask(port: int, grid: Grid, asked: Asked, *, compare: bool) -> float:
    """Seconds that a way takes, as the service says."""
    zones = [{"zone": json.loads(shapely.to_geojson(zone))} for zone in asked.zones]
    ends = grid.nodes[[asked.start, asked.end]].tolist()
    body = json.dumps({"waypoints": ends, "closures": zones, "compare": compare})
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/routing/routes", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    told = json.loads(response.read())
    connection.close()
    if told.get("status") != "successful":
        raise RuntimeError(str(told)[:300])
    return float(told["duration_s"])


def peer(admin: psycopg.Connection, grid: Grid, asked: Asked, *, boxed: bool) -> float:
    """Seconds that a way takes, as pgRouting says."""
    zone = f"ST_GeomFromText('{shapely.MultiPolygon(asked.zones).wkt}', 4490)"
    edges = EDGES.format(zone=zone)
    if boxed:
        ends = grid.nodes[[asked.start, asked.end]]
        away = MARGIN * np.hypot(*(ends[1] - ends[0])) + 2 * PACE
        sides = ", ".join(str(side) for side in (*(ends.min(axis=0) - away), *(ends.max(axis=0) + away)))
        edges += f" AND geom && ST_MakeEnvelope({sides}, 4490)"
    statement = "SELECT max(agg_cost) FROM pgr_dijkstra(%s, %s::bigint, %s::bigint)"
    row = admin.execute(statement, (edges, asked.start, asked.end)).fetchone()
    return float(row[0]) if row and row[0] is not None else float("nan")


def measured(name: str, routes: Sequence[Asked], answer: Callable[[Asked], float]) -> tuple[list[float], list[float]]:
    """Ask all, print the delays, give them and the answers; the first ones warm up."""
    for asked in routes[:3]:
        answer(asked)
    delays, answers = [], []
    for asked in routes:
        began = time.perf_counter()
        answers.append(answer(asked))
        delays.append(time.perf_counter() - began)
    print(f"{name:<44}{report(delays)}", flush=True)
    return delays, answers


def _fill(place: Place, catalog: Catalog, grid: Grid) -> None:
    file = place.home / "sample_road.gpkg"
    if not file.is_file():
        keys = [f"r{number:07}" for number in range(len(grid.ends))]
        columns = {"road_id": keys, "class": grid.kinds.tolist(), "geom": pa.array(shapely.to_wkb(grid.lines))}
        options = {"driver": "GPKG", "geometry_name": "geom", "geometry_type": "LineString", "crs": "EPSG:4490"}
        pyogrio.write_arrow(pa.table(columns), file, **options)
    target = LoadTarget(
        place.database.sync_engine(Role.WRITER), place.database.dsn(Role.WRITER), place.settings.home / "rasters"
    )
    began = time.monotonic()
    load(plan(catalog.layer("road"), file, dict(catalog.codelists), "sample"), target)
    print(f"loaded in {time.monotonic() - began:.0f} s", flush=True)


def _table(admin: psycopg.Connection, grid: Grid) -> None:
    admin.execute(TABLE)
    speeds = np.array([SPEEDS[kind] for kind in grid.kinds.tolist()])
    with admin.cursor() as cursor, cursor.copy("COPY bench.edge (id, source, target, cost, geom) FROM STDIN") as copy:
        wkb = shapely.to_wkb(shapely.set_srid(grid.lines, 4490), hex=True, include_srid=True)
        for number, ((a, b), speed, geom) in enumerate(zip(grid.ends.tolist(), speeds.tolist(), wkb, strict=True)):
            copy.write_row((number, a, b, speed, geom))
    # The column held the speed until here.
    admin.execute("UPDATE bench.edge SET cost = ST_Length(geom::geography) * 3.6 / cost")
    admin.execute("CREATE INDEX ON bench.edge USING gist (geom)")
    admin.execute("ANALYZE bench.edge")


if __name__ == "__main__":
    main()
