"""What is known of the layers of a zone analysis: their editions and extents, now or at the instant of the question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from geoservice.analysis.context import AnalysisContext
from geoservice.features.extent_then import stands_since
from geoservice.features.past import edition_then
from geoservice.features.state import LayerState, state_of, state_statement
from layers.answer import EditionRef
from layers.model import Layer
from layers.system import edition
from layers.table import AS_OF


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a layer.

    Attributes:
        state: Its state; of an instant that is asked about edition and extent are those of then.
        settled: Whether the extent is known; where it is not, the rows of then have to be looked at.
    """

    state: LayerState
    settled: bool = True

    def edition(self) -> EditionRef | None:
        """The latest edition of the layer, as the principal may know it."""
        state = self.state
        if state.edition is None or state.committed is None or state.source is None:
            return None
        return EditionRef(number=state.edition, committed=state.committed, source=state.source)


async def known_of(connection: AsyncConnection, layers: Sequence[Layer], context: AnalysisContext) -> dict[str, Known]:
    """What is known of layers by their names.

    Args:
        connection: A read-only connection of the principal's clearance.
        layers: The layers.
        context: Who asks, and as of when.
    """
    names = {"names": [layer.name for layer in layers]}
    states = {
        row["layer"]: state_of(row)
        for row in await read_rows(connection, state_statement(context.principal.clearance), names, context)
    }
    instant = context.as_of
    if instant is None:
        return {name: Known(state) for name, state in states.items()}
    rows = await read_rows(connection, _editions_statement(layers), {AS_OF: instant}, context)
    then = {row["layer"]: row for row in rows}
    return {name: _then(state, then.get(name), instant) for name, state in states.items()}


def _then(state: LayerState, row: Mapping[str, Any] | None, instant: dt.datetime) -> Known:
    if row is None:
        return Known(LayerState(state.layer))
    mine = {name: row[name] for name in ("edition", "committed", "source")}
    if stands_since(state.committed, instant):
        return Known(replace(state, **mine))
    return Known(replace(LayerState(state.layer), **mine), settled=False)


def _editions_statement(layers: Sequence[Layer]) -> sa.Select[Any]:
    """The latest edition of each layer at the bound instant."""
    columns = (edition.c.layer, edition.c.id.label("edition"), edition.c.committed, edition.c.source)
    return sa.select(*columns).where(edition.c.id.in_([edition_then(layer) for layer in layers]))


async def read_rows(
    connection: AsyncConnection, statement: sa.Select[Any], values: Mapping[str, Any], context: AnalysisContext
) -> Sequence[Mapping[str, Any]]:
    """Rows of a statement; layers are read where readers of the principal's clearance read them."""
    options = {"schema_translate_map": context.schema} if context.schema else {}
    result = await connection.execute(statement, values, execution_options=options)
    return [dict(row) for row in result.mappings()]
