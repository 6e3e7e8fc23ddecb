"""The body of a batch on disk: it may be larger than memory, is unpacked as it comes, and is gone with its answer."""

from __future__ import annotations

import asyncio
import tempfile
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from geoservice.jobs.errors import UploadTooSlow
from geoservice.jobs.incoming import needing_room
from geoservice.queries.errors import TableUnreadable, UnsupportedTable
from layers.errors import TooLarge

_GZIP_WINDOW = 31
_PIECE = 1 << 20


@dataclass(frozen=True)
class Bounds:
    """What a body may cost: bytes, unpacked, and seconds in which nothing comes."""

    most: int
    idle: float


async def spooled(parts: AsyncIterator[bytes], encoding: str, bounds: Bounds, folder: Path) -> BinaryIO:
    """The body as a file without a name.

    Args:
        parts: What comes.
        encoding: Content-Encoding: nothing, `identity` or `gzip`.
        bounds: What it may cost.
        folder: Where the file lies.

    Raises:
        UnsupportedTable: When the encoding is another one.
        TooLarge: When it is larger.
        TableUnreadable: When it is not packed as announced.
        UploadTooSlow: When it stands still.
        StorageFull: When the disk is full.
    """
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise UnsupportedTable(f"The body of a batch is plain or packed by gzip, not by {encoding[:30]!r}.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
    sink = _Sink(file, bounds.most)
    try:
        unpack = _Unpacked(sink) if "gzip" in encoding else sink
        with needing_room():
            while (part := await _next(parts, bounds.idle)) is not None:
                # A part of a few kilobytes may unpack to a thousand times as much: not on the event loop.
                await asyncio.to_thread(unpack.write, part)
            unpack.finish()
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def _next(parts: AsyncIterator[bytes], idle: float) -> bytes | None:
    try:
        return await asyncio.wait_for(anext(parts, None), idle)
    except TimeoutError:
        raise UploadTooSlow(f"Nothing came of the body for {idle:g} s; send it again.") from None


class _Sink:
    """A file with a limit."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left, self._most = file, most, most

    def write(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise TooLarge(
                f"A batch has at most {self._most} bytes, unpacked; send a larger one as a job or in parts.",
                maximum=self._most,
            )
        self._file.write(part)

    def finish(self) -> None:
        """Nothing is outstanding."""


class _Unpacked:
    """Unpacks gzip, a piece at a time, so that a small body cannot become a large one in memory."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW)

    def write(self, part: bytes) -> None:
        try:
            while part:
                self._sink.write(self._unpacker.decompress(part, _PIECE))
                part = self._unpacker.unconsumed_tail or self._next_member()
        except zlib.error as error:
            raise TableUnreadable(f"The body is not packed by gzip as announced: {error}.") from None

    def _next_member(self) -> bytes:
        rest = self._unpacker.unused_data
        if self._unpacker.eof and rest:
            self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
        return rest

    def finish(self) -> None:
        if not self._unpacker.eof:
            raise TableUnreadable("The body ends before its gzip stream does; send the whole of it.")
