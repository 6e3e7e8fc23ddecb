"""Parquet files that no honest program writes: pages and footers that say what their makers want them to say."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

MAGIC = b"PAR1"
INT64, BYTE_ARRAY = 2, 6
GZIP, PLAIN = 2, 0
REQUIRED = 0


def varint(number: int) -> bytes:
    """An unsigned number of Thrift's compact protocol."""
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def zigzag(number: int) -> bytes:
    """A signed number."""
    return varint((number << 1) ^ (number >> 63))


def structure(*fields: tuple[int, int, bytes]) -> bytes:
    """Fields with their numbers (ascending), types and contents."""
    out, last = b"", 0
    for number, kind, content in fields:
        out += bytes([(number - last) << 4 | kind]) + content
        last = number
    return out + b"\0"


def items(kind: int, contents: Sequence[bytes]) -> bytes:
    """A list."""
    head = bytes([len(contents) << 4 | kind]) if len(contents) < 15 else bytes([0xF0 | kind]) + varint(len(contents))
    return head + b"".join(contents)


def text(content: bytes) -> bytes:
    """A text with its length."""
    return varint(len(content)) + content


@dataclass(frozen=True)
class Chunk:
    """A column: its name and type, one page that says it has so many bytes, and the bytes of its contents, packed.

    Whole pages, headers included, may stand before it; `values` are those of all.
    """

    name: bytes
    kind: int
    said: int
    packed: bytes
    values: int
    encoding: int = PLAIN
    before: bytes = b""


def page(values: int, size: int, packed: bytes, also: int | None = None) -> bytes:
    """A page of the second version; with a description of the first version, too, that counts other values."""
    numbers = ((1, values), (2, 0), (3, values), (4, PLAIN), (5, 0), (6, 0))
    second = structure(*((number, 5, zigzag(value)) for number, value in numbers))
    first = structure(*((n, 5, zigzag(v)) for n, v in ((1, also or 0), (2, PLAIN), (3, 3), (4, 3))))
    sizes = [(1, 5, zigzag(3)), (2, 5, zigzag(size)), (3, 5, zigzag(len(packed)))]
    bodies = [(8, 12, second)] if also is None else [(5, 12, first), (8, 12, second)]
    return structure(*sizes, *bodies) + packed


def element(name: bytes, kind: int | None = None, children: int | None = None) -> bytes:
    """An element of the schema."""
    fields = [] if kind is None else [(1, 5, zigzag(kind)), (3, 5, zigzag(REQUIRED))]
    named = [*fields, (4, 8, text(name))]
    more = [] if children is None else [(5, 5, zigzag(children))]
    # Bytes are texts in UTF-8.
    return structure(*named, *more, *([(6, 5, zigzag(0))] if kind == BYTE_ARRAY else []))


def parquet(chunks: Sequence[Chunk], rows: int) -> bytes:
    """A file with one group of rows."""
    body, columns = MAGIC, []
    for one in chunks:
        start = len(body)
        data = structure(*((n, 5, zigzag(v)) for n, v in ((1, one.values), (2, one.encoding), (3, 3), (4, 3))))
        sizes = [(1, 5, zigzag(0)), (2, 5, zigzag(one.said)), (3, 5, zigzag(len(one.packed)))]
        body += one.before + structure(*sizes, (5, 12, data)) + one.packed
        length = len(body) - start
        told = [(1, 5, zigzag(one.kind)), (2, 9, items(5, [zigzag(one.encoding)])), (3, 9, items(8, [text(one.name)]))]
        told += [(4, 5, zigzag(GZIP)), (5, 6, zigzag(one.values)), (6, 6, zigzag(one.said)), (7, 6, zigzag(length))]
        columns.append(structure((2, 6, zigzag(start)), (3, 12, structure(*told, (9, 6, zigzag(start))))))
    group = structure((1, 9, items(12, columns)), (2, 6, zigzag(0)), (3, 6, zigzag(rows)))
    schema = [element(b"schema", children=len(chunks)), *(element(one.name, one.kind) for one in chunks)]
    footer = structure((1, 5, zigzag(1)), (2, 9, items(12, schema)), (3, 6, zigzag(rows)), (4, 9, items(12, [group])))
    return body + footer + struct.pack("<I", len(footer)) + MAGIC


def gzipped(size: int, begin: bytes = b"") -> bytes:
    """So many bytes, zeros after a beginning, packed without ever being there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(begin)]
    left, block = size - len(begin), bytes(1 << 20)
    while left > 0:
        parts.append(packer.compress(block[:left]))
        left -= len(block)
    return b"".join([*parts, packer.flush()])
