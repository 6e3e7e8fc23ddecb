"""Drawing a vector tile: from a mosaic or a rung of the ladder where they stand, else from the rows themselves."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.house import House
from layers.access import Clearance, Decision, Principal
from layers.ladder import Rung, mosaic_at, rung_at
from layers.model import Mosaic, VectorLayer
from tiles import vector

Step = Rung | Mosaic | None
"""From where a tile is drawn; None means from the rows themselves."""


@dataclass(frozen=True, slots=True)
class TileRequest:
    """One vector tile of one layer, as one reader may see it.

    Attributes:
        layer: The layer.
        decision: What the reader may see of it.
        z: Zoom level (tile matrix), checked to exist.
        row: Row, from the top, checked to exist.
        col: Column, from the left, checked to exist.
    """

    layer: VectorLayer
    decision: Decision
    z: int
    row: int
    col: int


async def draw(house: House, asker: Principal, request: TileRequest) -> bytes:
    """The tile as Mapbox Vector Tile 2.1; empty when no visible feature meets it."""
    layer, z = request.layer, request.z
    if not layer.tiles.from_ <= z:
        return b""
    step: Step = mosaic_at(layer, z) or rung_at(layer, z)
    if step is not None and layer.name not in await house.ladders(asker):
        step = None
    sides = dict(zip(("west", "south", "east", "north"), vector.tile_window(z, request.col, request.row), strict=True))
    values = {**sides, "z": z, "x": request.col, "y": request.row}
    async with house.pools.raw(asker.clearance) as connection:
        try:
            compiled = _compiled(house, asker.clearance, request, step)
            tile = await connection.fetchval(compiled.sql, *compiled.arguments(values))
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            if step is None:
                raise
            # The ladder was dropped or made for another definition a moment ago; the rows are there in any case.
            compiled = _compiled(house, asker.clearance, request, None)
            tile = await connection.fetchval(compiled.sql, *compiled.arguments(values))
    return bytes(tile or b"")


def _compiled(house: House, clearance: Clearance, request: TileRequest, step: Step) -> Compiled:
    """The statement of a tile, from a step of the ladder or from the rows themselves."""
    layer, decision = request.layer, request.decision
    shape = ("tile", layer.name, decision.rule.max_clearance, decision.attributes, step)
    compiled = house.reading.statements.get(shape)
    if compiled is None:
        if step is None:
            statement = vector.tile_statement(layer, decision)
        elif isinstance(step, Mosaic):
            statement = vector.mosaic_statement(layer, step, decision)
        else:
            statement = vector.rung_statement(layer, step, decision)
        compiled = compile_statement(statement, house.reading.schema(clearance))
        house.reading.statements[shape] = compiled
    return compiled
