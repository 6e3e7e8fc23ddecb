"""The press: a confined child per report that makes its PDF file, workbook and GeoPackage, within time and memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geoservice.maps.frames import LENGTH, head_of, packed
from geoservice.reports.errors import ReportUnavailable
from geoservice.reports.manifest import Json, Manifest
from ingest.sandbox import unprivileged

MEMORY = 2 << 30
"""Bytes of address space of a child."""
_FILE_BYTES = 256 << 20
_MOST_LOG = 4_000
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent.parent
# What the text library reads beside itself.
_READABLE = ("/usr/share/fonts", "/usr/share/fontconfig", "/etc/fonts", "/var/cache/fontconfig", "/proc/self")


@dataclass(frozen=True)
class Order:
    """What is to be made.

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

    def message(self, folder: Path, seconds: float, user: tuple[int, int] | None) -> bytes:
        """The order as it goes to a child."""
        confinement: dict[str, Any] = {
            "uid": user[0] if user else None,
            "gid": user[1] if user else None,
            "memory": MEMORY,
            "cpu": int(seconds) + 1,
            "file_size": _FILE_BYTES,
            "readable": list(_READABLE),
            "writable": str(folder),
            "parent": os.getpid(),
        }
        about = {"title": self.manifest.title, "language": self.manifest.language}
        value = {
            "confinement": confinement,
            "wanted": dict.fromkeys(sorted(self.wanted), about),
            "manifest": self.manifest.model_dump(mode="json"),
            "answer": self.answer,
            "zone": [{**one, "wkb": one["wkb"].hex()} for one in self.zone] if "gpkg" in self.wanted else [],
            "gap": self.gap,
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

    async def make(self, order: Order) -> Mapping[str, bytes]:
        """Make what is wanted.

        Raises:
            ReportUnavailable: When it takes too long, or the child breaks down over it.
        """
        if not order.wanted:
            return {}
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="geoservice-press-"))
        try:
            async with asyncio.timeout(self.seconds), self._free:
                return await self._made(order, folder)
        except TimeoutError:
            raise ReportUnavailable(
                f"The files of the report took longer than the {self.seconds:g} s that they may take; ask for fewer "
                "layers or a smaller zone."
            ) from None
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _made(self, order: Order, folder: Path) -> Mapping[str, bytes]:
        user = unprivileged()
        if user is not None:
            os.chown(folder, *user)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "geoservice.reports.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
            limit=1 << 20,
        )
        try:
            message = await asyncio.to_thread(order.message, folder, self.seconds, user)
            out, said = await process.communicate(message)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return _files(out, said, order)


def _files(out: bytes, said: bytes, order: Order) -> Mapping[str, bytes]:
    """The files in what a child gave back.

    Raises:
        ReportUnavailable: When it gave nothing, or nonsense.
    """
    try:
        start = LENGTH.size + LENGTH.unpack(out[: LENGTH.size])[0]
        _, sizes = head_of(out[LENGTH.size : start])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise _broken(said) from error
    if set(sizes) != order.wanted or start + sum(sizes.values()) != len(out):
        raise _broken(said)
    found = {}
    for name, size in sizes.items():
        found[name] = out[start : start + size]
        start += size
    return found


def _broken(said: bytes) -> ReportUnavailable:
    last = said[-_MOST_LOG:].decode(errors="replace").strip().rpartition("\n")[2]
    return ReportUnavailable(
        "The files of the report could not be made; the libraries of Pango and a Chinese font must be installed.",
        said=last[:300],
    )


def _environment(folder: Path) -> dict[str, str]:
    """The whole environment of a child."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "PYTHONPATH": str(_PACKAGE_ROOT),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
        "PROJ_NETWORK": "OFF",
        "GDAL_DRIVER_PATH": "disable",
        "GDAL_PAM_ENABLED": "NO",
        "MALLOC_ARENA_MAX": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
