"""Zones over a million parcels by county and class: ours beside PostGIS, geopandas, DuckDB and SedonaDB."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psycopg
import shapely
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.impact.atoms import Atoms
from geoservice.impact.hits import ZonePart, hits_of
from geoservice.impact.store import AtomStore, Stamp
from geoservice.impact.tally import Tally
from tests.bench import servers
from tests.bench.client import BenchError
from tests.bench.impact.world import Place
from tests.bench.results import Figures, comparison

PEERS = {
    "DuckDB": ("duckdb", "duckdb==1.5.5", "duckdb-extension-spatial==1.5.5", "shapely"),
    "SedonaDB": ("sedonadb", "sedonadb==0.5.0", "pyarrow", "shapely", "pyproj"),
}
LONGEST = 150.0
"""Seconds after which a side is given up."""
CONDITIONS = (
    "{number} round zones of 500 km2 over 1,000,000 parcels (17 vertices) and 2,900 counties (3,000 vertices): square "
    "metres by zone, county and class, once on each side; every side finds the same area. Each reads what it needs: "
    "geoservice maps anew the parcels that it keeps ready, split by county and measured; geopandas reads the "
    "GeoPackages of parcels and counties (pyogrio) and overlays zones with counties, then with parcels; DuckDB and "
    "SedonaDB, in environments of their own, read GeoParquet; PostGIS has its tables in the database, with indexes. "
    "These three cut zones by counties first, and then only parcels that a piece does not cover. Who takes longer than "
    "{longest:.0f} s is given up: {late}."
)
_PIECES = sql.SQL(
    "CREATE UNLOGGED TABLE bench_impact.piece AS SELECT z.number, c.adcode, ST_Intersection(z.geom, c.geom) AS geom "
    "FROM bench_impact.zone AS z JOIN geo.division AS c ON ST_Intersects(z.geom, c.geom)"
)
_SUMS = sql.SQL(
    "SELECT q.number, q.adcode, p.class_code, sum(ST_Area(ST_Transform(ST_SetSRID(CASE WHEN ST_CoveredBy(p.geom, "
    "q.geom) THEN p.geom ELSE ST_Intersection(p.geom, q.geom) END, 4326), 6933))) FROM bench_impact.piece AS q "
    "JOIN geo.parcels AS p ON ST_Intersects(p.geom, q.geom) GROUP BY 1, 2, 3"
)
"""Square metres by zone, county and class. Edges are not densified, which spares it work; parcels have short ones."""
Answer = tuple[float, float]
"""Seconds, and square metres."""


def measure(place: Place, zones: Sequence[shapely.Polygon], tell: Callable[[str], None]) -> Figures:
    """All sides on the same zones, once each; each must find the same area in them."""
    _parquet(place, zones)
    sides: dict[str, Callable[[], Answer]] = {
        "geoservice": lambda: _timed(lambda: _ours(place, zones)),
        "PostGIS": lambda: _timed(lambda: _database(place, zones)),
        "geopandas": lambda: _timed(lambda: _frames(place, zones)),
        **{name: lambda name=name: _peer(place, name) for name in PEERS},  # type: ignore[misc]
    }
    found: dict[str, Answer] = {}
    late: list[str] = []
    for name, work in sides.items():
        try:
            found[name] = work()
            tell(f"  {name}: {found[name][0]:.2f} s, {found[name][1] / 1e6:,.3f} km2")
        except (TimeoutError, subprocess.TimeoutExpired, psycopg.errors.QueryCanceled):
            late.append(name)
            tell(f"  {name}: more than {LONGEST:.0f} s")
    areas = [area for _, area in found.values()]
    if not np.allclose(areas, areas[0], rtol=1e-6):
        raise BenchError(f"The sides found different areas: {found}.")
    told = CONDITIONS.format(number=len(zones), longest=LONGEST, late=", ".join(late) or "none did")
    rates = {name: [len(zones) / seconds] for name, (seconds, _) in found.items()}
    return comparison("Zones by county and class", "zones/s", told, rates)


def _timed(work: Callable[[], float]) -> Answer:
    begun = time.perf_counter()
    area = work()
    return time.perf_counter() - begun, area


def _ours(place: Place, zones: Sequence[shapely.Polygon]) -> float:
    atoms = _kept(place)
    total = 0.0
    for zone in zones:
        tally = Tally.of(atoms, hits_of(atoms, "area", (ZonePart.of(1, zone, 5000),)))
        total += sum(one.value for one in tally.by(("division", "code")).values())
    return total


def _kept(place: Place) -> Atoms:
    folder = next((place.settings.home / "exposure").glob("parcels-public-*"))
    stamp = Stamp(*map(int, next(folder.glob("[0-9]*-*")).name.split("-")))
    atoms = AtomStore(folder).load(stamp)
    if atoms is None:
        raise BenchError("the parcels are not kept ready")
    return atoms


def _frames(place: Place, zones: Sequence[shapely.Polygon]) -> float:
    folder = _sources(place)
    around = tuple(shapely.total_bounds(np.array(zones, dtype=np.object_)).tolist())
    parcels = gpd.read_file(folder / "parcels.gpkg", columns=["class_code"], bbox=around, engine="pyogrio")
    counties = gpd.read_file(folder / "sample_division.gpkg", columns=["adcode"], bbox=around, engine="pyogrio")
    frame = gpd.GeoDataFrame({"number": range(len(zones))}, geometry=list(zones), crs=parcels.crs)
    cut = gpd.overlay(gpd.overlay(frame, counties), parcels, keep_geom_type=True).to_crs("EPSG:6933")
    return float(cut.assign(m2=cut.area).groupby(["number", "adcode", "class_code"])["m2"].sum().sum())


def _database(place: Place, zones: Sequence[shapely.Polygon]) -> float:
    with place.database.psycopg(Role.OWNER, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bench_impact")
        connection.execute("DROP TABLE IF EXISTS bench_impact.zone, bench_impact.piece")
        connection.execute("CREATE UNLOGGED TABLE bench_impact.zone (number int, geom geometry(POLYGON, 4490))")
        texts = shapely.to_wkb(shapely.set_srid(np.array(zones, dtype=np.object_), 4490), hex=True, include_srid=True)
        with connection.cursor() as cursor, cursor.copy("COPY bench_impact.zone FROM STDIN") as copy:
            for number, text in enumerate(texts.tolist()):
                copy.write_row((number, text))
        connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{LONGEST:.0f}s",))
        connection.execute("ANALYZE bench_impact.zone")
        connection.execute(_PIECES)
        connection.execute("ANALYZE bench_impact.piece")
        return float(sum(row[3] or 0.0 for row in connection.execute(_SUMS).fetchall()))


def _peer(place: Place, name: str) -> Answer:
    environment, *packages = PEERS[name]
    python = servers.environment(place.home, environment, *packages) / "bin" / "python"
    command = [str(python), str(Path(__file__).parent / "peer.py"), environment, str(_sources(place))]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=LONGEST, env=servers.clean_environment()
    )
    if done.returncode:
        raise BenchError(f"{name} failed: {done.stderr[-1500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["m2"]


def _sources(place: Place) -> Path:
    return place.home / "exposure-sources"


def _parquet(place: Place, zones: Sequence[shapely.Polygon]) -> None:
    """The sources as GeoParquet, made when they are missing, and the zones."""
    folder = _sources(place)
    for name, column in (("parcels", "class_code"), ("sample_division", "adcode")):
        file = folder / f"{name}.parquet"
        if not file.is_file():
            gpd.read_file(folder / f"{name}.gpkg", columns=[column], engine="pyogrio").to_parquet(
                file, write_covering_bbox=True
            )
    frame = gpd.GeoDataFrame({"number": range(len(zones))}, geometry=list(zones), crs="EPSG:4490")
    frame.to_parquet(folder / "zones.parquet")
