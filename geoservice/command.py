"""Entry point of the `geoservice` command.

pandas and geopandas are installed, and several of our libraries load them when they find them; no command of the house
uses them. Kept out, a command starts a second earlier and holds eighty megabytes less.
"""

from __future__ import annotations

import importlib
import sys

from ingest.gdal_probe import Unwanted


def main() -> None:
    """Run one command line and leave with its exit code."""
    sys.meta_path.insert(0, Unwanted())
    importlib.import_module("geoservice.cli").main()
