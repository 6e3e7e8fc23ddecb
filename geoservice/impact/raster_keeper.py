"""Sums kept beside the rasters of exposure layers: made once per edition, in the background, after the first question.

A question never waits for that and gets the same figures without.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from geoservice.alone import alone
from geoservice.analysis.raster_sums import RasterSums
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.impact.fetch import Ground, read_divisions
from geoservice.impact.region import Shapes
from layers.access import Decision
from layers.answer import EditionRef
from layers.asset import Asset
from layers.catalog import Catalog

LEAST_BYTES = 2 << 20
"""Bytes of a file from which on the sums of its blocks are kept; smaller ones are added up quickly enough."""
LEAST_DIVISIONS = 200
"""Divisions from which on their sums are kept."""
AGAIN_SECONDS = 1800.0
"""After how long it is looked at again whether the sums of a raster are kept, when somebody asks about it."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Splitting:
    """The divisions that split zones: the catalog and statements they are read with, for whom, and their edition."""

    catalog: Catalog
    reading: Reading
    decision: Decision | None
    edition: EditionRef | None


class RasterKeeper:
    """The kept sums of one process; files are shared by all."""

    def __init__(self, folder: Path, pools: Pools, most_bytes: int) -> None:
        """Remember what to work with; nothing is made before it is asked for, and never with `most_bytes` 0."""
        self.sums = RasterSums(folder, most_bytes)
        self._folder, self._pools, self._most = folder, pools, most_bytes
        self._ended = threading.Event()
        self._tried: dict[tuple[Path, str], float] = {}
        self._making: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore()

    async def close(self) -> None:
        """End what is being made."""
        self._ended.set()
        await asyncio.gather(*self._making, return_exceptions=True)

    def prepare(self, assets: Sequence[Asset], splitting: Splitting | None = None) -> asyncio.Task[None] | None:
        """See to it that the sums of some rasters are kept, each once; None when there is nothing to do.

        Args:
            assets: Current files of a layer.
            splitting: The divisions whose sums are kept, too; None for those of blocks alone.
        """
        about, now = _about(splitting), time.monotonic()
        # What is kept may go again, to make room or with a spoiled file, and making it may have failed.
        new = [one for one in assets if now - self._tried.get((one.path, about), -math.inf) >= AGAIN_SECONDS]
        if not new or not self._most or self._ended.is_set():
            return None
        self._tried |= {(asset.path, about): now for asset in new}
        task = asyncio.create_task(self._make(new, splitting if about else None))
        self._making.add(task)
        task.add_done_callback(self._done)
        return task

    async def _make(self, assets: Sequence[Asset], splitting: Splitting | None) -> None:
        async with self._turn:
            with self._alone() as ours:
                if not ours:
                    # Whether the other process made all of it is looked at when somebody asks again.
                    for asset in assets:
                        self._tried.pop((asset.path, _about(splitting)), None)
                    return
                await asyncio.to_thread(self._blocks, assets)
                if splitting is not None:
                    shapes = await self._divisions(splitting)
                    await asyncio.to_thread(self._polygons, assets, shapes)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._making.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("sums of rasters are not kept: %s", error)

    def _blocks(self, assets: Sequence[Asset]) -> None:
        for asset in assets:
            if asset.path.stat().st_size >= LEAST_BYTES and self.sums.blocks(asset) is None:
                self.sums.keep_blocks(asset, self._ended.is_set)

    def _polygons(self, assets: Sequence[Asset], shapes: Shapes) -> None:
        if len(shapes) < LEAST_DIVISIONS:
            return
        west, south, east, north = shapely.bounds(shapes).T
        for asset in assets:
            left, low, right, high = asset.bounds
            near = (west <= right) & (left <= east) & (south <= high) & (low <= north)
            if near.any() and not self._ended.is_set():
                self.sums.keep_polygons(asset, shapes[near].tolist(), self._ended.is_set)

    async def _divisions(self, splitting: Splitting) -> Shapes:
        decision = splitting.decision
        if decision is None:
            return np.zeros(0, dtype=np.object_)
        async with (
            self._pools.raw(decision.rule.max_clearance) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL statement_timeout = 0")
            ground = Ground(connection, splitting.reading, None)
            return (await read_divisions(ground, splitting.catalog, decision, ())).shapes

    def _alone(self) -> AbstractContextManager[bool]:
        """Whether this process may make sums now; another one does while it is False."""
        return alone(self._folder)


def _about(splitting: Splitting | None) -> str:
    """Tells apart editions of the divisions, also of a database that was restored, and readers of different rights."""
    if splitting is None or splitting.edition is None or splitting.decision is None:
        return ""
    clearance = splitting.decision.rule.max_clearance.label
    return f"{clearance} {splitting.edition.number} {splitting.edition.committed.isoformat()}"
