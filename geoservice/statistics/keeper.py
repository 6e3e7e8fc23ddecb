"""Placements of large layers among divisions, kept by edition: made once, in the background, for all who ask.

To put a million parcels into the counties of a country takes a minute of a processor, and no question has that time.
So it is done when an edition is seen for the first time, for the public and by county, and else when the first question
of its kind comes; that one waits as long as a question may. What was asked before is made anew for later editions.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from geoservice.alone import alone
from geoservice.analysis.request import DIVISIONS
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.features.state import LayerState, read_states
from geoservice.impact.fetch import CHUNK, Ground
from geoservice.impact.store import ArrayStore, Stamp
from geoservice.statistics.placement import SIZES, Placement, Placer
from geoservice.statistics.places import LEVEL, open_divisions, read_places
from geoservice.statistics.statements import DIGITS, shapes_statement
from layers.access import Clearance, Decision, Principal, decide
from layers.catalog import Catalog
from layers.errors import BadParameter, GeoError, QueryTimeout
from layers.model import VectorLayer

KEPT_FROM = 20_000
"""Features of a layer from which on placements are kept; fewer are placed for each question quickly enough."""
LOOK_SECONDS = 5.0
_BLOCK = 50_000
_HELD = 8
_FORMAT = 1
_PAUSE = 0.5
_KEEPER = "placements"
_NICE = 15
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Placing:
    """What is placed: the rows that a reader may see of a layer, among the divisions of a level that they may see."""

    layer: VectorLayer
    decision: Decision
    divided: tuple[VectorLayer, Decision]
    level: str

    @property
    def clearance(self) -> Clearance:
        """Of the reader."""
        return self.decision.rule.max_clearance

    @property
    def name(self) -> str:
        """Tells apart what is kept: layer, clearance, level, and what decides how a placement of an edition looks."""
        told = f"{_FORMAT} {self.layer.geometry} {self.divided[0].name}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        return f"{self.layer.name}-{self.clearance.label}-{self.level}-{digest}"


def placing_of(catalog: Catalog, principal: Principal, layer: VectorLayer, level: str) -> Placing | None:
    """What is placed for a reader; None where they see no divisions, or not the layer."""
    decision = decide(principal, "read", layer)
    if not decision.allowed or layer.name == DIVISIONS:
        return None
    try:
        return Placing(layer, decision, open_divisions(catalog, principal), level)
    except BadParameter:
        return None


class PlacementKeeper:
    """The kept placements of one process; files are shared by all.

    Attributes:
        kept_from: Features from which on a layer's placements are kept.
    """

    def __init__(self, folder: Path, pools: Pools, kept_from: int = KEPT_FROM) -> None:
        """Remember what to work with; nothing is made before it is asked for."""
        self._folder, self._pools, self.kept_from = folder, pools, kept_from
        self._held: OrderedDict[str, tuple[Stamp, Placement]] = OrderedDict()
        self._making: dict[str, asyncio.Task[None]] = {}
        self._tried: set[tuple[str, Stamp]] = set()
        # One after the other, so that questions find a connection and a processor meanwhile.
        self._turn = asyncio.Semaphore()
        self._hand = ThreadPoolExecutor(1, "placing", _give_way)

    async def close(self) -> None:
        """End what is being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._hand.shutdown(wait=False, cancel_futures=True)
        self._held.clear()

    async def get(self, placing: Placing, stamp: Stamp) -> Placement | None:
        """The placement in exactly these editions; None when it is not kept."""
        name = placing.name
        held = self._held.get(name)
        if held is not None and held[0] == stamp:
            self._held.move_to_end(name)
            return held[1]
        found = await asyncio.to_thread(ArrayStore(self._folder / name).read, stamp)
        if found is None:
            return None
        placement = Placement.of(found[0], found[1]["codes"])
        self._held[name] = (stamp, placement)
        while len(self._held) > _HELD:
            self._held.popitem(last=False)
        return placement

    def prepare(self, placing: Placing, reading: Reading) -> asyncio.Task[None]:
        """See to it that the placement of the current editions is made; one at a time for each."""
        name = placing.name
        task = self._making.get(name)
        if task is None:
            task = self._making[name] = asyncio.create_task(self._make(placing, reading))
            task.add_done_callback(lambda done: self._done(name, done))
        return task

    async def made(self, placing: Placing, reading: Reading, seconds: float) -> None:
        """Wait until the placement is made, here or by another process, or for a moment.

        Raises:
            QueryTimeout: When it takes longer than so many seconds; it is made nevertheless, for those who ask later.
        """
        try:
            async with asyncio.timeout(max(seconds, 0)):
                # Whoever goes away does not end what others wait for.
                await asyncio.shield(self.prepare(placing, reading))
                await asyncio.sleep(_PAUSE if self._elsewhere() else 0)
        except TimeoutError:
            raise QueryTimeout(
                f"The features of {placing.layer.name} are being put into divisions, once for this edition; ask again "
                "in a minute, or for less by within, bbox or filter."
            ) from None

    async def keep(self, catalog: Catalog, reading: Callable[[], Reading]) -> None:
        """See to it again and again that large layers are placed in their latest edition, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look(catalog, reading())
            except (GeoError, asyncpg.PostgresError, OSError) as error:
                _log.warning("layers are not placed among divisions: %s", error)

    async def look(self, catalog: Catalog, reading: Reading) -> None:
        """Make what is missing of the latest editions."""
        for clearance in Clearance:
            placings = self._wanted(catalog, clearance)
            if not placings:
                continue
            async with self._pools.raw(clearance) as connection:
                names = {DIVISIONS, *(placing.layer.name for placing in placings)}
                states = await read_states(connection, clearance, sorted(names))
            for placing in placings:
                stamp = self._stamp(states, placing)
                if stamp is None or (placing.name, stamp) in self._tried:
                    continue
                self._tried.add((placing.name, stamp))
                if await self.get(placing, stamp) is None:
                    await asyncio.gather(self.prepare(placing, reading), return_exceptions=True)
                    # Another process, which somebody waits for, gets its turn.
                    await asyncio.sleep(2 * _PAUSE)

    async def stamp(self, ground: Ground, placing: Placing) -> Stamp | None:
        """The editions of a placement that is worth to be kept; None where the layer is too small for that."""
        names = [placing.layer.name, DIVISIONS]
        return self._stamp(await read_states(ground.connection, placing.clearance, names), placing)

    def _stamp(self, states: Mapping[str, LayerState], placing: Placing) -> Stamp | None:
        state = states[placing.layer.name]
        if state.rows < self.kept_from or state.edition is None:
            return None
        return Stamp(*_marks(state), *_marks(states[DIVISIONS]))

    def _wanted(self, catalog: Catalog, clearance: Clearance) -> list[Placing]:
        """By county for the public, and what was asked before."""
        principal = Principal(_KEEPER, clearance)
        layers = [layer for layer in catalog if isinstance(layer, VectorLayer)]
        every = (placing_of(catalog, principal, layer, level) for layer in layers for level in DIGITS)
        return [placing for placing in every if placing is not None and self._sought(placing)]

    def _sought(self, placing: Placing) -> bool:
        first = placing.clearance == Clearance.PUBLIC and placing.level == LEVEL
        return first or (self._folder / placing.name).is_dir()

    def _elsewhere(self) -> bool:
        with alone(self._folder) as ours:
            return not ours

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        self._making.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("%s is not placed among divisions: %s", name, error)

    async def _make(self, placing: Placing, reading: Reading) -> None:
        store = ArrayStore(self._folder / placing.name)
        async with self._turn:
            # Nor do two processes make one at a time: each holds the polygons of a country.
            with alone(self._folder) as ours:
                if ours:
                    await self._made(store, placing, reading)

    async def _made(self, store: ArrayStore, placing: Placing, reading: Reading) -> None:
        async with (
            self._pools.raw(placing.clearance) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SET LOCAL statement_timeout = 0")
            ground = Ground(connection, reading, None)
            stamp = await self.stamp(ground, placing)
            if stamp is None or await asyncio.to_thread(store.read, stamp) is not None:
                return
            placement = await _placed(ground, placing, self._hand)
        await asyncio.to_thread(store.write, stamp, placement.arrays(), {"codes": placement.codes})


def _marks(state: LayerState) -> tuple[int, int]:
    if state.edition is None or state.committed is None:
        return (0, 0)
    return (state.edition, round(state.committed.timestamp() * 1_000_000))


def _give_way() -> None:
    """What is made for later lets tiles and questions of now go first (nice values of Linux are those of threads)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


async def _placed(ground: Ground, placing: Placing, hand: ThreadPoolExecutor) -> Placement:
    loop = asyncio.get_running_loop()
    layer, decision = placing.layer, placing.decision
    places = await read_places(ground, placing.divided, placing.level)
    placer = Placer(places.divisions, SIZES.get(layer.geometry, ()))
    compiled = ground.compiled(
        ("statistics", "shapes", layer.name), lambda: shapes_statement(layer, decision), placing.clearance
    )
    cursor = await ground.connection.cursor(compiled.sql, *compiled.arguments({}))
    fids: list[int] = []
    texts: list[bytes | None] = []
    while rows := await cursor.fetch(CHUNK):
        fids += [row["fid"] for row in rows]
        texts += [row["wkb"] for row in rows]
        if len(fids) >= _BLOCK:
            await loop.run_in_executor(hand, placer.put, fids, texts)
            fids, texts = [], []
    await loop.run_in_executor(hand, placer.put, fids, texts)
    return await loop.run_in_executor(hand, placer.placement)
