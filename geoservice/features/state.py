"""What a reader may know of the layers' state: edition, number of rows, extent and time span."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from layers.access import Clearance
from layers.extent import Extent
from layers.system import edition, layer_figures, layer_state, load_report


@dataclass(frozen=True, slots=True)
class LayerState:
    """State of one layer as a reader of some clearance sees it; `edition` is None while nothing is loaded.

    `mappings` names the source mappings that the layer's editions came through; `load` is the number of the load that
    made the latest one.
    """

    layer: str
    edition: int | None = None
    committed: dt.datetime | None = None
    source: str | None = None
    rows: int = 0
    extent: Extent | None = None
    begins: dt.datetime | None = None
    ends: dt.datetime | None = None
    mappings: tuple[str, ...] = ()
    load: int | None = None


def state_statement(clearance: Clearance) -> sa.Select[Any]:
    """Latest edition and figures of every layer, for one clearance."""
    figures, state = layer_figures, layer_state
    joined = state.outerjoin(edition, edition.c.id == state.c.edition).outerjoin(
        figures, (figures.c.layer == state.c.layer) & (figures.c.clearance == int(clearance))
    )
    used = sa.select(sa.func.array_agg(sa.distinct(edition.c.mapping))).where(edition.c.layer == state.c.layer)
    mappings = used.correlate(state).scalar_subquery().label("mappings")
    reports = sa.select(sa.func.max(load_report.c.id)).where(load_report.c.edition == state.c.edition)
    load = reports.correlate(state).scalar_subquery().label("load")
    columns = [mappings, load, state.c.layer, edition.c.id.label("edition"), edition.c.committed, edition.c.source]
    columns += [figures.c[n] for n in ("rows", "west", "south", "east", "north", "begins", "ends")]
    return (
        sa.select(*columns)
        .select_from(joined)
        .where(state.c.layer == sa.any_(sa.bindparam("names", type_=sa.ARRAY(sa.Text()))))
    )


_COMPILED: dict[Clearance, Compiled] = {}


async def read_states(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], clearance: Clearance, names: Iterable[str]
) -> dict[str, LayerState]:
    """States by layer name; a layer that was never synchronised with the database has an empty state."""
    if clearance not in _COMPILED:
        _COMPILED[clearance] = compile_statement(state_statement(clearance))
    compiled, wanted = _COMPILED[clearance], list(names)
    rows = await connection.fetch(compiled.sql, *compiled.arguments({"names": wanted}))
    found = {row["layer"]: state_of(row) for row in rows}
    return {name: found.get(name, LayerState(name)) for name in wanted}


def state_of(row: Mapping[str, Any]) -> LayerState:
    """The state that a row of `state_statement` tells."""
    extent = None
    if row["west"] is not None:
        extent = Extent(row["west"], row["south"], row["east"], row["north"])
    return LayerState(
        layer=row["layer"],
        edition=row["edition"],
        committed=row["committed"],
        source=row["source"],
        rows=row["rows"] or 0,
        extent=extent,
        begins=row["begins"],
        ends=row["ends"],
        mappings=tuple(row["mappings"] or ()),
        load=row["load"],
    )
