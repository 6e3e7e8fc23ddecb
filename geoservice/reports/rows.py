"""The GeoPackage of a report: classes of the zone, listed features, settlements, and all figures as a table."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import shapely

from geoservice.reports.flat import NAMES, NUMBERS, features_of, figures_of
from geoservice.reports.manifest import Json, Manifest
from layers.crs import STORAGE_SRID

_GEOMETRY = "geom"
_LABELS = {"label_zh": pa.string(), "label_en": pa.string()}
_PLACES = {"lon": pa.float64(), "lat": pa.float64()}


def write_rows(manifest: Manifest, answer: Json, zone: Sequence[Json], file: Path) -> None:
    """Write a GeoPackage; coordinates are EPSG:4490, x = longitude, y = latitude.

    Args:
        manifest: What the report says of itself.
        answer: The answer.
        zone: Classes of the zone: `estimate` (best, low, high, looked), `rank`, `code`, `label_zh`, `label_en`, `wkb`.
        file: Where to; it does not exist yet.
    """
    _write(file, "zone", [{**one, _GEOMETRY: one["wkb"]} for one in zone], _ZONE, spatial=True)
    listed = [_feature(layer, one) for layer, one in features_of(answer)]
    if listed:
        _write(file, "feature", listed, _FEATURE, spatial=True)
    settlements = [_settlement(one) for one in (answer.get("ways") or {}).get("settlements", ())]
    if settlements:
        _write(file, "settlement", settlements, _SETTLEMENT, spatial=True)
    _write(file, "figure", list(figures_of(answer, manifest.kind)), _FIGURE)
    if answer.get("rules"):
        _write(file, "rule", [_rule(one) for one in answer["rules"]], _RULE)
    told = manifest.model_dump(mode="json", exclude={"files"})
    about = [{"name": name, "value": _said(value)} for name, value in told.items()]
    _write(file, "report", about, {"name": pa.string(), "value": pa.string()})


_ZONE = {"estimate": pa.string(), "rank": pa.int64(), "code": pa.string(), **_LABELS}
_FEATURE = {"layer": pa.string(), "id": pa.string(), **_LABELS, "attributes": pa.string()}
_SETTLEMENT = {
    "id": pa.string(), **_LABELS, "people": pa.float64(), "situation": pa.string(), "nearest": pa.string(),
    "minutes": pa.float64(), "minutes_before": pa.float64(),
}  # fmt: skip
_FIGURE = {name: pa.float64() if name in NUMBERS else pa.string() for name in NAMES}
_RULE = {
    "id": pa.string(), "title_zh": pa.string(), "title_en": pa.string(), "verdict": pa.string(), "m2": pa.float64(),
    "text_zh": pa.string(), "text_en": pa.string(), "source": pa.string(),
}  # fmt: skip


def _write(
    file: Path, name: str, rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, pa.DataType], *, spatial: bool = False
) -> None:
    fields = [*kinds.items(), *([(_GEOMETRY, pa.binary())] if spatial else [])]
    schema = pa.schema(fields)
    batch = pa.RecordBatch.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema)
    importlib.import_module("pyogrio").write_arrow(
        pa.RecordBatchReader.from_batches(schema, [batch]),
        file,
        layer=name,
        driver="GPKG",
        geometry_name=_GEOMETRY if spatial else None,
        geometry_type="Unknown" if spatial else None,
        crs=f"EPSG:{STORAGE_SRID}" if spatial else None,
        append=file.exists(),
        layer_options={"FID": "fid"},
    )


def _feature(layer: str, one: Json) -> Json:
    attributes = json.dumps(one.get("attributes", {}), ensure_ascii=False)
    return {"layer": layer, "id": one["id"], **_label(one), "attributes": attributes, _GEOMETRY: _point(one)}


def _settlement(one: Json) -> Json:
    return {**one, **_label(one), _GEOMETRY: _point(one)}


def _rule(one: Json) -> Json:
    words = {f"{name}_{lang}": one[name][lang] for name in ("title", "text") for lang in ("zh", "en")}
    return {**one, **words, "m2": (one.get("area") or {}).get("m2")}


def _label(one: Json) -> Json:
    return {"label_zh": one["label"]["zh"], "label_en": one["label"]["en"]}


def _point(one: Json) -> bytes:
    made: bytes = shapely.to_wkb(shapely.Point(one["lon"], one["lat"]))
    return made


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
