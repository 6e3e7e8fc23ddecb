"""Entry point of the confined judge of edits (`python -m ingest.edit_child`): it lives on and judges rows as they come.

Loading the libraries takes a second, judging a row some milliseconds. So this child locks itself in once, as every
reader of a source does, and then answers one task after the other on the socket whose number is its only argument.
"""

from __future__ import annotations

import importlib
import json
import sys
from multiprocessing.connection import Connection
from typing import Any

from ingest.confine import Confinement, cut_network, lock_in
from ingest.gdal_probe import Unwanted

MOST_BYTES = 256 << 20
"""Bytes of one message in either direction."""


def main() -> int:
    """Lock in, say so, then judge until the socket is closed."""
    line: Connection[Any, Any] = Connection(int(sys.argv[1]))
    order = json.loads(line.recv_bytes(MOST_BYTES))
    achieved: dict[str, Any] = {"network": cut_network()}
    sys.meta_path.insert(0, Unwanted())
    judging = importlib.import_module("ingest.edit_rows")
    wanted = order["confinement"]
    achieved |= lock_in(Confinement(**{**wanted, "readable": tuple(wanted["readable"])}))
    line.send_bytes(json.dumps(achieved).encode())
    bench = judging.Bench(wanted["writable"])
    while True:
        try:
            task = line.recv_bytes(MOST_BYTES)
        except EOFError:
            return 0
        for part in bench.judge(json.loads(task)):
            line.send_bytes(part)


if __name__ == "__main__":
    sys.exit(main())
