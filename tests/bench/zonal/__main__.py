"""Zonal statistics by themselves: `python -m tests.bench.zonal`; `tests.bench.impact` writes them to the docs."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench.table import comparison_part
from tests.bench.world import default_home
from tests.bench.zonal.measure import measure
from tests.bench.zonal.world import SIDE


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(prog="python -m tests.bench.zonal", description=__doc__)
    asked.add_argument("--home", type=Path, default=default_home(), help="raster and divisions live here")
    asked.add_argument("--side", type=int, default=SIDE, help="rows and columns of the raster")
    given = asked.parse_args()
    for one in measure(given.home, given.side, print):
        print(comparison_part(one))


if __name__ == "__main__":
    main()
