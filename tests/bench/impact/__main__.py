"""Impacts over HTTP, overlays and zonal statistics beside others, written to the docs: `scripts/bench impact`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path

import numpy as np
import shapely

from geoservice.db.embedded import EmbeddedCluster
from tests.bench import machine, servers, table
from tests.bench.__main__ import DOCS
from tests.bench.client import BenchError
from tests.bench.impact import overlays
from tests.bench.impact.world import LAYERS, Place, prepare
from tests.bench.nation.country import HEIGHT, SOUTH, WEST, WIDTH
from tests.bench.queries import delays
from tests.bench.results import Figures, write
from tests.bench.world import default_home
from tests.bench.zonal import measure as zonal

COMMAND = "scripts/bench impact"
SEED, CORNERS = 20260104, 64
IMPACTS = (
    "`POST /impact` with round zones in a country of 1,000,000 parcels, 300,000 roads, 2,900 counties of 3,000 "
    "vertices and ten more exposure layers, one of them a raster of population: figures of {layers} layers by county, "
    "without ways. {small} zones of 500 km2 and {large} of 50,000 km2 (300,000 parcels), one after the other on "
    "connections of their own, over HTTP on loopback, read to the end; {workers} workers, layers and sums kept ready."
)
_OK = 200
_PATIENCE = 1800.0


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    place = prepare(asked.home)
    try:
        figures = {
            "command": _command(asked),
            "machine": {**machine.facts(place.database), "Compared with": _peers()},
            "comparisons": [],
            "delays": [_impacts(place, asked)],
        }
        _tell("Zones by county and class")
        figures["comparisons"] = [overlays.measure(place, zones_of(500, asked.zones), _tell)]
        EmbeddedCluster(place.settings).stop()
        _tell("Zonal statistics")
        figures["comparisons"] += zonal.measure(asked.home, asked.side, _tell)
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    finally:
        EmbeddedCluster(place.settings).stop()
    print(table.render(figures))
    write(asked.out / "benchmarks-impact.json", figures)
    (asked.out / "benchmarks-impact.md").write_text(table.render(figures), encoding="utf-8")
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


def _impacts(place: Place, asked: argparse.Namespace) -> Figures:
    found: dict[str, list[float]] = {}
    with servers.geoservice(place, jobs=0) as port:
        _until_ready(place, port)
        for area, count in ((500, asked.small), (50_000, asked.large)):
            found[f"{area:,} km2"] = _asked(port, area, count)
            _tell(f"  {area} km2: {np.round(found[f'{area:,} km2'], 2).tolist()} s")
    told = IMPACTS.format(layers=len(LAYERS), small=asked.small, large=asked.large, workers=servers.WORKERS)
    return delays("Impact of a zone", told, found)


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
    home = place.settings.home
    # Sums of divisions come last, after those of blocks, which this raster is too small for.
    while len(list((home / "exposure").glob("*/[0-9]*-*"))) < _LARGE or not any(home.glob("raster-sums/*.polygons")):
        _post(port, {"zone": json.loads(shapely.to_geojson(zone)), "ways": False})
        if time.perf_counter() - begun > _PATIENCE:
            raise BenchError("the layers were not made ready in time")
        time.sleep(1.0)
    # Each worker maps what is kept when it is asked first.
    for _ in range(8):
        _post(port, {"zone": json.loads(shapely.to_geojson(zone)), "ways": False})
    _tell(f"  layers ready after {time.perf_counter() - begun:.0f} s")


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


def _command(asked: argparse.Namespace) -> str:
    plain = _arguments().parse_args([])
    other = [name for name in ("small", "large", "zones", "side") if getattr(asked, name) != getattr(plain, name)]
    return " ".join([COMMAND, *(f"--{name} {getattr(asked, name)}" for name in other)])


def _peers() -> str:
    packages = [version("geopandas"), *(packages[1] for packages in overlays.PEERS.values()), version("exactextract")]
    names = ("geopandas {}", *("{}" for _ in overlays.PEERS), "exactextract {}")
    return ", ".join(name.format(one.replace("==", " ")) for name, one in zip(names, packages, strict=True))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--home", type=Path, default=default_home(), help="cluster and data live here")
    parser.add_argument("--small", type=int, default=100, help="zones of 500 km2")
    parser.add_argument("--large", type=int, default=10, help="zones of 50,000 km2")
    parser.add_argument("--zones", type=int, default=200, help="zones of the overlay")
    parser.add_argument("--side", type=int, default=20_000, help="rows and columns of the raster of zonal statistics")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
