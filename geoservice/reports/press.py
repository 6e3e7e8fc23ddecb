"""The press: a confined child per report that makes its PDF file, workbook and GeoPackage, within time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from geoservice.confined.child import Broken, Kind, start
from geoservice.confined.frames import packed
from geoservice.reports.carrier import PDF_MARK
from geoservice.reports.errors import ReportUnavailable
from geoservice.reports.manifest import Json, Manifest

CHILD = Kind(
    module="geoservice.reports.child",
    prefix="geoservice-press-",
    memory=2 << 30,
    file_size=256 << 20,
    # What the text library reads beside itself.
    readable=("/usr/share/fonts", "/usr/share/fontconfig", "/etc/fonts", "/var/cache/fontconfig", "/proc/self"),
    environment={
        "PROJ_NETWORK": "OFF",
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_PAM_ENABLED": "NO",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    },
    heard=True,
)
_MOST_SAID = 300


class Pressed(Protocol):
    """Something that the press makes files of."""

    @property
    def wanted(self) -> frozenset[str]:
        """Names of the files, as the child knows them."""
        ...

    def message(self) -> bytes:
        """The order as it goes to a child."""
        ...


@dataclass(frozen=True)
class Order:
    """What is to be made of a report.

    Attributes:
        manifest: What the report says of itself, without its files.
        answer: The answer.
        zone: Classes of the zone, as `geoservice.reports.rows` takes them.
        page: The page.
        gap: Bytes that the seal may take in the PDF file.
        wanted: Of `pdf`, `xlsx`, `gpkg`.
    """

    manifest: Manifest
    answer: Json
    zone: list[Json]
    page: bytes
    gap: int
    wanted: frozenset[str]

    def message(self) -> bytes:
        """The order as it goes to a child."""
        value = {
            "manifest": self.manifest.model_dump(mode="json"),
            "answer": self.answer,
            "zone": [{**one, "wkb": one["wkb"].hex()} for one in self.zone] if "gpkg" in self.wanted else [],
            "mark": PDF_MARK.decode().removeprefix("/"),
            "room": self.gap,
        }
        return packed(value, {"page": self.page} if "pdf" in self.wanted else {})


@dataclass
class Press:
    """Makes files of reports, a few at the same time; others wait.

    Attributes:
        seconds: What one report may take, waiting included.
        children: How many are made at the same time.
    """

    seconds: float
    children: int = 1
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Make the turnstile."""
        self._free = asyncio.Semaphore(self.children)

    async def make(self, order: Pressed) -> Mapping[str, bytes]:
        """Make what is wanted.

        Raises:
            ReportUnavailable: When it takes too long, or the child breaks down over it.
        """
        if not order.wanted:
            return {}
        try:
            async with asyncio.timeout(self.seconds), self._free:
                return await self._made(order)
        except TimeoutError:
            raise ReportUnavailable(
                f"The files of the report took longer than the {self.seconds:g} s that they may take; ask for fewer "
                "layers or a smaller zone."
            ) from None
        except Broken as broken:
            raise ReportUnavailable(
                "The files of the report could not be made; the libraries of Pango and a Chinese font must be "
                "installed.",
                said=broken.said[:_MOST_SAID],
            ) from broken

    async def _made(self, order: Pressed) -> Mapping[str, bytes]:
        child = await start(CHILD, self.seconds, {"wanted": sorted(order.wanted)})
        try:
            _, files = await child.ask(await asyncio.to_thread(order.message))
        finally:
            await asyncio.shield(child.end())
        if set(files) != order.wanted:
            raise Broken
        return files
