"""What goes over the pipes between the loader and the confined reader: plan, batches, summary, errors.

The parent trusts nothing that comes back: error names are looked up in a fixed list, texts are cut, the
summary is validated, and batches must have exactly the agreed schema.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from ingest.job import IngestPlan, LoadOptions, Part, ReadLimits, Replay
from layers.boundary import BoundaryTemplate
from layers.codelist import Code, CodeList
from layers.errors import CrsRefused, GeoError, SourceError, SourceMismatch, SourceMissing, SourceUnreadable
from layers.model import Layer, RasterLayer, VectorLayer
from layers.sources import SourceMapping
from layers.transformation import TRANSFORMATION

GEOMETRY, POSITION, REASON, RAW = "geom", "_position", "_reason", "_raw"
MAX_SENTENCE = 2000
_LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)
_ERRORS: dict[str, type[GeoError]] = {
    e.__name__: e for e in (CrsRefused, SourceError, SourceMissing, SourceUnreadable, SourceMismatch)
}
_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


def arrow_type(attribute_type: str) -> pa.DataType:
    """The Arrow type in which values of an attribute type travel; times are microseconds in UTC."""
    return _TYPES[attribute_type]


def batch_schema(layer: Layer) -> pa.Schema:
    """Columns of a batch of rows for a layer.

    The attributes in the order of the definition; for vector layers `geom` (ISO WKB, two dimensions, EPSG:4490
    as x=longitude, y=latitude, or null); `_position` (number of the feature in the source, from 0); `_reason`
    (null for a good row, else a sentence); `_raw` (the source row as JSON, on bad rows only).

    Raises:
        SourceMismatch: For a raster layer, which has no rows.
    """
    if isinstance(layer, RasterLayer):
        raise SourceMismatch(f"Layer {layer.id} is a raster; rows cannot be read into it.", layer=layer.id)
    columns = [pa.field(name, arrow_type(a.type)) for name, a in layer.attributes.items()]
    if isinstance(layer, VectorLayer):
        columns.append(pa.field(GEOMETRY, pa.binary()))
    columns += [pa.field(POSITION, pa.int64()), pa.field(REASON, pa.string()), pa.field(RAW, pa.string())]
    return pa.schema(columns)


def plan_to_json(plan: IngestPlan) -> dict[str, Any]:
    """A plan as plain JSON values."""
    return {
        "layer": _LAYER.dump_python(plan.layer, mode="json", by_alias=True),
        "source": str(plan.source),
        "mapping_name": plan.mapping_name,
        "mapping": plan.mapping.model_dump(mode="json", by_alias=True),
        "codelists": {i: [dataclasses.asdict(c) for c in li.codes.values()] for i, li in plan.codelists.items()},
        "limits": dataclasses.asdict(plan.limits),
        "options": dataclasses.asdict(plan.options),
        "transformations": {n: t.model_dump(mode="json", by_alias=True) for n, t in plan.transformations.items()},
        "templates": {name: t.model_dump(mode="json") for name, t in plan.templates.items()},
        "replay": None if plan.replay is None else dataclasses.asdict(plan.replay),
        "part": dataclasses.asdict(plan.part) if plan.part is not None else None,
    }


def plan_from_json(data: dict[str, Any]) -> IngestPlan:
    """The plan that `plan_to_json` wrote."""
    layer = _LAYER.validate_python(data["layer"])
    lists = {i: CodeList(i, {c["code"]: Code(**c) for c in codes}) for i, codes in data["codelists"].items()}
    mapping = SourceMapping.model_validate(data["mapping"])
    limits, options = ReadLimits(**data["limits"]), LoadOptions(**data["options"])
    templates = {name: BoundaryTemplate.model_validate(t) for name, t in data.get("templates", {}).items()}
    found = IngestPlan(layer, Path(data["source"]), data["mapping_name"], mapping, lists, limits, options, templates)
    registered = {n: TRANSFORMATION.validate_python(t) for n, t in data.get("transformations", {}).items()}
    replay = None if data.get("replay") is None else Replay(**data["replay"])
    part = Part(**data["part"]) if data.get("part") else None
    return dataclasses.replace(found, transformations=registered, replay=replay, part=part)


def error_to_json(error: GeoError) -> dict[str, Any]:
    """A typed error as plain JSON values; an unlisted kind travels as unreadable source."""
    name = type(error).__name__
    return {
        "error": name if name in _ERRORS else "SourceUnreadable",
        "detail": error.detail[:MAX_SENTENCE],
        "facts": {k: _plain(v) for k, v in error.facts.items()},
    }


def error_from_json(data: dict[str, Any]) -> GeoError:
    """The error that a confined reader reported, with nothing in it but a listed type and short texts."""
    kind = _ERRORS.get(str(data.get("error")), SourceUnreadable)
    facts = data.get("facts")
    clean = {str(k)[:64]: _plain(v) for k, v in facts.items()} if isinstance(facts, dict) else {}
    clean.pop("detail", None)
    return kind(str(data.get("detail", ""))[:MAX_SENTENCE], **clean)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value[:100]]
    return str(value)[:MAX_SENTENCE]
