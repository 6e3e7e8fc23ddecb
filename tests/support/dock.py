"""A loading dock for files that mean harm: two layers that take anything, a listener, and a planted secret.

`Dock.receive` loads a file like any other and gathers every word that came of it, wherever it was written.
"""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from geoservice.db.engine import Database
from ingest.job import IngestReport, ReadLimits, plan
from ingest.load import LoadTarget, load
from ingest.raster import load_raster
from layers.errors import CrsRefused, GeoError, SourceError
from layers.model import Layer, RasterLayer
from layers.system import load_report, quarantine
from layers.table import current_table
from tests.support.loading import LEVELS, prepared, trial_layer
from tests.support.rasters import COVER, raster_catalog, raster_layer

PLANTED = "PLANTED-9d41c7"
Listener = tuple[int, list[bytes]]
"""A port on loopback, and what was heard there, one entry for each call."""
PATIENCE = 60.0
"""Seconds that any verdict may take here; a machine that runs other tests is slow."""
ROWS = trial_layer(
    "anything",
    geometry="any",
    key=None,
    time=None,
    row_clearance=None,
    attributes={"name": {"type": "text"}},
    style={"fill": "#336699"},
    sources={"any": {"match": ["*"], "crs": "EPSG:4490"}},
)
CELLS = raster_layer("cells", sources={"any": {"match": ["*"], "crs": "EPSG:4490"}})


@dataclass(frozen=True)
class Verdict:
    """What became of a file: the report or the error, everything that was written down, and how long it took."""

    report: IngestReport | None
    error: GeoError | None
    words: str
    seconds: float

    @property
    def refused(self) -> bool:
        """Whether the file was refused with a sentence of the kind that sources get."""
        return isinstance(self.error, SourceError | CrsRefused)


@dataclass
class Dock:
    """Where the files arrive."""

    database: Database
    target: LoadTarget
    folder: Path
    limits: ReadLimits = dataclasses.field(default_factory=lambda: ReadLimits(seconds=PATIENCE))

    def receive(self, file: Path, layer: Layer | None = None, limits: ReadLimits | None = None) -> Verdict:
        """Load a file into the layer of rows, or into the one given; only errors of the product are expected."""
        chosen = layer or ROWS
        lists = {COVER.id: COVER, "clearance@1": LEVELS}
        job = plan(chosen, file, lists, limits=limits or self.limits)
        began = time.monotonic()
        report, error = None, None
        try:
            report = (load_raster if isinstance(chosen, RasterLayer) else load)(job, self.target)
        except GeoError as found:
            error = found
        seconds = time.monotonic() - began
        told = "" if error is None else f"{error.detail} {error.facts}"
        if report is not None:
            assert report.balanced, "the counts of a report add up, whatever was in the file"
        return Verdict(report, error, f"{told}\n{self.written()}", seconds)

    def written(self) -> str:
        """Everything that loads have left in the database and in the folder of rasters, as text."""
        parts: list[str] = []
        with self.target.engine.connect() as connection:
            for table in (load_report, quarantine, current_table(ROWS)):
                parts += [repr(tuple(row)) for row in connection.execute(sa.select(table))]
        if self.target.rasters.is_dir():
            parts += [f.read_bytes().decode("latin-1") for f in self.target.rasters.iterdir()]
        return "\n".join(parts)


def dock(database: Database, folder: Path) -> Dock:
    """Make the layers of the dock in a database; rasters go below the folder."""
    catalog = raster_catalog(CELLS).with_([ROWS], [LEVELS])
    target = dataclasses.replace(prepared(database, catalog), rasters=folder / "rasters")
    return Dock(database, target, folder)


@contextmanager
def listening() -> Iterator[Listener]:
    """A server on loopback: its port, and what it heard, one entry for each call."""
    heard: list[bytes] = []
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1.0)
                    heard.append(connection.recv(200))
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            stop.set()
            thread.join()
