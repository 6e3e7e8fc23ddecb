"""Points of a table joined to lines, such as the fixes of a storm to its track."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from ingest.casting import as_text
from ingest.notes import Notes
from ingest.readers.antimeridian import cut_line
from ingest.readers.source import Chunk, Positions
from ingest.rows import Rows
from layers.sources import Assemble


class Assembler:
    """Gathers points and gives one row per line."""

    def __init__(self, rule: Assemble, names: tuple[str, ...], tolerate: tuple[str, ...], notes: Notes) -> None:
        """Assemble by a rule; `names` are the attributes of the layer."""
        self._rule = rule
        self._names = names
        self._tolerate = tolerate
        self._notes = notes
        self._points: list[pa.Table] = []

    def add(self, rows: Rows) -> None:
        """Refuse rows that belong to no line, and keep the good ones for later."""
        if rows.geometry is None:
            rows.refuse_all(range(len(rows)), "The row has no point to make a line of.")
            return
        points = shapely.get_type_id(rows.geometry) == shapely.GeometryType.POINT
        rows.refuse_all(np.flatnonzero(~points), "The row has no point to make a line of.")
        for name in (self._rule.by, self._rule.order):
            empty = rows.columns[name].is_null().to_numpy(zero_copy_only=False)
            rows.refuse_all(np.flatnonzero(empty), f"Attribute {name!r} is empty, but points are joined by it.")
        good = rows.good
        xy = shapely.get_coordinates(rows.geometry[good])
        table = pa.table({n: rows.columns[n].filter(pa.array(good)) for n in self._names})
        self._points.append(
            table.append_column("$x", pa.array(xy[:, 0]))
            .append_column("$y", pa.array(xy[:, 1]))
            .append_column("$position", pa.array(rows.position[good]))
        )

    def lines(self) -> tuple[Rows, Chunk] | None:
        """One row per line, in the order of `by`, and its raw form; None when there was no point."""
        points = pa.concat_tables(self._points) if self._points else None
        if points is None or not points.num_rows:
            return None
        rule = self._rule
        points = points.sort_by([(rule.by, "ascending"), (rule.order, "ascending"), ("$position", "ascending")])
        takes = {n: rule.take.get(n, "first") for n in self._names if n != rule.by}
        grouped = points.group_by(rule.by, use_threads=False).aggregate([*takes.items(), ("$position", "min")])
        counts = points.group_by(rule.by, use_threads=False).aggregate([("$x", "count")])["$x_count"].to_numpy()
        position: Positions = grouped["$position_min"].to_numpy().astype(np.int64)
        rows = Rows(position, self._geometries(points, counts), self._tolerate, self._notes)
        rows.columns[rule.by] = grouped[rule.by].combine_chunks()
        for name, take in takes.items():
            rows.columns[name] = grouped[f"{name}_{take}"].combine_chunks()
        rows.refuse_all(np.flatnonzero(counts == 1), "The line has only one point.")
        self._notes.add("assembled", "info", "Points were joined to lines.", count=points.num_rows)
        fields = {rule.by: as_text(rows.columns[rule.by]), "$points": pc.cast(pa.array(counts), pa.int64())}
        return rows, Chunk(position, fields, rows.geometry)

    def _geometries(self, points: pa.Table, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        xs, ys = points["$x"].to_numpy(), points["$y"].to_numpy()
        ends = np.cumsum(counts)
        found = np.full(len(counts), None, dtype=object)
        for i, (end, count) in enumerate(zip(ends, counts, strict=True)):
            if count > 1:
                found[i] = cut_line(xs[end - count : end], ys[end - count : end])
        return found
