"""What a database server can do: versions of PostgreSQL, PostGIS, GEOS and PROJ, and which access net is possible."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import sqlalchemy as sa

from geoservice.db.errors import DatabaseNotReady

NetMode = Literal["policies", "views"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about a server, as found in its catalogues.

    Attributes:
        postgres: Version of the server, as (major, minor).
        postgis: Version of PostGIS, as text ("3.3.2").
        geos: Version of GEOS.
        proj: Version of PROJ.
        leakproof: True when the && operator of geometries may run before a row policy, so that policies keep the index.
        trigram: True when pg_trgm is installed in the database.
        unaccent: True when unaccent is installed in the database.
    """

    postgres: tuple[int, int]
    postgis: str
    geos: str
    proj: str
    leakproof: bool
    trigram: bool
    unaccent: bool

    @property
    def mode(self) -> NetMode:
        """The access net under the row rule: row policies on the tables, or one schema of views per clearance."""
        return "policies" if self.leakproof else "views"


def probe(connection: sa.Connection) -> Capabilities:
    """Look at the server behind a connection; any role may do this.

    Raises:
        DatabaseNotReady: When PostGIS is not installed in the database.
    """
    if not connection.execute(sa.text(statement("has_postgis.sql"))).scalar_one():
        raise DatabaseNotReady("PostGIS is not installed in this database; run `geoservice db init`.")
    row = connection.execute(sa.text(statement("capability.sql"))).one()
    return Capabilities(
        postgres=divmod(row.postgres, 10_000),
        postgis=row.postgis,
        geos=row.geos,
        proj=row.proj,
        leakproof=row.leakproof,
        trigram=row.trigram,
        unaccent=row.unaccent,
    )


def statement(name: str) -> str:
    """The text of a static statement beside this module."""
    return files("geoservice.db").joinpath("sql", name).read_text(encoding="utf-8")
