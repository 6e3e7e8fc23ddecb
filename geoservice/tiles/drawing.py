"""Drawing a vector tile: from a mosaic or a rung of the ladder where they stand, else from the rows themselves.

No tile is larger than its budget: where all features together would be, the most important ones are drawn, and the
answer says how many were left out.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.house import House
from layers.access import Clearance, Decision, Principal
from layers.errors import QueryTimeout
from layers.ladder import Rung, mosaic_at, rung_at
from layers.model import Mosaic, VectorLayer
from tiles import vector
from tiles.asked import PRESENT, Question

Step = Rung | Mosaic | None
"""From where a tile is drawn; None means from the rows themselves."""
TILE_BYTES = 500_000
"""Bytes that a compressed tile may have at most, at any zoom level."""
_LEVEL = 1
_AIM, _TRIES = 0.9, 6


@dataclass(frozen=True, slots=True)
class TileRequest:
    """One vector tile of one layer, as one reader may see it.

    Attributes:
        layer: The layer.
        decision: What the reader may see of it.
        z: Zoom level (tile matrix), checked to exist.
        row: Row, from the top, checked to exist.
        col: Column, from the left, checked to exist.
        question: What is asked beside the place; such tiles are drawn from the rows themselves.
        budget: Bytes that the tile may have when compressed.
    """

    layer: VectorLayer
    decision: Decision
    z: int
    row: int
    col: int
    question: Question = PRESENT
    budget: int = TILE_BYTES


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tile as Mapbox Vector Tile 2.1; `body` is empty when no visible feature meets it.

    `dropped` is the number of features that were left out, so that the tile keeps its budget.
    """

    body: bytes
    dropped: int = 0


async def draw(house: House, asker: Principal, request: TileRequest) -> Drawn:
    """Draw a tile.

    Raises:
        QueryTimeout: When it takes longer than the service allows for a tile.
    """
    layer = request.layer
    if not layer.tiles.from_ <= request.z:
        return Drawn(b"")
    step = _step(request)
    if step is not None and layer.name not in await house.ladders(asker):
        step = None
    try:
        async with asyncio.timeout(house.settings.tile_timeout), house.pools.raw(asker.clearance) as connection:
            try:
                return await _within_budget(_Drawing(house, connection, asker.clearance, request, step))
            except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
                if step is None:
                    raise
                # The ladder was dropped or made for another definition a moment ago; the rows are there in any case.
                return await _within_budget(_Drawing(house, connection, asker.clearance, request, None))
    except TimeoutError:
        seconds = house.settings.tile_timeout
        raise QueryTimeout(f"The tile took longer than the {seconds:g} s that a tile may take; zoom in.") from None


def _step(request: TileRequest) -> Step:
    if not request.question.plain:
        return None
    return mosaic_at(request.layer, request.z) or rung_at(request.layer, request.z)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A tile that is being drawn from one step, on one connection."""

    house: House
    connection: RawConnection
    clearance: Clearance
    request: TileRequest
    step: Step

    async def features(self, most: int | None = None) -> tuple[bytes, int]:
        """The tile, and how many features were found; of the most important ones only when `most` says how many."""
        request = self.request
        compiled = _compiled(self.house, self.clearance, request, self.step, capped=most is not None)
        row = await self.connection.fetchrow(compiled.sql, *compiled.arguments({**_place(request), "most": most}))
        return (b"", 0) if row is None else (bytes(row["tile"]), row["found"])


async def _within_budget(drawing: _Drawing) -> Drawn:
    """The tile, with as many features as its budget allows."""
    budget = drawing.request.budget
    body, found = await drawing.features()
    size = await _size(body, budget)
    if isinstance(drawing.step, Mosaic) or (found <= vector.MOST_FEATURES and size <= budget):
        return Drawn(body)
    most = _fitting(found, size, budget)
    for _ in range(_TRIES):
        body, all_of = await drawing.features(most)
        size = await _size(body, budget)
        if size <= budget:
            return Drawn(body, all_of - min(most, all_of))
        most = min(most // 2, _fitting(most, size, budget))
    return Drawn(b"", all_of)


def _fitting(drawn: int, size: int, budget: int) -> int:
    """How many of the features that were drawn will fit; more important ones tend to be larger."""
    return int(drawn * min(1.0, _AIM * budget / max(size, 1)))


async def _size(body: bytes, budget: int) -> int:
    """Bytes of a tile when compressed, by the fastest level of gzip; what fits as it is need not be compressed."""
    if len(body) <= budget:
        return len(body)
    return len(await asyncio.to_thread(zlib.compress, body, _LEVEL))


def _place(request: TileRequest) -> Mapping[str, Any]:
    """What the statement binds."""
    sides = vector.tile_window(request.z, request.col, request.row)
    window = dict(zip(("west", "south", "east", "north"), sides, strict=True))
    return {**window, "z": request.z, "x": request.col, "y": request.row, **request.question.values(request.layer)}


def _compiled(house: House, clearance: Clearance, request: TileRequest, step: Step, *, capped: bool) -> Compiled:
    """The statement of a tile, from a step of the ladder or from the rows themselves."""
    layer, decision, question = request.layer, request.decision, request.question
    shape = ("tile", layer.name, decision.rule.max_clearance, decision.attributes, step, question.shape, capped)
    compiled = house.reading.statements.get(shape)
    if compiled is None:
        if step is None:
            statement = vector.tile_statement(layer, decision, question, capped=capped)
        elif isinstance(step, Mosaic):
            statement = vector.mosaic_statement(layer, step, decision)
        else:
            statement = vector.rung_statement(layer, step, decision, capped=capped)
        compiled = compile_statement(statement, house.reading.schema(clearance))
        house.reading.statements[shape] = compiled
    return compiled
