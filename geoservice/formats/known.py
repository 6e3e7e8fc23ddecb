"""The file formats that rows are offered in: name, media type, ending of the file, and who writes it."""

from __future__ import annotations

from dataclasses import dataclass

from geoservice.formats import boundary, columnar, drawing, drivers, jsonfg, shapefile, text, workbook
from geoservice.formats.subject import Write
from layers.model import RowLayer, VectorLayer

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class FileFormat:
    """A format.

    Attributes:
        name: Value of `f`.
        media: Media type.
        suffix: Ending of the file's name.
        write: Who writes it.
        packed: Whether the bytes are compressed already.
        geometries: Geometry types of layers that it can hold; `none` stands for tables.
        plain: Whether coordinates are always longitude and latitude of WGS 84, as GeoJSON has them.
    """

    name: str
    media: str
    suffix: str
    write: Write
    packed: bool = False
    geometries: frozenset[str] = frozenset({"point", "line", "polygon", "any", "none"})
    plain: bool = False

    def holds(self, layer: RowLayer) -> bool:
        """Whether it can hold the rows of a layer."""
        return (layer.geometry if isinstance(layer, VectorLayer) else "none") in self.geometries


_SHAPES = frozenset({"point", "line", "polygon", "any"})
_ALL = (
    FileFormat("csv", "text/csv", ".csv", text.write_csv),
    FileFormat("csv-xy", "text/csv", ".csv", text.write_csv_points, geometries=frozenset({"point"})),
    FileFormat("ndjson", "application/x-ndjson", ".ndjson", text.write_ndjson, plain=True),
    FileFormat("geojsonseq", "application/geo+json-seq", ".geojsons", text.write_geojson_seq, plain=True),
    FileFormat("jsonfg", jsonfg.MEDIA, ".json", jsonfg.write_jsonfg),
    FileFormat("flatgeobuf", "application/vnd.flatgeobuf", ".fgb", drivers.write_flatgeobuf, geometries=_SHAPES),
    FileFormat("parquet", "application/vnd.apache.parquet", ".parquet", columnar.write_parquet, packed=True),
    FileFormat("gpkg", "application/geopackage+sqlite3", ".gpkg", drivers.write_geopackage),
    FileFormat("shapefile", "application/zip", ".shp.zip", shapefile.write_shapefile, packed=True),
    FileFormat("xlsx", XLSX, ".xlsx", workbook.write_workbook, packed=True),
    FileFormat("dxf", "image/vnd.dxf", ".dxf", drawing.write_dxf, geometries=_SHAPES),
    FileFormat("boundary", "text/plain", ".txt", boundary.write_boundary, geometries=_SHAPES),
)
FILE_FORMATS = {one.name: one for one in _ALL}
"""By name. GeoJSON itself is made by the server of the database where pages are concerned."""
GEOJSON_FILE = FileFormat("geojson", "application/geo+json", ".geojson", text.write_geojson, plain=True)
EXPORT_FORMATS = {GEOJSON_FILE.name: GEOJSON_FILE, **FILE_FORMATS}
"""By name, for whole collections."""
