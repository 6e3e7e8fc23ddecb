"""The networks of a process: asked for by layer and reader, made in the background, shared through files.

A reader gets the graph that there is, be it of the edition before, until the new one is ready; only the first one
waits, and whoever may not see any more what the graph before shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.routing.errors import NetworkUnavailable
from geoservice.routing.graph import Graph, graph_of
from geoservice.routing.read import Editions, Source, editions_of, hides, read_roads
from geoservice.routing.store import FORMAT, GraphStore
from layers.access import Clearance

_log = logging.getLogger(__name__)
_OTHER = 0.2
"""Seconds between looks at what another process is making."""
_HELD_PAST = 4
"""Graphs of the past that a process holds."""
Slot = tuple[str, tuple[int, int] | None]


@dataclass(frozen=True)
class _Wanted:
    """A graph that somebody asked for."""

    source: Source
    reading: Reading
    editions: Editions

    @property
    def clearance(self) -> Clearance:
        return self.source.decision.rule.max_clearance

    @property
    def name(self) -> str:
        """Tells networks apart: layer, clearance, and all that decides what a graph of an edition looks like."""
        source = self.source
        label = source.layer.label.model_dump_json() if source.layer.label else ""
        told = f"{FORMAT} {source.network.model_dump_json()} {source.decision.attributes} {label}"
        return f"{source.layer.name}-{self.clearance.label}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    @property
    def slot(self) -> Slot:
        """Where the graph is held: one place for now, one for each edition of the past.

        What may be seen of the past changes, when somebody raises a clearance, with a later edition.
        """
        return (self.name, None if self.source.as_of is None else (self.editions.then.edition, self.editions.latest))


class Networks:
    """The graphs of one process."""

    def __init__(self, folder: Path, pools: Pools, *, most: int, patience: float) -> None:
        """Remember what to work with.

        Args:
            folder: Where graphs are kept.
            pools: Connections for reading.
            most: How many features a network may have.
            patience: Seconds for which the first reader waits for a graph.
        """
        self._folder, self._pools, self._most, self._patience = folder, pools, most, patience
        self._held: OrderedDict[Slot, Graph] = OrderedDict()
        self._making: dict[Slot, asyncio.Task[Graph]] = {}
        self._harmless: dict[Slot, int] = {}

    async def graph(self, source: Source, reading: Reading) -> Graph:
        """The graph of a source: that of its latest edition, or while it is being made that of the one before.

        Raises:
            NetworkUnavailable: When the first graph is not ready in time, or the network is too large.
            DatabaseUnavailable: When there is no connection.
        """
        deadline = time.monotonic() + self._patience
        while True:
            async with self._pools.raw(source.decision.rule.max_clearance) as connection:
                wanted = _Wanted(source, reading, await editions_of(connection, reading, source))
            held = self._held.get(wanted.slot)
            if held is not None and held.stamp == wanted.editions.then:
                self._held.move_to_end(wanted.slot)
                return held
            task = self._task(wanted)
            if held is not None and await self._may_serve(wanted, held):
                return held
            # What is being made may be of an edition before; the next turn looks at it.
            await _patiently(task, deadline - time.monotonic(), source)

    async def close(self) -> None:
        """End what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    async def _may_serve(self, wanted: _Wanted, held: Graph) -> bool:
        """Whether the graph of an edition before shows nothing that the reader may not see any more."""
        if self._harmless.get(wanted.slot) != wanted.editions.latest:
            async with self._pools.raw(wanted.clearance) as connection:
                if await hides(connection, wanted.reading, wanted.source, held.roads):
                    return False
            self._harmless[wanted.slot] = wanted.editions.latest
        return True

    def _task(self, wanted: _Wanted) -> asyncio.Task[Graph]:
        task = self._making.get(wanted.slot)
        if task is None:
            task = self._making[wanted.slot] = asyncio.create_task(self._make(wanted))
            task.add_done_callback(lambda done: self._made(wanted, done))
        return task

    def _made(self, wanted: _Wanted, task: asyncio.Task[Graph]) -> None:
        self._making.pop(wanted.slot, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.warning("network %s of edition %s was not made: %s", wanted.name, wanted.editions.then.edition, error)
            return
        self._held[wanted.slot] = task.result()
        past = [slot for slot in self._held if slot[1] is not None]
        for slot in past[:-_HELD_PAST]:
            del self._held[slot]

    async def _make(self, wanted: _Wanted) -> Graph:
        if wanted.source.as_of is not None:
            return await self._read(wanted)
        store = GraphStore(self._folder, wanted.name)
        while True:
            kept = await asyncio.to_thread(store.load, wanted.editions.then, wanted.source.network)
            if kept is not None:
                return kept
            with store.making() as mine:
                if mine:
                    return await self._made_here(wanted, store)
            await asyncio.sleep(_OTHER)

    async def _made_here(self, wanted: _Wanted, store: GraphStore) -> Graph:
        graph = await self._read(wanted)
        try:
            await asyncio.to_thread(store.keep, graph)
        except OSError as error:
            _log.warning("network %s is kept in memory only: %s", wanted.name, error)
            return graph
        mapped = await asyncio.to_thread(store.load, graph.stamp, wanted.source.network)
        return graph if mapped is None else mapped

    async def _read(self, wanted: _Wanted) -> Graph:
        """Make the graph from the rows, and from the newest one that is kept."""
        network = wanted.source.network
        basis = await asyncio.to_thread(GraphStore(self._folder, wanted.name).newest, network)
        async with self._pools.raw(wanted.clearance) as connection:
            stamp, found = await read_roads(connection, wanted.reading, wanted.source, basis, self._most)
        return await asyncio.to_thread(graph_of, found, network, stamp)


async def _patiently(task: asyncio.Task[Graph], seconds: float, source: Source) -> None:
    try:
        await asyncio.wait_for(asyncio.shield(task), max(seconds, 0.0))
    except TimeoutError:
        raise NetworkUnavailable(f"The network of {source.layer.name} is being made; ask again in a moment.") from None
