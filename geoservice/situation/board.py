"""The board: active events, the worst first, and the divisions that they touch, the worst first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from geoservice.gazetteer import codes
from geoservice.situation import sources
from geoservice.situation.event import KINDS, SEVERITIES, Event, Kind
from geoservice.situation.regions import Region, Regions, level_of
from geoservice.situation.sources import View, Zones
from layers.errors import BadParameter
from layers.extent import Extent


@dataclass(frozen=True)
class Wish:
    """What of the board is wanted.

    Attributes:
        kinds: Kinds of events.
        division: Code of a division that they touch; None for everywhere.
        extent: Box that they meet; None for everywhere.
        level: Level of the divisions that they are grouped by; counties by default.
        least: The least severity.
    """

    kinds: tuple[Kind, ...] = KINDS
    division: str | None = None
    extent: Extent | None = None
    level: str | None = None
    least: str | None = None


@dataclass(frozen=True)
class Shown:
    """A board: events, the worst first, and the divisions that each touches."""

    events: tuple[Event, ...]
    regions: dict[str, tuple[Region, ...]]

    def grouped(self) -> list[tuple[Region | None, list[Event]]]:
        """Events by division, the worst division first; None for those that touch none."""
        found: dict[Region | None, list[Event]] = {}
        for one in self.events:
            for region in self.regions.get(one.id) or (None,):
                found.setdefault(region, []).append(one)

        def order(region: Region | None) -> tuple[Any, ...]:
            worst = min(one.rank[0] for one in found[region])
            return worst, -len(found[region]), region is None, region.code if region else ""

        return [(region, found[region]) for region in sorted(found, key=order)]


@dataclass
class Board:
    """Puts the board together; remembers what is dear to find out."""

    zones: Zones = field(default_factory=Zones)
    regions: Regions = field(default_factory=Regions)

    async def shown(self, view: View, wish: Wish) -> Shown:
        """The board as one reader may see it.

        Raises:
            BadParameter: When the level, the division or the severity is none.
        """
        level = level_of(wish.level, wish.division)
        least = _severity(wish.least)
        found = await self._events(view, wish.kinds)
        chosen = [one for one in found if one.rank[0] <= least and _meets(one, wish.extent)]
        chosen.sort(key=lambda one: one.rank)
        touched = await self.regions.of(view.connection, view.context, chosen, level)
        if wish.division is not None:
            code = codes.canonical(wish.division)
            touched = {name: tuple(r for r in regions if r.inside(code)) for name, regions in touched.items()}
            chosen = [one for one in chosen if touched.get(one.id)]
        return Shown(tuple(chosen), touched)

    async def _events(self, view: View, kinds: Sequence[Kind]) -> list[Event]:
        makers: dict[Kind, Callable[[View], Awaitable[list[Event]]]] = {
            "alert": sources.alerts,
            "zone": self.zones.active,
            "earthquake": sources.earthquakes,
            "fire": sources.fires,
            "exceedance": sources.exceedances,
        }
        return [event for kind in kinds for event in await makers[kind](view)]


def _severity(least: str | None) -> int:
    if least is None:
        return len(SEVERITIES)
    if least not in SEVERITIES:
        raise BadParameter(f"severity is one of {', '.join(SEVERITIES)}; {least[:40]!r} is not.", parameter="severity")
    return SEVERITIES.index(least)


def _meets(event: Event, extent: Extent | None) -> bool:
    if extent is None:
        return True
    if event.geometry is None:
        return False
    return any(shapely.intersects(event.geometry, shapely.box(*box)) for box in extent.boxes())
