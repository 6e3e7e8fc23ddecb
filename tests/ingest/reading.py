"""Small layers and plans for tests of the reading side, and a way to read a source to the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely
from pydantic import TypeAdapter

from ingest.job import IngestPlan, ReadLimits, ReadSummary
from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.choose import open_source
from ingest.readers.source import Request
from ingest.sandbox import open_rows
from ingest.wire import batch_schema
from layers.codelist import Code, CodeList
from layers.model import Layer
from layers.sources import SourceMapping

_LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)
_BASE: dict[str, Any] = {
    "format": 1,
    "theme": "trial",
    "name": "trial",
    "title": {"zh": "试验", "en": "Trial"},
    "authority": {"kind": "trial"},
    "cycle": "P1Y",
    "licence": {"share": "unconditional", "basis": "trial"},
    "clearance": "public",
}
_STYLES: dict[str, Any] = {"point": {"circle": {"colour": "#ff0000"}}, "line": {"line": {"colour": "#ff0000"}}}
COLOURS = CodeList("colour@1", {c: Code(c, c, c) for c in ("red", "green")})


def vector(geometry: str = "point", attributes: dict[str, Any] | None = None, **more: Any) -> Layer:
    """A vector layer; attributes may be given by their type alone."""
    style = _STYLES.get(geometry, {"fill": "#ff0000"})
    definition = {**_BASE, "kind": "vector", "geometry": geometry, "style": style, **more}
    return _LAYER.validate_python({**definition, "attributes": _attributes(attributes)})


def table(attributes: dict[str, Any], **more: Any) -> Layer:
    """A layer without geometry."""
    return _LAYER.validate_python({**_BASE, "kind": "table", "attributes": _attributes(attributes), **more})


def _attributes(given: dict[str, Any] | None) -> dict[str, Any]:
    return {n: {"type": a} if isinstance(a, str) else a for n, a in (given or {}).items()}


@dataclass(frozen=True)
class Result:
    """All rows of a source, and what the reader said."""

    table: pa.Table
    summary: ReadSummary

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows as dictionaries, with geometries as shapely objects."""
        found: list[dict[str, Any]] = self.table.to_pylist()
        for row in found:
            if row.get("geom") is not None:
                row["geom"] = shapely.from_wkb(row["geom"])
        return found

    @property
    def good(self) -> list[dict[str, Any]]:
        """Rows without a complaint."""
        return [r for r in self.rows if r["_reason"] is None]

    @property
    def bad(self) -> list[dict[str, Any]]:
        """Rows with a complaint."""
        return [r for r in self.rows if r["_reason"] is not None]

    def rules(self) -> set[str]:
        """Rules of the findings."""
        return {f.rule for f in self.summary.findings}


def plan_for(source: Path, layer: Layer, limits: ReadLimits | None = None, **mapping: Any) -> IngestPlan:
    """A plan with a mapping of these entries."""
    found = SourceMapping.model_validate({"match": ["*"], **mapping})
    return IngestPlan(layer, source, "trial", found, {COLOURS.id: COLOURS}, limits or ReadLimits(seconds=120))


def read(source: Path, layer: Layer, limits: ReadLimits | None = None, **mapping: Any) -> Result:
    """Read a source through the confined child."""
    with open_rows(plan_for(source, layer, limits, **mapping)) as stream:
        batches: Iterable[pa.RecordBatch] = list(stream)
        return Result(pa.Table.from_batches(batches, schema=stream.schema), stream.summary)


def read_here(source: Path, layer: Layer, limits: ReadLimits | None = None, **mapping: Any) -> Result:
    """Read a trusted source in this process: only for formats that do not go through GDAL."""
    plan = plan_for(source, layer, limits, **mapping)
    request = Request(source, plan, source.parent, Notes())
    pipeline = Pipeline(request, open_source(request))
    rows = pa.Table.from_batches(list(pipeline.batches()), schema=batch_schema(layer))
    return Result(rows, pipeline.summary())
