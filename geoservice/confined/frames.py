"""What goes over the pipes between the service and its children: a JSON value and files, each with its length."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import IO, Any

LENGTH = struct.Struct("!I")
MOST = 1 << 30
"""Bytes of the largest part; a length above it is nonsense."""


def packed(value: Any, files: Mapping[str, bytes]) -> bytes:
    """A message: the value, and the names and sizes of the files that follow it."""
    head = json.dumps({"value": value, "files": {name: len(body) for name, body in files.items()}}).encode()
    return b"".join((LENGTH.pack(len(head)), head, *files.values()))


def head_of(text: bytes) -> tuple[Any, dict[str, int]]:
    """The value of a message, and sizes by the names of its files.

    Raises:
        ValueError: When it is none.
    """
    found = json.loads(text)
    files = found["files"]
    if not isinstance(files, dict) or not all(isinstance(n, int) and 0 <= n <= MOST for n in files.values()):
        raise ValueError("the sizes of files are numbers of bytes")
    return found["value"], files


def received(stream: IO[bytes]) -> tuple[Any, dict[str, bytes]] | None:
    """The next message of a stream, whole: its value and its files by name; None when the stream has ended.

    Raises:
        EOFError: When it breaks off.
        ValueError: When it is no message.
    """
    start = stream.read(LENGTH.size)
    if not start:
        return None
    if len(start) != LENGTH.size:
        raise EOFError("the message broke off")
    value, sizes = head_of(_exactly(stream, LENGTH.unpack(start)[0]))
    return value, {name: _exactly(stream, size) for name, size in sizes.items()}


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size) if size <= MOST else b""
    if len(found) != size:
        raise EOFError("the message broke off")
    return found
