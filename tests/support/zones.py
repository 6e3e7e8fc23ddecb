"""Rows set down directly in layer tables, and zone answers asked as the service would ask."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely
import sqlalchemy as sa

from geoservice.analysis.zone import AnalysisContext, ZoneRequest, zone_answer, zone_request
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.db.sync import NetMode, sync
from ingest import figures, indexes
from layers.access import Clearance, Principal
from layers.answer import AnswerSection, ZoneAnswer
from layers.catalog import Catalog
from layers.crs import STORAGE_SRID
from layers.model import Layer, RowLayer
from layers.system import edition, layer_state
from layers.table import current_table

COMMITTED = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
MAX_VERTICES = 20_000


def prepare(database: Database, catalog: Catalog, mode: NetMode = "policies") -> None:
    """Make the tables of a catalogue behind one of the two access nets."""
    with database.transaction(Role.OWNER) as connection:
        sync(connection, catalog, database.settings.role_prefix, mode)


def plant(database: Database, layer: RowLayer, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert rows (`geom` as shapely, `clearance` as Clearance) as one edition and renew the layer's figures.

    Returns:
        The number of the edition.
    """
    with database.transaction(Role.OWNER) as connection:
        number = open_edition(connection, layer)
        table = current_table(layer)
        values = [_values(layer, row, position, number) for position, row in enumerate(rows)]
        if values:
            connection.execute(sa.insert(table), values)
        indexes.ensure(connection, layer)
        figures.renew(connection, layer)
    return number


def open_edition(connection: sa.Connection, layer: Layer) -> int:
    """Write an edition of a layer and make it the current one."""
    statement = sa.insert(edition).values(
        layer=layer.name,
        clearance=int(layer.clearance),
        committed=COMMITTED,
        principal="tester",
        source=f"{layer.name}.test",
        sha256="0" * 64,
        size=0,
        mapping="test",
        inserted=0,
        updated=0,
        deleted=0,
        report={},
    )
    number = int(connection.execute(statement.returning(edition.c.id)).scalar_one())
    connection.execute(sa.update(layer_state).where(layer_state.c.layer == layer.name).values(edition=number))
    return number


async def answer(
    database: Database,
    catalog: Catalog,
    zone: shapely.Geometry | Mapping[str, Any],
    clearance: Clearance = Clearance.PUBLIC,
    mode: NetMode = "policies",
    **context: Any,
) -> ZoneAnswer:
    """Ask about a zone (a geometry, or the body of a request) as a principal of this clearance."""
    async with Pools(database) as pools:
        return await ask(pools, catalog, zone, clearance, mode, **context)


async def ask(
    pools: Pools,
    catalog: Catalog,
    zone: shapely.Geometry | Mapping[str, Any],
    clearance: Clearance = Clearance.PUBLIC,
    mode: NetMode = "policies",
    **context: Any,
) -> ZoneAnswer:
    """As `answer`, on pools that are open."""
    surroundings = AnalysisContext(
        principal=Principal("tester", clearance),
        catalog=catalog,
        schema=Reading(mode).schema(clearance),
        **{"rasters": Path("rasters"), **context},
    )
    async with pools.connection(clearance) as connection:
        return await zone_answer(connection, request_of(zone), surroundings)


def request_of(zone: shapely.Geometry | Mapping[str, Any]) -> ZoneRequest:
    """The request for a drawn zone, or that of a body."""
    body = {"zone": shapely.geometry.mapping(zone)} if isinstance(zone, shapely.Geometry) else zone
    return zone_request(body, MAX_VERTICES)


def section(found: ZoneAnswer, layer: str) -> AnswerSection:
    """The section of a layer."""
    return next(s for s in found.sections if s.layer == layer)


def values(found: AnswerSection) -> dict[str | None, float]:
    """Value by class."""
    return {row.code: row.value for row in found.rows}


def counts(found: AnswerSection) -> dict[str | None, int]:
    """Number of features by class."""
    return {row.code: row.count for row in found.rows}


def _values(layer: RowLayer, row: Mapping[str, Any], position: int, number: int) -> dict[str, Any]:
    key = row.get("key") or "|".join(str(row[name]) for name in layer.key) or str(position)
    geometry = row.get("geom")
    wkb = (
        None if geometry is None else shapely.to_wkb(shapely.set_srid(geometry, STORAGE_SRID), True, include_srid=True)
    )
    attributes = {name: row.get(name) for name in layer.attributes}
    return {
        **attributes,
        "key": key,
        "geom": wkb,
        "_clearance": int(row.get("clearance", layer.clearance)),
        "_edition": number,
        "_valid_from": COMMITTED,
        "_hash": uuid.uuid5(uuid.NAMESPACE_OID, f"{layer.name}/{key}"),
    }
