"""How a file that somebody sends is read into a layer: matching, encoding, CRS, fields, values.

A mapping is data. It never runs code and never names a path outside the file that is being loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from layers.gauss import Datum

VERTICAL_PATTERN = r"^(EPSG:\d+|none)$"
"""How a vertical datum is written: a code, or `none` for heights on no stated surface."""
SPECIAL_FIELDS = frozenset({"$z", "$fid", "$file", "$geometry_type"})
"""Source "fields" that come from the reader: height of a point, feature number, file stem, geometry type."""


OTHER = "*"
"""Key in `values` that stands for any filled value which is not listed."""
_PLACEHOLDER = re.compile(r"\{([^{}]+?)(?::0(\d{1,2}))?\}")
_WHOLE = re.compile(r"^(-?\d+)\.0+$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PointColumns(_Frozen):
    """Names (or, for a file without a header, numbers as text) of the coordinate columns of a table."""

    x: str
    y: str


class Assemble(_Frozen):
    """Join consecutive points of a table to lines: one line per value of `by`, in order of `order`.

    Lines are cut at the antimeridian. Other attributes take the `first`, `last`, `min` or `max` value.
    """

    by: str
    order: str
    take: Mapping[str, Literal["first", "last", "min", "max"]] = Field(default_factory=dict)


class Address(_Frozen):
    """Place rows of a table by their address: they take the point of the reference row with the same address.

    Attributes:
        field: Source field with the address.
        layer: Reference layer, as `theme/name`; it has points (or areas, whose inner point serves).
        by: Attribute of the reference layer that holds its address.
    """

    field: str
    layer: str
    by: str


class Lookup(_Frozen):
    """Fill an attribute from a code list: the entry whose code stands in the attribute `by`."""

    list: str
    by: str
    take: Literal["zh", "en", "parent"]


class SourceMapping(_Frozen):
    """One way in which sources of this layer arrive.

    Attributes:
        match: Glob patterns of the file name (lower case is compared with lower case).
        format: Reader family; found by the file's suffix when absent.
        template: Template of a boundary-point file (`layers.boundary`); absent = the one that fits the file.
        sublayer: Layer inside the container (GeoPackage table, TopoJSON object, OSM `points|lines|areas`). An OSM
            mapping without it reads what the layer's geometry admits; `any` means points and areas.
        encoding: Encodings to try in order; absent = UTF-8 or what the file itself declares.
        crs: CRS to assume only when the file states none, as `EPSG:n`.
        override_crs: CRS to use in place of a wrong declaration in the file.
        datum: Datum on which a source without a CRS stands; zone and form are read from its coordinates.
        swap: True when the first coordinate of the source is the northing or latitude.
        transformation: Name of the registered parameters that bring the source into storage.
        offset: The offset that the coordinates carry (`gcj-02`, `bd-09`) and that is taken off.
        antimeridian: What to do with edges longer than 180 degrees: `cut` (they cross 180 degrees) or `keep`; without
            it they are cut with a warning.
        vertical_datum: Vertical datum of heights (`$z`) or cells when the source states none: `EPSG:n` or `none`.
        vertical: What to do when the vertical datum is not the layer's: `warn`, `refuse`, or `convert` where a constant
            is known.
        delimiter, header, columns: Layout of a text table; `columns` names those of a file without a header.
        point, wkt: Where a table keeps its geometry.
        address: How rows without coordinates are placed by their address.
        fields: Source field -> attribute. An attribute may have several source fields: the first filled one wins.
            A source field that bears the name of an attribute and is not listed here passes under that name.
        constants: Attribute -> value for every row.
        compose: Attribute -> template of source fields, such as `{Year}-{Month:02}`; see `composed`. It fills an
            attribute that `fields` left empty.
        values: Attribute -> {source value -> attribute value}; `*` stands for any other filled value, without it
            unlisted values pass unchanged.
        lookup: Attribute -> entry of a code list by another attribute of the row; fills only what is still empty.
        null: Source texts that mean "no value", besides the empty text.
        times: Attribute -> how its time is written: `iso`, `epoch-ms`, `epoch-s` or strptime patterns.
        select: Source field -> accepted values, or `*` for "has a value"; all must hold. Others are "not selected".
        any_of: Source field -> accepted values or `*`; at least one must hold.
        assemble: Join points to lines.
        tolerate: Attributes whose unreadable or implausible values are left empty with a warning; the row stays.
        repeats: What to do with rows of one source that share a key: `refuse` those that differ (quarantine), keep
            the `first`, or `collect` their geometries to one multipart feature with the attributes of the first.
        bands: Raster only: bands of the source (from 1) in the order of the layer's bands; a band may serve twice.
        nodata: Raster only: the value that means "no data" where the file declares none.
        slices: Raster only: which slices of a variable with times or levels are taken: `each` as an asset of its own,
            or one by the index (from 0, -1 is the last) along each dimension.
        factor: Attribute -> multiplier that brings the source's unit to the attribute's.
        complete: True when the source is the whole layer, so that what it lacks was deleted.
        attribution: Whom an edition loaded in this way credits; the layer's own attribution when absent.
    """

    match: tuple[str, ...] = Field(min_length=1)
    format: Literal["vector", "table", "raster", "osm", "cap", "topojson", "boundary", "vct"] | None = None
    template: str | None = None
    sublayer: str | None = None
    encoding: tuple[str, ...] = ()
    crs: str | None = Field(default=None, pattern=r"^EPSG:\d+$")
    override_crs: str | None = Field(default=None, pattern=r"^EPSG:\d+$")
    datum: Datum | None = None
    swap: bool = False
    transformation: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    offset: Literal["gcj-02", "bd-09"] | None = None
    antimeridian: Literal["cut", "keep"] | None = None
    vertical_datum: str | None = Field(default=None, pattern=VERTICAL_PATTERN)
    vertical: Literal["warn", "refuse", "convert"] = "warn"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: bool = True
    columns: tuple[str, ...] = ()
    point: PointColumns | None = None
    wkt: str | None = None
    address: Address | None = None
    fields: Mapping[str, str] = Field(default_factory=dict)
    constants: Mapping[str, str | int | float | bool] = Field(default_factory=dict)
    compose: Mapping[str, str] = Field(default_factory=dict)
    values: Mapping[str, Mapping[str, str | None]] = Field(default_factory=dict)
    lookup: Mapping[str, Lookup] = Field(default_factory=dict)
    null: tuple[str, ...] = ()
    times: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    select: Mapping[str, Literal["*"] | tuple[str, ...]] = Field(default_factory=dict)
    any_of: Mapping[str, Literal["*"] | tuple[str, ...]] = Field(default_factory=dict)
    assemble: Assemble | None = None
    tolerate: tuple[str, ...] = ()
    repeats: Literal["refuse", "first", "collect"] = "refuse"
    bands: tuple[int, ...] = ()
    nodata: float | None = None
    slices: Literal["each"] | Mapping[str, int] | None = None
    factor: Mapping[str, float] = Field(default_factory=dict)
    complete: bool = False
    attribution: str | None = None

    @model_validator(mode="after")
    def _coherent(self) -> SourceMapping:
        if not self.header and not self.columns:
            raise ValueError("a table without a header needs its columns named")
        if self.point is not None and self.wkt is not None:
            raise ValueError("a table keeps its geometry either in two columns or as WKT")
        if self.template is not None and self.format not in (None, "boundary"):
            raise ValueError("only boundary-point files have a template")
        if any(band < 1 for band in self.bands):
            raise ValueError("bands count from 1")
        for field in (*self.fields, *self.template_fields()):
            if field.startswith("$") and field not in SPECIAL_FIELDS:
                raise ValueError(f"unknown special field {field!r}; known: {', '.join(sorted(SPECIAL_FIELDS))}")
        return self

    def template_fields(self) -> tuple[str, ...]:
        """Source fields that the templates of `compose` need, each once."""
        found = (m.group(1) for template in self.compose.values() for m in _PLACEHOLDER.finditer(template))
        return tuple(dict.fromkeys(found))

    def composed(self, row: Mapping[str, object]) -> dict[str, str | None]:
        """Attributes built from templates for one source row.

        `{field}` takes the text of a field, `{field:04}` pads it with zeros to four characters. Whole numbers that
        a table reader made decimal (`7.0`) are written whole. A template with an empty field gives no value.
        """
        return {name: _fill(template, row) for name, template in self.compose.items()}

    def codelists(self) -> frozenset[str]:
        """Ids of the code lists that this mapping looks names up in."""
        return frozenset(entry.list for entry in self.lookup.values())

    def check_targets(self, attributes: frozenset[str], name: str) -> None:
        """Check that everything mapped is an attribute of the layer.

        Raises:
            ValueError: Naming the mapping and the first stranger.
        """
        targets = {*self.fields.values(), *self.constants, *self.values, *self.times, *self.factor}
        targets |= {*self.compose, *self.lookup, *self.tolerate, *(entry.by for entry in self.lookup.values())}
        if self.assemble is not None:
            targets |= {self.assemble.by, self.assemble.order, *self.assemble.take}
        strangers = sorted(targets - attributes)
        if strangers:
            raise ValueError(f"source {name!r} maps to the unknown attribute {strangers[0]!r}")


def _fill(template: str, row: Mapping[str, object]) -> str | None:
    parts: list[str] = []
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        text = _text(row.get(match.group(1)))
        if text is None:
            return None
        parts += [template[end : match.start()], text.zfill(int(match.group(2) or 0))]
        end = match.end()
    return "".join((*parts, template[end:]))


def _text(value: object) -> str | None:
    # A missing value of pandas or numpy is the only one that differs from itself.
    if value is None or value != value:  # noqa: PLR0124
        return None
    text = str(value).strip()
    return _WHOLE.sub(r"\1", text) or None
