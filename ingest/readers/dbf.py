"""Tables in dBase form (the .dbf of a Shapefile, the .dat of a MapInfo table), looked through before GDAL opens them.

GDAL recodes texts without a word about bytes that are no text. So every text is decoded strictly here first; those
that cannot be are remembered by row and field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.readers.decide import Scan
from layers.errors import SourceUnreadable

HEADER, DESCRIPTOR = 32, 32
_TERMINATOR = 0x0D
_NAME = 11
_DELETED = 0x2A
_BLOCK_ROWS = 20_000
_LONGEST_CHARACTER = 4
_SAMPLE_BLOCKS = 16
_SAMPLE_ROWS = 500
_HIGH = 0x80
_PATIENCE = 1000

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """How a table is laid out.

    Attributes:
        rows: Number of records, deleted ones included.
        start: Byte at which the records begin.
        width: Bytes of a record.
        language: The language driver byte.
        names: Names of the fields as they are in the file.
        texts: Number of a text field among the fields, its offset in the record, its width.
    """

    rows: int
    start: int
    width: int
    language: int
    names: tuple[bytes, ...]
    texts: tuple[tuple[int, int, int], ...]


def layout_of(dbf: Path, name: str) -> Layout:
    """The layout of a table.

    Args:
        dbf: The table.
        name: File name for sentences.

    Raises:
        SourceUnreadable: When the file is shorter than its header announces.
    """
    with dbf.open("rb") as handle:
        head = handle.read(HEADER)
        try:
            rows, start, width = struct.unpack_from("<IHH", head, 4)
            descriptors = handle.read(max(0, start - HEADER))
            language = head[29]
        except (struct.error, IndexError) as error:
            raise SourceUnreadable(f"The table ({dbf.suffix}) of {name} is truncated.", source=name) from error
    if dbf.stat().st_size < start + rows * width:
        raise SourceUnreadable(
            f"The table ({dbf.suffix}) of {name} is truncated: it announces {rows} rows of {width} bytes.", source=name
        )
    names, texts = _fields(descriptors, width)
    return Layout(rows, start, width, language, names, texts)


def _fields(descriptors: bytes, width: int) -> tuple[tuple[bytes, ...], tuple[tuple[int, int, int], ...]]:
    names: list[bytes] = []
    texts: list[tuple[int, int, int]] = []
    offset = 1
    for at in range(0, len(descriptors) - DESCRIPTOR + 1, DESCRIPTOR):
        if descriptors[at] == _TERMINATOR:
            break
        kind, length = chr(descriptors[at + 11]), descriptors[at + 16]
        if kind == "C":
            length += descriptors[at + 17] << 8
            if offset + length <= width:
                texts.append((len(names), offset, length))
        names.append(descriptors[at : at + _NAME].split(b"\0", 1)[0].rstrip())
        offset += length
    return tuple(names), tuple(texts)


def sample(dbf: Path, layout: Layout) -> Iterator[bytes]:
    """Names of fields, and texts outside ASCII from places spread over the whole table."""
    yield from layout.names
    table = _records(dbf, layout)
    for first in range(0, len(table), max(_SAMPLE_ROWS, len(table) // _SAMPLE_BLOCKS)):
        block = table[first : first + _SAMPLE_ROWS]
        for _, offset, length in layout.texts:
            values = np.ascontiguousarray(block[:, offset : offset + length])
            for row in np.flatnonzero((values >= _HIGH).any(axis=1)):
                text = values[row].tobytes().rstrip(b" \0")
                yield text[: len(text) - _cut(text, length)]


def _cut(text: bytes, width: int) -> int:
    """How much of a text to leave out of statistics: one that fills its field may end inside a character."""
    return _LONGEST_CHARACTER if len(text) == width > 2 * _LONGEST_CHARACTER else 0


def scan(dbf: Path, layout: Layout, encoding: str) -> Scan:
    """Decode all texts of all records strictly; gives up when the encoding is hopeless."""
    found = Scan()
    table = _records(dbf, layout)
    for first in range(0, len(table), _BLOCK_ROWS):
        block = table[first : first + _BLOCK_ROWS]
        alive = block[:, 0] != _DELETED
        found.rows += int(alive.sum())
        for number, offset, length in layout.texts:
            values = np.ascontiguousarray(block[:, offset : offset + length])
            rows = np.flatnonzero((values >= _HIGH).any(axis=1) & alive)
            found.filled += len(rows)
            for row in rows if len(rows) and not _clean(values[rows], encoding) else ():
                text = values[row].tobytes()
                if _cut_readable(text, encoding):
                    found.cut += not _readable(text, encoding)
                else:
                    found.spoiled.setdefault(first + int(row), {})[number] = text.rstrip(b" \0")
                    found.first = found.first or layout.start + (first + int(row)) * layout.width + offset
        if found.bad > _PATIENCE and found.hopeless:
            break
    return found


def _records(dbf: Path, layout: Layout) -> Bytes:
    if not layout.width or not layout.rows:
        return np.empty((0, layout.width), dtype=np.uint8)
    shape = (layout.rows, layout.width)
    return np.memmap(dbf, dtype=np.uint8, mode="r", offset=layout.start, shape=shape)


def _clean(values: Bytes, encoding: str) -> bool:
    """Whether all values can be read; a line feed between them ends whatever a value left open."""
    ends = np.full((len(values), 1), ord("\n"), dtype=np.uint8)
    try:
        np.hstack([values, ends]).tobytes().decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _readable(value: bytes, encoding: str) -> bool:
    try:
        value.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _cut_readable(value: bytes, encoding: str) -> bool:
    """Whether a text can be read when it may be cut inside its last character; only one that fills its field is."""
    if value.endswith((b" ", b"\0")):
        return _readable(value, encoding)
    return any(_readable(value[: len(value) - cut], encoding) for cut in range(_LONGEST_CHARACTER))
