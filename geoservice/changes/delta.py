"""The difference between two editions of a layer, as one reader sees it: statements.

Editions of a layer are numbered in the order in which they were committed. A row stood at an edition when it was
written by that or an earlier one and ended by none up to it. A version that was closed further since is not to be read
any more; what is known of it is who could see it until then (`layers.system.raised`), so that they are told that it is
gone, and nobody else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.features.geojson import features_select
from geoservice.features.rows import EDITION
from layers.access import Decision
from layers.crs import STORAGE_SRID
from layers.model import RowLayer, VectorLayer
from layers.system import raised
from layers.table import current_table, history_table, row_predicate

CREATED, UPDATED, DELETED = "created", "updated", "deleted"
SINCE, UNTIL, AFTER, LIMIT, KEYS = "since", "until", "after", "limit", "keys"
"""Names under which the statements bind editions, the key that a page begins behind, its size, and its keys."""


@dataclass(frozen=True)
class Delta:
    """The statements about one layer for what one decision lets through.

    Attributes:
        layer: The layer.
        decision: What the reader may see of it.
        only: An attribute and the values of it with which rows count; others are as if they did not exist, and so are
            versions that were closed further since, of which nobody knows the values any more. None for all rows.
    """

    layer: RowLayer
    decision: Decision
    only: tuple[str, Collection[str]] | None = None

    def page_keys(self) -> sa.Select[Any]:
        """Keys of rows that were written or ended in between, behind a key, in the order of keys, one more than asked.

        Each part is cut by itself, so that each can walk along an index.
        """
        limit = _number(LIMIT) + 1
        after = sa.bindparam(AFTER, type_=sa.Text())
        parts = [
            sa.select(keys.where(key > after).order_by(key).limit(limit).subquery(f"part_{number}"))
            for number, (keys, key) in enumerate(self._keys())
        ]
        every = sa.union(*parts).subquery("every")
        return sa.select(every.c.key).order_by(every.c.key).limit(limit)

    def changes(self) -> sa.Select[Any]:
        """What became of the rows with the bound keys: `key`, `action`, `changed` (an edition), `feature` (GeoJSON)."""
        wanted = sa.select(sa.func.unnest(sa.bindparam(KEYS, type_=sa.ARRAY(sa.Text()))).label("key"))
        joined = self._joined(wanted.subquery("wanted")).subquery("joined")
        told = features_select(self.layer, joined, self.decision.attributes)
        found = told.add_columns(joined.c.key, joined.c.action, joined.c.changed).subquery("told")
        feature = sa.case((found.c.action == DELETED, None), else_=sa.cast(found.c.feature, sa.Text()))
        columns = (found.c.key, found.c.action, found.c.changed, feature.label("feature"))
        return sa.select(*columns).order_by(found.c.key)

    def counts(self, area: bytes | None = None) -> sa.Select[Any]:
        """How many rows were created, updated and deleted: `action`, `rows`.

        Args:
            area: Only those that lay or lie in an area (WKB, longitude and latitude in degrees). Where a row lay that
                was closed further since is not told.
        """
        every = sa.union(*(keys for keys, _ in self._keys()))
        joined = self._joined(every.subquery("wanted"), area).subquery("joined")
        return sa.select(joined.c.action, sa.func.count().label("rows")).group_by(joined.c.action)

    def _keys(self) -> list[tuple[sa.Select[Any], sa.ColumnElement[str]]]:
        """Keys of everything that may have changed, by where they are found."""
        sources = (self._written_now(), self._written_then(), self._ended(), self._closed())
        return [(sa.select(table.c.key).where(*conditions), table.c.key) for table, conditions in sources]

    def _written_now(self) -> tuple[sa.Table, list[sa.ColumnElement[bool]]]:
        """Current rows that stood at the later edition and not, as they are, at the earlier one."""
        table = current_table(self.layer)
        written = table.c["_edition"]
        return table, [written > _number(SINCE), written <= _number(UNTIL), row_predicate(table, self.decision.rule)]

    def _written_then(self) -> tuple[sa.Table, list[sa.ColumnElement[bool]]]:
        """The same of rows that a still later edition has ended."""
        table = history_table(self.layer)
        written, ended = table.c["_edition"], table.c["_ended_by"]
        span = [written > _number(SINCE), written <= _number(UNTIL), ended > _number(UNTIL)]
        return table, [*span, row_predicate(table, self.decision.rule)]

    def _ended(self) -> tuple[sa.Table, list[sa.ColumnElement[bool]]]:
        """Rows that stood at the earlier edition and not, as they were, at the later one."""
        table = history_table(self.layer)
        written, ended = table.c["_edition"], table.c["_ended_by"]
        span = [written <= _number(SINCE), ended > _number(SINCE), ended <= _number(UNTIL)]
        return table, [*span, row_predicate(table, self.decision.rule)]

    def _closed(self) -> tuple[sa.Table, list[sa.ColumnElement[bool]]]:
        """The same of versions that were closed further since, for those who could see them at the earlier edition."""
        table = raised
        span = [table.c.began <= _number(SINCE), table.c.ended > _number(SINCE), table.c.ended <= _number(UNTIL)]
        seen = [table.c.edition > _number(SINCE), table.c.was <= int(self.decision.rule.max_clearance)]
        known = [] if self.only is None else [sa.false()]
        return table, [table.c.layer == self.layer.name, *span, *seen, *known]

    def _content(self) -> tuple[str, ...]:
        """What a reader sees of a row beside its key and edition."""
        return (*(("geom",) if isinstance(self.layer, VectorLayer) else ()), *self.decision.attributes)

    def _rows(self, source: tuple[sa.Table, list[sa.ColumnElement[bool]]], edition: str) -> sa.Select[Any]:
        table, conditions = source
        content = (sa.type_coerce(table.c[n], _as_it_is(table.c[n])).label(n) for n in self._content())
        found = sa.select(table.c.key, table.c[edition].label(EDITION), *content).where(*conditions)
        return found if self.only is None else found.where(table.c[self.only[0]].in_(sorted(self.only[1])))

    def _joined(self, wanted: sa.FromClause, area: bytes | None = None) -> sa.Select[Any]:
        """The rows of some keys before and after; those that look the same to the reader are left out."""
        written = sa.union_all(self._rows(self._written_now(), EDITION), self._rows(self._written_then(), EDITION))
        after = written.subquery("after_")
        before = self._rows(self._ended(), "_ended_by").subquery("before_")
        table, conditions = self._closed()
        closed = sa.select(table.c.key, sa.func.max(table.c.ended).label("ended")).where(*conditions)
        gone = closed.group_by(table.c.key).subquery("gone")
        had = sa.or_(before.c.key.is_not(None), gone.c.key.is_not(None))
        action = sa.case((after.c.key.is_(None), DELETED), (had, UPDATED), else_=CREATED).label("action")
        changed = sa.func.coalesce(after.c[EDITION], before.c[EDITION], gone.c.ended).label("changed")
        differs: list[sa.ColumnElement[bool]] = [after.c[n].is_distinct_from(before.c[n]) for n in self._content()]
        joined = wanted
        for side in (after, before, gone):
            joined = joined.outerjoin(side, side.c.key == wanted.c.key)
        known = sa.or_(after.c.key.is_not(None), had)
        fresh = sa.or_(after.c.key.is_(None), before.c.key.is_(None), *differs)
        content = (after.c[n] for n in self._content())
        met = [] if area is None else [sa.or_(*(_met(side.c.geom, area) for side in (after, before)))]
        chosen = sa.select(wanted.c.key, action, changed, after.c[EDITION], *content).select_from(joined)
        return chosen.where(known, fresh, *met)


def _met(geom: sa.ColumnElement[Any], area: bytes) -> sa.ColumnElement[bool]:
    where = sa.func.ST_GeomFromWKB(sa.bindparam("area", area, type_=sa.LargeBinary()), STORAGE_SRID)
    there = sa.type_coerce(geom, sa.types.NullType())
    # A missing side meets nothing.
    return sa.func.coalesce(sa.func.ST_Intersects(there, where), sa.false())


def _number(name: str) -> sa.ColumnElement[int]:
    return sa.bindparam(name, type_=sa.BigInteger())


def _as_it_is(column: sa.ColumnElement[Any]) -> sa.types.TypeEngine[Any]:
    # Geometry values travel inside the database as they are, without the wrapping meant for Python results.
    return sa.types.NullType() if column.name == "geom" else column.type
