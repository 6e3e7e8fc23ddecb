"""Drawing tiles before they are asked for: those of a range of zoom levels, or those kept that have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from geoservice.house import House
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.place import owner_of, place_of
from layers.access import Clearance, Principal, decide
from layers.errors import BadParameter, GeoError
from layers.extent import Extent
from layers.model import VectorLayer
from tiles.sets.model import Matrix, MatrixSet

READER = "seed"
"""Id of the principal in whose name tiles are drawn beforehand."""
LOW = 400
"""Tiles of each clearance that are drawn after a ladder was built: about those of the lowest zoom levels."""
_AT_ONCE = 4


@dataclass(frozen=True)
class Seeding:
    """What is to be drawn of a layer.

    Attributes:
        layer: The layer.
        clearance: For whom.
        grid: In which tile matrix set.
        zooms: From which zoom level of WebMercatorQuad to which; levels of other sets correspond to these.
        area: Only tiles that meet this extent; None for all that the layer has.
        most: How many tiles at most.
        low: Take as many whole levels as `most` allows, the lowest first, instead of refusing.
    """

    layer: VectorLayer
    clearance: Clearance
    grid: MatrixSet
    zooms: tuple[int, int]
    area: Extent | None = None
    most: int = 100_000
    low: bool = False


@dataclass(frozen=True)
class Seeded:
    """What came of it: how many tiles there are now, and how many of them had to be drawn."""

    tiles: int
    drawn: int


@asynccontextmanager
async def opened(house: House) -> AsyncIterator[House]:
    """A house that is not served: its pools are open and it knows what has changed."""
    async with house.pools:
        await house.settle()
        await house.tiles.watch.look()
        watching = asyncio.create_task(house.tiles.keep())
        try:
            yield house
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            house.tiles.close()
            house.writer.close()


async def seed(house: House, wanted: Seeding, tell: Callable[[int], None] = lambda _: None) -> Seeded:
    """Draw tiles that are not kept yet.

    Args:
        house: See `opened`.
        wanted: Which tiles.
        tell: Called with the number of tiles done since the last call.

    Raises:
        BadParameter: When readers of the clearance may not see the layer, or there are too many tiles.
    """
    asker = Principal(READER, wanted.clearance)
    decision = decide(asker, "read", wanted.layer)
    if not decision.allowed:
        raise BadParameter(f"Readers of clearance {wanted.clearance.label} may not see {wanted.layer.id}.")
    extent = wanted.area or (await house.states(asker, [wanted.layer]))[wanted.layer.name].extent
    if extent is None:
        return Seeded(0, 0)
    requests = (
        TileRequest(wanted.layer, decision, level, row, col, grid=wanted.grid)
        for level, row, col in _addresses(wanted, extent)
    )
    return await _draw_all(house, asker, requests, tell)


async def warm(house: House, layer: VectorLayer, tell: Callable[[int], None] = lambda _: None) -> Seeded:
    """Draw anew those kept tiles of a layer that are not what would be drawn now."""
    asked: dict[Clearance, list[TileRequest]] = {}
    for key in house.tiles.reading.places(house.tiles.house, layer.name):
        request = _again(house, layer, key)
        if request is not None:
            asked.setdefault(request.decision.rule.max_clearance, []).append(request)
    tiles = drawn = 0
    for clearance, requests in asked.items():
        done = await _draw_all(house, Principal(READER, clearance), iter(requests), tell)
        tiles, drawn = tiles + done.tiles, drawn + done.drawn
    return Seeded(tiles, drawn)


def _again(house: House, layer: VectorLayer, key: str) -> TileRequest | None:
    """The request for a tile that is kept under a key; None when it would not be kept under that key today."""
    clearance, grid_id, level, row, col = key.removeprefix(owner_of(house.tiles.house, layer.name)).split("/")[1:]
    decision = decide(Principal(READER, Clearance(int(clearance))), "read", layer)
    try:
        grid = house.grids.get(grid_id)
    except GeoError:
        return None
    request = TileRequest(layer, decision, int(level), int(row), int(col), grid=grid)
    known = int(level) in grid.matrices and decision.allowed
    return request if known and place_of(request, house.tiles.house).key == key else None


def _addresses(wanted: Seeding, extent: Extent) -> Iterator[tuple[int, int, int]]:
    """Levels, rows and columns, the lowest levels first."""
    low, high = max(wanted.zooms[0], wanted.layer.tiles.from_), min(wanted.zooms[1], wanted.layer.tiles.to)
    left = wanted.most
    ranges: list[tuple[int, range, range]] = []
    for matrix in wanted.grid.levels(low, high):
        found = _ranges(wanted.grid, matrix, extent)
        left -= sum(len(rows) * len(columns) for _, rows, columns in found)
        if left < 0 and wanted.low:
            break
        ranges += found
    if left < 0 and not wanted.low:
        raise BadParameter(
            f"These zoom levels have more than {wanted.most} tiles in the extent; choose fewer, or a smaller area."
        )
    return ((level, row, col) for level, rows, columns in ranges for row in rows for col in columns)


def _ranges(grid: MatrixSet, matrix: Matrix, extent: Extent) -> list[tuple[int, range, range]]:
    return [
        (
            matrix.level,
            range(int(limits["minTileRow"]), int(limits["maxTileRow"]) + 1),
            range(int(limits["minTileCol"]), int(limits["maxTileCol"]) + 1),
        )
        for limits in grid.limits(extent, [matrix])
    ]


async def _draw_all(
    house: House, asker: Principal, requests: Iterator[TileRequest], tell: Callable[[int], None]
) -> Seeded:
    before, tiles = house.tiles.counts.drawn, 0

    async def work() -> None:
        nonlocal tiles
        # Several take from one iterator; between two steps nobody else has the loop.
        for request in requests:
            place = house.tiles.place(request)
            await house.tiles.tile(place, partial(draw, house, asker, request))
            await house.tiles.scribe.room()
            tiles += 1
            tell(1)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    return Seeded(tiles, house.tiles.counts.drawn - before)
