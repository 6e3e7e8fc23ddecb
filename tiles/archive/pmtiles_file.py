"""PMTiles, version 3: one file that clients read by ranges, each equal tile once, in the order of the Hilbert curve."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tiles.archive.shelf import Index, Shelf

Kind = Literal["mvt", "png", "webp", "jpeg"]
_COPY = 1 << 20


@dataclass(frozen=True)
class Description:
    """What an archive says of itself.

    Attributes:
        kind: Format of the tiles; vector tiles are compressed with gzip.
        bounds: West, south, east, north of the content in degrees.
        metadata: Free members: `name`, `attribution`, `vector_layers` and others.
    """

    kind: Kind
    bounds: tuple[float, float, float, float]
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """What came of it: tiles, tiles that are unlike all others, bytes of the file."""

    tiles: int
    contents: int
    size: int


def write_pmtiles(file: Path, shelf: Shelf, names: tuple[str, ...], about: Description) -> Written:
    """Write the archive of all parts; the file is there whole or not at all.

    Args:
        file: Where to.
        shelf: Holds the parts.
        names: Names of the parts; there is at least one tile in them.
        about: What the archive says of itself.
    """
    library = importlib.import_module("pmtiles.tile")
    index = shelf.index(names)
    columns = (index["z"].tolist(), index["x"].tolist(), index["y"].tolist())
    ids = np.fromiter(map(library.zxy_to_tileid, *columns), np.uint64, len(index))
    order = np.argsort(ids)
    index, ids = index[order], ids[order]
    first, which = first_of_each(index)
    lengths = index["length"][first].astype(np.uint64)
    offsets = np.cumsum(lengths) - lengths
    entries = list(_entries(library.Entry, ids.tolist(), which.tolist(), offsets.tolist(), lengths.tolist()))
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("wb") as handle:
        total = int(lengths.sum())
        for block in _front(library, entries, (len(ids), len(first), total), about):
            handle.write(block)
        for body in shelf.bodies(names, index[first]):
            handle.write(body)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.rename(file)
    return Written(len(ids), len(first), file.stat().st_size)


def first_of_each(index: Index) -> tuple[Any, Any]:
    """Where each content stands first, in the order of the index, and the number of its content for each tile."""
    _, first, which = np.unique(index["digest"], axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[which.ravel()]


def _entries(
    make: Callable[..., Any], ids: list[int], which: list[int], offsets: list[int], lengths: list[int]
) -> Iterator[Any]:
    """Directory entries; neighbours on the curve that are equal are one entry."""
    last, content = None, -1
    for number, one in zip(ids, which, strict=True):
        if last is not None and one == content and number == last.tile_id + last.run_length:
            last.run_length += 1
            continue
        if last is not None:
            yield last
        last, content = make(number, offsets[one], lengths[one], 1), one
    if last is not None:
        yield last


def _front(library: Any, entries: list[Any], counts: tuple[int, int, int], about: Description) -> tuple[bytes, ...]:
    """Header, root directory, metadata and leaf directories."""
    writer = importlib.import_module("pmtiles.writer")
    west, south, east, north = (round(side * 10_000_000) for side in about.bounds)
    compression = library.Compression.GZIP if about.kind == "mvt" else library.Compression.NONE
    header = {
        "tile_type": library.TileType[about.kind.upper()],
        "tile_compression": compression,
        "min_lon_e7": west,
        "min_lat_e7": south,
        "max_lon_e7": east,
        "max_lat_e7": north,
        "center_lon_e7": (west + east) // 2,
        "center_lat_e7": (south + north) // 2,
    }
    addressed, contents, total = counts
    made: tuple[bytes, ...] = writer.finalize_header(header, addressed, entries, contents, about.metadata, True, total)
    return made
