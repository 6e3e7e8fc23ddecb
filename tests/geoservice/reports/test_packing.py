"""Packages that many ask for at once are packed once, and whoever waits for them keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from geoservice.api import reports
from geoservice.reports.errors import ReportUnavailable
from geoservice.reports.packing import Packing
from layers.access import Clearance
from tests.geoservice.reports.conftest import Office

MANY = 60
"""More than there are threads for what blocks (40)."""
PATIENCE = 120.0


def test_who_asks_for_the_same_package_shares_the_work() -> None:
    packed: list[str] = []

    def pack() -> bytes:
        time.sleep(0.05)
        packed.append("one")
        return b"package"

    async def asked() -> list[bytes]:
        packing = Packing(PATIENCE)
        found = await asyncio.gather(*(packing.package("a", pack) for _ in range(MANY)))
        return [*found, await packing.package("a", pack)]

    assert asyncio.run(asked()) == [b"package"] * (MANY + 1)
    assert packed == ["one", "one"], "once for all who waited, and once for who came later"


def test_only_so_many_are_packed_at_the_same_time() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def pack() -> bytes:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return b""

    async def asked() -> None:
        packing = Packing(PATIENCE, hands=2)
        await asyncio.gather(*(packing.package(str(n), pack) for n in range(8)))

    asyncio.run(asked())
    assert most == 2


def test_nobody_waits_for_ever_and_the_work_goes_on() -> None:
    gate = threading.Event()

    def pack() -> bytes:
        assert gate.wait(PATIENCE)
        return b"package"

    async def asked() -> bytes:
        packing = Packing(0.05, most=1)
        with pytest.raises(ReportUnavailable, match="still being packed"):
            await packing.package("a", pack)
        with pytest.raises(ReportUnavailable, match="Too many"):
            await packing.package("b", pack)
        packing.seconds = PATIENCE
        waiting = asyncio.create_task(packing.package("a", lambda: b"another"))
        await asyncio.sleep(0)
        gate.set()
        return await waiting

    assert asyncio.run(asked()) == b"package"


def test_what_fails_is_told_and_tried_again() -> None:
    async def asked() -> bytes:
        packing = Packing(PATIENCE)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await packing.package("a", lambda: bytes(1 // 0))
        return await packing.package("a", lambda: b"package")

    assert asyncio.run(asked()) == b"package"


@pytest.fixture
def held(office: Office, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Packing that does not go on before this is set."""
    gate = threading.Event()

    def pack(*_: Any) -> bytes:
        assert gate.wait(PATIENCE)
        return b"PK"

    monkeypatch.setattr(reports, "field_package", pack)
    return gate


def test_many_who_wait_for_a_package_hold_up_nobody_else(office: Office, held: threading.Event) -> None:
    place = f"/reports/{office.made['id']}"

    def ask(path: str) -> int:
        status: int = office.service.get(path, Clearance.RESTRICTED).status_code
        return status

    with ThreadPoolExecutor(MANY + 1) as pool:
        try:
            waiting = [pool.submit(ask, f"{place}?f=zip") for _ in range(MANY)]
            time.sleep(0.5)
            assert pool.submit(ask, "/reports").result(PATIENCE / 2) == 200
            assert not any(one.done() for one in waiting)
        finally:
            held.set()
        assert {one.result(PATIENCE) for one in waiting} == {200}


def test_who_waited_too_long_is_told_when_to_come_again(
    office: Office, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = office.service.client.app
    monkeypatch.setattr(app.state.house.packing, "seconds", 0.05)
    try:
        answer = office.service.get(f"/reports/{office.made['id']}?f=zip", Clearance.RESTRICTED)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    finally:
        held.set()
