"""Real databases for tests: one private cluster per test process, one fresh database per test that asks for it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from geoservice.db.binaries import INSTALL_COMMAND
from geoservice.db.credentials import Role
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.db.errors import PostgresMissing
from geoservice.db.provision import MAINTENANCE_DATABASE, open_database
from geoservice.settings import Settings

# A test cluster is thrown away: it need not survive a power failure, and several may share one machine.
FAST_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
}
TEMPLATE = "geoservice_template"
RIGHTS = """
    SELECT pg_catalog.pg_get_userbyid(given.grantee), array_agg(given.privilege_type::text)
    FROM pg_catalog.pg_database, aclexplode(datacl) AS given WHERE datname = %s GROUP BY given.grantee
"""
"""Who may do what with a database. PUBLIC, whose number is 0, has no right to any of ours."""
_numbers = count(1)


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A short-named folder that the cluster's system user may enter, removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="gs-", dir=os.environ.get("GEOSERVICE_TEST_ROOT")))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def private_cluster(**values: object) -> Iterator[Settings]:
    """A running embedded cluster in a home of its own, stopped at the end whatever happens.

    Args:
        **values: Settings that differ from those of the test suite.
    """
    with temporary_home() as home:
        settings = Settings.model_validate(
            {"home": home, "postgres_options": FAST_OPTIONS, "database_name": TEMPLATE, "workers": 1, **values}
        )
        cluster = EmbeddedCluster(settings)
        try:
            open_database(settings)
            yield settings
        except PostgresMissing as error:
            raise AssertionError(f"The tests need PostgreSQL with PostGIS: {INSTALL_COMMAND}") from error
        finally:
            cluster.stop()


@contextmanager
def copied_database(settings: Settings) -> Iterator[Database]:
    """A migrated database of its own on a running test cluster (a copy of the template, about 0.1 s)."""
    name = f"geoservice_t{os.getpid()}_{next(_numbers)}"
    template = Database.from_settings(settings)
    with template.psycopg(Role.ADMIN, autocommit=True, dbname=MAINTENANCE_DATABASE) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        _copy_rights(admin, name)
    try:
        yield Database.from_settings(settings.model_copy(update={"database_name": name}))
    finally:
        with template.psycopg(Role.ADMIN, autocommit=True, dbname=MAINTENANCE_DATABASE) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _copy_rights(admin: psycopg.Connection, name: str) -> None:
    """Rights on the database itself are not copied from a template, as everything in it is."""
    database = sql.Identifier(name)
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role, rights in admin.execute(RIGHTS, (TEMPLATE,)).fetchall():
        words = sql.SQL(", ").join(map(sql.SQL, rights))
        admin.execute(sql.SQL("GRANT {} ON DATABASE {} TO {}").format(words, database, sql.Identifier(role)))
