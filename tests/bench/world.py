"""Where everything is measured: a database cluster of its own with the sample region in it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from psycopg import sql

from geoservice.cli.ingest import target_of
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.provision import open_database
from geoservice.db.sync import require_mode, sync
from geoservice.ladder import renew
from geoservice.settings import Settings
from ingest.job import IngestPlan, IngestReport, plan
from ingest.load import LoadTarget, load
from ingest.sample.write import write_sample
from layers.access import ANONYMOUS, decide
from layers.catalog import Catalog, read_catalog
from layers.model import VectorLayer
from layers.system import layer_figures, layer_state
from layers.table import current_table, history_table
from tests.bench.client import BenchError
from tests.bench.workload import Bounds

LAYER = "landuse_patch"
PEER_ROLE = "geoservice_bench_reader"
PEER_SCHEMA = "bench"


@dataclass(frozen=True)
class World:
    """A prepared database and what is measured in it."""

    home: Path
    settings: Settings
    database: Database
    catalog: Catalog
    source: Path

    @property
    def layer(self) -> VectorLayer:
        """The layer of the parcels."""
        found = self.catalog.layer(LAYER)
        if not isinstance(found, VectorLayer):
            raise BenchError(f"{LAYER} is no vector layer.")
        return found

    @property
    def target(self) -> LoadTarget:
        """Where loads go."""
        return target_of(self.settings, self.database)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes that everybody may see: both sides of each pair deliver these and no others."""
        return decide(ANONYMOUS, "read", self.layer).attributes

    def plan(self) -> IngestPlan:
        """The load of the parcels."""
        return plan(self.layer, self.source, dict(self.catalog.codelists))

    def bounds(self) -> Bounds:
        """West, south, east, north (degrees) of the parcels in the database."""
        figures = layer_figures.c
        chosen = sa.select(figures.west, figures.south, figures.east, figures.north)
        with self.database.transaction(Role.WRITER) as connection:
            row = connection.execute(chosen.where(figures.layer == LAYER, figures.clearance == 0)).one()
        return (row.west, row.south, row.east, row.north)


def default_home() -> Path:
    """A cache folder; root's must be open to the system user that runs the database."""
    if os.geteuid() == 0:
        return Path("/var/cache/geoservice-bench")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geoservice-bench"


def prepare(home: Path, parcels: int) -> World:
    """Start the cluster, make the tables, write the sample region if it is not there."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    settings = Settings(home=home / "state", workers=2)
    settings.home.mkdir(exist_ok=True)
    settings.home.chmod(0o755)
    database = open_database(settings)
    catalog = read_catalog(None)
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, settings.role_prefix, require_mode(connection))
    return World(home, settings, database, catalog, _sample(home, parcels))


def _sample(home: Path, parcels: int) -> Path:
    folder = home / f"sample-{parcels}"
    file = folder / f"sample_{LAYER}.gpkg"
    if not file.is_file():
        unfinished = home / "unfinished"
        write_sample(unfinished, parcels)
        shutil.move(unfinished, folder)
    return file


def holds(world: World, parcels: int) -> bool:
    """Whether so many parcels are in the database already; the sample of a size is always the same."""
    figures = layer_figures.c
    chosen = sa.select(figures.rows).where(figures.layer == LAYER, figures.clearance == 0)
    with world.database.transaction(Role.WRITER) as connection:
        return connection.execute(chosen).scalar() == parcels


def empty(world: World) -> None:
    """Bring the parcels' tables into the state in which `geoservice db sync` makes them."""
    with world.database.transaction(Role.OWNER) as connection:
        for table in (current_table(world.layer), history_table(world.layer)):
            table.drop(connection, checkfirst=True)
        # Nothing stands any more: a load is the first one, and does not ask whether the source is known already.
        connection.execute(sa.delete(layer_state).where(layer_state.c.layer == LAYER))
        mode = require_mode(connection)
        sync(connection, world.catalog, world.settings.role_prefix, mode)


def fill(world: World) -> IngestReport:
    """Load the parcels; every row must be accepted."""
    report = load(world.plan(), world.target)
    if report.quarantined or report.read != report.inserted + report.unchanged:
        raise BenchError(f"The load did not take every row: {report.model_dump_json()}")
    return report


def raise_ladder(world: World) -> None:
    """Build the ladder of the parcels, as workers do after a load."""
    if renew(world.database, world.layer, anew=True) is None:
        raise BenchError("The ladder was not built.")


def settle(world: World) -> None:
    """Fresh statistics and a written-out database, so that no pair pays for what came before."""
    with world.database.psycopg(Role.ADMIN, autocommit=True) as connection:
        connection.execute(sql.SQL("VACUUM (ANALYZE) geo.{}").format(sql.Identifier(LAYER)))
        connection.execute("CHECKPOINT")


def peer_reader(database: Database, layers: Sequence[str] = (LAYER,)) -> str:
    """Make a login role that may read some layers and nothing else; returns its new password.

    It passes the row policies by, so that no peer pays for a check it did not choose.
    """
    password = secrets.token_urlsafe(24)
    role = sql.Identifier(PEER_ROLE)
    tables = sql.SQL(", ").join(sql.Identifier("geo", layer) for layer in layers)
    with database.psycopg(Role.ADMIN, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (PEER_ROLE,)).fetchone()
        verb = sql.SQL("ALTER ROLE" if known is not None else "CREATE ROLE")
        connection.execute(sql.SQL("{} {} LOGIN BYPASSRLS PASSWORD {}").format(verb, role, sql.Literal(password)))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA geo TO {}").format(role))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, role))
        name = sql.Identifier(database.name)
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, role))
    return password


def stop(world: World) -> None:
    """Stop the cluster."""
    EmbeddedCluster(world.settings).stop()
