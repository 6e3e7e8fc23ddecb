"""A running service with officers of several clearances who report units, plot marks and hold exercises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.support.alerts import Json, Watch, keeping_watch
from tests.support.editing import give_key

OFFICERS: dict[str, tuple[Clearance, list[str]]] = {
    "public": (Clearance.PUBLIC, ["situation"]),
    "internal": (Clearance.INTERNAL, ["situation"]),
    "restricted": (Clearance.RESTRICTED, ["situation"]),
    "bystander": (Clearance.RESTRICTED, ["load", "edit", "alert"]),
}
SPOT = {"type": "Point", "coordinates": [80.05, 40.05]}
RING = [[80.02, 40.02], [80.08, 40.02], [80.08, 40.08], [80.02, 40.08], [80.02, 40.02]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}


def at(seconds: float = 0.0) -> str:
    """An instant so many seconds from now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


def unit(lon: float = 80.05, lat: float = 40.05, seconds: float = 0.0, **more: Any) -> Json:
    """A report of a unit."""
    told = {"kind": "boat", "name": "冲锋舟一号", "status": "under_way", "position": [lon, lat], "time": at(seconds)}
    return {**told, "heading": 90.0, "speed": 4.5, **more}


def mark(**more: Any) -> Json:
    """A mark."""
    return {"symbol": "road_closed", "label": "塌方", "author": "王", "geometry": SPOT, **more}


@contextmanager
def on_duty(database: Database, **settings: Any) -> Iterator[Watch]:
    """The service of the tests of alerts, with officers."""
    with keeping_watch(database, **settings) as watch:
        watch.keys.update({who: give_key(database, *held) for who, held in OFFICERS.items()})
        yield watch


def exercise(watch: Watch, who: str = "public", **more: Any) -> str:
    """Begin an exercise; its id."""
    made = watch.ask(
        "POST", "/situation/exercises", who, json={"title": {"zh": "春汛演练", "en": "Flood drill"}, **more}
    )
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found
