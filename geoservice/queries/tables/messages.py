"""A look at the messages of an Arrow IPC stream without decoding them: are their buffers compressed?

A compressed buffer says itself how large it will be, and the decoder believes it. Messages are FlatBuffers; the places
of the two fields come from the schema of the format (Apache Arrow, format/Message.fbs).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import pyarrow as pa
from pyarrow import ipc

_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_DATA_OF_DICTIONARY, _COMPRESSION = 1, 3


def is_compressed(file: BinaryIO) -> bool:
    """Whether any record batch or dictionary of the stream has compressed buffers.

    Raises:
        ArrowInvalid: When it is no stream.
    """
    file.seek(0)
    reader = ipc.MessageReader.open_stream(pa.PythonFile(file, mode="r"))
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return False
        try:
            if _says_compressed(message.metadata.to_pybytes()):
                return True
        except struct.error:
            raise pa.ArrowInvalid("a message is cut short") from None


def _says_compressed(data: bytes) -> bool:
    message = struct.unpack_from("<I", data, 0)[0]
    kind_at, header_at = _field(data, message, _HEADER_TYPE), _field(data, message, _HEADER)
    if kind_at is None or header_at is None:
        return False
    kind, batch = data[kind_at], _followed(data, header_at)
    if kind == _DICTIONARY_BATCH:
        inner = _field(data, batch, _DATA_OF_DICTIONARY)
        if inner is None:
            return False
        batch = _followed(data, inner)
    elif kind != _RECORD_BATCH:
        return False
    return _field(data, batch, _COMPRESSION) is not None


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a table stands; None when it is absent."""
    ways = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, ways)[0]
    entry = 4 + 2 * number
    if entry + 2 > size:
        return None
    offset = struct.unpack_from("<H", data, ways + entry)[0]
    return table + offset if offset else None


def _followed(data: bytes, place: int) -> int:
    return int(place + struct.unpack_from("<I", data, place)[0])
