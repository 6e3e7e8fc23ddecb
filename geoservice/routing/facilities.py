"""Facilities: the features of a visible layer, or posted points, as places that one travels to or from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.features.lookup import label_columns, label_of
from geoservice.routing.asked import Position
from layers.access import decide
from layers.errors import TooLarge, UnknownLayer
from layers.model import Text, VectorLayer
from layers.system import layer_state
from layers.table import current_table, row_predicate

MOST = 20_000
"""Most facilities of a layer that one question looks at."""
_PLACES = ("point", "any")
"""Kinds of geometry of layers whose features are places, such as hospitals, which are points or grounds."""


@dataclass(frozen=True)
class Facility:
    """A place with an id and a name (None for posted ones); lon, lat in degrees."""

    id: str
    label: Text | None
    position: Position


@dataclass(frozen=True)
class Facilities:
    """Facilities in the order of their ids; the collection and its edition where they are of a layer."""

    members: tuple[Facility, ...] = ()
    collection: str | None = None
    edition: int | None = None

    @classmethod
    def posted(cls, positions: tuple[Position, ...]) -> Facilities:
        """Facilities of a request, numbered from 1."""
        return cls(tuple(Facility(str(number), None, where) for number, where in enumerate(positions, start=1)))


async def facilities_of(connection: AsyncConnection, name: str, context: AnalysisContext) -> Facilities:
    """The features of a layer of points; where it holds grounds, too, a point on each of them.

    Args:
        connection: A read-only connection of the asker's clearance.
        name: Collection id.
        context: Who asks, and the catalogue.

    Raises:
        UnknownLayer: When there is no such layer of points that the asker may see.
        TooLarge: When it has more features than a question looks at.
    """
    layer = context.catalog.layers.get(name)
    decision = decide(context.principal, "read", layer) if layer is not None else None
    if not isinstance(layer, VectorLayer) or layer.geometry not in _PLACES or decision is None or not decision.allowed:
        raise UnknownLayer(f"There is no collection {name[:60]!r} of points; /collections lists those there are.")
    table = current_table(layer)
    middle = sa.func.ST_PointOnSurface(sa.type_coerce(table.c.geom, sa.types.NullType()))
    x, y = sa.func.ST_X(middle), sa.func.ST_Y(middle)
    statement = (
        sa.select(table.c.key, x.label("x"), y.label("y"), *label_columns(layer, table, decision))
        .where(row_predicate(table, decision.rule), table.c.geom.is_not(None))
        .order_by(sa.collate(table.c.key, "C"))
        .limit(MOST + 1)
    )
    rows = (await connection.execute(statement, execution_options=_options(context.schema))).all()
    if len(rows) > MOST:
        raise TooLarge(f"Collection {name} has more than {MOST} features; post the places in question.", limit=MOST)
    latest = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer.name)
    edition = (await connection.execute(latest)).scalar()
    members = (Facility(r.key, label_of(r.key, r.label_zh, r.label_en), (r.x, r.y)) for r in rows if r.x is not None)
    return Facilities(tuple(members), layer.name, edition)


def _options(schema: Mapping[str, str] | None) -> dict[str, Mapping[str, str]]:
    return {"schema_translate_map": schema} if schema else {}
