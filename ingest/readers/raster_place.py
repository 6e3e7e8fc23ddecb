"""Where the cells of a raster lie: its CRS and its grid, from the file itself or from what lies beside it.

What is rotated, sheared or mirrored is resampled to a grid with north up; a globe from 0 to 360 degrees is turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import CRSError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from ingest.georeference import known, refuse_contradiction
from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.raster_family import AUXILIARY, PROJECTION, WORLD_FILES, raster_siblings
from layers.crs import parse_crs, storage_transformer
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer

_TURN, _HALF_TURN = 360.0, 180.0
_LATITUDE_LIMIT = 90.5
_TINY = 1e-6
_CERTAIN = 100
_TEXT_LIMIT = 1 << 20
_WORLD_NUMBERS = _TRANSFORM_NUMBERS = 6
_METHODS = {
    "average": Resampling.bilinear,
    "bilinear": Resampling.bilinear,
    "nearest": Resampling.nearest,
    "mode": Resampling.nearest,
    "sum": Resampling.sum,
}


@dataclass(frozen=True)
class Grid:
    """How rows and columns of a source become those of the stored raster.

    Attributes:
        transform: From stored column and row (upper left corner of a cell) to coordinates; north is up.
        south_up: Whether the rows of the source run from south to north.
        turn: Columns that go from the left end of each row to its right end.
    """

    transform: Affine
    south_up: bool = False
    turn: int = 0


@dataclass(frozen=True)
class Beside:
    """What the files beside a raster say.

    Attributes:
        transform: Place of the cells by the world file or the auxiliary file; None when there is none.
        wkt: CRS by the projection file or the auxiliary file.
    """

    transform: Affine | None = None
    wkt: str | None = None


def read_beside(file: Path, name: str) -> Beside:
    """Read world file, projection file and auxiliary file of a raster.

    Raises:
        SourceUnreadable: When one of them is not what its name says.
    """
    found = {p.name.lower(): p for p in raster_siblings(file)}

    def text(*ends: str) -> str | None:
        names = (f"{start}{end}".lower() for end in ends for start in (file.name, file.stem))
        path = next((found[n] for n in names if n in found), None)
        return None if path is None else _text(path)

    world, projection, auxiliary = text(*WORLD_FILES.get(file.suffix.lower(), ())), text(PROJECTION), text(AUXILIARY)
    told = _auxiliary(auxiliary, name) if auxiliary is not None else {}
    transform = told.get("GeoTransform")
    place = _gdal_transform(transform, name) if transform else None
    if world is not None:
        place = _world(world, name)
    return Beside(place, projection or told.get("SRS"))


def _text(path: Path) -> str:
    with path.open("rb") as handle:
        return handle.read(_TEXT_LIMIT).decode("utf-8", errors="replace")


def _world(text: str, name: str) -> Affine:
    """Six numbers, one a line: A, D, B, E, and the centre of the upper left cell."""
    numbers = _numbers(text.split(), f"The world file of {name}", _WORLD_NUMBERS)
    a, d, b, e, x, y = numbers
    return Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)


def _gdal_transform(text: str, name: str) -> Affine:
    return Affine.from_gdal(*_numbers(text.split(","), f"The auxiliary file of {name}", _TRANSFORM_NUMBERS))


def _numbers(parts: list[str], what: str, count: int) -> list[float]:
    try:
        numbers = [float(p) for p in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(n) for n in numbers):
        raise SourceUnreadable(f"{what} does not consist of {count} numbers.")
    return numbers


def _auxiliary(text: str, name: str) -> dict[str, str]:
    """Texts of the elements SRS and GeoTransform right below the root of an auxiliary file of GDAL."""
    found: dict[str, str] = {}
    path: list[str] = []
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise SourceUnreadable(f"The auxiliary file of {name} declares a document type; such XML is not read.")

    def characters(data: str) -> None:
        if path[:1] == ["PAMDataset"] and path[1:] in (["SRS"], ["GeoTransform"]):
            found[path[-1]] = found.get(path[-1], "") + data

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = lambda tag, _: path.append(tag)
    parser.EndElementHandler = lambda _: path.pop()
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise SourceUnreadable(f"The auxiliary file of {name} is not well-formed XML.") from error
    return found


def place_crs(dataset: DatasetReader, beside: Beside, plan: IngestPlan) -> tuple[pyproj.CRS, CRS]:
    """The CRS for our own arithmetic, and the same one as the file will state it.

    Raises:
        CrsRefused: When it is missing, cannot be understood, or has no safe way into storage.
    """
    crs = _stated(dataset, beside, plan)
    storage_transformer(crs)
    return crs, CRS.from_wkt(crs.to_wkt("WKT2_2019"))


def _stated(dataset: DatasetReader, beside: Beside, plan: IngestPlan) -> pyproj.CRS:
    mapping, name = plan.mapping, plan.source.name
    if mapping.override_crs:
        return parse_crs(mapping.override_crs)
    try:
        found = dataset.crs or (CRS.from_wkt(beside.wkt, morph_from_esri_dialect=True) if beside.wkt else None)
        if found:
            code = _registered(found)
            stated = parse_crs(f"EPSG:{code}" if code else found.to_wkt(version="WKT2_2019"))
            refuse_contradiction(plan, known(stated))
            return stated
    except CRSError as error:
        raise CrsRefused(f"The coordinate reference system of {name} cannot be understood.", source=name) from error
    if mapping.crs:
        return parse_crs(mapping.crs)
    raise CrsRefused(
        f"{name} states no coordinate reference system; the mapping of the source must name one (crs: EPSG:n), or "
        "whoever loads it (`geoservice ingest --crs EPSG:n load ...`).",
        source=name,
    )


def _registered(crs: CRS) -> int | None:
    """EPSG code of a CRS, also where names follow the dialect of ESRI or axes come in another order."""
    code: int | None = crs.to_epsg(confidence_threshold=_CERTAIN)
    if code is None:
        try:
            plain = CRS.from_wkt(crs.to_wkt(version="WKT1_ESRI"), morph_from_esri_dialect=True)
            code = plain.to_epsg(confidence_threshold=_CERTAIN)
        except CRSError:
            # Not every CRS can be said in that dialect: this one is kept in its own words.
            return None
    return code


def place_grid(dataset: DatasetReader, transform: Affine, crs: pyproj.CRS, plan: IngestPlan, notes: Notes) -> Grid:
    """How an upright raster is laid into storage.

    Args:
        dataset: The source, resampled if it was not upright.
        transform: Place of its cells.
        crs: CRS of the grid.
        plan: For the name of the source.
        notes: Takes the finding about a turned globe.

    Raises:
        SourceMismatch: When the grid cannot lie in this CRS.
    """
    south_up = transform.e > 0
    if south_up:
        transform = Affine(transform.a, 0.0, transform.c, 0.0, -transform.e, transform.f + transform.e * dataset.height)
    if not crs.is_geographic:
        return Grid(transform, south_up)
    _refuse_latitudes(transform, dataset.height, plan)
    turn = _turn(transform, dataset.width)
    west = transform.c + turn * transform.a
    if turn or west >= _HALF_TURN - _TINY:
        notes.add("longitudes-turned", "info", "Longitudes of 0 to 360 degrees are stored as -180 to 180.")
        west -= _TURN
    return Grid(Affine(transform.a, 0.0, west, 0.0, transform.e, transform.f), south_up, turn)


def _turn(transform: Affine, width: int) -> int:
    """Columns to move when the grid is a whole globe that reaches beyond 180 degrees east."""
    whole = abs(transform.a * width - _TURN) < transform.a / 2
    beyond = transform.c + transform.a * width > _HALF_TURN + transform.a * (1 + _TINY) / 2
    if not (whole and beyond) or transform.c >= _HALF_TURN:
        return 0
    return min(width - 1, round((_HALF_TURN - transform.c) / transform.a))


def _refuse_latitudes(transform: Affine, height: int, plan: IngestPlan) -> None:
    south, north = transform.f + transform.e * height, transform.f
    # A grid whose centres lie on the poles reaches half a cell beyond.
    limit = max(_LATITUDE_LIMIT, 90.0 - transform.e / 2 + _TINY)
    if south < -limit or north > limit:
        raise SourceMismatch(
            f"{plan.source.name} states degrees, but spans latitudes {south:g} to {north:g}; "
            "its CRS or its axis order is wrong.",
            south=south,
            north=north,
        )


def found_transform(dataset: DatasetReader, beside: Beside, plan: IngestPlan) -> Affine:
    """Place of the cells, as the file or what lies beside it says.

    Raises:
        SourceMismatch: When neither does, or only ground control points do.
    """
    name = plan.source.name
    inside = dataset.transform
    if not inside.is_identity:
        return _checked(inside, name)
    if beside.transform is not None:
        return _checked(beside.transform, name)
    if dataset.gcps[0] or dataset.rpcs:
        raise SourceMismatch(
            f"{name} is not georeferenced by a grid, only by ground control points; rectify it first (gdalwarp does)."
        )
    hint = {
        "netCDF": "its coordinates are not evenly spaced, or not those of a grid",
        "PNG": "there is no world file (.pgw, .pngw or .wld) beside it",
        "JPEG": "there is no world file (.jgw, .jpgw or .wld) beside it",
    }.get(dataset.driver, "it has no grid of cells with an origin and a cell size")
    raise SourceMismatch(f"{name} is not georeferenced: {hint}.", source=name)


def _checked(transform: Affine, name: str) -> Affine:
    numbers = np.array(transform[:6])
    if not np.isfinite(numbers).all() or transform.determinant == 0:
        raise SourceMismatch(f"{name} is not georeferenced: its cells have no size.", source=name)
    return transform


def is_upright(transform: Affine) -> bool:
    """Whether rows run from west to east and columns along the other axis."""
    return bool(transform.b == 0 and transform.d == 0 and transform.a > 0)


def upright(
    dataset: DatasetReader, transform: Affine, crs: CRS, layer: RasterLayer, nodata: float | None
) -> DatasetReader:
    """A view of a rotated, sheared or mirrored raster on a grid with north up and cells of the same size.

    Values are resampled as the layer resamples its overviews: classes and palettes by the nearest cell.

    Args:
        dataset: The source.
        transform: Place of its cells.
        crs: Its CRS.
        layer: The layer, for its kind of values.
        nodata: Value that means no data, where there is one; else what the source does not cover is masked.
    """
    across, down = math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)
    corners = [transform * (x, y) for x in (0, dataset.width) for y in (0, dataset.height)]
    west, north = min(x for x, _ in corners), max(y for _, y in corners)
    east, south = max(x for x, _ in corners), min(y for _, y in corners)
    coded = bool(layer.list or layer.style.classes) or dataset.colorinterp[0] == ColorInterp.palette
    masked = nodata is None and ColorInterp.alpha not in dataset.colorinterp
    return WarpedVRT(
        dataset,
        src_crs=crs,
        src_transform=transform,
        crs=crs,
        transform=Affine(across, 0.0, west, 0.0, -down, north),
        width=max(1, math.ceil((east - west) / across - _TINY)),
        height=max(1, math.ceil((north - south) / down - _TINY)),
        resampling=Resampling.nearest if coded else _METHODS[layer.cog.overviews],
        src_nodata=nodata,
        nodata=nodata,
        add_alpha=masked,
    )
