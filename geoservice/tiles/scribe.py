"""Writing tiles to disk behind the back of the requests: a thread with a connection of its own, many at a time."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading

from geoservice.tiles.entry import Entry, to_record
from geoservice.tiles.place import KeptPlace
from geoservice.tiles.store import Store

WAITING = 2_000
"""Tiles that may wait to be written; when there are more, they are not kept on disk."""
_AT_ONCE = 100
_PAUSE = 0.02
_log = logging.getLogger(__name__)
_Task = tuple[KeptPlace, Entry, int | None]


class Scribe:
    """Takes tiles and writes them when there is time."""

    def __init__(self, store: Store) -> None:
        """Write to a store; the thread begins with the first tile."""
        self._store = store
        self._waiting: queue.Queue[_Task | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def take(self, place: KeptPlace, entry: Entry, purges: int | None = None) -> None:
        """Have a tile written soon; or never when too many wait, or when tiles were purged since `purges` was read."""
        if self._store.limit <= 0:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="tile-scribe", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait((place, entry, purges))
        except queue.Full:
            _log.debug("too many tiles wait to be written")

    async def room(self) -> None:
        """Wait until not many tiles wait to be written."""
        while self._waiting.qsize() > WAITING // 2:
            await asyncio.sleep(_PAUSE)

    def close(self) -> None:
        """Write what waits, and end."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        self._store.close()

    def _write(self) -> None:
        while (first := self._waiting.get()) is not None:
            some, ended = [first], False
            while len(some) < _AT_ONCE and not self._waiting.empty() and not ended:
                one = self._waiting.get()
                if one is None:
                    ended = True
                else:
                    some.append(one)
            self._store.put([(p.key, p.house, p.layer, to_record(p.key, e), purges) for p, e, purges in some])
            if ended:
                return
