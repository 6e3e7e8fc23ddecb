"""Reading what a zone may hit: rows of exposure layers and divisions around it, now or as of an instant.

Every statement carries the row rule and an explicit `&&` on boxes, which keeps the spatial index behind row policies.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from geoservice.analysis.place import Box
from geoservice.analysis.request import DIVISIONS
from geoservice.analysis.statements import Counting
from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.features.lookup import label_columns, label_of
from geoservice.features.past import edition_then
from geoservice.impact.atoms import Rows
from geoservice.impact.divisions import Division, Divisions
from layers.access import Clearance, Decision
from layers.answer import EditionRef
from layers.catalog import Catalog
from layers.crs import STORAGE_SRID
from layers.errors import TooLarge
from layers.model import Layer, VectorLayer
from layers.system import edition, layer_state
from layers.table import AS_OF, held, row_predicate

CHUNK = 5_000
"""Rows that are fetched at a time, so that the event loop is free every few milliseconds."""
MOST_ROWS = 500_000
"""Rows around a zone of a layer that is not kept ready; more are not read for one question."""
_LEVEL, _PARENT = "level", "parent"


@dataclass(frozen=True)
class Ground:
    """Where rows are read from: an open snapshot, compiled statements, and the instant (None for now)."""

    connection: RawConnection
    reading: Reading
    as_of: dt.datetime | None

    async def rows(
        self,
        shape: tuple[object, ...],
        make: Callable[[], sa.Select[Any]],
        clearance: Clearance,
        values: Mapping[str, Any],
    ) -> Sequence[Mapping[str, Any]]:
        """Rows of a statement, which is compiled once for each shape."""
        compiled = self.compiled(shape, make, clearance)
        found: Sequence[Mapping[str, Any]] = await self.connection.fetch(
            compiled.sql, *compiled.arguments({**values, AS_OF: self.as_of})
        )
        return found

    def compiled(self, shape: tuple[object, ...], make: Callable[[], sa.Select[Any]], clearance: Clearance) -> Compiled:
        """The statement of a shape."""
        name = ("impact", *shape, clearance, self.as_of is None)
        found = self.reading.statements.get(name)
        if found is None:
            found = compile_statement(make(), self.reading.schema(clearance))
            self.reading.keep(name, found)
        return found


@dataclass(frozen=True)
class Wanted:
    """What is read of a layer: how it is counted, the attribute of its capacity, and the boxes; none: everything."""

    layer: VectorLayer
    decision: Decision
    counting: Counting
    capacity: str | None
    boxes: tuple[Box, ...]

    @property
    def shape(self) -> tuple[object, ...]:
        """What the statement depends on."""
        return ("rows", self.layer.name, self.decision.attributes, self.counting, self.capacity, len(self.boxes))

    @property
    def values(self) -> dict[str, float]:
        """The sides of the boxes by their names in the statement."""
        return {f"{side}{n}": v for n, box in enumerate(self.boxes) for side, v in zip("wsen", box, strict=True)}


@dataclass(frozen=True)
class Read:
    """Rows of a layer, and what each holds (such as beds) by feature number where that is asked."""

    rows: Rows
    capacity: Mapping[int, float | None]


async def read_rows(ground: Ground, wanted: Wanted) -> Read:
    """The rows of a layer around a zone.

    Raises:
        TooLarge: When there are more than one question may read.
    """
    parts = [part async for part in read_parts(ground, wanted, MOST_ROWS)]
    rows = Rows(*([v for part in parts for v in getattr(part.rows, n)] for n in ("fid", "wkb", "code", "value")))
    return Read(rows, {fid: value for part in parts for fid, value in part.capacity.items()})


async def read_parts(ground: Ground, wanted: Wanted, most: int | None = None) -> AsyncIterator[Read]:
    """The rows of a layer in parts.

    Raises:
        TooLarge: When there are more than `most`.
    """
    compiled = ground.compiled(wanted.shape, lambda: rows_statement(wanted, ground), wanted.decision.rule.max_clearance)
    cursor = await ground.connection.cursor(compiled.sql, *compiled.arguments({**wanted.values, AS_OF: ground.as_of}))
    count = 0
    while found := await cursor.fetch(CHUNK):
        count += len(found)
        if most is not None and count > most:
            raise TooLarge(f"More than {most} features of {wanted.layer.name} lie around the zone.", limit=most)
        yield await asyncio.to_thread(_read, found, wanted.capacity)


def rows_statement(wanted: Wanted, ground: Ground) -> sa.Select[Any]:
    """Feature number, WKB, group, value and capacity of the rows whose boxes meet those of the zone."""
    layer, decision, counting = wanted.layer, wanted.decision, wanted.counting

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        return sa.select(
            table.c.fid,
            sa.type_coerce(sa.func.ST_AsBinary(plain), sa.LargeBinary()).label("wkb"),
            _column(table, counting.by, sa.Text()).label("code"),
            _column(table, counting.value, sa.Double()).label("value"),
            _column(table, wanted.capacity, sa.Double()).label("capacity"),
        ).where(row_predicate(table, decision.rule), table.c.geom.is_not(None), *near(table, len(wanted.boxes)))

    return held(layer, rows_of, past=ground.as_of is not None)


def near(table: sa.Table, boxes: int) -> list[sa.ColumnElement[bool]]:
    """The condition that a row's box meets one of the bound boxes; none where there are no boxes."""
    if not boxes:
        return []
    geometry = sa.type_coerce(table.c.geom, sa.types.NullType())
    bound: list[list[sa.BindParameter[float]]] = [
        [sa.bindparam(f"{side}{n}", type_=sa.Double()) for side in "wsen"] for n in range(boxes)
    ]
    return [sa.or_(*(geometry.op("&&")(sa.func.ST_MakeEnvelope(*four, STORAGE_SRID)) for four in bound))]


async def read_divisions(
    ground: Ground, catalog: Catalog, decision: Decision | None, boxes: tuple[Box, ...]
) -> Divisions:
    """The finest divisions around a zone: those that no other division with a geometry names as its parent.

    Args:
        ground: Where to read.
        catalog: The layers.
        decision: What the asker may see of the layer of divisions; None where there is none.
        boxes: Boxes around the zone; none for all divisions.
    """
    layer = catalog.layers.get(DIVISIONS)
    if not isinstance(layer, VectorLayer) or decision is None or not decision.allowed:
        return Divisions()
    clearance = decision.rule.max_clearance
    wanted = Wanted(layer, decision, Counting("count"), None, boxes)
    shape = ("divisions", layer.name, decision.attributes, len(boxes))
    rows = await ground.rows(shape, lambda: _divisions_statement(wanted, ground), clearance, wanted.values)
    codes = [row["key"] for row in rows]
    parents: set[str | None] = set()
    if _PARENT in decision.attributes:
        made = ("parents", layer.name)
        listed = await ground.rows(
            made, lambda: _parents_statement(layer, decision, ground), clearance, {"keys": codes}
        )
        parents = {row["parent"] for row in listed}
    finest = sorted((row for row in rows if row["key"] not in parents), key=lambda row: row["key"])
    shapes = await asyncio.to_thread(_shapes, [row["wkb"] for row in finest])
    return Divisions(tuple(_division(row) for row in finest), shapes)


async def read_editions(ground: Ground, layers: Sequence[Layer], clearance: Clearance) -> dict[str, EditionRef]:
    """The edition of each layer that has one, now or at the instant."""
    found: dict[str, EditionRef] = {}
    if ground.as_of is None:
        names = {"names": [layer.name for layer in layers]}
        for row in await ground.rows(("editions",), _editions_statement, clearance, names):
            found[row["layer"]] = EditionRef(number=row["id"], committed=row["committed"], source=row["source"])
        return found
    for layer in layers:
        rows = await ground.rows(("edition", layer.name), lambda la=layer: _then_statement(la), clearance, {})  # type: ignore[misc]
        for row in rows:
            found[layer.name] = EditionRef(number=row["id"], committed=row["committed"], source=row["source"])
    return found


def _editions_statement() -> sa.Select[Any]:
    joined = layer_state.join(edition, edition.c.id == layer_state.c.edition)
    wanted = layer_state.c.layer == sa.any_(sa.bindparam("names", type_=sa.ARRAY(sa.Text())))
    columns = (layer_state.c.layer, edition.c.id, edition.c.committed, edition.c.source)
    return sa.select(*columns).select_from(joined).where(wanted)


def _then_statement(layer: Layer) -> sa.Select[Any]:
    return sa.select(edition.c.id, edition.c.committed, edition.c.source).where(edition.c.id == edition_then(layer))


def _divisions_statement(wanted: Wanted, ground: Ground) -> sa.Select[Any]:
    decision = wanted.decision

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        plain = sa.type_coerce(table.c.geom, sa.types.NullType())
        seen = {name: name if name in decision.attributes else None for name in (_LEVEL, _PARENT)}
        return sa.select(
            table.c.key,
            sa.type_coerce(sa.func.ST_AsBinary(plain), sa.LargeBinary()).label("wkb"),
            *(_column(table, name, sa.Text()).label(as_) for as_, name in seen.items()),
            *label_columns(wanted.layer, table, decision),
        ).where(row_predicate(table, decision.rule), table.c.geom.is_not(None), *near(table, len(wanted.boxes)))

    return held(wanted.layer, rows_of, past=ground.as_of is not None)


def _parents_statement(layer: VectorLayer, decision: Decision, ground: Ground) -> sa.Select[Any]:
    keys = sa.bindparam("keys", type_=sa.ARRAY(sa.Text()))

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        parent = table.c[_PARENT].label("parent")
        seen = (row_predicate(table, decision.rule), table.c.geom.is_not(None), table.c[_PARENT] == sa.any_(keys))
        return sa.select(parent).where(*seen).distinct()

    return held(layer, rows_of, past=ground.as_of is not None)


def _column(table: sa.Table, name: str | None, kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(table.c[name] if name is not None else sa.null(), kind)


def _read(found: Sequence[Mapping[str, Any]], capacity: str | None) -> Read:
    columns = {name: [row[name] for row in found] for name in ("fid", "wkb", "code", "value")}
    held_ = {row["fid"]: row["capacity"] for row in found} if capacity is not None else {}
    return Read(Rows(**columns), held_)


def _shapes(texts: Sequence[bytes]) -> np.ndarray[Any, np.dtype[np.object_]]:
    made = shapely.from_wkb(np.array(list(texts), dtype=np.object_))
    return np.asarray(made, dtype=np.object_).reshape(-1)


def _division(row: Mapping[str, Any]) -> Division:
    label = label_of(row["key"], row["label_zh"], row["label_en"])
    return Division(row["key"], row[_LEVEL], row[_PARENT], label)
