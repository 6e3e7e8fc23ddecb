"""Tiles in the memory of one process, those asked for least recently given up first."""

from __future__ import annotations

from collections import OrderedDict

from geoservice.tiles.entry import Entry

LARGEST_SHARE = 8
"""An entry may take this part of the whole at most."""
Spot = tuple[int, str]
"""Clearance of the reader and path of the tile."""


class Shelf:
    """Entries up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        """Begin empty; `limit` in bytes, 0 keeps nothing."""
        self.limit = limit
        self.size = 0
        self._entries: OrderedDict[Spot, tuple[Entry, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def get(self, spot: Spot) -> Entry | None:
        """The entry of a spot, which is the most recent one then."""
        found = self._entries.get(spot)
        if found is None:
            return None
        self._entries.move_to_end(spot)
        return found[0]

    def put(self, spot: Spot, entry: Entry) -> None:
        """Keep an entry, or note that it has grown by an encoding."""
        self.drop(spot)
        size = entry.size
        if size * LARGEST_SHARE > self.limit:
            return
        self._entries[spot] = (entry, size)
        self.size += size
        while self.size > self.limit:
            _, (_, gone) = self._entries.popitem(last=False)
            self.size -= gone

    def drop(self, spot: Spot) -> None:
        """Give an entry up, if it is there."""
        found = self._entries.pop(spot, None)
        if found is not None:
            self.size -= found[1]

    def clear(self) -> None:
        """Give everything up."""
        self._entries.clear()
        self.size = 0
