"""Statistics over a million parcels, written to the docs: `scripts/bench statistics`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from geoservice.db.embedded import EmbeddedCluster
from tests.bench import machine, servers, table
from tests.bench.__main__ import DOCS
from tests.bench.client import BenchError
from tests.bench.impact.world import Place, prepare
from tests.bench.queries import delays
from tests.bench.results import Figures, comparison, write
from tests.bench.world import default_home

COMMAND = "scripts/bench statistics"
COUNTY = "group-by=division&measures=count,area"
QUESTIONS = {
    "by county: count, area": COUNTY,
    "by county and class: area": "group-by=division,class_code&measures=area&limit=100",
    "by county: sum, maximum of a number": "group-by=division&measures=sum:area_m2,max:area_m2",
    "by county, some classes: area": "group-by=division&measures=area&filter=class_code%20LIKE%20%2701%25%27",
    "by class: count, area": "group-by=class_code&measures=count,area",
}
TOLD = (
    "`GET /collections/parcels/statistics` over 1,000,000 parcels (17 vertices) and 2,900 counties (3,000 vertices), "
    "over HTTP on loopback, read to the end; 2 workers, restarted before, so that nothing but the files of placements "
    "is kept. *First*: nobody asked that before in the process that answers. *Two at once*: two new questions that are "
    "the same, until the second is answered. The placement by county was made in {made:.0f} s in the background, which "
    "is once per edition. Processes of the service held at most {memory:,} MB each."
)
PAIR = (
    "Number and square metres of parcels in each county, once on each side, one after the other; both find the same in "
    "the 100 counties with most parcels. geoservice: the first question of its kind, placement kept. *Placement made*: "
    "the same with nothing kept, once the service is up; other layers are placed meanwhile. "
    "geopandas: reads the GeoPackages (pyogrio), takes what lies wholly in a county as it is and cuts only the rest."
)
_OK, _LATER, _SAME = 200, 503, 1e-5
_PATIENCE, _REPEATS = 1800.0, 20


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    place = prepare(asked.home)
    try:
        facts = {**machine.facts(place.database), "Compared with": f"geopandas {version('geopandas')}"}
        made, first = _made(place), _once(place)
        other = _peer(asked.home / "country", first["answer"])
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    finally:
        EmbeddedCluster(place.settings).stop()
    memory = round(max(made["memory"], first["memory"]) / 1e6)
    sides = {"geoservice": first["seconds"][0], "geoservice, placement made": made["seconds"], "geopandas": other}
    figures = {
        "command": COMMAND,
        "machine": facts,
        "comparisons": [
            comparison("By county", "questions/h", PAIR, {name: [3600 / taken] for name, taken in sides.items()})
        ],
        "delays": [delays("Statistics", TOLD.format(made=made["seconds"], memory=memory), first["delays"])],
    }
    print(table.render(figures))
    write(asked.out / "benchmarks-statistics.json", figures)
    (asked.out / "benchmarks-statistics.md").write_text(table.render(figures), encoding="utf-8")
    return 0


def _made(place: Place) -> Figures:
    """Seconds from the start of the service with nothing kept until counties are told, and its memory."""
    shutil.rmtree(place.settings.home / "placements", ignore_errors=True)
    with servers.geoservice(place, jobs=0) as port:
        begun = time.perf_counter()
        while _get(port, COUNTY)[0] == _LATER:
            _tell(f"  not yet after {time.perf_counter() - begun:.0f} s")
            if time.perf_counter() - begun > _PATIENCE:
                raise BenchError("the parcels were not placed in time")
        seconds = time.perf_counter() - begun
        _tell(f"  placed after {seconds:.0f} s")
        return {"seconds": seconds, "memory": _memory()}


def _once(place: Place) -> Figures:
    found: dict[str, list[float]] = {}
    with servers.geoservice(place, jobs=0) as port:
        seconds, answer = _asked(port, COUNTY)
        for name, query in QUESTIONS.items():
            first = seconds if query == COUNTY else _asked(port, query)[0]
            # Both processes have answered it once when it is asked again and again.
            for _ in range(8):
                _asked(port, query)
            found[f"{name}, first"] = [first]
            found[f"{name}, again"] = [_asked(port, query)[0] for _ in range(_REPEATS)]
            _tell(f"  {name}: {first:.2f} s, {found[f'{name}, again'][0]:.3f} s")
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: _asked(port, f"{COUNTY}&order=key"), range(2)))
        found["by county, two at once"] = [time.perf_counter() - begun]
        return {"seconds": [seconds], "answer": answer, "delays": found, "memory": _memory()}


def _peer(folder: Path, ours: dict[str, Any]) -> float:
    """Seconds of geopandas, which must find the same in each county that is listed."""
    _tell("  geopandas ...")
    command = [sys.executable, "-m", "tests.bench.statistics.peer", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    if made.returncode:
        raise BenchError(f"geopandas failed: {made.stderr[-400:]}")
    told = json.loads(made.stdout)
    for group in ours["groups"]:
        count, area = told["found"][group["keys"][0]]
        mine = group["values"]
        if mine["count"] != count or abs(mine["area"] - area) > _SAME * area:
            raise BenchError(f"{group['keys'][0]}: {mine} here, {count} and {area} m2 by geopandas.")
    _tell(f"  geopandas: {told['seconds']:.1f} s")
    return float(told["seconds"])


def _asked(port: int, query: str) -> tuple[float, dict[str, Any]]:
    begun = time.perf_counter()
    status, body = _get(port, query)
    taken = time.perf_counter() - begun
    if status != _OK:
        raise BenchError(f"{query} was answered with {status}: {body[:200]!r}")
    found: dict[str, Any] = json.loads(body)
    return taken, found


def _get(port: int, query: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", f"/collections/parcels/statistics?{query}")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _memory() -> int:
    """The most bytes that one process of the service has had in memory."""
    found = [0]
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError, StopIteration):
            if "postgres" not in process.name():
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                found.append(1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1]))
    return max(found)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--home", type=Path, default=default_home(), help="cluster and data live here")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
