"""How soon the portal shows a map, and how smoothly it moves, in Chromium: `scripts/bench portal`.

Chromium draws in software here, on the same cores as the service; a machine with a graphics card is quicker.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from rich.console import Console

from geoservice.cli.demo import fill
from geoservice.cli.layers import synchronise
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.settings import Settings
from layers.catalog import read_catalog
from tests.bench import machine, servers, table
from tests.bench.__main__ import DOCS
from tests.bench.client import BenchError
from tests.bench.impact import world
from tests.bench.nation.country import HEIGHT, SOUTH, WEST, WIDTH
from tests.bench.queries import delays
from tests.bench.results import Figures, write
from tests.bench.world import default_home

COMMAND = "scripts/bench portal"
PARCELS = 4000
FLAGS = ["--headless", "--no-sandbox", "--use-angle=gl-egl", "--ignore-gpu-blocklist", "--enable-precise-memory-info"]
SIZE = {"width": 1440, "height": 900}
FIRST = (
    "`/portal` of the sample region ({parcels:,} land-use patches and the world's countries), until its map stands "
    "still with all tiles drawn, opened {times} times by a browser that keeps nothing and {times} times by one that "
    "was there before. Until then the page fetches {own:,.0f} kB of scripts of its own before and {all:,.0f} kB with "
    "the map libraries ({packed:,.0f} kB on the way)."
)
PANNING = (
    "A country of 1,000,000 parcels at zooms {zooms}; the map is dragged by a third of the window and let go, {times} "
    "times. Each row: the longest task of the page's main thread during a drag and the second after it (tasks below "
    "50 ms are not told apart by the browser and count as 0)."
)
ZOOMS = (10, 12, 14, 15)
_WAIT = 60_000

_WATCH = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration)))
        .observe({type: "longtask", buffered: false});
}"""
_STILL = """() => {
    const map = window.geoserviceMap?.gl.getMaplibreMap();
    return performance.getEntriesByName("geoservice-map").length > 0 && map.areTilesLoaded() && !map.isMoving();
}"""
_FETCHED = """() => {
    const first = performance.getEntriesByName("geoservice-map")[0].startTime;
    const scripts = performance.getEntriesByType("resource")
        .filter((one) => new URL(one.name).pathname.endsWith(".js") && one.startTime <= first);
    const sum = (what, list = scripts) => list.reduce((all, one) => all + one[what], 0) / 1000;
    const own = sum("decodedBodySize", scripts.filter((one) => one.name.includes("/portal/")));
    return {own, all: sum("decodedBodySize"), packed: sum("encodedBodySize")};
}"""


@dataclass(frozen=True)
class Place:
    """A prepared database of the sample region."""

    home: Path
    settings: Settings
    database: Database


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    if asked.soak:
        return _soak(asked)
    try:
        figures = _figures(asked)
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    print(table.render(figures))
    write(asked.out / "benchmarks-portal.json", figures)
    (asked.out / "benchmarks-portal.md").write_text(table.render(figures), encoding="utf-8")
    return 0


def _figures(asked: argparse.Namespace) -> Figures:
    sample = _sample(asked.home)
    with standing(sample), _chromium() as browser:
        told = machine.facts(sample.database) | {"Browser": f"Chromium {browser.version}, {version('playwright')}"}
        with servers.geoservice(sample, kept=True, jobs=0) as port:
            found = [_first(browser, f"http://127.0.0.1:{port}/portal?lang=zh", asked.times)]
    country = world.prepare(asked.home)
    with standing(country), _chromium() as browser, servers.geoservice(country, kept=True, jobs=0) as port:
        found.append(_panning(browser, f"http://127.0.0.1:{port}/portal?lang=en", asked.drags))
    return {"command": COMMAND, "machine": told, "comparisons": [], "delays": found}


def _sample(home: Path) -> Place:
    """The sample region, loaded once."""
    settings = Settings(home=home / "portal", workers=2)
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.home.chmod(0o755)
    database = open_database(settings)
    synchronise(settings, database)
    with Path(os.devnull).open("w") as quiet, redirect_stdout(quiet):
        fill(settings, database, read_catalog(), PARCELS, Console(file=quiet))
    return Place(home, settings, database)


@contextmanager
def standing(place: Place | world.Place) -> Iterator[None]:
    """The cluster of a place, stopped afterwards."""
    try:
        yield
    finally:
        EmbeddedCluster(place.settings).stop()


@contextmanager
def _chromium() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise BenchError("Chromium is needed: scripts/install --tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


def _first(browser: Browser, url: str, times: int) -> Figures:
    """Seconds until the first map stands, and until the page is ready for work."""
    found: dict[str, list[float]] = {
        name: [] for name in ("first map, new reader", "first map, known reader", "ready for work")
    }
    fetched: dict[str, float] = {}
    known = browser.new_context(viewport=SIZE)
    _opened(known, url)
    for _ in range(times):
        fresh = browser.new_context(viewport=SIZE)
        seconds, ready, fetched = _opened(fresh, url)
        fresh.close()
        found["first map, new reader"].append(seconds)
        found["ready for work"].append(ready)
        found["first map, known reader"].append(_opened(known, url)[0])
    known.close()
    return delays("First map", FIRST.format(parcels=PARCELS, times=times, **fetched), found)


def _opened(context: BrowserContext, url: str) -> tuple[float, float, dict[str, float]]:
    """Seconds until the map stands and until all panels are there; kilobytes of scripts before the map."""
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(_STILL, timeout=_WAIT, polling="raf")
    seconds = time.perf_counter() - begun
    page.wait_for_selector("html[data-ready=yes]", timeout=_WAIT)
    ready = time.perf_counter() - begun
    fetched: dict[str, float] = page.evaluate(_FETCHED)
    page.close()
    return seconds, ready, fetched


def _panning(browser: Browser, url: str, drags: int) -> Figures:
    found = {}
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    for zoom in ZOOMS:
        page.goto("about:blank")
        page.goto(f"{url}#map={zoom + 1}.00/{SOUTH + HEIGHT / 2:.4f}/{WEST + WIDTH / 2:.4f}&layers=parcels")
        page.wait_for_selector("html[data-ready=yes]", timeout=_WAIT)
        page.wait_for_function(_STILL, timeout=_WAIT)
        page.evaluate(_WATCH)
        found[f"zoom {zoom}"] = [_drag(page, number) / 1000 for number in range(drags)]
        print(f"  zoom {zoom}: {found[f'zoom {zoom}']}", file=sys.stderr, flush=True)
    context.close()
    return delays(
        "Panning over a million parcels", PANNING.format(zooms=", ".join(map(str, ZOOMS)), times=drags), found
    )


def _drag(page: Page, number: int) -> float:
    """Drag by a third of the window, in a direction that changes; gives the longest task in milliseconds."""
    page.evaluate("() => { window.tasks = []; }")
    middle = (SIZE["width"] * 0.6, SIZE["height"] / 2)
    away = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1)][number % 5]
    page.mouse.move(*middle)
    page.mouse.down()
    for step in range(1, 16):
        page.mouse.move(middle[0] + away[0] * step * 30, middle[1] + away[1] * step * 20)
        page.wait_for_timeout(16)
    page.mouse.up()
    page.wait_for_timeout(1000)
    tasks: list[float] = page.evaluate("() => window.tasks")
    return max(tasks, default=0.0)


def _soak(asked: argparse.Namespace) -> int:
    """Pan for a time and tell how the page's memory went; 1 when it grew by more than a sixth after the first third."""
    sample = _sample(asked.home)
    sizes: list[float] = []
    with standing(sample), _chromium() as browser, servers.geoservice(sample, kept=True, jobs=0) as port:
        page = browser.new_context(viewport=SIZE).new_page()
        page.goto(
            f"http://127.0.0.1:{port}/portal?lang=en#map=14.00/38.62000/105.04000&layers=landuse_patch,road,river"
        )
        page.wait_for_selector("html[data-ready=yes]", timeout=_WAIT)
        meter = page.context.new_cdp_session(page)
        ending = time.monotonic() + asked.soak * 60
        number = 0
        page.evaluate(_WATCH)
        while time.monotonic() < ending:
            _drag(page, number)
            number += 1
            if number % 20 == 0:
                sizes.append(_heap(meter))
                print(f"  {number} drags: {sizes[-1]:.1f} MB", file=sys.stderr, flush=True)
    early, late = max(sizes[: max(1, len(sizes) // 3)]), max(sizes[-max(1, len(sizes) // 10) :])
    told = {"minutes": asked.soak, "drags": number, "MB after a third": early, "MB at the end": late, "MB": sizes}
    print(json.dumps(told))
    return 0 if late <= early * _GROWTH else 1


_GROWTH = 7 / 6


def _heap(meter: Any) -> float:
    """Megabytes of the page's heap that are in use, after what nobody needs was let go."""
    meter.send("HeapProfiler.collectGarbage")
    used: float = meter.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    return used


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--home", type=Path, default=default_home(), help="clusters and data live here")
    parser.add_argument("--times", type=int, default=9, help="how often the page is opened")
    parser.add_argument("--drags", type=int, default=20, help="drags at each zoom")
    parser.add_argument("--soak", type=float, default=0.0, help="only pan for so many minutes and tell the memory")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
