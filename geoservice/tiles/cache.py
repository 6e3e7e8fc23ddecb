"""Tiles that are kept: found in memory, on disk, or drawn once for all who ask at the same time.

A tile is kept with what it shows (its stamp, read by the statement that drew it) and handed out while that is what
would be drawn now. So no mark has to be set, and none can come too late: a tile that was drawn before a change and is
kept after it carries the number from before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from geoservice.db.pools import Pools
from geoservice.metrics.meter import Meter, Silent
from geoservice.settings import Settings
from geoservice.tiles.drawing import Drawn, TileRequest
from geoservice.tiles.entry import Entry, entry_of, from_record
from geoservice.tiles.flights import Flights
from geoservice.tiles.place import KeptPlace, place_of, program
from geoservice.tiles.scribe import Scribe
from geoservice.tiles.shelf import Shelf, Spot
from geoservice.tiles.store import Store
from geoservice.tiles.watch import Watch

MEGABYTE = 1 << 20
FOLDER = "kept-tiles"
Draw = Callable[[], Awaitable[Drawn]]


@dataclass
class Counts:
    """What became of the tiles that were asked for, since the process began."""

    memory: int = 0
    disk: int = 0
    drawn: int = 0
    shared: int = 0
    stale: int = 0
    renewed: int = 0


@dataclass
class TileCache:
    """The tiles that one process keeps and finds.

    Attributes:
        watch: What it knows of changes.
        shelf: Tiles in memory.
        counts: What became of the tiles asked for.
        meter: Hears of it too.
    """

    watch: Watch
    shelf: Shelf
    reading: Store
    scribe: Scribe
    stale_seconds: float = 0.0
    counts: Counts = field(default_factory=Counts)
    meter: Meter = field(default_factory=Silent)
    _flights: Flights[Entry] = field(default_factory=Flights)
    _behind: set[asyncio.Task[object]] = field(default_factory=set)
    _purges: int | None = None

    @classmethod
    def of(cls, settings: Settings, pools: Pools, meter: Meter) -> TileCache:
        """The cache that the settings describe; nothing is opened before it is used."""
        shelf, scribe = Shelf(settings.tile_memory_mb * MEGABYTE), Scribe(store_of(settings))
        return cls(Watch(pools), shelf, store_of(settings), scribe, settings.tile_stale_seconds, meter=meter)

    async def keep(self) -> None:
        """Look for changes until cancelled."""
        self.watch.after_look = self.notice_purge
        self.watch.on_return = self.forget
        await self.watch.keep()

    def close(self) -> None:
        """Write what is to be written, and close the file."""
        self.scribe.close()
        self.reading.close()

    @property
    def house(self) -> str:
        """Identity of the database and of the program that draws; empty while the database was not heard of."""
        return f"{self.watch.identity}-{program()}" if self.watch.identity else ""

    def place(self, request: TileRequest) -> KeptPlace:
        """Which tile a request asks for."""
        return place_of(request, self.house)

    async def tile(self, place: KeptPlace, draw: Draw) -> Entry:
        """The tile as it is now: kept, or drawn.

        Raises:
            GeoError: What drawing raises.
        """
        while True:
            found = self._kept(place, draw)
            if found is not None:
                return found
            entry, joined = await self._flights.share(place.key, lambda: self._fill(place, draw))
            self.counts.shared += joined
            # What others had begun may have been drawn before a change that is known by now.
            if not joined or self.watch.stale_since(entry.layer, entry.stamp, entry.window) is None:
                return entry

    def at_hand(self, spot: Spot) -> Entry | None:
        """The tile of a spot, if it is in memory and current: no waiting, no disk."""
        entry = self.shelf.get(spot)
        if entry is None:
            return None
        since = self.watch.stale_since(entry.layer, entry.stamp, entry.window)
        if since is not None:
            return None
        entry.stamp = self.watch.renewed(entry.layer, entry.stamp)
        self._count("memory", "hit")
        return entry

    def notice_purge(self) -> None:
        """Give up what is in memory when tiles were purged on disk."""
        purges = self.reading.purges()
        if self._purges is not None and purges != self._purges:
            self.shelf.clear()
        self._purges = purges

    def forget(self, layer: str) -> None:
        """Give up the tiles of a layer that went back to an earlier state, or is defined otherwise by now.

        Its numbers mean something else, or some readers may not see any more what they show.
        """
        self.reading.purge([layer])
        self.shelf.clear()

    def _kept(self, place: KeptPlace, draw: Draw) -> Entry | None:
        spot = (place.clearance, place.path)
        entry, tier = self.shelf.get(spot), "memory"
        found = None if entry is None else self._usable(entry, place, draw, tier)
        if found is not None:
            return found
        self.meter.cache(tier, "miss")
        # Also when the one in memory has changed: another process may have drawn it anew.
        entry, tier = self._on_disk(place), "disk"
        found = None if entry is None else self._usable(entry, place, draw, tier)
        if found is None:
            self.meter.cache(tier, "miss")
        else:
            self.shelf.put(spot, found)
        return found

    def _usable(self, entry: Entry, place: KeptPlace, draw: Draw, tier: str) -> Entry | None:
        """The entry, if it may be handed out."""
        since = self.watch.stale_since(entry.layer, entry.stamp, entry.window)
        if since is not None:
            if time.monotonic() - since > self.stale_seconds:
                return None
            self._count(tier, "stale")
            self._draw_behind(place, draw)
            return entry
        self._count(tier, "hit")
        renewed = self.watch.renewed(entry.layer, entry.stamp)
        if renewed != entry.stamp:
            self.counts.renewed += 1
            entry.stamp = renewed
            if tier == "disk":
                # There it is current with the next one who reads it, and young again.
                self.scribe.take(place, entry, self._purges)
        return entry

    def _count(self, tier: str, outcome: str) -> None:
        name = "stale" if outcome == "stale" else tier
        setattr(self.counts, name, getattr(self.counts, name) + 1)
        self.meter.cache(tier, outcome)

    def _on_disk(self, place: KeptPlace) -> Entry | None:
        if not place.house:
            return None
        record = self.reading.get(place.key)
        return None if record is None else from_record(place.key, place.layer, record, place.window)

    async def _fill(self, place: KeptPlace, draw: Draw) -> Entry:
        purges = self._purges
        entry = entry_of(place.layer, await draw(), place.window)
        self.counts.drawn += 1
        self.shelf.put((place.clearance, place.path), entry)
        if place.house:
            self.scribe.take(place, entry, purges)
        return entry

    def _draw_behind(self, place: KeptPlace, draw: Draw) -> None:
        """Draw a tile anew while the former one is handed out."""
        task = asyncio.ensure_future(self._flights.share(place.key, lambda: self._fill(place, draw)))
        self._behind.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._behind.discard(task)
        if not task.cancelled():
            # Whoever asks next draws it himself, and hears of the error.
            task.exception()


def store_of(settings: Settings) -> Store:
    """The tiles on disk, through a connection of its own."""
    return Store(settings.home / FOLDER, settings.tile_disk_mb * MEGABYTE)
