"""A kept tile: its bytes as they are sent, and what it shows.

Images are packed by nature. Vector tiles are packed as the first client asks for them, and lose their plain form then;
on disk they are kept in Zstandard (RFC 8878), which packs one tighter than gzip in a fraction of the time.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from geoservice.tiles.drawing import Drawn
from geoservice.tiles.journal import Stamp, Window
from tiles.image import ImageFormat
from tiles.packing import gzipped

IDENTITY, GZIP, ZSTD = "identity", "gzip", "zstd"
WORTH_IT = 600
"""Smaller bodies are sent as they are."""
OVERHEAD = 1_000
"""Bytes of memory that an entry takes beside its bodies, about."""
_LEVEL = 3
_GZIP_HEADER = 16
_MARK = b"GST3"
_HEAD = struct.Struct(">4sI")
_FACTS = struct.Struct(">qqBQQBB24s")
_KEPT_IN = (IDENTITY, ZSTD)
_IMAGES: tuple[ImageFormat | None, ...] = (None, "png", "webp", "jpeg")


@dataclass(slots=True)
class Entry:
    """A tile as it is kept and sent.

    Attributes:
        layer: Name of the layer.
        tag: Digest of the tile; entity tags are made of it.
        length: Bytes of the tile, unpacked.
        bodies: The tile by encoding, in at least one of them; none for an empty tile. Replaced, never changed: threads
            that write tiles to disk read it.
        dropped: Features that were left out, so that the tile keeps its budget.
        stamp: What the tile shows.
        window: West, south, east, north in degrees of all from which it is drawn.
        image: Format of an image; None for a vector tile.
    """

    layer: str
    tag: str
    length: int
    bodies: dict[str, bytes]
    dropped: int
    stamp: Stamp
    window: Window
    image: ImageFormat | None = None

    @property
    def empty(self) -> bool:
        """Whether no visible feature meets the tile."""
        return self.length == 0

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, about."""
        return OVERHEAD + sum(map(len, self.bodies.values()))

    @property
    def packed(self) -> bool:
        """Whether it is sent packed to those who take it so."""
        return self.image is None and self.length >= WORTH_IT

    def body(self, encoding: str) -> bytes:
        """The tile in an encoding; a packed form is kept then, in the place of the plain one."""
        found = self.form(encoding)
        if encoding not in (IDENTITY, *self.bodies):
            self.bodies = {name: body for name, body in self.bodies.items() if name != IDENTITY} | {encoding: found}
        return found

    def form(self, encoding: str) -> bytes:
        """The tile in an encoding; nothing is kept of what has to be made for it."""
        bodies = self.bodies
        if encoding in bodies:
            return bodies[encoding]
        plain = self._plain(bodies)
        return plain if encoding == IDENTITY else _pack(plain, encoding)

    def _plain(self, bodies: Mapping[str, bytes]) -> bytes:
        if self.empty or IDENTITY in bodies:
            return bodies.get(IDENTITY, b"")
        if ZSTD not in bodies:
            return zlib.decompress(bodies[GZIP], zlib.MAX_WBITS | _GZIP_HEADER)
        plain: bytes = pa.Codec(ZSTD).decompress(bodies[ZSTD], decompressed_size=self.length, asbytes=True)
        return plain


def entry_of(layer: str, drawn: Drawn, window: Window) -> Entry:
    """What is kept of a tile that was drawn."""
    body = drawn.body
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    bodies = {IDENTITY: body} if body else {}
    return Entry(layer, tag, len(body), bodies, drawn.dropped, drawn.stamp, window, drawn.image)


def _pack(plain: bytes, encoding: str) -> bytes:
    if encoding == GZIP:
        return gzipped(plain)
    packed: bytes = pa.Codec(encoding, compression_level=_LEVEL).compress(plain, asbytes=True)
    return packed


def to_record(key: str, entry: Entry) -> bytes:
    """An entry as bytes for the disk, with a checksum over its key and all that it says."""
    kept = ZSTD if entry.packed else IDENTITY
    stamp = entry.stamp
    flags = sum(flag << place for place, flag in enumerate(stamp[2:]))
    numbers = (stamp.edition, stamp.change, flags, entry.dropped, entry.length)
    facts = _FACTS.pack(*numbers, _KEPT_IN.index(kept), _IMAGES.index(entry.image), entry.tag.encode())
    body = entry.form(kept)
    return _HEAD.pack(_MARK, _checksum(key, facts, body)) + facts + body


def from_record(key: str, layer: str, record: bytes, window: Window) -> Entry | None:
    """The entry that was kept under a key; None for anything that was not written so, whole and for this key."""
    begins = _HEAD.size + _FACTS.size
    if len(record) < begins:
        return None
    mark, checksum = _HEAD.unpack_from(record)
    facts, body = record[_HEAD.size : begins], record[begins:]
    if mark != _MARK or checksum != _checksum(key, facts, body):
        return None
    edition, change, flags, dropped, length, kept, image, tag = _FACTS.unpack(facts)
    stamp = Stamp(edition, change, *(bool(flags >> place & 1) for place in range(len(Stamp._fields) - 2)))
    bodies = {_KEPT_IN[kept]: body} if length else {}
    return Entry(layer, tag.decode(), length, bodies, dropped, stamp, window, _IMAGES[image])


def _checksum(key: str, facts: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(facts, zlib.crc32(key.encode())))
