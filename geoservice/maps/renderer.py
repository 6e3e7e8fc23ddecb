"""The renderer of maps: a few confined children that draw, one map at a time each, within a time.

A child that crashes, hangs or answers nonsense is ended and another takes its place; the service goes on. Children are
replaced after a number of maps too, so that nothing in the drawing library can add up.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from geoservice.maps.frames import LENGTH, MOST, head_of, packed
from ingest.sandbox import unprivileged
from layers.errors import MapUnavailable
from web.assets import STACK

MEMORY = 3 << 30
"""Bytes of address space of a child; drawing 16 million pixels takes about half of it."""
MOST_PIXELS = 16_777_216
LIFE = 500
"""Maps that one child draws before another takes its place."""
_PROCESSOR_SECONDS = 3600
_START_SECONDS = 30.0
_FILE_BYTES = 1 << 20
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent.parent


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


class _Broken(Exception):
    """A child is gone or speaks nonsense."""


@dataclass
class Child:
    """A child that draws, and its private folder."""

    process: asyncio.subprocess.Process
    folder: Path
    achieved: dict[str, str] = field(default_factory=dict)
    drawn: int = 0

    async def draw(self, message: bytes) -> bytes:
        """Let it draw one map.

        Raises:
            MapUnavailable: When the drawing library refuses the map.
            _Broken: When the child is of no use any more.
        """
        value, files = await self.ask(message)
        self.drawn += 1
        if "image" in files:
            return files["image"]
        raise MapUnavailable(f"The map could not be drawn: {value.get('error', 'no reason was given')}.")

    async def ask(self, message: bytes) -> tuple[Any, dict[str, bytes]]:
        """Send a message and wait for the answer."""
        sent, heard = self.process.stdin, self.process.stdout
        if sent is None or heard is None:
            raise _Broken
        try:
            sent.write(message)
            await sent.drain()
            length = LENGTH.unpack(await heard.readexactly(LENGTH.size))[0]
            if length > MOST:
                raise _Broken
            value, sizes = head_of(await heard.readexactly(length))
            return value, {name: await heard.readexactly(size) for name, size in sizes.items()}
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError, TypeError) as error:
            raise _Broken from error

    async def end(self) -> None:
        """End the child, whatever it is doing, and remove its folder."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        # The transport holds the pipes; without this they would be closed by the garbage collector.
        transport: Any = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


class Renderer:
    """Children that draw, started when they are needed."""

    def __init__(self, children: int, seconds: float) -> None:
        """Keep at most so many children; a map may take so many seconds, waiting included."""
        self.seconds = seconds
        self._free = asyncio.Semaphore(children)
        self._idle: list[Child] = []

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
                except _Broken:
                    # It may have been ended from outside; a map that ends two children is not tried again.
                    return await self._once(message)
        except TimeoutError:
            raise MapUnavailable(
                f"The map took longer than the {self.seconds:g} s that a map may take; ask for less of it."
            ) from None
        except _Broken:
            raise MapUnavailable("The renderer broke down over this map; the service's log says more.") from None

    async def _once(self, message: bytes) -> bytes:
        async with self._child() as child:
            return await child.draw(message)

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[Child]:
        child = self._idle.pop() if self._idle else await start()
        try:
            yield child
        except MapUnavailable:
            self._idle.append(child)
            raise
        except BaseException:
            await asyncio.shield(child.end())
            raise
        if child.drawn < LIFE:
            self._idle.append(child)
        else:
            await child.end()

    async def close(self) -> None:
        """End all children."""
        while self._idle:
            await self._idle.pop().end()


async def start() -> Child:
    """Start a child and wait until it has locked itself in and drawn a first map.

    Raises:
        MapUnavailable: When it does not start; libraries may be missing.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="geoservice-map-"))
    user = unprivileged()
    if user is not None:
        os.chown(folder, *user)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "geoservice.maps.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    )
    child = Child(process, folder)
    try:
        async with asyncio.timeout(_START_SECONDS):
            value, _ = await child.ask(packed(order(folder, user), {}))
        child.achieved = value["confinement"]
    except (_Broken, TimeoutError, KeyError):
        await child.end()
        raise MapUnavailable(
            "The renderer does not start; it needs the Debian packages libegl1, libgl1, libgl1-mesa-dri and libcurl4."
        ) from None
    except BaseException:
        await asyncio.shield(child.end())
        raise
    return child


def order(folder: Path, user: tuple[int, int] | None) -> dict[str, Any]:
    """What a child is told first: what it may use, as whom, and where the glyphs are."""
    confinement: dict[str, Any] = {
        "uid": user[0] if user else None,
        "gid": user[1] if user else None,
        "memory": MEMORY,
        "cpu": _PROCESSOR_SECONDS,
        "file_size": _FILE_BYTES,
        "readable": [],
        "writable": str(folder),
        "parent": os.getpid(),
    }
    glyphs = resources.files("web").joinpath("static", "vendor", "glyphs", STACK)
    return {"confinement": confinement, "glyphs": str(glyphs)}


def environment(folder: Path) -> dict[str, str]:
    """The whole environment of a child: OpenGL in software, without a display, without a cache on disk."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(_PACKAGE_ROOT),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "EGL_PLATFORM": "surfaceless",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "LP_NUM_THREADS": "1",
        "MESA_SHADER_CACHE_DISABLE": "true",
        "MALLOC_ARENA_MAX": "2",
    }
