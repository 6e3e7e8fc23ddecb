"""Measures impacts in a country over HTTP, and overlays by county and class beside PostGIS and geopandas."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from psycopg import sql

from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.impact.atoms import Atoms
from geoservice.impact.hits import ZonePart, hits_of
from geoservice.impact.store import AtomStore, Stamp
from geoservice.impact.tally import Tally
from tests.bench import servers
from tests.bench.client import BenchError
from tests.bench.impact.world import LAYERS, Place, prepare
from tests.bench.nation.country import HEIGHT, SOUTH, WEST, WIDTH
from tests.bench.world import default_home

SEED, CORNERS = 20260104, 64
_OK = 200
_PATIENCE = 1800.0
_PAIR = sql.SQL(
    "SELECT z.number, c.adcode, p.class_code, sum(ST_Area(ST_Transform(ST_SetSRID(ST_Intersection("
    "ST_Intersection(p.geom, z.geom), c.geom), 4326), 6933))) FROM bench_impact.zone AS z "
    "JOIN geo.parcels AS p ON ST_Intersects(p.geom, z.geom) "
    "JOIN geo.division AS c ON ST_Intersects(c.geom, p.geom) AND ST_Intersects(c.geom, z.geom) GROUP BY 1, 2, 3"
)
"""Square metres by zone, county and class. Edges are not densified, which spares it work; parcels have short ones."""


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    place = prepare(asked.home)
    try:
        with servers.geoservice(place, jobs=0) as port:
            _until_ready(place, port)
            for area, count in ((500, asked.small), (50_000, asked.large)):
                _report(f"POST /impact, {area} km2, {len(LAYERS)} layers", _asked(port, area, count))
        _overlays(place, asked.zones)
    except BenchError as error:
        print(f"No figures: {error}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep_running:
            EmbeddedCluster(place.settings).stop()
    return 0


def zones_of(area: float, number: int) -> list[shapely.Polygon]:
    """Round zones of about so many square kilometres, wholly in the country."""
    random = np.random.default_rng(SEED)
    radius = (area / np.pi) ** 0.5 / 111.32
    low = np.array([WEST, SOUTH]) + 1.3 * radius
    high = np.array([WEST + WIDTH, SOUTH + HEIGHT]) - 1.3 * radius
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    wide = 1 / np.cos(np.radians(SOUTH + HEIGHT / 2))
    ring = radius * np.column_stack([np.cos(turn) * wide, np.sin(turn)])
    return [shapely.Polygon(middle + ring) for middle in random.uniform(low, np.maximum(low, high), (number, 2))]


def _asked(port: int, area: float, count: int) -> list[float]:
    """Seconds of each answer, read to its end."""
    found = []
    for zone in zones_of(area, count):
        begun = time.perf_counter()
        answer = _post(port, {"zone": json.loads(shapely.to_geojson(zone)), "ways": False})
        found.append(time.perf_counter() - begun)
        short = [one["layer"] for one in answer["sections"] if one["layer"] in LAYERS and one["status"] != "ok"]
        if short:
            raise BenchError(f"{', '.join(short)} gave no figures.")
    return found


def _until_ready(place: Place, port: int) -> None:
    """Ask until the layers are kept ready."""
    begun = time.perf_counter()
    zone = zones_of(1, 1)[0]
    while len(list((place.settings.home / "exposure").glob("*/[0-9]*-*"))) < _LARGE:
        _post(port, {"zone": json.loads(shapely.to_geojson(zone)), "ways": False})
        if time.perf_counter() - begun > _PATIENCE:
            raise BenchError("the layers were not made ready in time")
        time.sleep(1.0)
    print(f"layers ready after {time.perf_counter() - begun:.0f} s")


_LARGE = len(LAYERS) - 1
"""All but the population, which is a raster, have so many features that they are kept ready."""


def _post(port: int, body: object) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("POST", "/impact", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != _OK:
            raise BenchError(f"The impact was answered with {answer.status}: {content[:200]!r}")
        found: dict[str, object] = json.loads(content)
        return found
    finally:
        connection.close()


def _overlays(place: Place, number: int) -> None:
    """All sides on the same zones; each must find the same area in them."""
    zones = zones_of(500, number)
    sides: tuple[tuple[str, Callable[[], float]], ...] = (
        ("geoservice, kept atoms mapped anew", lambda: _ours(place, zones)),
        ("geopandas, reading included", lambda: _frames(place, zones)),
        ("PostGIS", lambda: _database(place, zones)),
    )
    sums = []
    for name, work in sides:
        begun, used = time.perf_counter(), time.process_time()
        sums.append(work())
        print(f"{number} zones by county and class: {name}: {time.perf_counter() - begun:.2f} s, "
              f"{time.process_time() - used:.2f} s of this process")  # fmt: skip
    if not np.allclose(sums, sums[0], rtol=1e-6):
        raise BenchError(f"The sides found different areas: {sums}.")


def _ours(place: Place, zones: list[shapely.Polygon]) -> float:
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


def _frames(place: Place, zones: list[shapely.Polygon]) -> float:
    folder = place.home / "exposure-sources"
    around = tuple(shapely.total_bounds(np.array(zones, dtype=np.object_)).tolist())
    parcels = gpd.read_file(folder / "parcels.gpkg", columns=["class_code"], bbox=around, engine="pyogrio")
    counties = gpd.read_file(folder / "sample_division.gpkg", columns=["adcode"], bbox=around, engine="pyogrio")
    frame = gpd.GeoDataFrame({"number": range(len(zones))}, geometry=zones, crs=parcels.crs)
    cut = gpd.overlay(gpd.overlay(frame, counties), parcels, keep_geom_type=True).to_crs("EPSG:6933")
    return float(cut.assign(m2=cut.area).groupby(["number", "adcode", "class_code"])["m2"].sum().sum())


def _database(place: Place, zones: list[shapely.Polygon]) -> float:
    with place.database.psycopg(Role.OWNER, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS bench_impact")
        connection.execute("DROP TABLE IF EXISTS bench_impact.zone")
        connection.execute("CREATE UNLOGGED TABLE bench_impact.zone (number int, geom geometry(POLYGON, 4490))")
        texts = shapely.to_wkb(shapely.set_srid(np.array(zones, dtype=np.object_), 4490), hex=True, include_srid=True)
        with connection.cursor() as cursor, cursor.copy("COPY bench_impact.zone FROM STDIN") as copy:
            for number, text in enumerate(texts.tolist()):
                copy.write_row((number, text))
        connection.execute("ANALYZE bench_impact.zone")
        return float(sum(row[3] or 0.0 for row in connection.execute(_PAIR).fetchall()))


def _report(what: str, seconds: list[float]) -> None:
    middle, late = np.percentile(seconds, [50, 95])
    print(f"{what}: {len(seconds)} zones, median {middle:.2f} s, p95 {late:.2f} s, fastest {min(seconds):.2f} s")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.impact", description=__doc__)
    parser.add_argument("--home", type=Path, default=default_home(), help="cluster and data live here")
    parser.add_argument("--small", type=int, default=40, help="zones of 500 km2")
    parser.add_argument("--large", type=int, default=3, help="zones of 50,000 km2")
    parser.add_argument("--zones", type=int, default=200, help="zones of the overlay")
    parser.add_argument("--keep-running", action="store_true", help="leave the cluster running")
    return parser


if __name__ == "__main__":
    sys.exit(main())
