"""Evidence for rules about rows together: files that grow while rows stream, read again when the last row is in.

Memory does not grow with the source. A source that is read in parts leaves one folder of evidence per part;
`Evidence` reads them as one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.checks.curves import Geometries
from ingest.checks.geometry import Edges, digests, edges, text_hashes
from ingest.checks.tell import open_rows
from ingest.keys import can_write_key, key_column
from ingest.wire import GEOMETRY, POSITION, REASON
from layers import checks
from layers.model import RowLayer, VectorLayer

FOLDER = "evidence"
BUCKETS = 16
_SHIFT = np.uint64(60)
_BLOCK = 65_536
ROW = np.dtype(
    [
        ("position", "<i8"),
        ("start", "<i8"),
        ("size", "<i8"),
        ("box", "<f8", (4,)),
        ("open", "?"),
        ("digest", "<u8", 2),
        ("key", "<u8"),
    ]
)
EDGE = np.dtype([("hash", "<u8"), ("row", "<u4"), ("sign", "i1")])
END = np.dtype([("row", "<u4"), ("at", "<f8", 2)])
Rows = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


def needs_evidence(layer: RowLayer) -> bool:
    """Whether the layer declares a rule about rows together."""
    return isinstance(layer, VectorLayer) and any(isinstance(rule, checks.SetRule) for rule in layer.rules())


class Collector:
    """Writes the evidence of one source, or of one part of it."""

    def __init__(self, layer: VectorLayer, directory: Path) -> None:
        """Write into the folder `evidence` of a directory."""
        rules = [rule for rule in layer.rules() if isinstance(rule, checks.SetRule)]
        self._layer = layer
        self._coverage = any(isinstance(r, checks.CoverageOverlap | checks.CoverageGap) for r in rules)
        self._network = any(isinstance(r, checks.Dangle | checks.Unconnected) for r in rules)
        self._tie = next(((r.parent, r.key) for r in rules if isinstance(r, checks.Nests)), None)
        self._folder = directory / FOLDER
        self._folder.mkdir()
        self._count = self._written = 0
        self._open = {name: (self._folder / name).open("wb") for name in ("rows", "shapes", "ends", *_edge_files())}
        self._ties: pa.ipc.RecordBatchStreamWriter | None = None

    def add(self, batch: pa.RecordBatch, geometries: Geometries | None = None) -> None:
        """Keep what is needed of the good rows of a batch that have a geometry.

        Args:
            batch: Good and bad rows.
            geometries: Their geometries; decoded from the batch when they are not given.
        """
        wanted = pc.and_(batch.column(REASON).is_null(), batch.column(GEOMETRY).is_valid())
        mask = np.asarray(wanted.to_numpy(zero_copy_only=False), dtype=bool)
        chosen = batch if mask.all() else batch.filter(wanted)
        if not chosen.num_rows:
            return
        if geometries is None:
            geometries = shapely.from_wkb(chosen.column(GEOMETRY).to_numpy(zero_copy_only=False))
        else:
            geometries = geometries[mask]
        outline = edges(geometries)
        self._shelve(chosen, geometries, outline)
        if self._coverage:
            self._write_edges(outline)
        if self._network:
            self._open["ends"].write(self._ends(geometries).tobytes())
        if self._tie is not None:
            self._write_ties(chosen, *self._tie)
        self._count += chosen.num_rows

    def close(self) -> None:
        """Complete the files."""
        for handle in self._open.values():
            handle.close()
        if self._ties is not None:
            self._ties.close()

    def _shelve(self, batch: pa.RecordBatch, geometries: Geometries, outline: Edges) -> None:
        column = batch.column(GEOMETRY)
        sizes = pc.binary_length(column).to_numpy().astype(np.int64)
        records = np.zeros(batch.num_rows, dtype=ROW)
        records["position"] = batch.column(POSITION).to_numpy()
        records["start"] = self._written + np.cumsum(sizes) - sizes
        records["size"] = sizes
        records["box"] = shapely.bounds(geometries)
        records["open"] = open_rows(self._layer, _columns(batch, self._layer), batch.num_rows)
        records["digest"] = digests(geometries, outline)
        records["key"] = _key_hashes(self._layer, batch)
        self._open["shapes"].write(_payload(column))
        self._written += int(sizes.sum())
        self._open["rows"].write(records.tobytes())

    def _write_edges(self, outline: Edges) -> None:
        """Write the edges that find no counterpart within the batch, in buckets by hash."""
        order = np.argsort(outline.hash)
        marks, signs = outline.hash[order], outline.sign[order]
        first = np.flatnonzero(np.concatenate([[True], marks[1:] != marks[:-1]]))
        length = np.diff(np.append(first, len(marks)))
        pairs = first[(length == 2) & (signs[first] != signs[np.minimum(first + 1, len(marks) - 1)])]  # noqa: PLR2004
        alone = np.ones(len(marks), dtype=bool)
        alone[pairs] = alone[pairs + 1] = False
        left = order[alone]
        records = np.zeros(len(left), dtype=EDGE)
        records["hash"], records["sign"] = outline.hash[left], outline.sign[left]
        records["row"] = self._count + outline.owner[left]
        limits = np.searchsorted(records["hash"] >> _SHIFT, np.arange(BUCKETS + 1, dtype=np.uint64))
        for bucket, name in enumerate(_edge_files()):
            self._open[name].write(records[limits[bucket] : limits[bucket + 1]].tobytes())

    def _ends(self, geometries: Geometries) -> Records:
        """First and last vertices of open lines."""
        lines, owner = shapely.get_parts(geometries, return_index=True)
        chosen = (shapely.get_dimensions(lines) == 1) & ~shapely.is_closed(lines)
        lines, owner = lines[chosen], owner[chosen]
        found = np.zeros(2 * len(lines), dtype=END)
        found["row"] = self._count + np.tile(owner, 2)
        both = [shapely.get_point(lines, 0), shapely.get_point(lines, -1)]
        found["at"] = shapely.get_coordinates(np.concatenate(both)) + 0.0
        return found

    def _write_ties(self, batch: pa.RecordBatch, parent: str, key: str) -> None:
        texts = [pc.cast(batch.column(name), pa.string()) for name in (parent, key)]
        tied = pa.record_batch(texts, names=["parent", "key"])
        if self._ties is None:
            self._ties = pa.ipc.new_stream(str(self._folder / "ties"), tied.schema)
        self._ties.write_batch(tied)


def _payload(column: pa.Array) -> memoryview:
    """The bytes of all values of a binary column, one after the other, as they lie in memory."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    first, last = offsets[column.offset], offsets[column.offset + len(column)]
    return memoryview(column.buffers()[2])[first:last]


def _edge_files() -> list[str]:
    return [f"edges{bucket:02}" for bucket in range(BUCKETS)]


def _key_hashes(layer: VectorLayer, batch: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Hashes of the public keys, never 0; 0 for rows of a layer whose key is not written here."""
    if not can_write_key(layer):
        return np.zeros(batch.num_rows, dtype=np.uint64)
    return np.maximum(text_hashes(key_column(layer, pa.Table.from_batches([batch]))), np.uint64(1))


def _columns(batch: pa.RecordBatch, layer: RowLayer) -> dict[str, pa.Array]:
    return {name: batch.column(name) for name in (layer.row_clearance,) if name is not None}


class Evidence:
    """The evidence of all parts of a source. Rows are numbered through all parts, from 0."""

    def __init__(self, directories: Sequence[Path]) -> None:
        """Open what collectors left in these directories."""
        self._folders = [directory / FOLDER for directory in directories]
        counts = [(folder / "rows").stat().st_size // ROW.itemsize for folder in self._folders]
        self._offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._offsets[-1])

    def blocks(self) -> Iterator[tuple[int, Records]]:
        """All rows in blocks, each with the number of its first row."""
        for part, folder in enumerate(self._folders):
            first, last = self._offsets[part : part + 2]
            for start in range(int(first), int(last), _BLOCK):
                count = min(_BLOCK, int(last) - start)
                yield start, _read(folder / "rows", ROW, start - int(first), count)

    def repeats(self) -> npt.NDArray[np.bool_]:
        """Rows whose key stands in an earlier row. The comparison keeps one row of a key, so they overlap nothing."""
        keys = np.concatenate([np.zeros(0, dtype=np.uint64), *(records["key"] for _, records in self.blocks())])
        order = np.argsort(keys, kind="stable")
        again = np.zeros(len(keys), dtype=np.bool_)
        again[order[1:]] = (keys[order[1:]] == keys[order[:-1]]) & (keys[order[1:]] != 0)
        return again

    def records(self, rows: Rows) -> Records:
        """What is known of some rows, in their order."""
        found = np.zeros(len(rows), dtype=ROW)
        blocks = rows // _BLOCK
        for block in np.unique(blocks):
            chosen = blocks == block
            found[chosen] = self._span(rows[chosen])
        return found

    def geometries(self, rows: Rows) -> Geometries:
        """Geometries of some rows, in their order."""
        raw = np.full(len(rows), None, dtype=object)
        records = self.records(rows)
        parts = np.searchsorted(self._offsets, rows, side="right") - 1
        for part in np.unique(parts):
            number = os.open(self._folders[part] / "shapes", os.O_RDONLY)
            try:
                for i in np.flatnonzero(parts == part):
                    raw[i] = os.pread(number, int(records["size"][i]), int(records["start"][i]))
            finally:
                os.close(number)
        return np.asarray(shapely.from_wkb(raw), dtype=object)

    def edges(self, bucket: int) -> Records:
        """Edges of a bucket that found no counterpart in their batch."""
        return self._joined(_edge_files()[bucket], EDGE)

    def ends(self) -> Records:
        """Ends of open lines."""
        return self._joined("ends", END)

    def ties(self) -> pa.Table:
        """Values that tie rows together: one row per row, with the columns `parent` and `key`."""
        tables = []
        for folder in self._folders:
            if (folder / "ties").exists():
                with pa.ipc.open_stream(str(folder / "ties")) as reader:
                    tables.append(reader.read_all())
        return pa.concat_tables(tables) if tables else pa.table({"parent": pa.array([], pa.string())})

    def _joined(self, name: str, dtype: np.dtype[np.void]) -> Records:
        found = [_read(folder / name, dtype) for folder in self._folders]
        for part, records in enumerate(found):
            records["row"] += np.uint32(self._offsets[part])
        return np.concatenate(found)

    def _span(self, rows: Rows) -> Records:
        """Records of rows that stand near each other, read in one go per part."""
        found = np.zeros(len(rows), dtype=ROW)
        parts = np.searchsorted(self._offsets, rows, side="right") - 1
        for part in np.unique(parts):
            local = rows[parts == part] - self._offsets[part]
            low, high = int(local.min()), int(local.max())
            span = _read(self._folders[part] / "rows", ROW, low, high - low + 1)
            found[parts == part] = span[local - low]
        return found


def _read(path: Path, dtype: np.dtype[np.void], start: int = 0, count: int = -1) -> Records:
    return np.fromfile(path, dtype=dtype, count=count, offset=start * dtype.itemsize)
