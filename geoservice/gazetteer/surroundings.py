"""What every question to the gazetteer needs beside its connection: who asks, the layers, the compiled statements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from layers.access import Decision, Principal, decide
from layers.catalog import Catalog
from layers.errors import UnknownLayer
from layers.model import RasterLayer, RowLayer
from layers.table import row_predicate

DIVISIONS = "division"
CHANGES = "division_change"
ADDRESSES = "address"
POSTCODES = "postcode"
Shape = tuple[object, ...]


@dataclass(frozen=True)
class Gazetteer:
    """The surroundings of one question.

    Attributes:
        connection: A read-only connection of the asker's clearance.
        principal: Who asks; every layer is opened through the access decision for them.
        catalog: All layers.
        reading: Compiled statements of this process, and where readers find rows.
    """

    connection: RawConnection
    principal: Principal
    catalog: Catalog
    reading: Reading

    def open(self, name: str, needs: tuple[str, ...] = ()) -> tuple[RowLayer, Decision]:
        """A layer of rows and what the asker may see of it.

        Args:
            name: Name of the layer.
            needs: Attributes without which it is of no use here.

        Raises:
            UnknownLayer: When there is none or they may not see it or what is needed; all look the same.
        """
        found = self.catalog.layers.get(name)
        if found is not None and not isinstance(found, RasterLayer):
            decision = decide(self.principal, "read", found)
            if decision.allowed and set(needs) <= set(decision.attributes):
                return found, decision
        raise UnknownLayer(f"This service has no collection {name!r}, on which the gazetteer relies here.")

    async def fetch(
        self, shape: Shape, build: Callable[[], sa.Select[Any]], values: dict[str, Any]
    ) -> list[asyncpg.Record]:
        """Rows of a statement that is compiled once.

        Args:
            shape: Everything that the text of the statement depends on beside the asker's clearance.
            build: Makes the statement.
            values: What its named parameters stand for.
        """
        known = ("gazetteer", self.principal.clearance, *shape)
        compiled = self.reading.statements.get(known)
        if compiled is None:
            compiled = compile_statement(build(), self.reading.schema(self.principal.clearance))
            self.reading.statements[known] = compiled
        rows: list[asyncpg.Record] = await self.connection.fetch(compiled.sql, *compiled.arguments(values))
        return rows


def visible(table: sa.FromClause, decision: Decision) -> sa.ColumnElement[bool]:
    """The rows that a decision lets through."""
    return row_predicate(table, decision.rule)


def attribute(table: sa.FromClause, decision: Decision, name: str) -> sa.ColumnElement[Any]:
    """A column by its name; null where the layer has none or the asker may not see it."""
    if name in decision.attributes:
        found: sa.ColumnElement[Any] = table.c[name].label(name)
        return found
    return sa.cast(sa.null(), sa.Text()).label(name)
