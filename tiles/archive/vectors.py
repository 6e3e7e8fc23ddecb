"""Vector tiles of an archive: the statements of the service, run in one snapshot as the reader of a clearance."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import shapely
import sqlalchemy as sa
from psycopg import sql

from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.ladder import Rung, mosaic_at, rung_at
from layers.model import Mosaic, VectorLayer
from layers.table import current_table, row_predicate
from tiles import vector
from tiles.archive.subject import Address, Box, Shapes
from tiles.budget import TILE_BYTES, attempts, compressed_size
from tiles.grid import web_mercator
from tiles.target import tile_values

_DIALECT = sa.make_url("postgresql+psycopg://").get_dialect()()
_SESSION = (
    "-c jit=off -c max_parallel_workers_per_gather=0 -c search_path=pg_catalog,public "
    "-c enable_indexscan=off -c enable_indexonlyscan=off"
)
"""As the sessions of the service have it (parallel plans are slower for one tile), but whatever the planner thinks of,
rows come in the order in which they lie in the table: by a bitmap or one after the other. Parts of a coverage are drawn
as they come, and a build that goes on after a kill must give the same bytes."""
_PLAIN = sa.types.NullType()
_LEVEL = 6
"""Archives are written once and read often; beyond this level packing takes far longer than it saves."""


@dataclass(frozen=True)
class Snapshot:
    """How to see what one transaction sees.

    Attributes:
        dsn: libpq connection string of the reader of the clearance.
        name: From `pg_export_snapshot()`, of a transaction that stays open meanwhile.
        schema: Schema names to replace, where readers see views.
    """

    # A worker that fails writes its task into a log; the password must not be in it.
    dsn: str = field(repr=False)
    name: str
    schema: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Member:
    """One layer of an archive: what the reader may see of it, and whether its ladder stands."""

    layer: VectorLayer
    decision: Decision
    ladder: bool

    def step(self, z: int) -> Rung | Mosaic | None:
        """From where a zoom level is drawn; None means from the rows themselves."""
        return (mosaic_at(self.layer, z) or rung_at(self.layer, z)) if self.ladder else None

    def has(self, z: int) -> bool:
        """Whether the layer has tiles at a zoom level."""
        return self.layer.tiles.from_ <= z <= self.layer.tiles.to

    def statement(self, z: int, *, capped: bool) -> sa.Select[Any]:
        """The statement by which the service draws a zoom level; `capped`: only the `most` most important features."""
        step = self.step(z)
        if step is None:
            return vector.tile_statement(self.layer, self.decision, capped=capped)
        if isinstance(step, Mosaic):
            return vector.mosaic_statement(self.layer, step, self.decision)
        return vector.rung_statement(self.layer, step, self.decision, capped=capped)


@dataclass(frozen=True)
class Vectors:
    """Vector layers as the subject of an archive; the layers of a tile stand in the order of the members."""

    snapshot: Snapshot
    members: tuple[Member, ...]
    zooms: tuple[int, int]

    def open(self) -> VectorDrawer:
        """A drawer with a connection of its own."""
        return VectorDrawer(self)


class VectorDrawer:
    """Draws vector tiles on one connection, within one transaction that changes nothing."""

    def __init__(self, subject: Vectors) -> None:
        """Connect and see the snapshot."""
        self._subject = subject
        self._statements: dict[tuple[Any, ...], tuple[bytes, Mapping[str, Any]]] = {}
        self._connection = psycopg.connect(subject.snapshot.dsn, options=_SESSION)
        try:
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            name = sql.Literal(subject.snapshot.name)
            self._connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(name))
        except BaseException:
            self._connection.close()
            raise
        self._cursor = self._connection.cursor(binary=True)

    def close(self) -> None:
        """Leave the transaction and the server."""
        self._connection.close()

    def count(self, window: Box, most: int) -> int:
        """Features in a window, counted up to `most`."""
        found = 0
        for member in self._subject.members:
            some = _within(member).with_only_columns(sa.literal(1)).limit(sa.bindparam("most", type_=sa.Integer()))
            statement = sa.select(sa.func.count()).select_from(some.subquery())
            rows = self._run(("count", member.layer.name), statement, _sides(window) | {"most": most - found})
            found += rows[0][0]
            if found >= most:
                break
        return found

    def shapes(self, window: Box, wide: float) -> Shapes:
        """Boxes of the features in a window, with outlines of large ones; one without an extent is left out."""
        rows: list[Any] = []
        for member in self._subject.members:
            geom = sa.type_coerce(current_table(member.layer).c.geom, _PLAIN)
            sides = [f(geom) for f in (sa.func.ST_XMin, sa.func.ST_YMin, sa.func.ST_XMax, sa.func.ST_YMax)]
            limit: sa.ColumnElement[Any] = sa.bindparam("wide", type_=sa.Double())
            large = sa.or_(sides[2] - sides[0] > limit, sides[3] - sides[1] > limit)
            outline = sa.case((large, sa.func.ST_AsBinary(geom)), else_=None)
            statement = _within(member).with_only_columns(*sides, outline).where(~sa.func.ST_IsEmpty(geom))
            rows += self._run(("shapes", member.layer.name), statement, _sides(window) | {"wide": wide})
        return _shapes(rows)

    def draw(self, address: Address) -> bytes:
        """One tile, compressed; empty when no layer has anything there."""
        members = (member for member in self._subject.members if member.has(address[0]))
        body = b"".join(self._within_budget(member, address) for member in members)
        return gzip.compress(body, _LEVEL, mtime=0) if body else b""

    def _within_budget(self, member: Member, address: Address) -> bytes:
        """The tile of one layer, with as many features as its budget allows."""
        z, x, y = address
        values = tile_values(web_mercator().place(z, y, x))
        rounds = attempts(TILE_BYTES, whole=isinstance(member.step(z), Mosaic))
        most, body = next(rounds), b""
        while True:
            body, found = self._features(member, z, {**values, "most": most})
            try:
                most = rounds.send((found, compressed_size(body, TILE_BYTES)))
            except StopIteration as fits:
                return b"" if fits.value is None else body

    def _features(self, member: Member, z: int, values: Mapping[str, Any]) -> tuple[bytes, int]:
        capped = values["most"] is not None
        shape = (member.layer.name, z, capped)
        if shape not in self._statements:
            self._statements[shape] = self._compiled(member.statement(z, capped=capped))
        text, fixed = self._statements[shape]
        row = self._cursor.execute(text, {**fixed, **values}).fetchone()
        return (bytes(row[0] or b""), row[1]) if row else (b"", 0)

    def _run(self, shape: tuple[Any, ...], statement: sa.Select[Any], values: Mapping[str, Any]) -> list[Any]:
        if shape not in self._statements:
            self._statements[shape] = self._compiled(statement)
        text, fixed = self._statements[shape]
        return self._cursor.execute(text, {**fixed, **values}).fetchall()

    def _compiled(self, statement: sa.Select[Any]) -> tuple[bytes, Mapping[str, Any]]:
        schema = self._subject.snapshot.schema
        moved: dict[str, Any] = (
            {"schema_translate_map": dict(schema), "render_schema_translate": True} if schema else {}
        )
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}, **moved)
        return str(compiled).encode(), dict(compiled.params)


def _within(member: Member) -> sa.Select[Any]:
    """The rows of a layer in a window that the reader may see; parameters `west`, `south`, `east`, `north`."""
    table = current_table(member.layer)
    geom = sa.type_coerce(table.c.geom, _PLAIN)
    names = ("west", "south", "east", "north")
    sides: list[sa.ColumnElement[Any]] = [sa.bindparam(side, type_=sa.Double()) for side in names]
    near = geom.op("&&", is_comparison=True)(sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID))
    return sa.select(table.c.fid).where(near, row_predicate(table, member.decision.rule))


def _sides(window: Box) -> dict[str, Any]:
    return dict(zip(("west", "south", "east", "north"), window, strict=True))


def _shapes(rows: list[Any]) -> Shapes:
    boxes = np.array([row[:4] for row in rows], dtype=np.float64).reshape(-1, 4)
    outlines = np.array([row[4] for row in rows], dtype=object)
    return Shapes(boxes, np.asarray(shapely.from_wkb(outlines), dtype=object))
