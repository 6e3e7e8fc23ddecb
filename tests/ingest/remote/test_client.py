"""Busy servers, limits, and answers that nobody asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from email.utils import format_datetime

import pytest

from ingest.remote.client import Client, RemoteLimits
from ingest.remote.guard import Guard, parse_hosts
from layers.errors import RemoteUnavailable
from tests.ingest.remote.servers import Reply, Scripted, serving


def fetch(server: Scripted, limits: RemoteLimits, waits: list[float] | None = None) -> bytes:
    sleep: Callable[[float], None] = (waits if waits is not None else []).append
    with Client(Guard(parse_hosts([f"127.0.0.1:{server.port}"])), limits, sleep) as client:
        return client.get(server.url(), "*/*").body


def replies(*found: Reply) -> Callable[[str], Reply]:
    queue = list(found)
    return lambda _: queue.pop(0) if len(queue) > 1 else queue[0]


OK: Reply = (200, {}, b"done")


def test_a_busy_server_is_asked_again_after_the_time_it_says() -> None:
    waits: list[float] = []
    soon = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30), usegmt=True)
    busy = [(429, {"Retry-After": "7"}, b""), (503, {"Retry-After": soon}, b""), (503, {}, b"")]
    with serving(replies(*busy, OK)) as server:
        assert fetch(server, RemoteLimits(), waits) == b"done"
    assert waits[0] == 7
    assert 25 < waits[1] <= 30
    assert waits[2] == 4


def test_patience_ends() -> None:
    waits: list[float] = []
    with serving(replies((503, {"Retry-After": "9999"}, b""))) as server:
        with pytest.raises(RemoteUnavailable, match="is busy"):
            fetch(server, RemoteLimits(attempts=3), waits)
        assert len(server.asked) == 3
    assert waits == [60, 60]


def test_other_errors_are_final() -> None:
    with serving(replies((404, {}, b""))) as server:
        with pytest.raises(RemoteUnavailable, match="answered 404"):
            fetch(server, RemoteLimits())
        assert len(server.asked) == 1


@pytest.mark.parametrize("limits", [RemoteLimits(page=1000), RemoteLimits(total=1000)])
def test_sizes_are_limited(limits: RemoteLimits) -> None:
    refused = pytest.raises(RemoteUnavailable, match="more than the 1000 bytes")
    with serving(lambda _: (200, {}, b"x" * 1001)) as server, refused:
        fetch(server, limits)
    with serving(lambda _: (200, {}, b"x" * 1000)) as server:
        assert len(fetch(server, limits)) == 1000


def test_compression_is_not_accepted() -> None:
    with serving(lambda _: (200, {"Content-Encoding": "gzip"}, b"x")) as server:
        with pytest.raises(RemoteUnavailable, match="compressed"):
            fetch(server, RemoteLimits())
        assert server.headers[0]["Accept-Encoding"] == "identity"


def test_a_server_that_is_away() -> None:
    with serving(lambda _: OK) as server:
        gone = server
    with pytest.raises(RemoteUnavailable, match="cannot be reached"):
        fetch(gone, RemoteLimits(attempts=2))


def test_time_is_limited() -> None:
    with serving(lambda _: OK) as server, pytest.raises(RemoteUnavailable, match="longer than the 0 s allowed"):
        fetch(server, RemoteLimits(seconds=0))


def test_the_environment_proxies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: (200, {}, b"proxy")) as proxy, serving(lambda _: OK) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("ALL_PROXY", proxy.url())
        assert fetch(server, RemoteLimits()) == b"done"
        assert proxy.asked == []
