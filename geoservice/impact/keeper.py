"""Large exposure layers kept ready: split by divisions and measured once per edition, in the background.

A question never waits for that and never gets an older edition: while the atoms of the current edition are not ready,
the rows around the zone are read and split for it alone, with the same figures.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.impact.atoms import Atoms, atoms_of
from geoservice.impact.fetch import Ground, Wanted, read_divisions, read_editions, read_parts
from geoservice.impact.raster_keeper import RasterKeeper
from geoservice.impact.store import FORMAT, AtomStore, Stamp
from layers.access import Decision
from layers.answer import EditionRef
from layers.catalog import Catalog

KEPT_FROM = 300
"""Features of a layer from which on it is kept ready; fewer are split for each question quickly enough."""
_HELD = 16
_log = logging.getLogger(__name__)


class AtomKeeper:
    """The kept atoms of one process; files are shared by all.

    Attributes:
        kept_from: Features from which on a layer is kept ready.
        rasters: What is kept of exposure layers that are rasters.
    """

    def __init__(self, folder: Path, pools: Pools, rasters: RasterKeeper, kept_from: int = KEPT_FROM) -> None:
        """Remember what to work with; nothing is made before it is asked for."""
        self._folder, self._pools, self.rasters, self.kept_from = folder, pools, rasters, kept_from
        self._held: OrderedDict[str, tuple[Stamp, Atoms]] = OrderedDict()
        self._making: dict[str, asyncio.Task[None]] = {}
        # One layer after the other, so that questions find a connection and a processor meanwhile.
        self._turn = asyncio.Semaphore()

    async def close(self) -> None:
        """End what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.rasters.close()
        self._held.clear()

    async def get(self, wanted: Wanted, stamp: Stamp) -> Atoms | None:
        """The atoms of a layer in exactly these editions; None when none are kept."""
        name = _name(wanted)
        held = self._held.get(name)
        if held is not None and held[0] == stamp:
            self._held.move_to_end(name)
            return held[1]
        found = await asyncio.to_thread(AtomStore(self._folder / name).load, stamp)
        if found is not None:
            self._held[name] = (stamp, found)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return found

    def prepare(
        self, wanted: Wanted, catalog: Catalog, reading: Reading, divisions: Decision | None
    ) -> asyncio.Task[None]:
        """See to it that the atoms of a layer's current edition are made; one at a time for each layer and reader."""
        name = _name(wanted)
        # What is kept serves every zone, so that the boxes of this one do not count.
        wanted = replace(wanted, boxes=())
        task = self._making.get(name)
        if task is None:
            task = asyncio.create_task(self._make(name, wanted, catalog, reading, divisions))
            self._making[name] = task
            task.add_done_callback(lambda done: self._done(name, done))
        return task

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        self._making.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("the layer behind %s is not kept ready: %s", name, error)

    async def _make(
        self, name: str, wanted: Wanted, catalog: Catalog, reading: Reading, divisions: Decision | None
    ) -> None:
        store = AtomStore(self._folder / name)
        async with self._turn:
            with store.making() as ours:
                if ours:
                    await self._made(store, wanted, catalog, reading, divisions)

    async def _made(
        self, store: AtomStore, wanted: Wanted, catalog: Catalog, reading: Reading, divisions: Decision | None
    ) -> None:
        clearance = wanted.decision.rule.max_clearance
        layers = [wanted.layer, *(la for la in [catalog.layers.get("division")] if la is not None)]
        async with (
            self._pools.raw(clearance) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL statement_timeout = 0")
            ground = Ground(connection, reading, None)
            stamp = stamp_of(await read_editions(ground, layers, clearance), wanted.layer.name)
            if stamp is None or await asyncio.to_thread(store.load, stamp) is not None:
                return
            around = await read_divisions(ground, catalog, divisions, ())
            measure = wanted.counting.measure
            parts = [
                await asyncio.to_thread(atoms_of, part.rows, measure, around)
                async for part in read_parts(ground, wanted)
            ]
        if parts:
            await asyncio.to_thread(lambda: store.keep(stamp, Atoms.together(parts)))


def stamp_of(editions: dict[str, EditionRef], layer: str) -> Stamp | None:
    """The stamp of a layer in some editions; None while nothing is loaded."""
    if layer not in editions:
        return None
    return Stamp(*_marks(editions[layer]), *_marks(editions.get("division")))


def _marks(found: EditionRef | None) -> tuple[int, int]:
    return (0, 0) if found is None else (found.number, round(found.committed.timestamp() * 1_000_000))


def _name(wanted: Wanted) -> str:
    """Tells apart what is kept: layer, clearance, and all that decides what atoms of an edition look like."""
    decision = wanted.decision
    told = f"{FORMAT} {wanted.counting} {decision.attributes} {wanted.layer.geometry}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{wanted.layer.name}-{decision.rule.max_clearance.label}-{digest}"
