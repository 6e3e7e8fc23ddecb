"""The renderer of maps: a few confined children that draw, one map at a time each, within a time.

A child that crashes, hangs or answers nonsense is ended and another takes its place; the service goes on. Children are
replaced after a number of maps too, so that nothing in the drawing library can add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any

from geoservice.confined.child import Broken, Child, Kind, start
from geoservice.confined.frames import packed
from layers.errors import MapUnavailable
from web.assets import STACK

GLYPHS = str(resources.files("web").joinpath("static", "vendor", "glyphs", STACK))
"""Folder of the glyphs, as a child is told."""
CHILD = Kind(
    module="geoservice.maps.child",
    prefix="geoservice-map-",
    # Drawing 16 million pixels takes about half of it.
    memory=3 << 30,
    file_size=1 << 20,
    # The glyphs, and what the OpenGL libraries read beside themselves.
    readable=(GLYPHS, "/usr/share/glvnd", "/usr/share/drirc.d", "/proc/self", "/sys/devices/system/cpu"),
    # OpenGL in software, without a display, without a cache on disk.
    environment={
        "EGL_PLATFORM": "surfaceless",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "LP_NUM_THREADS": "1",
        "MESA_SHADER_CACHE_DISABLE": "true",
    },
)
MOST_PIXELS = 16_777_216
LIFE = 500
"""Maps that one child draws before another takes its place."""
PROCESSOR_SECONDS = 3600
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Job:
    """A map to be drawn.

    Attributes:
        style: MapLibre style. Its tiles and sprite have addresses below `job://files/`.
        files: What these addresses stand for, by the rest of the address.
        camera: Longitude, latitude and zoom level of the middle.
        size: Width and height in points.
        ratio: Pixels per point.
    """

    style: dict[str, Any]
    files: Mapping[str, bytes]
    camera: tuple[float, float, float]
    size: tuple[int, int]
    ratio: float = 1.0

    def message(self) -> bytes:
        """The job as it goes to a child."""
        lon, lat, zoom = self.camera
        width, height = self.size
        place = {"lon": lon, "lat": lat, "zoom": zoom, "width": width, "height": height, "ratio": self.ratio}
        return packed({"style": self.style, **place}, self.files)


@dataclass
class Painter:
    """A child that draws, and how many maps it has drawn."""

    child: Child
    drawn: int = 0

    async def draw(self, message: bytes) -> bytes:
        """Let it draw one map.

        Raises:
            MapUnavailable: When the drawing library refuses the map.
            Broken: When the child is of no use any more.
        """
        value, files = await self.child.ask(message)
        self.drawn += 1
        if "image" in files:
            return files["image"]
        raise MapUnavailable(f"The map could not be drawn: {value.get('error', 'no reason was given')}.")


class Renderer:
    """Children that draw, started when they are needed."""

    def __init__(self, children: int, seconds: float) -> None:
        """Keep at most so many children; a map may take so many seconds, waiting included."""
        self.seconds = seconds
        self._free = asyncio.Semaphore(children)
        self._idle: list[Painter] = []

    async def draw(self, job: Job) -> bytes:
        """Draw a map.

        Returns:
            A PNG with an alpha channel.

        Raises:
            MapUnavailable: When it takes too long or the renderer cannot draw it.
        """
        message = job.message()
        try:
            async with asyncio.timeout(self.seconds), self._free:
                try:
                    return await self._once(message)
                except Broken:
                    # It may have been ended from outside; a map that ends two children is not tried again.
                    return await self._once(message)
        except TimeoutError:
            raise MapUnavailable(
                f"The map took longer than the {self.seconds:g} s that a map may take; ask for less of it."
            ) from None
        except Broken:
            raise MapUnavailable("The renderer broke down over this map; the service's log says more.") from None

    async def _once(self, message: bytes) -> bytes:
        async with self._painter() as one:
            return await one.draw(message)

    @asynccontextmanager
    async def _painter(self) -> AsyncIterator[Painter]:
        one = self._idle.pop() if self._idle else await begin()
        try:
            yield one
        except MapUnavailable:
            self._idle.append(one)
            raise
        except BaseException:
            await asyncio.shield(one.child.end())
            raise
        if one.drawn < LIFE:
            self._idle.append(one)
        else:
            await one.child.end()

    async def close(self) -> None:
        """End all children."""
        while self._idle:
            await self._idle.pop().child.end()


async def begin() -> Painter:
    """Start a child and wait until it has locked itself in and drawn a first map.

    Raises:
        MapUnavailable: When it does not start; libraries may be missing.
    """
    try:
        async with asyncio.timeout(_START_SECONDS):
            return Painter(await start(CHILD, PROCESSOR_SECONDS, {"glyphs": GLYPHS}))
    except (Broken, TimeoutError):
        raise MapUnavailable(
            "The renderer does not start; it needs the Debian packages libegl1, libgl1, libgl1-mesa-dri and libcurl4."
        ) from None
