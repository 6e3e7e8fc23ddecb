"""Whether an alert is what a subscription asks for, and what it is told of it. Pure: no clock, no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

import shapely

from geoservice.alerts.ledger import alert_id
from geoservice.alerts.present import Address, summary
from geoservice.alerts.read import Kept
from geoservice.events.news import moment
from layers.alerting import WARNING
from layers.cap import LEVELS, SEVERITIES, Info

KIND = "alert.issued"
EARNEST = frozenset({"Actual"})
PLAYED = frozenset({"Exercise", "Test"})
"""What is not meant in earnest and may be told to those who ask for it; drafts and messages of systems go to nobody."""
_TOLD = frozenset({"Update", "Cancel"})


@dataclass(frozen=True)
class Follower:
    """A subscription to alerts.

    Attributes:
        id: Its id.
        condition: `severity` and `colour`: the least that it asks for.
        area: Where (longitude and latitude in degrees), prepared; None for everywhere.
        exercises: Whether it is told of exercises and tests, too.
    """

    id: str
    condition: Mapping[str, Any]
    area: shapely.Geometry | None
    exercises: bool


def event_of(kept: Kept) -> str:
    """What names an alert among the messages of a subscription."""
    return f"alert:{kept.id}"


def about(kept: Kept) -> frozenset[str]:
    """Events of the messages of the same sender that an Update or a Cancel is about."""
    if kept.alert.msg_type not in _TOLD:
        return frozenset()
    mine = (name for name in kept.alert.referred() if name.sender == kept.alert.sender)
    return frozenset(f"alert:{alert_id(name.sender, name.identifier)}" for name in mine)


def is_meant(kept: Kept, follower: Follower) -> bool:
    """Whether a message is told to a subscriber at all: those in earnest, and what is played where it was asked for."""
    return kept.alert.status in EARNEST or (follower.exercises and kept.alert.status in PLAYED)


def told(kept: Kept, follower: Follower, known: Set[str], at: dt.datetime, address: Address) -> dict[str, Any] | None:
    """The message about an alert; None when the subscription does not ask for it.

    What changes or ends an alert that the subscriber knows is told wherever it warns and however little.

    Args:
        kept: The alert with its areas.
        follower: The subscription.
        known: Events that it was told of.
        at: The present.
        address: Makes an address of a path of this service.
    """
    if not is_meant(kept, follower):
        return None
    changed = bool(about(kept) & known)
    here = _here(kept, follower)
    fresh = kept.alert.msg_type in WARNING and kept.phase(at) in ("active", "ahead") and here
    if not (fresh or changed):
        return None
    data = {**summary(kept, at, address), **_worst(here)}
    if changed:
        data["changes"] = sorted(one.removeprefix("alert:") for one in about(kept) & known)
    mark = {"exercise": True} if kept.alert.status in PLAYED else {}
    return {"type": KIND, "timestamp": moment(kept.received), **mark, "data": data}


def _here(kept: Kept, follower: Follower) -> list[Info]:
    """The blocks that warn the place of the subscription, severely enough."""
    if follower.area is None:
        blocks: Iterable[int] = range(1, len(kept.alert.info) + 1)
    else:
        blocks = sorted({one.info for one in kept.areas if one.geometry is not None and _shared(one, follower.area)})
    severe = _severe(follower.condition)
    return [info for info in (kept.alert.info[number - 1] for number in blocks) if severe(info)]


def _shared(one: Any, area: shapely.Geometry) -> bool:
    """Whether they share more than their rims: the neighbours of a warned county are not warned."""
    return bool(shapely.intersects(area, one.geometry)) and not bool(shapely.touches(area, one.geometry))


def _severe(condition: Mapping[str, Any]) -> Callable[[Info], bool]:
    least, colour = condition.get("severity"), condition.get("colour")
    colours = list(LEVELS)

    def enough(info: Info) -> bool:
        if least is not None and SEVERITIES.index(info.severity) > SEVERITIES.index(least):
            return False
        if colour is None:
            return True
        return info.colour is not None and colours.index(info.colour) <= colours.index(colour)

    return enough


def _worst(here: Iterable[Info]) -> dict[str, Any]:
    """What the worst of some blocks say of their place."""
    blocks = sorted(here, key=lambda info: SEVERITIES.index(info.severity))
    if not blocks:
        return {}
    first = blocks[0]
    places = dict.fromkeys(area.area_desc for info in blocks for area in info.area)
    found: dict[str, Any] = {"severity": first.severity, "places": list(places)[:10]}
    return found if first.colour is None else {**found, "colour": first.colour, "level": LEVELS[first.colour]}
