"""What goes over the pipes between the service and the renderer: a JSON value and files, each with its length."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

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
