"""Placements are made for later: what is asked now goes first."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.settings import Settings
from geoservice.statistics.keeper import PlacementKeeper


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_placing_gives_way_to_what_is_asked_now(tmp_path: Path) -> None:
    keeper = PlacementKeeper(tmp_path, Pools(Database({}, "nobody_", {}, Settings(home=tmp_path))))
    before = niceness()
    assert keeper._hand.submit(niceness).result() > before
    assert niceness() == before
    asyncio.run(keeper.close())
    with pytest.raises(RuntimeError):
        keeper._hand.submit(niceness)
