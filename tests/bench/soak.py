"""Draws raster tiles in many threads and tells how memory went: `python -m tests.bench.soak --minutes 60`."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import psutil

from geoservice.memory import ARENAS, limit_arenas
from tests.bench.pair_raster import SEED, Address, Scene, make_scene
from tiles.image import ImageFormat
from tiles.raster import RasterTiles
from tiles.view import Wish, view_of

THREADS = 8
BATCH = 200
GROWTH = 1.15
"""By which factor memory may end above what it was after the first third."""
_FORMATS: tuple[ImageFormat, ...] = ("png", "webp", "jpeg")
_LOOKS: tuple[dict[str, str], ...] = ({}, {"rescale": "0,200"}, {"size": "512"})


def main() -> int:
    """Draw until the time is over; 1 when memory grew."""
    asked = _arguments().parse_args()
    limit_arenas()
    with tempfile.TemporaryDirectory() as home:
        # Made in a process of its own, so that only what drawing takes is measured.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as maker:
            scenes = [maker.submit(make_scene, Path(home), kind, BATCH).result() for kind in ("heights", "picture")]
        sizes, drawn = _draw(scenes, asked.minutes * 60)
    early, late = sizes[len(sizes) // 3], max(sizes[-max(1, len(sizes) // 10) :])
    arenas = os.environ.get("MALLOC_ARENA_MAX", str(ARENAS))
    course = ", ".join(str(size) for size in sizes[:: max(1, len(sizes) // 10)])
    told = (
        f"{drawn} tiles in {THREADS} threads and {asked.minutes:g} minutes, MALLOC_ARENA_MAX {arenas}.\n"
        f"Resident memory in MB: {early} after a third, {late} at the end, {max(sizes)} at most; "
        f"its course: {course}.\n"
    )
    print(told, end="")
    if asked.out is not None:
        asked.out.write_text(told, encoding="utf-8")
    return 0 if late <= early * GROWTH else 1


def _draw(scenes: list[Scene], seconds: float) -> tuple[list[int], int]:
    """Resident memory in MB after each batch, and how many tiles were drawn."""
    process, sizes, drawn = psutil.Process(), [], 0
    ending = time.monotonic() + seconds
    work = _work(scenes)
    with ThreadPoolExecutor(THREADS) as pool:
        while time.monotonic() < ending:
            for _ in pool.map(lambda one: one[0].tile(*one[1]), itertools.islice(work, BATCH)):
                drawn += 1
            sizes.append(process.memory_info().rss >> 20)
    return sizes, drawn


def _work(scenes: list[Scene]) -> Iterator[tuple[RasterTiles, Address]]:
    """Tiles in all formats and looks, without end."""
    chance = random.Random(SEED)  # noqa: S311
    while True:
        scene = chance.choice(scenes)
        look = chance.choice(_LOOKS)
        view = view_of(scene.layer, Wish(**look))
        source = RasterTiles([scene.asset], scene.layer, {}, chance.choice(_FORMATS), view=view)
        yield source, chance.choice(scene.addresses)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long")
    parser.add_argument("--out", type=Path, help="file for what is told, beside the terminal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
