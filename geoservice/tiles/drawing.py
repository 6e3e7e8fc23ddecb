"""Drawing a vector tile: from a mosaic, clusters or a rung of the ladder where they stand, else from the rows.

No tile is larger than its budget: where all features together would be, the most important ones are drawn, and the
answer says how many were left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import Compiled, compile_statement
from geoservice.db.pools import RawConnection
from geoservice.features.filtering import calculable
from geoservice.tiles.journal import NOTHING, Stamp, state_column
from layers.access import Clearance, Decision, Principal
from layers.errors import QueryTimeout
from layers.ladder import Rung, cluster_at, mosaic_at, rung_at
from layers.model import Cluster, Mosaic, VectorLayer
from tiles import vector
from tiles.asked import PRESENT, Question
from tiles.budget import TILE_BYTES, attempts, compressed_size
from tiles.grid import web_mercator
from tiles.image import ImageFormat
from tiles.sets.model import MatrixSet, Place
from tiles.target import target_of, tile_values

if TYPE_CHECKING:
    from geoservice.house import House

Step = Rung | Mosaic | Cluster | None
"""From where a tile is drawn; None means from the rows themselves."""


@dataclass(frozen=True, slots=True)
class TileRequest:
    """One vector tile of one layer, as one reader may see it.

    Attributes:
        layer: The layer.
        decision: What the reader may see of it.
        z: Level (tile matrix), checked to exist.
        row: Row, from the top, checked to exist.
        col: Column, from the left, checked to exist.
        question: What is asked beside the place; such tiles are drawn from the rows themselves.
        budget: Bytes that the tile may have when compressed.
        grid: Its tile matrix set.
    """

    layer: VectorLayer
    decision: Decision
    z: int
    row: int
    col: int
    question: Question = PRESENT
    budget: int = TILE_BYTES
    grid: MatrixSet = field(default_factory=web_mercator)

    @property
    def place(self) -> Place:
        """Where the tile lies."""
        return Place(self.grid, self.z, self.row, self.col)

    @property
    def zoom(self) -> int:
        """The zoom level of WebMercatorQuad whose detail the tile has; layers and ladders count in these."""
        return self.place.zoom


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tile, as Mapbox Vector Tile 2.1 or as an image; a vector tile that no visible feature meets is empty.

    `dropped` is the number of features that were left out, so that the tile keeps its budget. `stamp` is what the tile
    shows, by the transaction in which it was drawn. `image` names the format of an image.
    """

    body: bytes
    dropped: int = 0
    stamp: Stamp = NOTHING
    image: ImageFormat | None = None


async def draw(house: House, asker: Principal, request: TileRequest) -> Drawn:
    """Draw a tile.

    Raises:
        QueryTimeout: When it takes longer than the service allows for a tile.
    """
    if not request.layer.tiles.from_ <= request.zoom:
        return Drawn(b"")
    async with within_time(house), house.pools.raw(asker.clearance) as connection:
        return await _from_what_stands(house, connection, asker, request)


@asynccontextmanager
async def within_time(house: House) -> AsyncIterator[None]:
    """Give what is done inside the time that one tile may take; what the database is at is cancelled then.

    Raises:
        QueryTimeout: When it takes longer.
    """
    try:
        async with asyncio.timeout(house.settings.tile_timeout):
            yield
    except TimeoutError:
        seconds = house.settings.tile_timeout
        raise QueryTimeout(f"The tile took longer than the {seconds:g} s that a tile may take; zoom in.") from None


async def _from_what_stands(house: House, connection: RawConnection, asker: Principal, request: TileRequest) -> Drawn:
    """The tile from the ladder, if there is one now, else from the rows.

    Whether there is a ladder is known from a moment ago; the transaction that draws knows it for certain.
    """
    wanted = step_of(request)
    step = wanted if wanted is not None and request.layer.name in await house.ladders(asker) else None
    drawing = _Drawing(house, connection, asker.clearance, request, step)
    try:
        drawn = await _within_budget(drawing)
        if step is wanted or not drawn.stamp.ladder:
            return drawn
        with suppress(_Gone):
            return await _within_budget(replace(drawing, step=wanted))
    except _Gone:
        drawn = await _within_budget(replace(drawing, step=None))
    return drawn


def step_of(request: TileRequest) -> Step:
    """From which step of its ladder a tile is drawn, once the layer has one."""
    if not request.question.plain:
        return None
    layer, zoom = request.layer, request.zoom
    return mosaic_at(layer, zoom) or cluster_at(layer, zoom) or rung_at(layer, zoom)


class _Gone(Exception):
    """A step of the ladder is not there any more, or not to be shown."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one statement drew: the tile, how many features there are, and what it shows."""

    body: bytes
    count: int
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A tile that is being drawn from one step, on one connection."""

    house: House
    connection: RawConnection
    clearance: Clearance
    request: TileRequest
    step: Step

    async def features(self, most: int | None = None) -> _Found:
        """The tile, and how many features were found; of the most important ones only when `most` says how many.

        Raises:
            _Gone: When the step is no part of a ladder that stands.
        """
        request = self.request
        compiled = _compiled(self.house, self.clearance, request, self.step, capped=most is not None)
        arguments = compiled.arguments({**_values(request), "most": most})
        try:
            with calculable(request.question.filter):
                row = await self.connection.fetchrow(compiled.sql, *arguments)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            # The ladder was dropped or made for another definition a moment ago; the rows are there in any case.
            if self.step is None:
                raise
            raise _Gone from None
        if row is None:
            return _Found(b"", 0, NOTHING)
        edition, ladder, change = row["state"] or (None, None, None)
        if self.step is not None and ladder is None:
            raise _Gone
        stamp = Stamp(
            edition or 0,
            change or 0,
            laddered=self.step is not None,
            stepped=step_of(request) is not None,
            ladder=ladder is not None,
            live=self.step is None or isinstance(self.step, Cluster),
        )
        return _Found(bytes(row["tile"]), row["found"], stamp)


async def _within_budget(drawing: _Drawing) -> Drawn:
    """The tile, with as many features as its budget allows."""
    budget = drawing.request.budget
    trying = attempts(budget, whole=isinstance(drawing.step, Mosaic | Cluster))
    most = next(trying)
    # What was counted first decides too, so the tile is as old as that.
    first = found = await drawing.features(most)
    try:
        while True:
            most = trying.send((found.count, await _size(found.body, budget)))
            found = await drawing.features(most)
    except StopIteration as ended:
        missing: int | None = ended.value
    return Drawn(b"", found.count, first.stamp) if missing is None else Drawn(found.body, missing, first.stamp)


async def _size(body: bytes, budget: int) -> int:
    """Bytes of a tile as it is sent; what is large is packed by a thread, so that others are not kept waiting."""
    if len(body) <= budget:
        return len(body)
    return await asyncio.to_thread(compressed_size, body, budget)


def _values(request: TileRequest) -> Mapping[str, Any]:
    """What the statement binds."""
    return {**tile_values(request.place), **request.question.values(request.layer)}


def statement_of(request: TileRequest, step: Step, *, capped: bool) -> sa.Select[Any]:
    """The statement of a tile, from a step of the ladder or from the rows; `state` says what it shows."""
    layer, decision, target = request.layer, request.decision, target_of(request.grid)
    if step is None:
        statement = vector.tile_statement(layer, decision, request.question, capped=capped, target=target)
    elif isinstance(step, Mosaic):
        statement = vector.mosaic_statement(layer, step, decision, target=target)
    elif isinstance(step, Cluster):
        statement = vector.cluster_statement(layer, decision, target=target)
    else:
        statement = vector.rung_statement(layer, step, decision, capped=capped, target=target)
    return statement.add_columns(state_column(layer.name).label("state"))


def _compiled(house: House, clearance: Clearance, request: TileRequest, step: Step, *, capped: bool) -> Compiled:
    layer, decision, question = request.layer, request.decision, request.question
    target = target_of(request.grid)
    seen = (decision.rule.max_clearance, decision.attributes)
    shape = ("tile", layer.name, *seen, step, question.shape, capped, target)
    compiled = house.reading.statements.get(shape)
    if compiled is None:
        statement = statement_of(request, step, capped=capped)
        compiled = compile_statement(statement, house.reading.schema(clearance))
        house.reading.keep(shape, compiled)
    return compiled
