"""Sources with planted faults of known truth, and a way to judge them in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from ingest.checks import verdict
from ingest.checks.evidence import Collector
from ingest.checks.settle import settle
from ingest.job import Finding
from ingest.notes import Notes
from ingest.wire import batch_schema
from layers.model import Layer, VectorLayer
from tests.ingest.reading import vector

STEP = 0.001


@dataclass(frozen=True)
class Judged:
    """What the rules about rows together found."""

    findings: tuple[Finding, ...]
    kept_out: dict[int, str]

    def of(self, rule: str) -> Finding | None:
        """The finding of a rule."""
        return next((f for f in self.findings if f.rule == rule), None)


def layer_with(*rules: dict[str, Any], geometry: str = "polygon", **attributes: str) -> VectorLayer:
    """A layer with these checks."""
    found: Layer = vector(geometry, dict(attributes), checks=list(rules))
    assert isinstance(found, VectorLayer)
    return found


def batches_of(
    layer: VectorLayer, geometries: Sequence[shapely.Geometry], size: int = 1000, **columns: Sequence[Any]
) -> list[pa.RecordBatch]:
    """Good rows as the pipeline delivers them."""
    schema = batch_schema(layer)
    table = {
        **columns,
        "geom": shapely.to_wkb(np.array(geometries, dtype=object), flavor="iso"),
        "_position": np.arange(len(geometries)),
    }
    filled = [pa.array(table.get(f.name, [None] * len(geometries)), f.type) for f in schema]
    return pa.Table.from_arrays(filled, schema=schema).to_batches(max_chunksize=size)


def judge(
    layer: VectorLayer, geometries: Sequence[shapely.Geometry], parts: int = 1, size: int = 1000, **columns: Any
) -> Judged:
    """Collect the evidence of rows in one or several parts, and settle."""
    batches = batches_of(layer, geometries, size, **columns)
    with tempfile.TemporaryDirectory() as folder:
        directories = []
        for part in range(parts):
            directory = Path(folder, f"part{part}")
            directory.mkdir()
            collector = Collector(layer, directory)
            for batch in batches[len(batches) * part // parts : len(batches) * (part + 1) // parts]:
                collector.add(batch)
            collector.close()
            directories.append(directory)
        notes = Notes()
        late = settle(layer, directories, Path(folder), notes)
        kept: dict[int, str] = {}
        for found in verdict.read(Path(folder)):
            kept |= dict(zip(found["position"].to_pylist(), found["reason"].to_pylist(), strict=True))
        assert late == len(kept)
        return Judged(notes.findings(), kept)


def mesh(columns: int, rows: int, seed: int = 0) -> list[shapely.Geometry]:
    """A coverage of quadrilaterals with jittered common corners, row by row from the south-west (105 E, 38 N)."""
    chance = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1))
    grid = np.stack([x, y], axis=-1) + chance.uniform(-0.25, 0.25, (rows + 1, columns + 1, 2))
    grid = grid * STEP + [105, 38]
    return [
        shapely.Polygon([grid[j, i], grid[j, i + 1], grid[j + 1, i + 1], grid[j + 1, i]])
        for j in range(rows)
        for i in range(columns)
    ]
