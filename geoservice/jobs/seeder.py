"""After a ladder was built, its lowest zoom levels are drawn beforehand, by a process that ends when it is done."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress

from layers.model import VectorLayer

LONGEST_SECONDS = 300.0
_NICE = 10
_turn = threading.Lock()
_log = logging.getLogger(__name__)


def seed_low(layer: VectorLayer) -> None:
    """Begin to draw the lowest zoom levels of a layer; layers take turns, and nobody waits for them."""
    threading.Thread(target=_seed, args=(layer.id,), name="tile-seeder", daemon=True).start()


def _seed(layer: str) -> None:
    command = [sys.executable, "-m", "geoservice", "tiles", "seed", layer, "--low"]
    with _turn:
        try:
            # Our own command, run by our own interpreter.
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            code = _ended(process)
        except OSError as error:
            _log.warning("low zoom levels of %s were not drawn beforehand: %s", layer, error.strerror)
            return
    if code:
        _log.warning("drawing low zoom levels of %s beforehand ended with %s", layer, code)


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
