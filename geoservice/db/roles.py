"""Making the roles, schemas and rights of a database, on the embedded cluster or a foreign server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files

import psycopg
from psycopg import sql
from pydantic import SecretStr

from geoservice.db.credentials import SERVICE_ROLES, scram_verifier
from layers.errors import ConfigurationError

FINGERPRINT_LENGTH = 16


def _script() -> str:
    return files("geoservice.db").joinpath("roles.sql").read_text(encoding="utf-8")


def fingerprint() -> str:
    """Short hash of the script that makes roles and rights; a database remembers which one it was given."""
    return hashlib.sha256(_script().encode()).hexdigest()[:FINGERPRINT_LENGTH]


def create_roles(connection: psycopg.Connection, prefix: str, passwords: Mapping[str, SecretStr]) -> None:
    """Create or correct everything that roles.sql says, in one transaction.

    Args:
        connection: An administrator's connection to the database in question.
        prefix: Prefix of the role names.
        passwords: Password by role name; they leave this process only as SCRAM verifiers.

    Raises:
        ConfigurationError: When the administrator's rights do not suffice or PostGIS is missing.
    """
    verifiers = {name: scram_verifier(passwords[name]) for name in role_names(prefix)}
    parameters = {
        "geoservice.prefix": prefix,
        "geoservice.fingerprint": fingerprint(),
        "geoservice.verifiers": json.dumps(verifiers),
    }
    try:
        with connection.transaction():
            for name, value in parameters.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
            connection.execute(_script().encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException) as error:
        reason = error.diag.message_primary or "insufficient privilege"
        raise ConfigurationError(f"The database could not be prepared: {reason}.") from None


def role_names(prefix: str) -> tuple[str, ...]:
    """Names of the five roles the service logs in with."""
    return tuple(role.name_in(prefix) for role in SERVICE_ROLES)


def ensure_database(connection: psycopg.Connection, name: str) -> bool:
    """Create a database when it is missing.

    Args:
        connection: An administrator's autocommit connection to another database of the same server.
        name: Name of the database.

    Returns:
        True when it was created.
    """
    found = connection.execute("SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s", (name,)).fetchone()
    if found:
        return False
    connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
    return True


def prepared_with(connection: psycopg.Connection) -> str | None:
    """Fingerprint of the script this database was prepared with; None when it never was."""
    row = connection.execute(
        "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = 'meta'"
    ).fetchone()
    return row[0] if row else None
