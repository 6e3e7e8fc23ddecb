"""From settings to a database that is ready for use: started, with roles, rights and system tables."""

from __future__ import annotations

import time
from contextlib import closing

import psycopg
import sqlalchemy as sa

from geoservice.db import migrate
from geoservice.db.capability import statement
from geoservice.db.credentials import Role, ensure_passwords, known_passwords
from geoservice.db.embedded import POLL_SECONDS, SERVER_KEY, EmbeddedCluster, State
from geoservice.db.engine import APPLICATION, Database, foreign_address, server_key, unavailable
from geoservice.db.errors import CredentialsMissing, DatabaseNotReady
from geoservice.db.roles import create_roles, ensure_database, fingerprint, prepared_with, role_names
from geoservice.settings import Dsn, Settings
from layers.errors import ConfigurationError, DatabaseUnavailable

MAINTENANCE_DATABASE = "postgres"
RELEASE_SECONDS = 3.0


def open_database(settings: Settings) -> Database:
    """The database, ready for use. This is what every command calls first.

    The embedded cluster is made, started, prepared and migrated as needed. A foreign server is only looked at:
    `geoservice db init` and `geoservice db upgrade` are an operator's decisions there.

    Raises:
        DatabaseUnavailable: When the server does not answer.
        DatabaseNotReady: When a foreign database was not prepared or not upgraded.
        ConfigurationError: When the embedded cluster cannot be made or started.
    """
    if settings.database_url is not None:
        database = Database.from_settings(settings)
        _require_ready(database)
        return database
    EmbeddedCluster(settings).start()
    return prepare_embedded(settings)


def prepare_embedded(settings: Settings, *, force: bool = False, migrating: bool = True) -> Database:
    """Roles, database, rights and system tables of a running embedded cluster; quick when nothing is to do.

    Args:
        settings: The settings.
        force: Set roles, passwords and rights again even if the database remembers this version of them.
        migrating: Bring the system tables to the newest revision too.
    """
    cluster = EmbeddedCluster(settings)
    with cluster.locked():
        _require_admin(settings)
        ensure_passwords(settings.credentials_path, SERVER_KEY, role_names(settings.role_prefix))
        database = Database.from_settings(settings)
        with database.psycopg(Role.ADMIN, autocommit=True, dbname=MAINTENANCE_DATABASE) as connection:
            fresh = ensure_database(connection, database.name)
        with database.psycopg(Role.ADMIN) as connection:
            if force or fresh or prepared_with(connection) != fingerprint():
                create_roles(connection, settings.role_prefix, database.passwords)
        if migrating and not _at_head(database):
            migrate.upgrade(database)
    return database


def _require_admin(settings: Settings) -> None:
    admin = Role.ADMIN.name_in(settings.role_prefix)
    if admin not in known_passwords(settings.credentials_path, SERVER_KEY):
        raise CredentialsMissing(
            f"{settings.credentials_path} does not hold the password of the embedded database's administrator {admin}. "
            "Restore the file from a backup, or run `geoservice db repair`, which sets new passwords.",
            role=admin,
        )


def repair_embedded(settings: Settings) -> list[str]:
    """Mend the embedded cluster, its passwords, roles, rights and system tables; leave it running.

    Returns:
        One sentence per thing that was mended.
    """
    cluster = EmbeddedCluster(settings)
    done = cluster.repair()
    admin = Role.ADMIN.name_in(settings.role_prefix)
    password = ensure_passwords(settings.credentials_path, SERVER_KEY, (admin,))[admin]
    if not _admitted(Database.from_settings(settings)):
        cluster.stop()
        cluster.set_password(admin, password)
        cluster.start()
        done.append("The administrator's password was lost; set a new one.")
    prepare_embedded(settings, force=True)
    return done


def _admitted(database: Database) -> bool:
    try:
        with database.psycopg(Role.ADMIN, dbname=MAINTENANCE_DATABASE):
            return True
    except DatabaseUnavailable as error:
        if "password authentication failed" in error.detail:
            return False
        raise


def prepare_foreign(settings: Settings, admin: Dsn) -> Database:
    """Roles, rights and system tables on an agency's server (`geoservice db init --admin-url`).

    Args:
        settings: The settings; `database_url` may be missing, then the administrator's address is meant.
        admin: Address with an administrator's login, naming the database.

    Raises:
        ConfigurationError: When the administrator's rights do not suffice, or the two addresses differ.
        DatabaseUnavailable: When the server does not answer.
    """
    target = settings.model_copy(update={"database_url": settings.database_url or admin})
    if server_key(target) != server_key(target.model_copy(update={"database_url": admin})):
        raise ConfigurationError("The administrator's address names another server than GEOSERVICE_DATABASE_URL.")
    if foreign_address(admin)["dbname"] != foreign_address(target.database_url or admin)["dbname"]:
        raise ConfigurationError("The administrator's address names another database than GEOSERVICE_DATABASE_URL.")
    names = role_names(settings.role_prefix)
    passwords = ensure_passwords(settings.credentials_path, server_key(target), names)
    with closing(_connect_admin(admin)) as connection:
        create_roles(connection, settings.role_prefix, passwords)
    database = Database.from_settings(target)
    migrate.upgrade(database)
    return database


def _connect_admin(admin: Dsn) -> psycopg.Connection:
    parts = admin.parameters()
    try:
        return psycopg.connect(admin.get_secret_value(), autocommit=True, application_name=APPLICATION)
    except psycopg.OperationalError as error:
        if f'database "{parts["dbname"]}" does not exist' not in str(error):
            raise unavailable(error) from None
    try:
        connection = psycopg.connect(admin.get_secret_value(), autocommit=True, dbname=MAINTENANCE_DATABASE)
    except psycopg.OperationalError as error:
        raise unavailable(error) from None
    with closing(connection):
        ensure_database(connection, parts["dbname"])
    return psycopg.connect(admin.get_secret_value(), autocommit=True, application_name=APPLICATION)


def _at_head(database: Database) -> bool:
    with database.transaction(Role.OWNER) as connection:
        return migrate.current(connection) == migrate.head()


def require_prepared(database: Database) -> str | None:
    """Check that `geoservice db init` has been run.

    Returns:
        The revision of the system tables, None before the first migration.

    Raises:
        DatabaseNotReady: When the schemas are missing.
        DatabaseUnavailable: When the owner cannot connect.
    """
    with database.transaction(Role.OWNER) as connection:
        if not sa.inspect(connection).has_schema("meta"):
            raise DatabaseNotReady(f"The database {database.name} is not prepared; run `geoservice db init`.")
        return migrate.current(connection)


def _require_ready(database: Database) -> None:
    found, wanted = require_prepared(database), migrate.head()
    if found != wanted:
        raise DatabaseNotReady(
            f"The database {database.name} is at revision {found}, this version needs {wanted}; "
            "run `geoservice db upgrade`.",
            found=found,
            wanted=wanted,
        )


def release(settings: Settings, grace: float = RELEASE_SECONDS) -> bool:
    """Stop the embedded cluster if no client is left; called by the `serve` that started it.

    Args:
        settings: The settings.
        grace: Seconds to wait for connections that are just being closed.

    Returns:
        True when it was stopped; False when others still use it (they, or `geoservice db stop`, end it later).
    """
    cluster = EmbeddedCluster(settings)
    if settings.database_url is not None or cluster.status().state is not State.RUNNING:
        return False
    database = Database.from_settings(settings)
    deadline = time.monotonic() + grace
    while _other_clients(database):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return cluster.stop()


def _other_clients(database: Database) -> int:
    with database.psycopg(Role.ADMIN, autocommit=True, dbname=MAINTENANCE_DATABASE) as connection:
        row = connection.execute(statement("other_clients.sql").encode()).fetchone()
    return int(row[0]) if row else 0
