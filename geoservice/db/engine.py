"""Where the database is and how each role connects to it: one value, built from the settings."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from geoservice.db.credentials import Role, read_passwords
from geoservice.db.embedded import SERVER_KEY, EmbeddedCluster
from geoservice.db.errors import CredentialsMissing
from geoservice.db.tuning import SOCKET_PORT
from geoservice.settings import Dsn, Settings
from layers.errors import DatabaseUnavailable

DEFAULT_PORT = 5432
APPLICATION = "geoservice"
KEPT_CONNECTIONS = 2
"""Connections that a pool of the writer keeps open; more, up to `pool_max`, are opened and closed on demand."""
# What both drivers understand beyond host, port and database.
SHARED_PARAMETERS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")


@dataclass(frozen=True)
class Database:
    """One database and the passwords of our roles in it.

    Attributes:
        parameters: libpq parameters without user and password (host, port, dbname, sslmode ...).
        prefix: Prefix of the role names.
        passwords: Password by role name; they do not print.
        settings: The settings it was built from (timeouts, pool sizes).
    """

    parameters: Mapping[str, str]
    prefix: str
    passwords: Mapping[str, SecretStr]
    settings: Settings
    _engines: dict[Role, Engine] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> Database:
        """Read the address and the passwords; nothing is connected.

        Raises:
            CredentialsMissing: When `geoservice db init` (or a first start) has not happened yet.
        """
        passwords = read_passwords(settings.credentials_path, server_key(settings))
        return cls(address(settings), settings.role_prefix, passwords, settings)

    @property
    def name(self) -> str:
        """Name of the database on its server."""
        return self.parameters["dbname"]

    def role_name(self, role: Role) -> str:
        """The role's login name."""
        return role.name_in(self.prefix)

    def password(self, role: Role) -> SecretStr:
        """The role's password.

        Raises:
            CredentialsMissing: When the credentials file does not know the role (an administrator elsewhere).
        """
        try:
            return self.passwords[self.role_name(role)]
        except KeyError:
            raise CredentialsMissing(
                f"No password is stored for the database role {self.role_name(role)}; run `geoservice db init`."
            ) from None

    def secret(self, purpose: str) -> bytes:
        """A key for one purpose: the same in every process of an installation and after a restart.

        It is derived from the public reader's password, which has full entropy and which all of them must know anyway.
        """
        password = self.password(Role.READER_PUBLIC).get_secret_value()
        return hmac.digest(password.encode(), f"geoservice {purpose}".encode(), "sha256")

    def url(self, role: Role) -> URL:
        """SQLAlchemy address for synchronous use (psycopg); its `repr` hides the password."""
        return URL.create(
            "postgresql+psycopg",
            username=self.role_name(role),
            password=self.password(role).get_secret_value(),
            database=self.name,
            query={name: value for name, value in self.parameters.items() if name != "dbname"},
        )

    def dsn(self, role: Role) -> str:
        """Connection string for libpq, the password in clear: for drivers only (ADBC, psycopg), never for a log."""
        parts: dict[str, Any] = {
            **self.parameters,
            "user": self.role_name(role),
            "password": self.password(role).get_secret_value(),
            "application_name": APPLICATION,
        }
        return make_conninfo("", **parts)

    def asyncpg_arguments(self, role: Role) -> dict[str, Any]:
        """Keyword arguments of `asyncpg.connect`, the password among them."""
        shared = {name: self.parameters[name] for name in SHARED_PARAMETERS if name in self.parameters}
        return {
            "dsn": f"postgresql://?{urlencode(shared)}" if shared else None,
            "host": self.parameters.get("host") or self.parameters.get("hostaddr"),
            "port": int(self.parameters.get("port", DEFAULT_PORT)),
            "database": self.name,
            "user": self.role_name(role),
            "password": self.password(role).get_secret_value(),
        }

    def sync_engine(self, role: Role, *, pooled: bool = False, limits: Mapping[str, str] | None = None) -> Engine:
        """A synchronous SQLAlchemy engine for loads, migrations and the command line.

        Args:
            role: Who connects.
            pooled: Keep connections (worker threads of the service); commands open one and close it.
            limits: Settings of each session, such as `lock_timeout`.
        """
        pool: dict[str, Any] = self._pool() if pooled else {"poolclass": NullPool}
        arguments: dict[str, Any] = {
            "connect_timeout": max(2, round(self.settings.connect_timeout)),
            "application_name": APPLICATION,
        }
        if limits:
            arguments["options"] = " ".join(f"-c {name}={value}" for name, value in limits.items())
        return create_engine(self.url(role), connect_args=arguments, hide_parameters=True, **pool)

    def _pool(self) -> dict[str, Any]:
        most = self.settings.pool_max
        size = min(KEPT_CONNECTIONS, most)
        timeout = self.settings.pool_timeout
        return {"pool_pre_ping": True, "pool_size": size, "max_overflow": most - size, "pool_timeout": timeout}

    @contextmanager
    def transaction(self, role: Role) -> Iterator[Connection]:
        """One connection and one transaction, committed at the end.

        Raises:
            DatabaseUnavailable: When no connection can be made.
        """
        # An engine asks a server what it is when it first connects; it keeps no connections, so that one serves all.
        engine = self._engines.get(role) or self._engines.setdefault(role, self.sync_engine(role))
        try:
            connection = engine.connect()
        except OperationalError as error:
            raise unavailable(error.orig) from None
        with connection, connection.begin():
            yield connection

    @contextmanager
    def psycopg(
        self, role: Role, *, autocommit: bool = False, dbname: str | None = None
    ) -> Iterator[psycopg.Connection]:
        """A bare psycopg connection (COPY, administration), committed and closed at the end.

        Raises:
            DatabaseUnavailable: When no connection can be made.
        """
        dsn = make_conninfo(self.dsn(role), dbname=dbname or self.name)
        try:
            connection = psycopg.connect(dsn, autocommit=autocommit)
        except psycopg.OperationalError as error:
            raise unavailable(error) from None
        with connection:
            yield connection


def unavailable(error: BaseException | None) -> DatabaseUnavailable:
    """The typed error for a failed connection; the driver's text names no password."""
    reason = str(error).strip().splitlines()[0] if error and str(error).strip() else "no connection"
    return DatabaseUnavailable(f"The database cannot be reached: {reason}. `geoservice doctor` says more.")


def address(settings: Settings) -> dict[str, str]:
    """Parameters (libpq's names) of the database, without user and password."""
    if settings.database_url is None:
        socket = EmbeddedCluster(settings).socket_dir
        return {"host": str(socket), "port": str(SOCKET_PORT), "dbname": settings.database_name}
    return foreign_address(settings.database_url)


def foreign_address(dsn: Dsn) -> dict[str, str]:
    """Parameters (libpq's names) of a foreign database, without user, password and what we set ourselves."""
    own = ("user", "password", "connect_timeout", "application_name")
    return {name: str(value) for name, value in dsn.parameters().items() if name not in own}


def server_key(settings: Settings) -> str:
    """Key of the server in the credentials file: roles belong to a server, not to one database."""
    if settings.database_url is None:
        return SERVER_KEY
    parts = foreign_address(settings.database_url)
    return f"{parts.get('host') or parts.get('hostaddr', 'localhost')}:{parts.get('port', DEFAULT_PORT)}"
