"""Starting a confined child, asking it, and ending it, whatever it is doing.

A child is a module of this installation that is run by itself. It gets a folder of its own, a scrubbed environment and
its orders, and locks itself in (`geoservice.confined.inside`) before it is given anything that came from outside.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from geoservice.confined.frames import LENGTH, MOST, head_of, packed
from ingest.sandbox import unprivileged

_MOST_SAID = 4_000
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent.parent
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(_PACKAGE_ROOT),
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",
    "MALLOC_ARENA_MAX": "2",
}


class Broken(Exception):
    """A child is gone or speaks nonsense; `said` is the end of what it wrote to standard error, where that is kept."""

    def __init__(self, said: str = "") -> None:
        """Keep its last words."""
        super().__init__(said)
        self.said = said


@dataclass(frozen=True)
class Kind:
    """A kind of children.

    Attributes:
        module: What they run.
        prefix: With what the names of their folders begin.
        memory: Bytes of address space.
        file_size: Bytes of the largest file that they write.
        readable: Files and directories that they may read beside the installation.
        environment: What their environment has beside the usual.
        heard: Whether what they write to standard error is kept.
    """

    module: str
    prefix: str
    memory: int
    file_size: int
    readable: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    heard: bool = False

    def command(self) -> list[str]:
        """The command line of a child."""
        return [sys.executable, "-m", self.module]

    def surroundings(self, folder: Path) -> dict[str, str]:
        """The whole environment of a child."""
        return {**_ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder), **self.environment}

    def orders(self, folder: Path, seconds: float, more: Mapping[str, Any]) -> bytes:
        """The first message: what a child may use and as whom, for so many seconds of processor time, and more."""
        user = unprivileged()
        confinement: dict[str, Any] = {
            "uid": user[0] if user else None,
            "gid": user[1] if user else None,
            "memory": self.memory,
            "cpu": int(seconds) + 1,
            "file_size": self.file_size,
            "readable": list(self.readable),
            "writable": str(folder),
            "parent": os.getpid(),
        }
        return packed({"confinement": confinement, **more}, {})


@dataclass
class Child:
    """A child at work, and its private folder."""

    process: asyncio.subprocess.Process
    folder: Path
    said: IO[bytes] | None = None
    achieved: dict[str, str] = field(default_factory=dict)

    async def ask(self, message: bytes) -> tuple[Any, dict[str, bytes]]:
        """Send a message and wait for the answer.

        Raises:
            Broken: When there is none.
        """
        sent, heard = self.process.stdin, self.process.stdout
        if sent is None or heard is None:
            raise Broken
        try:
            sent.write(message)
            await sent.drain()
            length = LENGTH.unpack(await heard.readexactly(LENGTH.size))[0]
            if length > MOST:
                raise Broken
            value, sizes = head_of(await heard.readexactly(length))
            return value, {name: await heard.readexactly(size) for name, size in sizes.items()}
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, KeyError, TypeError) as error:
            raise Broken(self._last_words()) from error

    def _last_words(self) -> str:
        if self.said is None:
            return ""
        # The child writes at the same place of the same file, which reading must not move.
        end = os.fstat(self.said.fileno()).st_size
        text = os.pread(self.said.fileno(), _MOST_SAID, max(end - _MOST_SAID, 0))
        return text.decode(errors="replace").strip().rpartition("\n")[2]

    async def end(self) -> None:
        """End the child, whatever it is doing, and remove its folder."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        # The transport holds the pipes; without this they would be closed by the garbage collector.
        transport: Any = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()
        if self.said is not None:
            self.said.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


async def start(kind: Kind, seconds: float, orders: Mapping[str, Any]) -> Child:
    """Start a child and wait until it has locked itself in.

    Args:
        kind: Which.
        seconds: Of processor time that it may take in all.
        orders: What it is told beside what it may use.

    Raises:
        Broken: When it does not start.
    """
    folder = await asyncio.to_thread(own_folder, kind)
    try:
        child = await _process(kind, folder)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    try:
        value, _ = await child.ask(kind.orders(folder, seconds, orders))
        child.achieved = value["confinement"]
    except (KeyError, TypeError) as error:
        await child.end()
        raise Broken from error
    except BaseException:
        await asyncio.shield(child.end())
        raise
    return child


async def _process(kind: Kind, folder: Path) -> Child:
    # A file without a name: no child can put another in its place.
    said = await asyncio.to_thread(tempfile.TemporaryFile) if kind.heard else None
    process = await asyncio.create_subprocess_exec(
        *kind.command(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL if said is None else said,
        cwd=folder,
        env=kind.surroundings(folder),
        start_new_session=True,
    )
    return Child(process, folder, said)


def own_folder(kind: Kind) -> Path:
    """A fresh folder for a child, which belongs to the user that the child becomes."""
    folder = Path(tempfile.mkdtemp(prefix=kind.prefix))
    user = unprivileged()
    if user is not None:
        os.chown(folder, *user)
    return folder
