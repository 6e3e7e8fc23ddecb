"""A process that loads a source and is killed right before or after one step, for tests of what a kill leaves behind.

Argument: a JSON object with the settings, the layer files' folder, the source and the step (`module:function:when`).
The step is wrapped from outside; the product has no hook for this.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.settings import Settings
from ingest.delivery import Delivery, deliver
from ingest.record import LoadTarget
from layers.catalog import read_catalog

DONE = "done"


def die() -> None:
    """End as a power cut would: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step: str) -> None:
    """Die before or after the named function."""
    place, name, when = step.split(":")
    module = importlib.import_module(place)
    real = getattr(module, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            die()
        found = real(*arguments, **options)
        if when == "after":
            die()
        return found

    setattr(module, name, wrapped)


def main() -> None:
    order = json.loads(sys.argv[1])
    if order["step"]:
        arm(order["step"])
    settings = Settings.model_validate_json(order["settings"])
    database = Database.from_settings(settings)
    target = LoadTarget(database.sync_engine(Role.WRITER), database.dsn(Role.WRITER), settings.home / "rasters")
    deliver(read_catalog(Path(order["layers"])), target, Delivery(order["layer"], Path(order["source"])))
    sys.stdout.write(DONE)


if __name__ == "__main__":
    main()
