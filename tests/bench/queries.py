"""Delays of questions about names, ways and places, written to the docs: `scripts/bench queries --data <folder>`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.provision import open_database
from geoservice.settings import Settings
from tests.bench import here, machine, names, table, ways
from tests.bench.__main__ import DOCS
from tests.bench.results import Figures, write

COMMAND = "scripts/bench queries --data <folder of the open data>"
NAMES = (
    "{number:,} names, made from the characters of real ones with cities of the open data between them; {requests} "
    "requests of each kind, one after the other on one connection, over HTTP with 2 workers."
)
WAYS = (
    "{requests} routes over a grid of 179,400 roads with two closed circles in the way of each; geoservice over HTTP, "
    "pgRouting on a connection of its own from node to node, over all edges and over those in a box around the way."
)
HERE = (
    "Ten layers of areas without gaps, ten of lines, ten of points, 20,000 features each; {requests} requests of each "
    "kind, 4 connections, over HTTP with 2 workers. *All that may be seen* asks the built-in layers too."
)


def main() -> None:
    """Measure all three, write the figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, default=Path("/var/cache"), help="databases are made below it")
    asked.add_argument("--data", type=Path, required=True, help="folder of the open data, for names of cities")
    asked.add_argument("--names", type=int, default=1_000_000)
    asked.add_argument("--out", type=Path, default=DOCS, help="folder of the figures")
    given = asked.parse_args()
    places = {name: given.home / f"geoservice-bench-{name}" for name in ("names", "ways", "here")}
    found = [
        delays(
            "Searching names",
            NAMES.format(number=given.names, requests=200),
            names.delays_of(places["names"], given.data, given.names, 200),
        ),
        delays("Routes with closures", WAYS.format(requests=60), ways.delays_of(places["ways"], 300, 60)),
        delays(
            "What is here, of thirty layers",
            HERE.format(requests=1_000),
            here.delays_of(places["here"], 20_000, 1_000),
        ),
    ]
    settings = Settings(home=places["here"] / "state")
    try:
        facts = machine.facts(open_database(settings))
    finally:
        EmbeddedCluster(settings).stop()
    figures = {"command": COMMAND, "machine": facts, "comparisons": [], "delays": found}
    write(given.out / "benchmarks-queries.json", figures)
    (given.out / "benchmarks-queries.md").write_text(table.render(figures), encoding="utf-8")


def delays(title: str, conditions: str, found: Mapping[str, Sequence[float]]) -> Figures:
    """Delays as they go into the file: median, 95th, 99th percentile and the largest, in milliseconds."""
    rows = []
    for name, seconds in found.items():
        told = np.percentile(np.array(seconds) * 1e3, [50, 95, 99, 100])
        rows.append({"name": name, **dict(zip(("p50", "p95", "p99", "max"), np.round(told, 1).tolist(), strict=True))})
    return {"title": title, "conditions": conditions, "rows": rows}


if __name__ == "__main__":
    main()
