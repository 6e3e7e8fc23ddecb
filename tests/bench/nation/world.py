"""The country in a database of its own, with its ladders and what a load seeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.ladder import renew
from geoservice.settings import Settings
from ingest.job import plan
from ingest.load import load
from layers.catalog import Catalog, read_catalog
from layers.model import VectorLayer
from layers.system import layer_state
from tests.bench.client import BenchError
from tests.bench.nation import country

LAYERS_DIR = Path(__file__).parent


@dataclass(frozen=True)
class Nation:
    """A prepared database."""

    home: Path
    settings: Settings
    database: Database
    catalog: Catalog

    def layer(self, name: str) -> VectorLayer:
        """One of the four layers."""
        found = self.catalog.layer(name)
        if not isinstance(found, VectorLayer):
            raise BenchError(f"{name} is no vector layer.")
        return found


def prepare(home: Path, data: Path | None) -> Nation:
    """Start the cluster, load what is not loaded, bring the ladders up to date.

    Args:
        home: Cluster and data live here.
        data: Folder with counties.gpkg, rivers.gpkg, roads.gpkg and parcels.gpkg; made here when absent.
    """
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "nation", layers_dir=LAYERS_DIR, workers=2)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database, catalog = open_database(settings), read_catalog(LAYERS_DIR)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    nation = Nation(home, settings, database, catalog)
    _fill(nation, data or _written(home))
    return nation


def _written(home: Path) -> Path:
    folder = home / "country"
    if not folder.is_dir():
        unfinished = home / "country-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        country.write(unfinished)
        unfinished.rename(folder)
    return folder


def _fill(nation: Nation, data: Path) -> None:
    with nation.database.transaction(Role.WRITER) as connection:
        known = connection.execute(sa.select(layer_state.c.layer).where(layer_state.c.edition.is_not(None))).scalars()
        standing = set(known)
    for name in country.LAYERS:
        layer = nation.layer(name)
        if name not in standing:
            job = plan(layer, data / f"{name}.gpkg", dict(nation.catalog.codelists))
            report = load(job, target_of(nation.settings, nation.database))
            if report.read != report.inserted:
                raise BenchError(f"The load did not take every row: {report.model_dump_json()}")
        renew(nation.database, layer)
    with nation.database.psycopg(Role.ADMIN, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def as_loaded(nation: Nation) -> None:
    """Give up all kept tiles, and draw those that workers draw after a load."""
    _geoservice(nation, "tiles", "purge", "--all")
    _geoservice(nation, "tiles", "seed", "--low", *country.LAYERS)


def _geoservice(nation: Nation, *arguments: str) -> None:
    surroundings = {"GEOSERVICE_HOME": str(nation.settings.home), "GEOSERVICE_LAYERS_DIR": str(LAYERS_DIR)}
    command = [sys.executable, "-m", "geoservice", *arguments]
    subprocess.run(command, env={**os.environ, **surroundings}, check=True, stdout=subprocess.DEVNULL)
    # Running services look for a purge several times per second.
    time.sleep(1.0)


def stop(nation: Nation) -> None:
    """Stop the cluster."""
    EmbeddedCluster(nation.settings).stop()
