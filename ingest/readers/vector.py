"""Vector files through GDAL (GeoPackage, Shapefile, GeoJSON, KML, GML), as a stream of Arrow batches.

GDAL has only the allowed drivers in this process (`ingest.drivers`), and the driver that opened the file must be
the one that its first bytes announced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from ingest.drivers import strangers
from ingest.readers.dbf import encoding_of
from ingest.readers.source import Chunk, Geometries, Request, Source, decoded
from layers.crs import parse_crs
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable

_DRIVERS = {
    "gpkg": ("GPKG",),
    "shp": ("ESRI Shapefile",),
    "geojson": ("GeoJSON", "GeoJSONSeq"),
    "kml": ("LIBKML", "KML"),
    "gml": ("GML",),
}
_OPTIONS: dict[str, dict[str, str]] = {
    "geojson": {"DATE_AS_STRING": "YES"},
    "gml": {"DOWNLOAD_SCHEMA": "NO", "READ_MODE": "STANDARD"},
}


@dataclass(frozen=True)
class _Opening:
    kind: str
    encoding: str | None


_ALL_LAYERS = frozenset({"kml"})
_GDAL_ERRORS = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError, pa.ArrowInvalid, OSError)
_STYLE_LAYERS = frozenset({"layer_styles", "qgis_projects"})


def open_vector(request: Request, kind: str) -> Source:
    """Open a vector file.

    Raises:
        SourceUnreadable: When GDAL cannot read it as what it claims to be.
        SourceMismatch: When it has several layers and the mapping names none of them.
    """
    _assert_allow_list()
    encoding = encoding_of(request.file, request.plan.mapping.encoding, request.name) if kind == "shp" else None
    with _gdal_errors(request):
        layers = _layers(request, kind)
        info = pyogrio.read_info(request.file, layer=layers[0], encoding=encoding)
    if info["driver"] not in _DRIVERS[kind]:
        raise SourceUnreadable(f"{request.name} was opened as {info['driver']}, not as what its bytes announce.")
    return Source(
        driver=info["driver"],
        fields=tuple(str(f) for f in info["fields"]),
        chunks=lambda: _chunks(request, _Opening(kind, encoding), layers),
        crs=_crs(info["crs"]),
        has_geometry=info["geometry_type"] is not None,
        encoding=encoding,
        facts={"geometry_type": info["geometry_type"], "layer": info["layer_name"]},
    )


def _assert_allow_list() -> None:
    left = strangers()
    if left:
        raise SourceUnreadable(f"GDAL has drivers that are not on the allow-list ({left[0]}); nothing is read.")


@contextlib.contextmanager
def _gdal_errors(request: Request) -> Iterator[None]:
    try:
        yield
    except _GDAL_ERRORS as error:
        text = str(error).replace(str(request.file), request.name).replace(str(request.scratch), "")
        raise SourceUnreadable(
            f"{request.name} cannot be read: {text[:300].rstrip('. ')}.", source=request.name
        ) from error


def _layers(request: Request, kind: str) -> list[str]:
    found = [str(name) for name, _ in pyogrio.list_layers(request.file)]
    usable = [name for name in found if name not in _STYLE_LAYERS]
    wanted = request.plan.mapping.sublayer
    if wanted is not None:
        if wanted not in found:
            raise SourceMismatch(f"{request.name} has no layer {wanted!r}; it has {', '.join(found) or 'none'}.")
        return [wanted]
    if not usable:
        raise SourceUnreadable(f"{request.name} contains no layer.", source=request.name)
    if len(usable) > 1 and kind not in _ALL_LAYERS:
        raise SourceMismatch(
            f"{request.name} has the layers {', '.join(usable)}; the mapping must name one as sublayer.", layers=usable
        )
    return usable


def _crs(text: str | None) -> pyproj.CRS | None:
    if not text or "Undefined" in text.split(",", 1)[0]:
        return None
    crs = parse_crs(text)
    return None if crs.is_engineering else crs


def _chunks(request: Request, opening: _Opening, layers: list[str]) -> Iterator[Chunk]:
    start = 0
    for layer in layers:
        for chunk in _layer_chunks(request, opening, layer, start):
            start += len(chunk)
            yield chunk


def _layer_chunks(request: Request, opening: _Opening, layer: str, start: int) -> Iterator[Chunk]:
    with (
        _gdal_errors(request),
        pyogrio.open_arrow(
            request.file,
            layer=layer,
            batch_size=request.plan.limits.batch_rows,
            use_pyarrow=True,
            return_fids=True,
            datetime_as_string=True,
            encoding=opening.encoding,
            **_OPTIONS.get(opening.kind, {}),
        ) as (meta, reader),
    ):
        geometry = meta["geometry_name"] or ("wkb_geometry" if meta["geometry_type"] is not None else None)
        fid = meta["fid_column"] or "OGC_FID"
        for batch in reader:
            yield _chunk(batch, geometry, fid, start)
            start += batch.num_rows


def _chunk(batch: pa.RecordBatch, geometry: str | None, fid: str, start: int) -> Chunk:
    names = batch.schema.names
    fields = {n: batch.column(n) for n in names if n not in (geometry, fid)}
    if fid in names:
        fields["$fid"] = batch.column(fid)
    chunk = Chunk(np.arange(start, start + batch.num_rows, dtype=np.int64), fields)
    if geometry is not None and geometry in names:
        chunk.wkb = batch.column(geometry)
        chunk.geometry, chunk.unread = read_wkb(chunk.wkb)
        chunk.broken = dict.fromkeys(
            chunk.unread, "The geometry cannot be read: its binary form is damaged, or it has circular arcs."
        )
    return chunk


def read_wkb(column: pa.Array) -> tuple[Geometries, dict[int, str]]:
    """Geometries of a column of WKB, and the hexadecimal text of those that cannot be read, by row."""
    raw = column.to_numpy(zero_copy_only=False)
    geometries = decoded(raw, shapely.from_wkb)
    lost = np.flatnonzero(shapely.is_missing(geometries) & np.array([v is not None for v in raw], dtype=bool))
    return geometries, {int(i): bytes(raw[i]).hex() for i in lost}


def refuse_missing_crs(request: Request) -> CrsRefused:
    """The error for a source that states no CRS while the mapping assumes none."""
    return CrsRefused(
        f"{request.name} states no coordinate reference system; name one with `crs: EPSG:...`, or the datum of "
        f"Gauss-Krueger coordinates with `datum: ...`, in the source mapping {request.plan.mapping_name!r} of layer "
        f"{request.plan.layer.id}.",
        source=request.name,
    )
