"""Runs the comparisons and writes docs/benchmarks.json and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests.bench import (
    machine,
    pair_archive,
    pair_cog,
    pair_export,
    pair_ingest,
    pair_items,
    pair_raster,
    pair_tiles,
    pair_warm,
    table,
    world,
)
from tests.bench.client import BenchError
from tests.bench.results import Figures, write

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAIRS = ("ingest", "export", "tiles", "warm", "items", "cog", "raster", "archive")
COMMAND = "scripts/bench"


def main() -> int:
    """Measure what was asked for; returns the exit code."""
    asked = _arguments().parse_args()
    if strangers := sorted(set(asked.pairs) - set(PAIRS)):
        print(f"There is no pair {strangers[0]!r}; there are {', '.join(PAIRS)}.", file=sys.stderr)
        return 2
    if shutil.which("ogr2ogr") is None:
        print("The benchmarks need ogr2ogr: run scripts/install --bench", file=sys.stderr)
        return 2
    place = world.prepare(asked.home, asked.parcels)
    try:
        figures = {
            "command": _command(asked),
            "machine": machine.facts(place.database),
            "comparisons": _measure(place, asked),
        }
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep_running:
            world.stop(place)
    print(table.render(figures))
    if set(asked.pairs) == set(PAIRS) or asked.name is not None:
        file = asked.out / ("benchmarks.json" if asked.name is None else f"benchmarks-{asked.name}.json")
        write(file, figures)
        file.with_suffix(".md").write_text(table.render(figures), encoding="utf-8")
    else:
        _tell("Nothing was written: the files hold the figures of one run of all pairs, or of those that --name names.")
    return 0


def _command(asked: argparse.Namespace) -> str:
    if asked.name is None:
        return COMMAND
    return f"{COMMAND} {' '.join(asked.pairs)} --parcels {asked.parcels} --name {asked.name}"


def _measure(place: world.World, asked: argparse.Namespace) -> list[Figures]:
    found: list[Figures] = []
    _load(place, asked.parcels)
    if "tiles" in asked.pairs:
        _tell("Vector tiles")
        world.raise_ladder(place)
        world.settle(place)
        found.append(pair_tiles.measure(place, asked.repetitions, asked.tiles, _tell))
    if "warm" in asked.pairs:
        _tell("Kept vector tiles")
        if "tiles" not in asked.pairs:
            world.raise_ladder(place)
        world.settle(place)
        found.append(pair_warm.measure(place, asked.repetitions, asked.tiles, _tell))
    found += _archives(place, asked)
    if "items" in asked.pairs:
        world.settle(place)
        found += pair_items.measure(place, asked.repetitions, asked.requests, _tell)
    found += _exports(place, asked)
    if "ingest" in asked.pairs:
        _tell("Loading")
        found += pair_ingest.measure(place, asked.parcels, asked.repetitions, _tell)
    if "cog" in asked.pairs:
        _tell("COG")
        found += pair_cog.measure(asked.repetitions, _tell)
    if "raster" in asked.pairs:
        _tell("Raster tiles")
        found += pair_raster.measure(asked.repetitions, asked.tiles, _tell)
    return found


def _load(place: world.World, parcels: int) -> None:
    """Load the parcels, if they are not in the database from an earlier run."""
    if not world.holds(place, parcels):
        _tell("Loading the parcels")
        world.empty(place)
        world.fill(place)


def _exports(place: world.World, asked: argparse.Namespace) -> list[Figures]:
    if "export" not in asked.pairs:
        return []
    _tell("Exports")
    world.settle(place)
    return pair_export.measure(place, asked.parcels, asked.repetitions, _tell)


def _archives(place: world.World, asked: argparse.Namespace) -> list[Figures]:
    if "archive" not in asked.pairs:
        return []
    _tell("Archives")
    return [pair_archive.measure(place, asked.parcels, asked.repetitions, _tell)]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "pairs",
        nargs="*",
        default=PAIRS,
        metavar="PAIR",
        help=f"which pairs: {', '.join(PAIRS)} (default: all)",
    )
    parser.add_argument("--parcels", type=int, default=200_000, help="parcels of the sample region")
    parser.add_argument("--repetitions", type=int, default=5, help="repetitions of each side")
    parser.add_argument("--tiles", type=int, default=100, help="tiles per repetition, a multiple of 100")
    parser.add_argument("--requests", type=int, default=400, help="feature requests per repetition")
    parser.add_argument("--home", type=Path, default=world.default_home(), help="cluster, sample and peer live here")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of benchmarks.json and benchmarks.md")
    parser.add_argument("--name", help="write the figures of these pairs into benchmarks-NAME.json and .md")
    parser.add_argument("--keep-running", action="store_true", help="leave the cluster running")
    return parser


if __name__ == "__main__":
    sys.exit(main())
