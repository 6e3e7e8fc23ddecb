"""Entry point of the confined reader (`python -m ingest.child`): the only process that opens a source.

Standard input carries the order as JSON; standard output the rows as an Arrow IPC stream; the pipe whose number
is the only argument carries one JSON line with what confinement was achieved and one with the summary or the error.
The libraries are loaded after the network is cut and before privileges are dropped; the source is opened last.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import IO, Any

from ingest.confine import Confinement, cut_network, lock_in
from ingest.gdal_probe import Unwanted

EXIT_OK, EXIT_REFUSED = 0, 3
# Rows and rasters are read by libraries that each bring a GDAL of their own: a child loads one of them.
_MODULES = {
    "rows": ("ingest.pipeline", "ingest.drivers"),
    "judge": ("ingest.checks.together", "ingest.drivers"),
    "raster": ("ingest.readers.raster", "ingest.raster_drivers"),
}


def main() -> int:
    """Lock in, read, report. Returns the exit code: 0 when the summary was delivered, 3 when an error was."""
    order = json.load(sys.stdin)
    control = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    rows = _own_output()
    achieved: dict[str, Any] = {"network": cut_network()}
    sys.meta_path.insert(0, Unwanted())
    reader, drivers = _MODULES[order.get("work", "rows")]
    run = importlib.import_module(reader)
    achieved["drivers"] = importlib.import_module(drivers).registered()
    wanted = order["confinement"]
    achieved |= lock_in(Confinement(**{**wanted, "readable": tuple(wanted["readable"])}))
    _say(control, {"confinement": achieved})
    if "plan" not in order:
        return EXIT_OK
    outcome: dict[str, Any] = run.deliver(order["plan"], order["file"], rows)
    rows.close()
    _say(control, outcome)
    return EXIT_OK if "summary" in outcome else EXIT_REFUSED


def _own_output() -> IO[bytes]:
    """Keep standard output for rows alone: whatever a library prints goes to standard error."""
    rows = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return rows


def _say(control: IO[str], message: dict[str, Any]) -> None:
    control.write(json.dumps(message, ensure_ascii=False) + "\n")
    control.flush()


if __name__ == "__main__":
    sys.exit(main())
