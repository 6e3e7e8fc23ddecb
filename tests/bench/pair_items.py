"""Features over HTTP: our service against tipg and pygeoapi."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import parse_qs, quote, urlsplit

import sqlalchemy as sa

from geoservice.db.credentials import Role
from layers.table import current_table
from tests.bench import pygeoapi, servers, workload
from tests.bench.client import run_pass
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World, peer_reader

CONNECTIONS = 4
LIMIT = 100
TRIANGLE_DEGREES = 0.05
CLASSES = ("0102", "0301", "0201", "0702", "0401")
"""Classes of GB/T 21010 that the sample region has many patches of."""
DEPTH = 100_000
STRIDE = 10_000
SELDOM = 10
SERIAL = {"max_parallel_workers_per_gather": "0"}


def measure(world: World, repetitions: int, requests: int, tell: Callable[[str], None]) -> list[Figures]:
    """Boxes, single features, the first page and a page far behind; four sides in turn."""
    password = peer_reader(world.database)
    with (
        servers.geoservice(world, jobs=0) as ours,
        servers.tipg(world, password, {}) as plain,
        servers.tipg(world, password, SERIAL) as serial,
        pygeoapi.serving(world, password) as third,
    ):
        found = []
        asked = (
            _boxes(world, requests),
            _filters(world, requests),
            _single(world, requests),
            _first(world, requests),
            _deep(world, requests, ours),
        )
        for case in asked:
            sides = (
                ("geoservice", ours, case.ours),
                ("tipg", plain, case.tipg),
                ("tipg, parallel query off", serial, case.tipg),
                ("pygeoapi", third, case.pygeoapi),
            )
            ports = [side for side in sides if side[-1]]
            for _, port, paths in ports:
                run_pass(port, paths[: max(1, len(paths) // 4)], CONNECTIONS, gzip=True)
            tell(case.title)
            figures = in_turn([_side(*one) for one in ports], repetitions, tell)
            found.append(comparison(case.title, "requests/s", case.conditions, figures))
    return found


@dataclass(frozen=True)
class Case:
    """One question: its paths on each side and what must be said of it."""

    title: str
    conditions: str
    ours: list[str]
    tipg: list[str]
    pygeoapi: list[str]


def _side(name: str, port: int, paths: list[str]) -> Side:
    return name, lambda: run_pass(port, paths, CONNECTIONS, gzip=True).rate


def _common(world: World, requests: int) -> str:
    return (
        f"{requests} requests for features of {LAYER} as GeoJSON with the attributes {', '.join(world.attributes)}; "
        f"gzip, {CONNECTIONS} connections, {servers.WORKERS} worker processes on each side: uvicorn for geoservice and "
        "tipg, gunicorn with four threads each for pygeoapi, which writes all columns. The others run in virtual "
        "environments of their own and read the same table through a role that row policies do not touch, with the "
        "planner settings of the server unless stated. Where others take far longer they are asked less often."
    )


def _paths(world: World, query: str) -> tuple[str, str, str]:
    names = ",".join(world.attributes)
    return (
        f"/collections/{LAYER}/items?{query}&f=json",
        f"/collections/geo.{LAYER}/items?{query}&f=geojson&properties={names}",
        f"/collections/{LAYER}/items?{query}&f=json",
    )


def _boxes(world: World, requests: int) -> Case:
    """Boxes. pygeoapi is not asked: it takes the stored geometries (EPSG:4490) for WGS 84 and answers with 500."""
    texts = [",".join(map(str, box)) for box in workload.boxes(world.bounds(), requests)]
    mine, theirs, _ = zip(*(_paths(world, f"bbox={text}&limit={LIMIT}") for text in texts), strict=True)
    conditions = f"Boxes of {workload.BOX_DEGREES} by {workload.BOX_DEGREES} degrees, limit {LIMIT}, the same on all "
    return Case("Features in a box", conditions + "sides. " + _common(world, requests), [*mine], [*theirs], [])


def _filters(world: World, requests: int) -> Case:
    """An attribute and a polygon in CQL2 text; triangles and classes differ from request to request.

    pygeoapi is not asked: it answers filters by place over longitude and latitude with 500.
    """
    forms = []
    for number, (west, south, _, _) in enumerate(workload.boxes(world.bounds(), requests)):
        east, north = round(west + TRIANGLE_DEGREES, 6), round(south + TRIANGLE_DEGREES, 6)
        ring = f"{west} {south}, {east} {south}, {east} {north}, {west} {south}"
        forms.append(f"class_code = '{CLASSES[number % len(CLASSES)]}' AND S_INTERSECTS({{}}, POLYGON(({ring})))")
    query = f"filter-lang=cql2-text&limit={LIMIT}&filter="
    mine = [_paths(world, query + quote(form.format("geometry")))[0] for form in forms]
    theirs = [_paths(world, query + quote(form.format("geom")))[1] for form in forms]
    conditions = f"CQL2 text: a class and a triangle of {TRIANGLE_DEGREES} degrees, limit {LIMIT}. "
    return Case("Features by a filter", conditions + _common(world, requests), mine, theirs, [])


def _first(world: World, requests: int) -> Case:
    mine, theirs, third = _paths(world, f"limit={LIMIT}")
    seldom = max(4, requests // SELDOM)
    conditions = f"The first {LIMIT} features. " + _common(world, requests)
    return Case("The first page", conditions, [mine] * requests, [theirs] * seldom, [third] * seldom)


def _deep(world: World, requests: int, port: int) -> Case:
    """The page behind 100,000 features: a place for us, which links lead to; an offset for the others."""
    mine = [f"/collections/{LAYER}/items?limit={LIMIT}&f=json&cursor={quote(_token(port))}"]
    _, theirs, third = _paths(world, f"limit={LIMIT}&offset={DEPTH}")
    seldom = max(4, requests // SELDOM)
    conditions = f"{LIMIT} features behind {DEPTH}. " + _common(world, requests)
    return Case(f"A page at depth {DEPTH}", conditions, mine * requests, [theirs] * seldom, [third] * seldom)


def _token(port: int) -> str:
    """The token of the page behind so many features, from the links of pages before it."""
    address, seen = f"/collections/{LAYER}/items?limit={STRIDE}&f=json&skipGeometry=true", 0
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while seen < DEPTH:
        connection.request("GET", address)
        page = json.loads(connection.getresponse().read())
        seen += page["numberReturned"]
        (following,) = [urlsplit(one["href"]) for one in page["links"] if one["rel"] == "next"]
        address = f"{following.path}?{following.query}"
    return parse_qs(urlsplit(address).query)["cursor"][0]


def _single(world: World, requests: int) -> Case:
    table = current_table(world.layer)
    with world.database.transaction(Role.WRITER) as connection:
        rows = connection.execute(sa.select(table.c.fid, table.c.key).order_by(table.c.fid)).all()
    taken = [rows[number] for number in workload.chosen(len(rows), requests)]
    mine = [f"/collections/{LAYER}/items/{quote(row.key, safe='')}?f=json" for row in taken]
    names = ",".join(world.attributes)
    theirs = [f"/collections/geo.{LAYER}/items/{row.fid}?f=geojson&properties={names}" for row in taken]
    third = [f"/collections/{LAYER}/items/{row.fid}?f=json" for row in taken]
    conditions = "geoservice by the public key (text), the others by the table's primary key (bigint). "
    return Case("One feature by id", conditions + _common(world, requests), mine, theirs, third)
