"""Text files whose encoding is a question, looked through line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.readers.decide import Scan

_PATIENCE = 1000
_SAMPLE_BYTES = 1 << 17


def sample(file: Path) -> Iterator[bytes]:
    """The first lines outside ASCII, wherever they stand."""
    left = _SAMPLE_BYTES
    with file.open("rb") as handle:
        for line in handle:
            if not line.isascii():
                yield line.rstrip()
                left -= len(line)
            if left < 0:
                return


def scan(file: Path, encoding: str) -> Scan:
    """Decode all lines strictly; gives up when the encoding is hopeless. Not for encodings of two bytes per letter."""
    found = Scan()
    start = 0
    with file.open("rb") as handle:
        for number, line in enumerate(handle):
            found.rows += not line.isspace()
            if not line.isascii():
                found.filled += 1
                try:
                    line.decode(encoding)
                except UnicodeDecodeError as error:
                    found.spoiled[number] = {0: line.rstrip(b"\r\n")}
                    found.first = start + error.start if found.first is None else found.first
                if found.bad > _PATIENCE and found.hopeless:
                    break
            start += len(line)
    return found
