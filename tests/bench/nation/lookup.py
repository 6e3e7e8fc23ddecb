"""A million points in counties: our service over HTTP, transfer included, against programs beside the data."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.csv
import shapely
from psycopg import sql

from geoservice.db.credentials import Role
from tests.bench import servers
from tests.bench.client import BenchError
from tests.bench.nation.country import HEIGHT, SOUTH, WEST, WIDTH
from tests.bench.nation.world import Nation
from tests.bench.results import Figures, comparison, in_turn

POINTS = 1_000_000
SEED = 20260102
LAYER = "counties"
PATH = f"/query/join?collection={LAYER}&properties=admin_code"
STREAM = "application/vnd.apache.arrow.stream"
_OK = 200
_ROUNDS = 3
CONDITIONS = (
    f"{POINTS:,} random points (id, lon, lat) and 2,900 counties (3,000 vertices each). geoservice: one request with "
    "the whole table as its body, answered with the table and the county's key and code, over HTTP on loopback, read "
    f"to the end; {servers.WORKERS} workers, counties in memory. geopandas: `sjoin(predicate='within')` of points that "
    "are made of two columns, with counties that it holds. PostGIS: a left join by `ST_Intersects` of a table of "
    "points with an index, as the owner of the tables, parallel query as the server decides; nothing is transferred "
    "but a count. Every side gives a county to the same points. DuckDB is not among them: its spatial extension is "
    "fetched from the network when it is first used."
)
_JOIN = sql.SQL(
    "SELECT count(c.admin_code) FROM bench_points.point AS p "
    "LEFT JOIN geo.counties AS c ON ST_Intersects(c.geom, p.geom)"
)


@dataclass(frozen=True)
class Points:
    """The points, and how many of them lie in a county."""

    x: np.ndarray[tuple[int], np.dtype[np.float64]]
    y: np.ndarray[tuple[int], np.dtype[np.float64]]
    inside: int

    def table(self) -> pa.Table:
        """As a table."""
        return pa.table({"id": np.arange(POINTS), "lon": self.x, "lat": self.y})


def measure(nation: Nation, repetitions: int, tell: Callable[[str], None]) -> list[Figures]:
    """All sides in turn; each must find a county for as many points as the others."""
    tell("A million points in counties")
    counties = _counties(nation)
    random = np.random.default_rng(SEED)
    x, y = random.uniform(WEST, WEST + WIDTH, POINTS), random.uniform(SOUTH, SOUTH + HEIGHT, POINTS)
    points = Points(x, y, int(_joined(counties, x, y).notna().sum()))
    comma, stream = io.BytesIO(), io.BytesIO()
    pyarrow.csv.write_csv(points.table(), comma)
    with pa.ipc.new_stream(stream, points.table().schema) as writer:
        writer.write_table(points.table(), max_chunksize=65_536)
    _plant(nation, points)
    with servers.geoservice(nation) as port:
        # Either worker reads the counties once, with the first question that it gets: while one does, the other is
        # asked too.
        with ThreadPoolExecutor(servers.WORKERS) as pool:
            for _ in range(_ROUNDS):
                list(pool.map(lambda _: _asked(port, comma.getvalue(), "text/csv"), range(servers.WORKERS)))
        sides = [
            ("geoservice, Arrow", lambda: _rate(lambda: _of_stream(_asked(port, stream.getvalue(), STREAM)), points)),
            ("geoservice, CSV", lambda: _rate(lambda: _of_csv(_asked(port, comma.getvalue(), "text/csv")), points)),
            ("geopandas", lambda: _rate(lambda: int(_joined(counties, x, y).notna().sum()), points)),
            ("PostGIS", lambda: _rate(lambda: _in_database(nation), points)),
        ]
        return [comparison("A million points in counties", "points/s", CONDITIONS, in_turn(sides, repetitions, tell))]


def _rate(work: Callable[[], int], points: Points) -> float:
    begun = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - begun
    # Points on borders are nowhere by `within`; among random ones there is none.
    if found != points.inside:
        raise BenchError(f"{found} points were found in counties, not {points.inside}.")
    return POINTS / seconds


def _asked(port: int, body: bytes, media: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", PATH, body, {"Content-Type": media, "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != _OK:
            raise BenchError(f"The join was answered with {answer.status}: {content[:200]!r}")
        return content
    finally:
        connection.close()


def _of_stream(content: bytes) -> int:
    table = pa.ipc.open_stream(content).read_all()
    return int(table.num_rows - table[f"{LAYER}_key"].null_count)


def _of_csv(content: bytes) -> int:
    texts = pyarrow.csv.ConvertOptions(column_types={f"{LAYER}_key": pa.string()}, strings_can_be_null=True)
    table = pyarrow.csv.read_csv(io.BytesIO(content), convert_options=texts)
    return int(table.num_rows - table[f"{LAYER}_key"].null_count)


def _counties(nation: Nation) -> gpd.GeoDataFrame:
    with nation.database.psycopg(Role.OWNER) as connection:
        rows = connection.execute("SELECT admin_code, ST_AsBinary(geom) FROM geo.counties").fetchall()
    shapes = shapely.from_wkb([bytes(row[1]) for row in rows])
    return gpd.GeoDataFrame({"code": [row[0] for row in rows]}, geometry=shapes, crs=4490)


def _joined(counties: gpd.GeoDataFrame, x: object, y: object) -> gpd.GeoSeries:
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=4490)
    return gpd.sjoin(points, counties, predicate="within", how="left")["code"]


def _plant(nation: Nation, points: Points) -> None:
    with nation.database.psycopg(Role.OWNER, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bench_points")
        connection.execute("DROP TABLE IF EXISTS bench_points.point")
        connection.execute("CREATE UNLOGGED TABLE bench_points.point (id bigint, geom geometry(POINT, 4490))")
        made = shapely.to_wkb(shapely.set_srid(shapely.points(points.x, points.y), 4490), hex=True, include_srid=True)
        with connection.cursor() as cursor, cursor.copy("COPY bench_points.point FROM STDIN") as copy:
            for number, shape in enumerate(made.tolist()):
                copy.write_row((number, shape))
        connection.execute("CREATE INDEX ON bench_points.point USING gist (geom)")
        connection.execute("ANALYZE bench_points.point")


def _in_database(nation: Nation) -> int:
    with nation.database.psycopg(Role.OWNER) as connection:
        row = connection.execute(_JOIN).fetchone()
    return int(row[0]) if row is not None else 0
