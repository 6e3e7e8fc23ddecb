"""A look at the pages of a Parquet file without decoding them: how large they say they are, and how they are written.

A page says itself how many bytes it will have, and the decoder makes room for them; it never writes more. So what a
file takes in memory is known from the headers of its pages, which are structures of Thrift's compact protocol (Apache
Parquet, parquet.thrift: PageHeader).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
_DEEPEST = 8
_LONGEST_HEADER = 1 << 20
"""Statistics of a page have its least and greatest value in full."""
_TYPE, _SIZE, _PACKED = 1, 2, 3
_BODIES = {0: 5, 1: 6, 2: 7, 3: 8}
"""By type of a page (data, index, dictionary, data of the second version) the field that describes it."""
_ENCODINGS = {0: 2, 2: 2, 3: 4}
"""By type, the field of that description that names the encoding; an index has none."""
PREFIXES = 7
"""The encoding DELTA_BYTE_ARRAY: a text is the beginning of the one before and what differs, so little says much."""


@dataclass(frozen=True)
class Page:
    """A page of a column: bytes that it takes unpacked, and the number of its encoding."""

    size: int
    encoding: int


def pages_of(file: BinaryIO, footer: Any) -> Iterator[Page]:
    """The pages that a reader will decode.

    Args:
        file: The Parquet file.
        footer: Its metadata (`pyarrow.parquet.FileMetaData`).

    Raises:
        ArrowInvalid: When a header is none, or a page ends outside its column.
    """
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for place in range(row_group.num_columns):
            yield from _column(file, row_group.column(place))


def _column(file: BinaryIO, column: Any) -> Iterator[Page]:
    """All pages between the beginning and the end of a column, whatever they say of their rows.

    A reader may go on where a count of rows says that it is done; so nothing that is stored goes unseen.
    """
    begins = [column.data_page_offset]
    if column.has_dictionary_page and (column.dictionary_page_offset or 0) > 0:
        begins.append(column.dictionary_page_offset)
    at = min(begins)
    end = at + column.total_compressed_size
    if not 0 <= at <= end <= _length(file):
        raise pa.ArrowInvalid("a column lies outside the file")
    while at < end:
        file.seek(at)
        header, length = _header(file.read(min(_LONGEST_HEADER, end - at)))
        packed, size = header.get(_PACKED), header.get(_SIZE)
        if not isinstance(packed, int) or not isinstance(size, int) or packed < 0 or size < 0:
            raise pa.ArrowInvalid("the header of a page has no sizes")
        yield Page(size, _encoding(header))
        at += length + packed
    if at > end:
        raise pa.ArrowInvalid("a page ends outside its column")


def _length(file: BinaryIO) -> int:
    return file.seek(0, io.SEEK_END)


def _encoding(header: dict[int, Any]) -> int:
    """The encoding of a page, as the one description says that belongs to its type."""
    kind = header.get(_TYPE)
    told = {field for field in _BODIES.values() if field in header}
    body = _BODIES.get(kind) if isinstance(kind, int) and not isinstance(kind, bool) else None
    if body is None or told != {body} or not isinstance(header[body], dict):
        raise pa.ArrowInvalid("the header of a page does not have the one description of its type")
    return _whole(header[body], _ENCODINGS[kind]) if kind in _ENCODINGS else 0


def _whole(told: dict[int, Any], field: int) -> int:
    value = told.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise pa.ArrowInvalid("the header of a page has a number that is none")
    return value


def _header(data: bytes) -> tuple[dict[int, Any], int]:
    reader = _Compact(data)
    try:
        return reader.structure(0), reader.at
    except IndexError:
        raise pa.ArrowInvalid("the header of a page is cut short") from None


class _Compact:
    """Reads structures of Thrift's compact protocol; texts and doubles are passed over."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def structure(self, depth: int) -> dict[int, Any]:
        """Fields by their numbers."""
        if depth > _DEEPEST:
            raise pa.ArrowInvalid("the header of a page is nested too deep")
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._signed()
            if field in found:
                raise pa.ArrowInvalid("the header of a page has a field twice")
            found[field] = self._value(head & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in _WHOLE:
            return self._signed()
        if kind in (_DOUBLE, _BINARY):
            return self._pass(8 if kind == _DOUBLE else self._unsigned())
        if kind in (_LIST, _SET):
            return self._items(depth)
        if kind == _STRUCT:
            return self.structure(depth + 1)
        raise pa.ArrowInvalid("the header of a page has a field of an unknown type")

    def _items(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._unsigned()  # noqa: PLR2004
        if count > len(self._data):
            raise pa.ArrowInvalid("the header of a page has a list without end")
        for _ in range(count):
            self._value(head & 15, depth + 1)

    def _pass(self, length: int) -> None:
        self.at += length
        if self.at > len(self._data):
            raise IndexError

    def _byte(self) -> int:
        value = self._data[self.at]
        self.at += 1
        return value

    def _unsigned(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:  # noqa: PLR2004
                return found
            shift += 7
            if shift > 63:  # noqa: PLR2004
                raise pa.ArrowInvalid("the header of a page has a number without end")

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)
