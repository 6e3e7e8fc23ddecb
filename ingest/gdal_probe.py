"""What the GDAL of a reading library can do, asked of a process of its own.

Rows and rasters are read by libraries that each bring a GDAL. To skip all drivers but the allowed ones their names must
be known before the confined child starts; but loading these libraries here, only to list names, would cost every load
a second and a hundred megabytes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from functools import lru_cache
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, Literal

Library = Literal["pyogrio", "rasterio"]
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent
# Optional companions of our libraries that reading never needs: loading them would take longer than a small source.
_UNWANTED = ("pandas", "geopandas")
_SECONDS = 120


class Unwanted(MetaPathFinder):
    """Says of the unwanted libraries that they are not installed; first in `sys.meta_path` of a reading process."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the unwanted; say nothing of the others."""
        if fullname.partition(".")[0] in _UNWANTED:
            raise ModuleNotFoundError(f"{fullname} is not used here", name=fullname)


@lru_cache(maxsize=2)
def _facts(library: Library) -> dict[str, Any]:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(_PACKAGE_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # noqa: S603 - our own module, run by our own interpreter
        [sys.executable, "-m", "ingest.gdal_probe", library],
        env=environment,
        capture_output=True,
        check=True,
        timeout=_SECONDS,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def all_drivers(library: Library) -> frozenset[str]:
    """Names of all drivers that the GDAL of a library has."""
    return frozenset(_facts(library)["drivers"])


def gdal_version(library: Library) -> str:
    """Version of the GDAL of a library."""
    return str(_facts(library)["version"])


def registered(library: Library) -> tuple[str, ...]:
    """Drivers that this very process can open files with; loads the library."""
    module = importlib.import_module(library)
    if library == "pyogrio":
        return tuple(sorted(module.list_drivers()))
    with module.Env() as env:
        return tuple(sorted(env.drivers()))


def main() -> None:
    """Print the facts of the library that the first argument names."""
    sys.meta_path.insert(0, Unwanted())
    library: Library = "pyogrio" if sys.argv[1] == "pyogrio" else "rasterio"
    drivers = registered(library)
    module = importlib.import_module(library)
    version = module.__gdal_version_string__ if library == "pyogrio" else module.__gdal_version__
    sys.stdout.write(json.dumps({"drivers": drivers, "version": str(version)}))


if __name__ == "__main__":
    main()
