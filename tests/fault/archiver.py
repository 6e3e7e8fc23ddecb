"""A process that builds an archive and is killed when so many parts are there, for tests of what a kill leaves behind.

Argument: a JSON object with the settings, the layer files' folder, the layers, the file and the number of parts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from geoservice.archives.build import Hands, build
from geoservice.archives.request import ArchiveRequest
from geoservice.db.engine import Database
from geoservice.settings import Settings
from layers.catalog import read_catalog


class Killer:
    """Ends the process as a power cut would, once enough parts were drawn."""

    def __init__(self, number: int) -> None:
        self._left = number

    def begin(self, parts: int, /) -> None:
        assert parts > self._left, f"there are {parts} parts only"

    def drawn(self, tiles: int, /) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    order = json.loads(sys.argv[1])
    settings = Settings.model_validate_json(order["settings"])
    request = ArchiveRequest(tuple(order["layers"]))
    catalog = read_catalog(Path(order["folder"]))
    build(Database.from_settings(settings), catalog, request, Path(order["file"]), Hands(2), Killer(order["parts"]))


if __name__ == "__main__":
    main()
