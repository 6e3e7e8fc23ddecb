"""Measures tiles of a country and writes docs/benchmarks-nation.json and docs/benchmarks-nation.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench import machine, table, world
from tests.bench.__main__ import DOCS
from tests.bench.client import BenchError
from tests.bench.nation import lookup, pair
from tests.bench.nation.world import prepare, stop
from tests.bench.results import write

COMMAND = "scripts/bench nation"


def main() -> int:
    """Measure; returns the exit code."""
    asked = _arguments().parse_args()
    nation = prepare(asked.home, asked.data)
    try:
        found = pair.measure(nation, asked.repetitions, asked.tiles, _tell)
        found += lookup.measure(nation, asked.repetitions, _tell)
        figures = {"command": COMMAND, "machine": machine.facts(nation.database), "comparisons": found}
    except BenchError as error:
        print(f"No figures were written: {error}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep_running:
            stop(nation)
    print(table.render(figures))
    write(asked.out / "benchmarks-nation.json", figures)
    (asked.out / "benchmarks-nation.md").write_text(table.render(figures), encoding="utf-8")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3, help="repetitions of each side")
    parser.add_argument("--tiles", type=int, default=400, help="tiles of all zooms; of high zooms twice as many")
    parser.add_argument("--data", type=Path, help="folder with counties, rivers, roads and parcels as .gpkg; else made")
    parser.add_argument("--home", type=Path, default=world.default_home(), help="cluster, data and peer live here")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    parser.add_argument("--keep-running", action="store_true", help="leave the cluster running")
    return parser


if __name__ == "__main__":
    sys.exit(main())
