"""Errors of the database room."""

from __future__ import annotations

from layers.errors import ConfigurationError, DatabaseUnavailable


class ClusterError(ConfigurationError):
    """The embedded database cluster cannot be made, started or stopped as asked."""

    title = "Embedded database"


class PostgresMissing(ClusterError):
    """PostgreSQL or PostGIS is not installed on this machine."""

    title = "PostgreSQL is missing"


class SocketPathTooLong(ClusterError):
    """The Unix socket's path exceeds what the kernel accepts (107 bytes)."""

    title = "Socket path too long"


class VersionMismatch(ClusterError):
    """The data folder was written by another major version of PostgreSQL."""

    title = "PostgreSQL version mismatch"


class CredentialsMissing(ConfigurationError):
    """The passwords of the database roles are not known on this machine."""

    title = "Database credentials are missing"


class DatabaseNotReady(DatabaseUnavailable):
    """The server answers, but roles, schemas or system tables are missing or too old."""

    title = "Database is not prepared"
