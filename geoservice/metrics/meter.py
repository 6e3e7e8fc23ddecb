"""What a process counts while it serves, and how the figures of all worker processes become one page.

Labels are names of ours (route templates, layers, zoom levels, clearances): never an address, a key or a name that
somebody sent, so their number is bounded.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the Prometheus client: folder in which worker processes share their figures."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TILE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
POOL_SECONDS = 1.0
"""How often the use of the pools is looked at, at most."""


class Meter(Protocol):
    """Counts what happens."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template of its path."""

    def tile(self, layer: str, zoom: int, seconds: float) -> None:
        """A tile was answered."""

    def cache(self, tier: str, outcome: str) -> None:
        """A cache was asked: `tier` such as memory or disk, `outcome` such as hit, miss or stale."""

    def pools(self, use: Mapping[str, tuple[int, int]]) -> None:
        """Connections by clearance: those in use, and all that are open."""

    def page(self, extra: Iterable[Any] = ()) -> bytes:
        """The figures of all worker processes, and further families, in the text format of Prometheus."""


class Silent:
    """A meter that counts nothing."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Nothing."""

    def tile(self, layer: str, zoom: int, seconds: float) -> None:
        """Nothing."""

    def cache(self, tier: str, outcome: str) -> None:
        """Nothing."""

    def pools(self, use: Mapping[str, tuple[int, int]]) -> None:
        """Nothing."""

    def page(self, extra: Iterable[Any] = ()) -> bytes:
        """An empty page."""
        return b""


class PrometheusMeter:
    """A meter by the Prometheus client."""

    def __init__(self) -> None:
        """Make the families; with `SHARED` in the environment their figures lie in files that all workers read."""
        # The client decides by the environment when it is imported, so it is imported as late as that.
        self._client = client = importlib.import_module("prometheus_client")
        self._own = own = client.CollectorRegistry()
        self._requests = client.Counter(
            "geoservice_requests", "Requests answered.", ("method", "route", "status"), registry=own
        )
        self._seconds = client.Histogram(
            "geoservice_request_seconds",
            "Time until a request was answered.",
            ("route",),
            buckets=REQUEST_BUCKETS,
            registry=own,
        )
        self._tiles = client.Histogram(
            "geoservice_tile_seconds",
            "Time until a tile was answered, by layer and zoom level.",
            ("layer", "zoom"),
            buckets=TILE_BUCKETS,
            registry=own,
        )
        self._cache = client.Counter(
            "geoservice_cache", "Questions to the tile cache, by tier and outcome.", ("tier", "outcome"), registry=own
        )
        self._pools = client.Gauge(
            "geoservice_pool_connections",
            "Database connections of the service, by clearance and state.",
            ("clearance", "state"),
            registry=own,
            multiprocess_mode="livesum",
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def tile(self, layer: str, zoom: int, seconds: float) -> None:
        """A tile was answered."""
        self._tiles.labels(layer, str(zoom)).observe(seconds)

    def cache(self, tier: str, outcome: str) -> None:
        """A cache was asked."""
        self._cache.labels(tier, outcome).inc()

    def pools(self, use: Mapping[str, tuple[int, int]]) -> None:
        """Connections by clearance."""
        for clearance, (busy, all_of_them) in use.items():
            self._pools.labels(clearance, "busy").set(busy)
            self._pools.labels(clearance, "idle").set(all_of_them - busy)

    def page(self, extra: Iterable[Any] = ()) -> bytes:
        """The figures of all worker processes, and further families."""
        registry = self._own
        if folder := os.environ.get(SHARED):
            shared = importlib.import_module("prometheus_client.multiprocess")
            registry = self._client.CollectorRegistry()
            forget_dead(Path(folder))
            shared.MultiProcessCollector(registry, path=folder)
        more = self._client.CollectorRegistry()
        more.register(_Families(extra))
        page: bytes = self._client.generate_latest(registry) + self._client.generate_latest(more)
        return page


class _Families:
    """Families of figures that were made elsewhere, as a collector."""

    def __init__(self, families: Iterable[Any]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Any]:
        return self._families


class PoolWatch:
    """Looks at the use of the pools now and then."""

    def __init__(self) -> None:
        """Look at once."""
        self._next = 0.0

    def due(self) -> bool:
        """Whether it is time to look again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + POOL_SECONDS
        return True


def share(folder: Path) -> None:
    """Let this process and the workers it starts share their figures in a folder, which is emptied first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    os.environ[SHARED] = str(folder)


def forget_dead(folder: Path) -> None:
    """Remove gauges of worker processes that are gone; what they counted stays."""
    for file in folder.glob("gauge_live*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdigit() and not Path("/proc", number).exists():
            file.unlink(missing_ok=True)
