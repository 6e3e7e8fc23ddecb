"""The services that are compared: geoservice, and tipg and TiTiler in virtual environments of their own."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import psutil

from geoservice.db.engine import Database
from geoservice.settings import Settings
from tests.bench.client import BenchError
from tests.bench.world import LAYER, PEER_ROLE

TIPG = "tipg==1.6.1"
TITILER = "titiler.core==2.4.0"
SERVER = "uvicorn[standard]==0.54.0"
WORKERS = 2
PATIENCE = 300.0


class Place(Protocol):
    """What both services need to know of where they are measured."""

    @property
    def home(self) -> Path:
        """Logs and the peer's environment live here."""

    @property
    def settings(self) -> Settings:
        """Settings of our service."""

    @property
    def database(self) -> Database:
        """The database that both read."""


@contextmanager
def geoservice(world: Place, *, kept: bool = False, jobs: int = 1) -> Iterator[int]:
    """The service as `geoservice serve` runs it; gives its port.

    Args:
        world: Where.
        kept: Whether it may answer with tiles that it has kept.
        jobs: Its workers for jobs; after a load they draw a ladder for minutes.
    """
    port = free_port()
    command = [sys.executable, "-m", "geoservice", "serve", "--port", str(port), "--workers", str(WORKERS)]
    surroundings = {
        "GEOSERVICE_HOME": str(world.settings.home),
        "GEOSERVICE_LOG_LEVEL": "warning",
        # The other sides have no time limit either.
        "GEOSERVICE_STATEMENT_TIMEOUT": "300",
        "GEOSERVICE_JOB_WORKERS": str(jobs),
    }
    if not kept:
        surroundings |= {"GEOSERVICE_TILE_MEMORY_MB": "0", "GEOSERVICE_TILE_DISK_MB": "0"}
    if world.settings.layers_dir is not None:
        surroundings["GEOSERVICE_LAYERS_DIR"] = str(world.settings.layers_dir)
    with running(command, surroundings, world.home / "geoservice.log"):
        wait(port, "/health/ready", world.home / "geoservice.log")
        settle()
        yield port


def settle(seconds: float = 30.0, idle: float = 0.3) -> None:
    """Wait until the processes below this one rest: a job worker starts for seconds after the service is ready.

    Args:
        seconds: When to go on in any case.
        idle: Processor seconds per second that count as rest.
    """
    ending, former = time.monotonic() + seconds, -math.inf
    while time.monotonic() < ending:
        used = _used()
        if used - former < idle:
            return
        former = used
        time.sleep(1.0)


def _used() -> float:
    found = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found += times.user + times.system
    return found


@contextmanager
def bare(world: Place, answers: Path, path: str) -> Iterator[int]:
    """The bare application on the server of our service; gives its port.

    Args:
        world: Where.
        answers: File with what it answers.
        path: One that it answers.
    """
    port = free_port()
    server = "uvicorn.run('tests.bench.bare:create', factory=True, http='geoservice.http.protocol:BoundedProtocol', "
    options = f"port={port}, workers={WORKERS}, log_level='warning', access_log=False, server_header=False)"
    program = f"import uvicorn\nif __name__ == '__main__':\n    {server}{options}\n"
    script = world.home / "bare.py"
    script.write_text(program, encoding="utf-8")
    surroundings = {"GEOSERVICE_TEST_BARE": str(answers), "PYTHONPATH": str(Path(__file__).parents[2])}
    with running([sys.executable, str(script)], surroundings, world.home / "bare.log"):
        wait(port, path, world.home / "bare.log")
        yield port


def busy_seconds(port: int) -> float:
    """Processor time of the processes that share a listening port, since they began."""
    found = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any(c.laddr and c.laddr.port == port and c.status == "LISTEN" for c in process.net_connections("tcp")):
                times = process.cpu_times()
                found += times.user + times.system
    return found


def status_of(port: int, path: str) -> int:
    """Status with which a path is answered."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def tipg(world: Place, password: str, options: Mapping[str, str], layer: str = LAYER) -> Iterator[int]:
    """Tipg on the same tables through the peer's role, with the same server and number of workers; gives its port.

    Args:
        world: The database.
        password: Password of the peer's role.
        options: Settings of its database sessions.
        layer: One of the layers; it is ready when it knows it.
    """
    port = free_port()
    command = [
        str(environment(world.home, "tipg", TIPG, SERVER) / "bin" / "python"), "-m", "uvicorn", "tipg.main:app",
        "--port", str(port), "--workers", str(WORKERS), "--log-level", "warning",
    ]  # fmt: skip
    surroundings = {"DATABASE_URL": _address(world, password, options), "TIPG_DB_SCHEMAS": '["geo"]'}
    with running(command, surroundings, world.home / "tipg.log"):
        wait(port, f"/collections/geo.{layer}", world.home / "tipg.log")
        yield port


@contextmanager
def titiler(home: Path, quality: int) -> Iterator[int]:
    """TiTiler's endpoints for COGs, with the same server and number of workers; gives its port.

    GDAL is set as TiTiler's own guide says for files at hand.

    Args:
        home: Its environment and its log live here.
        quality: Of JPEG; by itself TiTiler writes larger pictures.
    """
    port, folder = free_port(), environment(home, "titiler", TITILER, SERVER)
    (home / "titiler_app.py").write_text(
        "from fastapi import FastAPI\n"
        "from rio_tiler.profiles import img_profiles\n"
        "from titiler.core.factory import TilerFactory\n"
        f"img_profiles['jpeg']['quality'] = {quality}\n"
        "app = FastAPI()\n"
        "app.include_router(TilerFactory().router)\n",
        encoding="utf-8",
    )
    command = [
        str(folder / "bin" / "python"), "-m", "uvicorn", "titiler_app:app", "--app-dir", str(home),
        "--port", str(port), "--workers", str(WORKERS), "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    surroundings = {"GDAL_CACHEMAX": "200", "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "VSI_CACHE": "TRUE"}
    with running(command, surroundings, home / "titiler.log"):
        wait(port, "/openapi.json", home / "titiler.log")
        yield port


def _address(world: Place, password: str, options: Mapping[str, str]) -> str:
    database = world.database
    host = quote(database.parameters["host"], safe="")
    port = database.parameters.get("port", "5432")
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"postgresql://{PEER_ROLE}:{password}@{host}:{port}/{database.name}" + (f"?{query}" if query else "")


def environment(home: Path, name: str, *packages: str) -> Path:
    """A peer's virtual environment with some packages, made when it is missing or of other versions."""
    folder, wanted = home / name, " ".join(packages)
    stamp = folder / "complete"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return folder


@contextmanager
def running(command: Sequence[str], surroundings: Mapping[str, str], log: Path) -> Iterator[None]:
    """A program with further environment, which writes into a log and is ended at last."""
    with log.open("wb") as output:
        surroundings = {**clean_environment(), **surroundings}
        process = subprocess.Popen(command, env=surroundings, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a service elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GEOSERVICE_", "PG"))}


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait(port: int, path: str, log: Path) -> None:
    """Wait until a path is answered with success."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.3)
    raise BenchError(f"Nothing answers {path} on port {port}: {log.read_text(errors='replace')[-1500:]}")
