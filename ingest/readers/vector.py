"""Vector files through GDAL, as a stream of Arrow batches.

GDAL has only the allowed drivers in this process (`ingest.drivers`), and the driver that opened the file must be
the one that its first bytes announced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pyproj
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from ingest.ahead import ahead
from ingest.drivers import strangers
from ingest.readers.curves import UNREADABLE, straighten
from ingest.readers.drawing import prepare_drawing
from ingest.readers.mapinfo import prepare_mapinfo
from ingest.readers.prepared import Prepared, cleaned, close_lines
from ingest.readers.shapefile import prepare_shapefile
from ingest.readers.source import Chunk, Geometries, Request, Source, decoded
from ingest.readers.window import Window, can_split, window_of
from layers.crs import parse_crs
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable

_DRIVERS = {
    "gpkg": ("GPKG",),
    "shp": ("ESRI Shapefile",),
    "geojson": ("GeoJSON",),
    "kml": ("LIBKML", "KML"),
    "gml": ("GML",),
    "gdb": ("OpenFileGDB",),
    "tab": ("MapInfo File",),
    "mif": ("MapInfo File",),
    "dxf": ("DXF",),
    "gpx": ("GPX",),
    "fgb": ("FlatGeobuf",),
}
KINDS = frozenset(_DRIVERS)
"""Kinds of files, as `sniff` calls them, that are read through GDAL."""


_PREPARE: dict[str, Callable[[Request], Prepared]] = {
    "shp": prepare_shapefile,
    "tab": prepare_mapinfo,
    "mif": prepare_mapinfo,
    "dxf": prepare_drawing,
    # The faster way of GDAL's driver gives wrong lengths after a row without a geometry.
    "fgb": lambda request: Prepared(request.file, config={"OGR_FLATGEOBUF_STREAM_BASE_IMPL": "YES"}),
    "geojson": lambda request: Prepared(request.file, options={"DATE_AS_STRING": "YES"}),
    "gml": lambda request: Prepared(request.file, options={"DOWNLOAD_SCHEMA": "NO", "READ_MODE": "STANDARD"}),
}
_COUNTED = frozenset({"gdb", "mif", "tab", "fgb"})
"""Kinds that announce the number of their rows, so that asking for it costs nothing."""
_ALL_LAYERS = frozenset({"kml"})
_GDAL_ERRORS = (
    DataSourceError,
    DataLayerError,
    FeatureError,
    FieldError,
    GeometryError,
    pa.ArrowInvalid,
    OSError,
    UnicodeDecodeError,
)
_MALFORMED = "database disk image is malformed"
"""What SQLite says of a GeoPackage that lost its end, among other things."""
_UNRECOGNISED = "not recognized as being in a supported file format"
"""GDAL's words when no driver takes a file."""
_UNLIKE = {
    "geojson": "is JSON, but no GeoJSON: an object of the type FeatureCollection or Feature was expected",
    "gml": "is XML, but no GML with features",
    "kml": "is XML, but no KML with placemarks",
}
_STYLE_LAYERS = frozenset({"layer_styles", "qgis_projects"})
_GPX_LAYERS = ("waypoints", "routes", "tracks")


def open_vector(request: Request, kind: str) -> Source:
    """Open a vector file.

    Raises:
        SourceUnreadable: When GDAL cannot read it as what it claims to be.
        SourceMismatch: When it has several layers and the mapping names none of them.
    """
    _assert_allow_list()
    prepared = _PREPARE[kind](request) if kind in _PREPARE else Prepared(request.file)
    pyogrio.set_gdal_config_options(dict(prepared.config))
    with _gdal_errors(request, kind):
        layers = _layers(request, prepared.file, kind)
        counted = kind in _COUNTED
        info = pyogrio.read_info(
            prepared.file, layer=layers[0], encoding=prepared.encoding, force_feature_count=counted
        )
    announced = max(info["features"] if counted else 0, prepared.rows or 0)
    if info["driver"] not in _DRIVERS[kind]:
        raise SourceUnreadable(f"{request.name} was opened as {info['driver']}, not as what its bytes announce.")
    split = can_split(kind, layers, info["features"])
    window = Window()
    if split and request.plan.part is not None:
        place = (layers[0], info["fid_column"] or "fid")
        window = window_of(prepared.file, kind, place, info["features"], request.plan.part)
        announced = window.share(info["features"]) if counted else 0
    return Source(
        driver=info["driver"],
        fields=prepared.names or tuple(str(f) for f in info["fields"]),
        chunks=lambda: _complete(request, _chunks(request, prepared, layers, window), announced),
        crs=_crs(info["crs"]),
        has_geometry=info["geometry_type"] is not None,
        encoding=prepared.found_encoding,
        raw_names=prepared.raw_names,
        facts={"geometry_type": info["geometry_type"], "layer": info["layer_name"]},
        split=split,
    )


def _assert_allow_list() -> None:
    left = strangers()
    if left:
        raise SourceUnreadable(f"GDAL has drivers that are not on the allow-list ({left[0]}); nothing is read.")


@contextlib.contextmanager
def _gdal_errors(request: Request, kind: str = "") -> Iterator[None]:
    try:
        yield
    except _GDAL_ERRORS as error:
        if kind in _UNLIKE and _UNRECOGNISED in str(error):
            raise SourceUnreadable(f"{request.name} {_UNLIKE[kind]}.", source=request.name) from error
        if _MALFORMED in str(error):
            raise SourceUnreadable(
                f"{request.name} is damaged or cut short: its database does not hold together; send the whole file.",
                source=request.name,
            ) from error
        text = str(error).replace(str(request.file), request.name).replace(str(request.scratch), "")
        raise SourceUnreadable(
            f"{request.name} cannot be read: {text[:300].rstrip('. ')}.", source=request.name
        ) from error


def _layers(request: Request, file: Path, kind: str) -> list[str]:
    found = [str(name) for name, _ in pyogrio.list_layers(file)]
    usable = [name for name in found if name not in _STYLE_LAYERS]
    wanted = request.plan.mapping.sublayer
    if wanted is not None:
        if wanted not in found:
            raise SourceMismatch(f"{request.name} has no layer {wanted!r}; it has {', '.join(found) or 'none'}.")
        return [wanted]
    if not usable:
        raise SourceUnreadable(f"{request.name} contains no layer.", source=request.name)
    if kind == "gpx":
        return [_only_filled(request, file, usable)]
    if len(usable) > 1 and kind not in _ALL_LAYERS:
        raise SourceMismatch(
            f"{request.name} has the layers {', '.join(usable)}; the mapping must name one as sublayer.", layers=usable
        )
    return usable


def _only_filled(request: Request, file: Path, layers: list[str]) -> str:
    """The layer of a GPX file that has rows: GDAL shows waypoints, routes, tracks and their points in any case."""
    counts = {name: pyogrio.read_info(file, layer=name, force_feature_count=True)["features"] for name in layers}
    # Points of routes and tracks are another view of the same lines.
    filled = [name for name in _GPX_LAYERS if counts.get(name)]
    if len(filled) > 1:
        raise SourceMismatch(
            f"{request.name} has the layers {', '.join(filled)}; the mapping must name one as sublayer.", layers=filled
        )
    return filled[0] if filled else _GPX_LAYERS[0]


def _crs(text: str | None) -> pyproj.CRS | None:
    if not text or "Undefined" in text.split(",", 1)[0]:
        return None
    crs = parse_crs(text)
    return None if crs.is_engineering else crs


def _complete(request: Request, chunks: Iterator[Chunk], announced: int) -> Iterator[Chunk]:
    """The chunks, which must hold all rows that the file announces: GDAL ends early at damage without a word."""
    count = 0
    for chunk in chunks:
        count += len(chunk)
        yield chunk
    if count < announced:
        raise SourceUnreadable(
            f"{request.name} is damaged or truncated: it announces {announced} rows, but only {count} can be read.",
            source=request.name,
        )


def _chunks(request: Request, prepared: Prepared, layers: list[str], window: Window) -> Iterator[Chunk]:
    start = window.start
    for layer in layers:
        # Reading and decoding leave the interpreter to the checks of the chunk before.
        for chunk in ahead(_layer_chunks(request, prepared, layer, window, start)):
            straighten(chunk, request)
            if prepared.close_lines:
                close_lines(chunk, request.notes)
            start += len(chunk)
            yield chunk


def _layer_chunks(request: Request, prepared: Prepared, layer: str, window: Window, start: int) -> Iterator[Chunk]:
    with (
        _gdal_errors(request),
        pyogrio.open_arrow(
            prepared.file,
            layer=layer,
            batch_size=request.plan.limits.batch_rows,
            use_pyarrow=True,
            return_fids=True,
            datetime_as_string=True,
            encoding=prepared.encoding,
            **prepared.options,
            **window.options,
        ) as (meta, reader),
    ):
        geometry = meta["geometry_name"] or ("wkb_geometry" if meta["geometry_type"] is not None else None)
        fid = meta["fid_column"] or "OGC_FID"
        left = window.rows
        for whole in reader:
            batch = whole if left is None else whole.slice(0, left)
            yield _chunk(batch, (geometry, fid), start, prepared)
            start += batch.num_rows
            left = None if left is None else left - batch.num_rows
            if left == 0:
                break


def _chunk(batch: pa.RecordBatch, special: tuple[str | None, str], start: int, prepared: Prepared) -> Chunk:
    geometry, fid = special
    if prepared.names is not None:
        better = iter(prepared.names)
        batch = batch.rename_columns([n if n in special else next(better) for n in batch.schema.names])
    names = batch.schema.names
    fids = batch.column(fid) if fid in names else None
    batch, broken = cleaned(batch, None if fids is None else fids.to_numpy(zero_copy_only=False), prepared)
    fields = {n: batch.column(n) for n in names if n not in (geometry, fid)}
    if fids is not None:
        fields["$fid"] = fids
    chunk = Chunk(np.arange(start, start + batch.num_rows, dtype=np.int64), fields, broken=broken)
    if geometry is not None and geometry in names:
        chunk.wkb = batch.column(geometry)
        chunk.geometry, chunk.unread = read_wkb(chunk.wkb)
        for row in chunk.unread:
            chunk.broken.setdefault(row, UNREADABLE)
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
        f"{request.plan.layer.id}. For this load alone say it with `geoservice ingest --crs EPSG:...` or `--datum "
        "cgcs2000` (xian1980, beijing1954, newbeijing) before `load`, or with the options `crs` or `datum` of a job.",
        source=request.name,
    )
