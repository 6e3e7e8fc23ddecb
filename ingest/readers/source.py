"""What every reader gives: a description of the source and its rows in chunks, before any mapping."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyproj

from ingest.job import IngestPlan
from ingest.notes import Notes

Geometries = npt.NDArray[np.object_]
Positions = npt.NDArray[np.int64]


@dataclass
class Chunk:
    """Some consecutive rows of a source.

    Attributes:
        position: Number of each row in the source, from 0.
        fields: Source field -> values; all of the same length as `position`.
        geometry: Shapely geometries (None = no geometry) in the CRS of the source as x, y; None for a table.
        broken: Row in the chunk -> why the reader could not make sense of it, a sentence.
        unread: Row in the chunk -> what stands in the place of its geometry, when that could not be read.
        original: Row in the chunk -> its cells, when they did not fit the columns of its table.
        skipped: Rows that the reader itself left out because the mapping does not select them.
        wkb: The geometries as GDAL wrote them (ISO WKB, little-endian), by readers that go through GDAL; a geometry
            that nothing changes keeps these bytes instead of being written anew.
    """

    position: Positions
    fields: dict[str, pa.Array]
    geometry: Geometries | None = None
    broken: dict[int, str] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)
    original: dict[int, tuple[str, ...]] = field(default_factory=dict)
    skipped: int = 0
    wkb: pa.Array | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.position)

    def take(self, rows: npt.NDArray[np.bool_]) -> Chunk:
        """The rows for which the mask is true."""
        if rows.all():
            return self
        moved = {int(old): new for new, old in enumerate(np.flatnonzero(rows))}
        mask = pa.array(rows)
        return Chunk(
            position=self.position[rows],
            fields={name: column.filter(mask) for name, column in self.fields.items()},
            geometry=None if self.geometry is None else self.geometry[rows],
            broken={moved[i]: text for i, text in self.broken.items() if i in moved},
            unread={moved[i]: text for i, text in self.unread.items() if i in moved},
            original={moved[i]: cells for i, cells in self.original.items() if i in moved},
            wkb=None if self.wkb is None else self.wkb.filter(mask),
        )


@dataclass
class Source:
    """An opened source.

    Attributes:
        driver: Format, as a GDAL driver name or ours.
        fields: Names of its fields, in order.
        chunks: Function that starts reading; it may be called once.
        crs: What the source states, or None.
        has_geometry: Whether its rows have geometries, so that it needs a CRS.
        encoding: Encoding of its texts, when that is a question.
        any_field: Whether fields are free tags, so that no name can be wrong.
        lonlat_table: Whether coordinates come from columns that somebody may have swapped.
        raw_names: Names of the fields as the bytes in the file, for formats that cut them (`ingest.names`).
        facts: Other facts for the summary.
        split: Whether the reader gives the rows of the plan's part only; others leave the whole source to part 0.
    """

    driver: str
    fields: tuple[str, ...]
    chunks: Callable[[], Iterator[Chunk]]
    crs: pyproj.CRS | None = None
    has_geometry: bool = True
    encoding: str | None = None
    any_field: bool = False
    lonlat_table: bool = False
    raw_names: tuple[bytes, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    split: bool = False


@dataclass(frozen=True)
class Request:
    """What a reader is asked to open.

    Attributes:
        file: The file, in the private directory of the child.
        plan: Layer, mapping and limits; its `source` gives the name that people know the file by.
        scratch: Directory to unpack into.
        notes: Where findings go.
    """

    file: Path
    plan: IngestPlan
    scratch: Path
    notes: Notes

    @property
    def name(self) -> str:
        """File name for sentences: the one people know, not that of an unpacked member."""
        return self.plan.source.name


def decoded(raw: npt.NDArray[np.object_], decode: Callable[..., Any]) -> Geometries:
    """Geometries of WKB or WKT values; None where there is none or it cannot be read.

    Args:
        raw: Bytes or text, or None.
        decode: `shapely.from_wkb` or `shapely.from_wkt`.
    """
    try:
        found: Geometries = decode(raw, on_invalid="ignore")
    except NotImplementedError:
        # One circular arc makes the decoder give up on the whole array: find out which values it reads.
        found = np.full(len(raw), None, dtype=object)
        for i, value in enumerate(raw):
            with contextlib.suppress(NotImplementedError):
                found[i] = decode(value, on_invalid="ignore")
    return found
