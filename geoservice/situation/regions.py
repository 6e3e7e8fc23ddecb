"""Which divisions events touch: asked of the database once for each event and edition of the divisions, then known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.gazetteer import codes
from geoservice.gazetteer.surroundings import DIVISIONS
from geoservice.situation.event import Event
from layers.access import Decision, decide
from layers.crs import STORAGE_SRID
from layers.errors import BadParameter
from layers.model import VectorLayer
from layers.system import layer_state
from layers.table import current_table, row_predicate

USUAL = "county"
_MOST_KNOWN = 20_000
_NEEDED = ("level", "name_zh", "name_en")


@dataclass(frozen=True)
class Region:
    """A division: code as the register spells it, level, name."""

    code: str
    level: str
    title: tuple[tuple[str, str], ...]

    def inside(self, code: str) -> bool:
        """Whether it is a division, or lies in it by its code."""
        wanted = codes.canonical(code)
        return wanted == codes.canonical(self.code) or wanted in codes.enclosing(self.code)


@dataclass
class Regions:
    """Remembers which divisions events touch."""

    _known: OrderedDict[tuple[object, ...], tuple[Region, ...]] = field(default_factory=OrderedDict)

    async def of(
        self, connection: AsyncConnection, context: AnalysisContext, events: Sequence[Event], level: str
    ) -> dict[str, tuple[Region, ...]]:
        """The divisions of a level that each event touches, by id of the event; empty where there are none.

        Args:
            connection: A read-only connection of the asker's clearance.
            context: Who asks, and the layers.
            events: The events.
            level: Level of the divisions.
        """
        layer = context.catalog.layers.get(DIVISIONS)
        decision = None if layer is None else decide(context.principal, "read", layer)
        readable = decision is not None and decision.allowed and set(_NEEDED) <= set(decision.attributes)
        if not isinstance(layer, VectorLayer) or decision is None or not readable:
            return {}
        edition = sa.select(layer_state.c.edition).where(layer_state.c.layer == layer.name)
        stands = (await connection.execute(edition)).scalar()
        keys = {one.id: (one.id, _mark(one), context.principal.clearance, stands, level) for one in events}
        fresh = [one for one in events if one.geometry is not None and keys[one.id] not in self._known]
        if fresh:
            found = await connection.execute(_statement(layer, decision, fresh, level))
            self._remember(found, fresh, keys)
        return {name: self._known.get(key, ()) for name, key in keys.items()}

    def _remember(self, rows: Iterable[Any], fresh: Sequence[Event], keys: Mapping[str, tuple[object, ...]]) -> None:
        touched: dict[int, list[Region]] = {}
        for row in rows:
            zh, en = row.name_zh or row.name_en or row.key, row.name_en or row.name_zh or row.key
            region = Region(row.key, row.level, (("zh", zh), ("en", en)))
            touched.setdefault(row.number, []).append(region)
        for number, one in enumerate(fresh):
            self._known[keys[one.id]] = tuple(touched.get(number, ()))
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def level_of(level: str | None, division: str | None) -> str:
    """The level of regions: the one that is asked for, or counties, or the level of the division where that is lower.

    Raises:
        BadParameter: When the level is none, or the code of the division is none.
    """
    if level is not None and level not in codes.LEVELS:
        raise BadParameter(f"level is one of {', '.join(codes.LEVELS)}; {level[:40]!r} is not.", parameter="level")
    if level is not None:
        return level
    own = USUAL if division is None else codes.level_of(division)
    return max(USUAL, own, key=codes.LEVELS.index)


def _mark(event: Event) -> object:
    """What of an event its regions depend on, beside its id."""
    return None if event.geometry is None else (event.since, tuple(shapely.bounds(event.geometry).tolist()))


def _statement(layer: VectorLayer, decision: Decision, events: Sequence[Event], level: str) -> sa.Select[Any]:
    table = current_table(layer)
    shapes = [shapely.to_wkb(shapely.set_srid(one.geometry, STORAGE_SRID), include_srid=True) for one in events]
    sent = sa.func.unnest(
        sa.bindparam("numbers", list(range(len(events))), type_=ARRAY(sa.Integer())),
        sa.bindparam("shapes", shapes, type_=ARRAY(sa.LargeBinary())),
    ).table_valued(sa.column("number", sa.Integer()), sa.column("shape", sa.LargeBinary()), name="sent")
    asked = sent.render_derived()
    where = sa.type_coerce(sa.func.ST_GeomFromEWKB(asked.c.shape), sa.types.NullType())
    geom = sa.type_coerce(table.c.geom, sa.types.NullType())
    # The bare && may run before row policies and so keeps the index.
    met = sa.and_(geom.op("&&")(where), sa.func.ST_Intersects(geom, where))
    columns = (asked.c.number, table.c.key, *(table.c[name] for name in _NEEDED))
    chosen = sa.select(*columns).select_from(sa.join(asked, table, met))
    return chosen.where(table.c.level == level, row_predicate(table, decision.rule)).order_by(
        asked.c.number, table.c.key
    )
