"""Tables of an edit: the rows it concerns as they are, the rows it brings, and what it does to current and history."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from ingest import diff
from ingest.digest import HASH, content_digests
from ingest.landing import Staging
from layers.access import RowRule
from layers.crs import STORAGE_SRID
from layers.model import RowLayer, VectorLayer
from layers.table import content_names, current_table, row_predicate, staging_table

if TYPE_CHECKING:
    from ingest.edit import Edit, Editor

Changes = tuple[Sequence[int], Sequence[int], Mapping[int, int]]
"""Feature numbers that are deleted, positions that are inserted, position -> feature number that it changes."""
_NAMES = ("edited", "landed", "edit_fresh", "edit_changed")


@dataclass(frozen=True)
class Current:
    """A current row: its numbers, what it was written by, its attributes as JSON values, its geometry (WKB, base64)."""

    fid: int
    edition: int
    valid_from: dt.datetime
    digest: uuid.UUID
    clearance: int
    properties: Mapping[str, Any]
    wkb: str | None


@dataclass(frozen=True)
class LandedRow:
    """A row that an edit brings: its key, clearance and content hash."""

    key: str
    clearance: int
    digest: uuid.UUID

    def differs(self, row: Current) -> bool:
        """Whether it is another content or clearance than that of a current row."""
        return self.digest != row.digest or self.clearance != row.clearance


def current_rows(connection: sa.Connection, layer: RowLayer, keys: Sequence[str], editor: Editor) -> dict[str, Current]:
    """The current rows of these keys that the editor may see, by key; with all their attributes."""
    table = current_table(layer)
    columns: list[sa.ColumnElement[Any]]
    columns = [table.c[n] for n in ("fid", "key", "_edition", "_valid_from", "_hash", "_clearance", *layer.attributes)]
    if isinstance(layer, VectorLayer):
        shape = sa.func.ST_AsBinary(sa.type_coerce(table.c.geom, sa.types.NullType()))
        columns.append(sa.type_coerce(shape, sa.LargeBinary()).label("_wkb"))
    rule = RowRule(editor.clearance)
    found = sa.select(*columns).where(table.c.key.in_(list(keys)), row_predicate(table, rule))
    return {row["key"]: _current(layer, dict(row)) for row in connection.execute(found).mappings()}


def _current(layer: RowLayer, row: Mapping[str, Any]) -> Current:
    shape = row.get("_wkb")
    return Current(
        fid=row["fid"],
        edition=row["_edition"],
        valid_from=row["_valid_from"],
        digest=row["_hash"],
        clearance=row["_clearance"],
        properties={name: _plain(row[name]) for name in layer.attributes},
        wkb=None if shape is None else base64.b64encode(bytes(shape)).decode(),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else value


def land(
    connection: sa.Connection, layer: RowLayer, rows: pa.Table | None, edits: Sequence[Edit]
) -> dict[int, LandedRow]:
    """Put judged rows into temporary tables, with keys and clearances worked out as those of a load.

    A layer without a key names features by their content when they are loaded; a feature that is created by an edit
    gets a random name instead, and one that is changed keeps its name.
    """
    if rows is None:
        return {}
    staging = _staging(layer)
    staging.good.create(connection)
    connection.execute(sa.insert(staging.good).values(_values(layer)), _records(layer, rows))
    landed = diff.land(connection, layer, staging).table
    if not layer.key:
        names = [{"p": e.place, "k": e.key or uuid.uuid4().hex} for e in edits if e.action != "delete"]
        renamed = sa.update(landed).where(landed.c.position == sa.bindparam("p"))
        connection.execute(renamed.values(key=sa.bindparam("k"), occurrence=1), names)
    found = connection.execute(sa.select(landed.c.position, landed.c.key, landed.c.clearance, landed.c.hash))
    return {row.position: LandedRow(row.key, row.clearance, row.hash) for row in found}


def _staging(layer: RowLayer) -> Staging:
    columns = [sa.Column(c.name, c.type) for c in staging_table(layer, "_edit").columns]
    good = sa.Table("edited", sa.MetaData(), *columns, sa.Column(HASH, UUID()), **_TEMPORARY)
    return Staging(good, good)


_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}


def _values(layer: RowLayer) -> dict[str, Any]:
    values: dict[str, Any] = {name: sa.bindparam(name) for name in (*layer.attributes, "_position", HASH)}
    if isinstance(layer, VectorLayer):
        values["geom"] = sa.func.ST_GeomFromWKB(sa.bindparam("geom", type_=sa.LargeBinary()), STORAGE_SRID)
    return values


def _records(layer: RowLayer, rows: pa.Table) -> list[dict[str, Any]]:
    digests = content_digests(layer, rows).to_pylist()
    chosen = rows.select([*content_names(layer), "_position"]).to_pylist()
    return [{**row, HASH: uuid.UUID(bytes=digest)} for row, digest in zip(chosen, digests, strict=True)]


def write(connection: sa.Connection, layer: RowLayer, number: int, changes: Changes) -> None:
    """Do to current rows and history what an edition is made of."""
    gone, fresh, changed = changes
    current, staging = current_table(layer), _staging(layer)
    landed = diff.Landed(
        sa.Table("landed", sa.MetaData(), *(sa.Column(n) for n in ("position", "key", "hash", "clearance")))
    )
    ended = sa.select(current.c.fid).where(current.c.fid.in_([*gone, *changed.values()]))
    connection.execute(diff.archive(layer, ended, number))
    if gone:
        connection.execute(sa.delete(current).where(current.c.fid.in_(gone)))
    if changed:
        pairs = _kept(connection, "edit_changed", [{"position": p, "fid": fid} for p, fid in changed.items()])
        connection.execute(diff.update_changed(layer, staging, landed, pairs, number))
    if fresh:
        positions = _kept(connection, "edit_fresh", [{"position": position} for position in fresh])
        connection.execute(diff.insert_new(layer, staging, landed, positions, number))


def _kept(connection: sa.Connection, name: str, rows: list[dict[str, int]]) -> sa.Table:
    table = sa.Table(name, sa.MetaData(), *(sa.Column(n, sa.BigInteger()) for n in rows[0]), **_TEMPORARY)
    table.create(connection)
    connection.execute(sa.insert(table), rows)
    return table


def drop(connection: sa.Connection) -> None:
    """Drop the temporary tables: the next layer of the transaction has tables of the same names."""
    there = [sa.func.to_regclass(f"pg_temp.{name}").is_not(None) for name in _NAMES]
    for name, found in zip(_NAMES, connection.execute(sa.select(*there)).one(), strict=True):
        if found:
            sa.Table(name, sa.MetaData(), schema="pg_temp").drop(connection)
