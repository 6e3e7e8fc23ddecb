"""From the JSON document of a tile matrix set (OGC 17-083r4, requirements class json-tilematrixset) to the set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import pyproj
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pyproj.exceptions import CRSError

from layers.crs import CRS84_URI, STORAGE_SRID, storage_transformer
from layers.errors import CrsRefused, DefinitionError
from layers.extent import Extent
from layers.model import Text
from tiles.sets.model import METRES_PER_DEGREE, PIXEL, Box, Matrix, MatrixSet

CRS_PATTERN = re.compile(r"(?:http://www\.opengis\.net/def/crs/EPSG/[\d.]+/|urn:ogc:def:crs:EPSG:[\d.]*:)(\d{4,6})")
CRS84_NAMES = frozenset({CRS84_URI, "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84"})
_NORTH = frozenset({"N", "LAT", "NORTH", "NORTHING", "LATITUDE"})
_EAST = frozenset({"E", "LON", "LONG", "EAST", "EASTING", "LONGITUDE"})
_HIGHEST = 30
_SIZES = (128, 256, 512, 1024)
_SAME = 0.001
_MOST_TILES = 2**31


class _Uri(BaseModel):
    model_config = ConfigDict(extra="forbid")

    uri: str


class _Level(BaseModel):
    """One tile matrix; members that change nothing about where tiles lie may be there."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, alias_generator=to_camel)

    id: str = Field(pattern=r"^(0|[1-9]\d?)$")
    scale_denominator: float = Field(gt=0)
    cell_size: float = Field(gt=0)
    corner_of_origin: Literal["topLeft"] = "topLeft"
    point_of_origin: tuple[float, float]
    tile_width: int
    tile_height: int
    matrix_width: int = Field(ge=1, lt=_MOST_TILES)
    matrix_height: int = Field(ge=1, lt=_MOST_TILES)
    variable_matrix_widths: None = None


class _Set(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{1,59}$")
    title: str | None = None
    crs: str | _Uri
    ordered_axes: tuple[str, str] | None = None
    tile_matrices: tuple[_Level, ...] = Field(min_length=1, max_length=_HIGHEST + 1)


def read_set(
    document: Mapping[str, Any], title: Text | None = None, area: Box | None = None, *, registered: bool = False
) -> MatrixSet:
    """The set that a document describes.

    Args:
        document: JSON object. Identifiers of levels are whole numbers without gaps, tiles are square, rows are counted
            from the top, the CRS is named by its EPSG code or is CRS84.
        title: Title in both languages; the one of the document when absent.
        area: Where the set is meant to be used (degrees); all it covers when absent.
        registered: Whether the standard's register has it.

    Raises:
        DefinitionError: When the document is not that; the sentence says what was expected.
    """
    found = _validated(document)
    uri = found.crs if isinstance(found.crs, str) else found.crs.uri
    crs, srid = _crs(found.id, uri)
    north_first = _north_first(crs, found.ordered_axes)
    matrices = [_matrix(found.id, level, crs, north_first=north_first) for level in found.tile_matrices]
    _require_order(found.id, matrices)
    name = found.title or found.id
    return MatrixSet(
        id=found.id,
        title=title or Text(zh=name, en=name),
        crs=crs,
        srid=srid,
        matrices={matrix.level: matrix for matrix in matrices},
        document={**document, "crs": uri},
        area=area,
        registered=registered,
    )


def read_own_set(document: Mapping[str, Any]) -> MatrixSet:
    """The set of an agency's document: also its CRS and its place are looked at, which takes a moment.

    Raises:
        DefinitionError: As `read_set`; when its CRS stands on a datum without a public way to CGCS2000; and when no
            tile lies where the CRS is used.
    """
    made = read_set(document)
    try:
        storage_transformer(made.crs)
    except CrsRefused as error:
        raise DefinitionError(f"Tile matrix set {made.id} cannot be drawn: {error.detail}") from None
    _require_use(made)
    return made


def _validated(document: Mapping[str, Any]) -> _Set:
    try:
        return _Set.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise DefinitionError(
            f"Tile matrix set {str(document.get('id', '?'))[:60]!r}: {place}: {first['msg']}."
        ) from None


def _crs(name: str, uri: str) -> tuple[pyproj.CRS, int]:
    if uri in CRS84_NAMES:
        return pyproj.CRS.from_user_input("OGC:CRS84"), STORAGE_SRID
    code = CRS_PATTERN.fullmatch(uri)
    if code is None:
        raise DefinitionError(
            f"Tile matrix set {name}: its CRS is named as http://www.opengis.net/def/crs/EPSG/0/<code> or is CRS84; "
            f"{uri[:80]!r} is neither."
        )
    try:
        crs = pyproj.CRS.from_epsg(int(code[1]))
    except CRSError:
        raise DefinitionError(f"Tile matrix set {name}: there is no EPSG:{code[1]}.") from None
    if len(crs.axis_info) != len(("x", "y")) or not {a.direction for a in crs.axis_info} <= {"north", "east"}:
        raise DefinitionError(
            f"Tile matrix set {name}: EPSG:{code[1]} has other axes than one to the north and one to the east."
        )
    return crs, int(code[1])


def _north_first(crs: pyproj.CRS, ordered: Sequence[str] | None) -> bool:
    """Whether points of origin are written north first.

    Names of axes decide where they are plain. X and Y are not: in the national grids X points north.
    """
    first = ordered[0].upper() if ordered else ""
    if first in _NORTH | _EAST:
        return first in _NORTH
    return bool(crs.axis_info[0].direction == "north")


def _matrix(name: str, level: _Level, crs: pyproj.CRS, *, north_first: bool) -> Matrix:
    if level.tile_width != level.tile_height or level.tile_width not in _SIZES:
        raise DefinitionError(
            f"Tile matrix set {name}: tiles of level {level.id} are squares of {', '.join(map(str, _SIZES))} pixels; "
            f"{level.tile_width} x {level.tile_height} was found."
        )
    unit = METRES_PER_DEGREE if crs.is_geographic else crs.axis_info[0].unit_conversion_factor
    expected = level.cell_size * unit / PIXEL
    if abs(level.scale_denominator / expected - 1) > _SAME:
        raise DefinitionError(
            f"Tile matrix set {name}: at a pixel of 0.28 mm a cell of {level.cell_size:g} means the scale denominator "
            f"{expected:.10g}; level {level.id} says {level.scale_denominator:.10g}."
        )
    x, y = reversed(level.point_of_origin) if north_first else level.point_of_origin
    return Matrix(
        level=int(level.id),
        cell=level.cell_size,
        west=x,
        north=y,
        width=level.matrix_width,
        height=level.matrix_height,
        size=level.tile_width,
        scale=level.scale_denominator,
    )


def _require_order(name: str, matrices: Sequence[Matrix]) -> None:
    numbers = [matrix.level for matrix in matrices]
    steady = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    finer = all(one.cell > other.cell for one, other in pairwise(matrices))
    if not (steady and finer and numbers[-1] <= _HIGHEST):
        raise DefinitionError(
            f"Tile matrix set {name}: levels are numbered one by one up to at most {_HIGHEST}, each finer than the one "
            "before; this order is another one."
        )


def _require_use(made: MatrixSet) -> None:
    """A set whose axes were swapped lies where its CRS is not used."""
    area = made.crs.area_of_use
    if area is None or made.box_of(Extent(*area.bounds)) is not None:
        return
    raise DefinitionError(
        f"Tile matrix set {made.id}: no tile lies where EPSG:{made.srid} is used. Its points of origin may have "
        'their axes swapped: say by orderedAxes how they are written, ["E", "N"] or ["N", "E"].'
    )
