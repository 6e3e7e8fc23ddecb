"""A real MQTT broker for tests: mosquitto on loopback, ended with the context."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


class Mosquitto:
    """A broker that can be stopped and started again; it keeps sessions and messages in its folder meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; nothing runs yet."""
        assert Path(PROGRAM).exists(), "The tests need mosquitto: scripts/install --tests"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._settings = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
        kept = ["persistence true", f"persistence_location {folder}/", f"user {getpass.getuser()}"]
        self._settings.write_text("\n".join([*lines, *kept, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run, with what was kept."""
        quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        self._process = subprocess.Popen([PROGRAM, "-c", str(self._settings)], **quiet)
        _await(self.port, self._process)

    def stop(self) -> None:
        """End, and keep what was not delivered."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A running broker; its port."""
    made = Mosquitto(folder)
    try:
        made.start()
        yield made.port
    finally:
        made.stop()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "the broker ended while it was starting"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the broker did not start")
