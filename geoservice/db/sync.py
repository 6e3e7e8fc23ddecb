"""Reconciles the layer tables with the catalogue: additive by itself, destructive only when told so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

import sqlalchemy as sa
from pydantic.main import IncEx
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import AddConstraint, CreateSchema, CreateTable, DropConstraint

from geoservice.db import ddl
from geoservice.db.credentials import Role
from layers.access import Clearance, Principal, RowRule, decide
from layers.catalog import Catalog
from layers.errors import ConfigurationError
from layers.ladder import LADDER_FORMAT, LADDER_SCHEMA, has_ladder, is_rung_name
from layers.model import Layer, RasterLayer, RowLayer, VectorLayer
from layers.system import layer_state
from layers.table import CURRENT_SCHEMA, HISTORY_SCHEMA, current_table, history_table

NetMode = Literal["policies", "views"]
READERS = {
    Clearance.PUBLIC: Role.READER_PUBLIC,
    Clearance.INTERNAL: Role.READER_INTERNAL,
    Clearance.RESTRICTED: Role.READER_RESTRICTED,
}

_LOCK = "geoservice.sync"


@dataclass
class SyncReport:
    """What was done: tables made, columns added, and differences that only the destructive flag removes."""

    created: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


def view_schema(clearance: Clearance, schema: str = CURRENT_SCHEMA) -> str:
    """Schema of the plain views that a clearance reads where row policies are not in force.

    Args:
        clearance: Up to where the views show rows.
        schema: Whose tables they stand for, those of current rows or those of history.
    """
    return f"read_{clearance.label}" if schema == CURRENT_SCHEMA else f"read_{clearance.label}_{schema}"


def sync(
    connection: sa.Connection, catalog: Catalog, prefix: str, mode: NetMode, *, destructive: bool = False
) -> SyncReport:
    """Make or extend the tables of all layers and renew every right on them, in the caller's transaction.

    Args:
        connection: A connection of the owner role.
        catalog: The layers.
        prefix: Prefix of the role names.
        mode: Which access net stands behind the row rule: policies on the tables, or views without rights on them.
        destructive: Also drop columns that no definition knows and change types.

    Returns:
        What was done and what is pending.
    """
    report = SyncReport()
    # Two at the same time would trip over each other's functions and policies.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_LOCK, 0))))
    connection.execute(sa.select(sa.func.set_config("geoservice.prefix", prefix, True)))
    for script in ("sync.sql", "beside.sql", "observations.sql", "alerts.sql", "situation.sql", "reports.sql"):
        # Straight to the driver: percent signs in the script are no parameters.
        cursor = connection.connection.cursor()
        cursor.execute(resources.files("geoservice.db").joinpath(script).read_text(encoding="utf-8"))
        cursor.close()
    for layer in catalog:
        if not isinstance(layer, RasterLayer):
            for table in (current_table(layer), history_table(layer)):
                _reconcile(connection, table, report, destructive=destructive)
        _drop_stale_ladder(connection, layer)
        _remember(connection, layer)
    rows = [layer for layer in catalog if not isinstance(layer, RasterLayer)]
    _renew_rights(connection, rows, prefix, mode)
    return report


def stands(connection: sa.Connection, catalog: Catalog) -> bool:
    """Whether the tables of all layers were made for the definitions that they have today."""
    rows = connection.execute(sa.select(layer_state.c.layer, layer_state.c.definition))
    known = {row.layer: row.definition for row in rows}
    return all(known.get(layer.name) == definition_digest(layer) for layer in catalog)


def definition_digest(layer: Layer) -> str:
    """Digest of what the tables, tiles and styles of a layer are derived from."""
    # How names are searched and lines are travelled has digests of its own; like what analyses take a layer for, and
    # how rows are readings, it concerns neither tables nor tiles.
    beside: dict[str, IncEx | bool] = dict.fromkeys(("names", "network", "compliance", "observes"), True)
    beside["exposure"] = {"capacity", "cut", "census", "reach"}
    told = layer.model_dump_json(by_alias=True, exclude=beside)
    # A ladder that another version of the product made is as stale as one of another definition.
    made = f"{told}{LADDER_FORMAT}" if isinstance(layer, VectorLayer) and has_ladder(layer) else told
    return hashlib.sha256(made.encode()).hexdigest()[:16]


def _drop_stale_ladder(connection: sa.Connection, layer: Layer) -> None:
    """Drop the ladder of a layer whose definition is another one now: what it shows, and to whom, may not hold."""
    known = sa.select(layer_state.c.definition).where(layer_state.c.layer == layer.name)
    if connection.execute(known).scalar() == definition_digest(layer):
        return
    for name in sa.inspect(connection).get_table_names(schema=LADDER_SCHEMA):
        if is_rung_name(layer, name):
            connection.execute(ddl.DropDependent(sa.Table(name, sa.MetaData(schema=LADDER_SCHEMA))))
    connection.execute(sa.update(layer_state).where(layer_state.c.layer == layer.name).values(ladder=None))


def _remember(connection: sa.Connection, layer: Layer) -> None:
    values = {"layer": layer.name, "clearance": int(layer.clearance), "definition": definition_digest(layer)}
    statement = insert(layer_state).values(**values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["layer"], set_={"clearance": values["clearance"], "definition": values["definition"]}
        )
    )


def _reconcile(connection: sa.Connection, table: sa.Table, report: SyncReport, *, destructive: bool) -> None:
    inspector = sa.inspect(connection)
    name = f"{table.schema}.{table.name}"
    if not inspector.has_table(table.name, schema=table.schema):
        _create(connection, table)
        report.created.append(name)
        return
    present = _present(connection, table)
    for column in table.columns:
        if column.name not in present:
            _add_column(connection, table, column)
            report.added.append(f"{name}.{column.name}")
        elif present[column.name] != _type_name(connection, column):
            _change_type(connection, table, column, report, destructive=destructive)
    for stranger in sorted(set(present) - set(table.columns.keys())):
        if destructive:
            connection.execute(ddl.DropColumn(table, stranger))
            report.dropped.append(f"{name}.{stranger}")
        else:
            report.pending.append(f"{name}.{stranger} is in the database and in no definition")
    _reconcile_checks(connection, table)
    _reconcile_indexes(connection, table)


def _create(connection: sa.Connection, table: sa.Table) -> None:
    """Make a table; the indexes of current rows come with the first load (`ingest.indexes`), after the rows."""
    if table.schema == CURRENT_SCHEMA:
        connection.execute(CreateTable(table))
    else:
        table.create(connection)


def _present(connection: sa.Connection, table: sa.Table) -> dict[str, str]:
    statement = sa.text(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute "
        "WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"
    )
    quoted = connection.dialect.identifier_preparer.format_table(table)
    return {name: kind.rpartition(".")[2] for name, kind in connection.execute(statement, {"name": quoted})}


def _type_name(connection: sa.Connection, column: sa.Column[Any]) -> str:
    written = column.type.compile(connection.dialect).lower()
    spelled = {"geometry(geometry,4490)": "geometry(Geometry,4490)", "uuid": "uuid"}
    return spelled.get(written, written)


def _add_column(connection: sa.Connection, table: sa.Table, column: sa.Column[Any]) -> None:
    connection.execute(ddl.AddColumn(table, column))


def _change_type(
    connection: sa.Connection, table: sa.Table, column: sa.Column[Any], report: SyncReport, *, destructive: bool
) -> None:
    name = f"{table.schema}.{table.name}.{column.name}"
    if not destructive:
        report.pending.append(f"{name} has another type in the database than in its definition")
        return
    connection.execute(ddl.DropColumn(table, column.name))
    _add_column(connection, table, column)
    report.dropped.append(name)
    report.added.append(name)


def _reconcile_checks(connection: sa.Connection, table: sa.Table) -> None:
    known = {
        c["name"]: c["sqltext"] for c in sa.inspect(connection).get_check_constraints(table.name, schema=table.schema)
    }
    wanted = {str(c.name): c for c in table.constraints if isinstance(c, sa.CheckConstraint) and c.name}
    for name, constraint in wanted.items():
        if name not in known:
            connection.execute(AddConstraint(constraint))
    for stranger in known.keys() - wanted.keys():
        stale = sa.CheckConstraint(sa.true(), name=stranger)
        connection.execute(DropConstraint(_attached(stale, table)))


def _reconcile_indexes(connection: sa.Connection, table: sa.Table) -> None:
    """Indexes of history are made with its table; those of current rows come with loads (`ingest.indexes`)."""
    for index in table.indexes if table.schema == HISTORY_SCHEMA else ():
        index.create(connection, checkfirst=True)


def _attached(constraint: sa.CheckConstraint, table: sa.Table) -> sa.CheckConstraint:
    copy = sa.Table(table.name, sa.MetaData(schema=table.schema))
    copy.append_constraint(constraint)
    return constraint


def _renew_rights(connection: sa.Connection, layers: Iterable[RowLayer], prefix: str, mode: NetMode) -> None:
    layers = list(layers)
    if mode == "views":
        for clearance in Clearance:
            for origin in (CURRENT_SCHEMA, HISTORY_SCHEMA):
                _renew_views(connection, layers, prefix, clearance, origin)
    for layer in layers:
        for table in (current_table(layer), history_table(layer)):
            _renew_table(connection, layer, table, prefix, mode)


def protect(connection: sa.Connection, layer: RowLayer, table: sa.Table, prefix: str, mode: NetMode) -> None:
    """Put a new table with rows of a layer behind the access net: rights and policies, and views where those serve.

    Args:
        connection: A connection of the owner role.
        layer: The layer whose clearances hold.
        table: A table with the columns `_clearance` and attributes of the layer.
        prefix: Prefix of the role names.
        mode: The access net.
    """
    _renew_table(connection, layer, table, prefix, mode)
    if mode == "views":
        for clearance in Clearance:
            schema = _view_schema(connection, clearance, str(table.schema), READERS[clearance].name_in(prefix))
            _renew_view(connection, layer, table, (schema, READERS[clearance].name_in(prefix)), clearance)


def _renew_table(connection: sa.Connection, layer: RowLayer, table: sa.Table, prefix: str, mode: NetMode) -> None:
    connection.execute(ddl.EnableRowSecurity(table))
    for keeper in (Role.OWNER, Role.WRITER):
        role = keeper.name_in(prefix)
        connection.execute(ddl.DropPolicy(keeper.value, table))
        connection.execute(ddl.CreatePolicy(keeper.value, table, role, None))
    for clearance, reader in READERS.items():
        role = reader.name_in(prefix)
        connection.execute(ddl.DropPolicy(clearance.label, table))
        connection.execute(ddl.RevokeAll(table, role))
        columns = readable_columns(layer, table, clearance)
        if columns and mode == "policies":
            connection.execute(ddl.CreatePolicy(clearance.label, table, role, RowRule(clearance)))
            connection.execute(ddl.Grant(["SELECT"], table, role, columns))


def _renew_views(
    connection: sa.Connection, layers: Iterable[RowLayer], prefix: str, clearance: Clearance, origin: str
) -> None:
    role = READERS[clearance].name_in(prefix)
    schema = _view_schema(connection, clearance, origin, role)
    for layer in layers:
        table = current_table(layer) if origin == CURRENT_SCHEMA else history_table(layer)
        _renew_view(connection, layer, table, (schema, role), clearance)


def _view_schema(connection: sa.Connection, clearance: Clearance, origin: str, role: str) -> str:
    """The schema of the views of a clearance, made if it is not there."""
    schema = view_schema(clearance, origin)
    if not sa.inspect(connection).has_schema(schema):
        connection.execute(CreateSchema(schema))
    connection.execute(ddl.GrantUsage(schema, role))
    return schema


def _renew_view(
    connection: sa.Connection, layer: RowLayer, table: sa.Table, to: tuple[str, str], clearance: Clearance
) -> None:
    schema, role = to
    connection.execute(ddl.DropView(schema, table.name))
    columns = readable_columns(layer, table, clearance)
    if columns:
        connection.execute(ddl.CreateView(schema, table, columns, RowRule(clearance)))
        view = sa.Table(table.name, sa.MetaData(schema=schema))
        connection.execute(ddl.Grant(["SELECT"], view, role))


def readable_columns(layer: RowLayer, table: sa.Table, clearance: Clearance) -> list[str]:
    """Columns of a table that a clearance may read, by the one decision; none when the layer is closed to it."""
    decision = decide(Principal("role", clearance), "read", layer)
    if not decision.allowed:
        return []
    return [c.name for c in table.columns if c.name not in layer.attributes or c.name in decision.attributes]


def require_mode(connection: sa.Connection) -> NetMode:
    """Which access net this server allows: policies when geometry_overlaps is leakproof, else views.

    Raises:
        ConfigurationError: When PostGIS is not there.
    """
    statement = sa.text("SELECT bool_and(proleakproof) FROM pg_catalog.pg_proc WHERE proname = 'geometry_overlaps'")
    leakproof = connection.execute(statement).scalar()
    if leakproof is None:
        raise ConfigurationError("PostGIS is not installed in this database; run `geoservice db init`.")
    return "policies" if leakproof else "views"
