"""The log of repairs: a file of the confined reader's private directory, read by the loader as untrusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from ingest.checks.measure import areas, surfaces
from ingest.readers.source import Geometries, Positions
from layers.errors import SourceUnreadable

LOG = "repairs.arrow"
SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("before", pa.binary(), nullable=False),
        pa.field("after", pa.binary(), nullable=False),
        pa.field("area_change", pa.float64()),
    ]
)
_RULES = frozenset({"valid-geometry"})


class RepairLog:
    """Writes what was repaired; the file exists from the first repair on."""

    def __init__(self, directory: Path) -> None:
        """Write into a directory."""
        self._path = directory / LOG
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, position: Positions, before: Geometries, after: Geometries) -> npt.NDArray[np.float64]:
        """Log repaired geometries (x=longitude, y=latitude).

        Returns:
            Change of the area in square metres, NaN where it cannot be told (no surface, or beyond reasonable size).
        """
        change = np.full(len(before), np.nan)
        solid = surfaces(after)
        change[solid] = areas(after[solid]) - areas(before[solid])
        columns = [
            pa.array(position, pa.int64()),
            pa.array(["valid-geometry"] * len(position), pa.string()),
            pa.array(_wkb(before), pa.binary()),
            pa.array(_wkb(after), pa.binary()),
            pa.array(change, pa.float64(), from_pandas=True),
        ]
        if self._writer is None:
            self._writer = pa.ipc.new_stream(str(self._path), SCHEMA)
        self._writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
        return change

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.close()


def _wkb(geometries: Geometries) -> npt.NDArray[np.object_]:
    return np.asarray(shapely.to_wkb(geometries, output_dimension=2, byte_order=1, flavor="iso"), dtype=object)


def read_log(directory: Path) -> Iterator[pa.RecordBatch]:
    """The repairs that a confined reader logged, batch by batch; nothing when it logged none.

    Raises:
        SourceUnreadable: When the file is not what was agreed.
    """
    for batch in read_untrusted(directory / LOG, SCHEMA):
        rules = set(batch.column("rule").to_pylist())
        if not rules <= _RULES:
            raise SourceUnreadable("The confined reader logged repairs by unknown rules.")
        yield batch


def read_untrusted(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches of an Arrow file that a confined reader wrote: no link is followed, the columns must be those agreed.

    Raises:
        SourceUnreadable: When the file is a link, is damaged, or has other columns or missing values.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError:
        raise SourceUnreadable(f"The confined reader left no ordinary file {path.name}.") from None
    try:
        with os.fdopen(number, "rb") as handle, pa.ipc.open_stream(handle) as reader:
            if not reader.schema.equals(schema):
                raise SourceUnreadable(f"The confined reader wrote other columns into {path.name} than were agreed.")
            for batch in reader:
                batch.validate(full=True)
                if any(batch.column(f.name).null_count for f in schema if not f.nullable):
                    raise SourceUnreadable(f"The confined reader left values of {path.name} empty.")
                yield batch
    except (pa.ArrowException, OSError):
        raise SourceUnreadable(f"The file {path.name} of the confined reader is damaged.") from None
