"""What a layer is. One YAML file makes one `Layer`; every other module derives from it.

The format is versioned (`format: 1`). Unknown keys are errors, so that a typing slip never passes in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from layers.access import Clearance
from layers.checks import Equals, Gate, Rule
from layers.exposure import Compliance, Exposure
from layers.extent import is_box
from layers.naming import Named
from layers.network import Network
from layers.observed import Observes, Series
from layers.sources import VERTICAL_PATTERN, SourceMapping
from layers.style import RasterStyle, VectorStyle
from layers.taken import Order, time_pattern

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
RESERVED_NAMES = frozenset({"fid", "key", "geom", "id", "geometry", "type", "properties", "links"})
AttributeType = Literal["text", "integer", "number", "boolean", "date", "datetime", "code"]
GeometryType = Literal["point", "line", "polygon", "any"]
_PERIOD = re.compile(r"^P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?$")
_NAME = re.compile(NAME_PATTERN)


def parse_clearance(value: object) -> object:
    """Turn the written name of a clearance into its level; leave anything else to pydantic."""
    return Clearance.parse(value) if isinstance(value, str) else value


class Frozen(BaseModel):
    """Base of every definition value: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Frozen):
    """A text in Chinese and English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def of(self, language: str) -> str:
        """The text in `zh`, or in English for any other language."""
        return self.zh if language == "zh" else self.en


class Authority(Frozen):
    """The one body that answers for the datum (one source per datum)."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    name: Text | None = None
    contact: str | None = None


class Licence(Frozen):
    """Terms of use: sharing type and its legal basis, a licence name or address, an attribution line."""

    share: Literal["unconditional", "conditional", "withheld"]
    basis: str = Field(min_length=1)
    terms: str | None = None
    attribution: str | None = None


class Release(Frozen):
    """What the public may see of a layer: coordinate precision, smallest scale, map review number."""

    precision: str | None = None
    resolution: str | None = None
    smallest_scale: int | None = Field(default=None, gt=0)
    review_number: str | None = None


class Attribute(Frozen):
    """A column of a layer: type, unit, code list and the rules its values obey."""

    type: AttributeType
    title: Text | None = None
    description: Text | None = None
    unit: str | None = None
    list: str | None = None
    required: bool = False
    pattern: str | None = None
    range: tuple[float | None, float | None] | None = None
    clearance: Clearance | None = None
    check: Equals | None = None

    _clearance = field_validator("clearance", mode="before")(parse_clearance)

    @model_validator(mode="after")
    def _coherent(self) -> Attribute:
        if (self.type == "code") != (self.list is not None):
            raise ValueError("an attribute of type code names its list, and only such an attribute does")
        if self.range is not None and self.type not in ("integer", "number"):
            raise ValueError("only integer and number attributes have a range")
        if self.check is not None and self.type not in ("integer", "number"):
            raise ValueError("only integer and number attributes are checked against an area")
        if self.pattern is not None:
            if self.type not in ("text", "code"):
                raise ValueError("only text and code attributes have a pattern")
            re.compile(self.pattern)
        return self

    def effective_clearance(self, layer: LayerBase) -> Clearance:
        """The higher of the attribute's own clearance and the layer's."""
        return max(self.clearance or Clearance.PUBLIC, layer.clearance)


class Mosaic(Frozen):
    """How patches too small to be seen are drawn: cells of the prevailing value of `by`, at zoom levels `below`."""

    by: str
    below: int = Field(default=11, ge=1, le=22)


class Cluster(Frozen):
    """How points too dense to be told apart are drawn: one per cell with their number, at zoom levels `below`.

    `by` names the attribute whose values are counted apart; without it, the one that the style tells classes by.
    """

    by: str | None = None
    below: int = Field(default=10, ge=1, le=22)


class Importance(Frozen):
    """Which features stay when a tile would be too large: those of the higher value of `by`, or the lower one.

    `order` names values instead, from the most important; others come last.
    """

    by: str
    first: Literal["high", "low"] = "high"
    order: tuple[str, ...] = ()


class Zooms(Frozen):
    """Web-Mercator zoom levels of which tiles are offered; clients overzoom beyond `to`.

    `exact` is the zoom level from which questions about time and change are answered in tiles, from the rows.
    """

    from_: int = Field(default=0, ge=0, le=22, alias="from")
    to: int = Field(default=14, ge=0, le=22)
    exact: int | None = Field(default=None, ge=0, le=22)
    attributes: tuple[str, ...] | None = None
    importance: Importance | None = None
    mosaic: Mosaic | None = None
    cluster: Cluster | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Zooms:
        if self.from_ > self.to:
            raise ValueError("tiles: from must not exceed to")
        return self


class Portal(Frozen):
    """Where the layer stands in the portal: group, order, whether it is on at first, smallest zoom shown."""

    group: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    order: int = 100
    visible: bool = False
    from_zoom: int = Field(default=0, ge=0, le=22)


class Hazard(Frozen):
    """What kind of hazard the layer shows, and which attribute grades its severity."""

    role: Literal["alert", "flood", "track", "earthquake", "fire"]
    severity: str | None = None


class LayerBase(Frozen):
    """What all kinds of layers state. `theme` and `name` come from the file's place: themes/<theme>/<name>.yaml."""

    format: Literal[1]
    theme: str = Field(pattern=NAME_PATTERN)
    name: str = Field(pattern=NAME_PATTERN)
    title: Text
    abstract: Text | None = None
    authority: Authority
    cycle: str
    licence: Licence
    clearance: Clearance
    release: Release | None = None
    attributes: Mapping[str, Attribute] = Field(default_factory=dict)
    portal: Portal = Portal()
    exposure: Exposure | None = None
    sources: Mapping[str, SourceMapping] = Field(default_factory=dict)

    _clearance = field_validator("clearance", mode="before")(parse_clearance)

    @field_validator("cycle")
    @classmethod
    def _period(cls, value: str) -> str:
        if not _PERIOD.match(value):
            raise ValueError(f"cycle must be an ISO 8601 duration such as P1Y, not {value!r}")
        return value

    @field_validator("attributes")
    @classmethod
    def _attribute_names(cls, value: Mapping[str, Attribute]) -> Mapping[str, Attribute]:
        for name in value:
            if not _NAME.match(name) or name in RESERVED_NAMES:
                raise ValueError(f"attribute name {name!r} must match {NAME_PATTERN} and not be a reserved word")
        return value

    @property
    def id(self) -> str:
        """Theme and name, as `theme/name`."""
        return f"{self.theme}/{self.name}"

    @property
    def group(self) -> str:
        """Portal group; the theme when the file names none."""
        return self.portal.group or self.theme

    def crediting(self, mappings: Iterable[str]) -> Self:
        """This layer with the attribution of what is loaded: each mapping's own, or the layer's where it has none.

        Args:
            mappings: Names of the source mappings that its editions came through; none leaves the layer as it is.
        """
        credits = [m.attribution for name in mappings if (m := self.sources.get(name)) is not None]
        names = dict.fromkeys(c or self.licence.attribution for c in credits)
        joined = "; ".join(n for n in names if n)
        if not joined:
            return self
        return self.model_copy(update={"licence": self.licence.model_copy(update={"attribution": joined})})

    def __hash__(self) -> int:
        """Layers are kept by their id; equality still compares all fields."""
        return hash((self.theme, self.name))

    def known(self, names: tuple[str | None, ...], what: str) -> None:
        """Check that names are attributes of this layer.

        Raises:
            ValueError: Naming the first stranger and what asked for it.
        """
        for name in names:
            if name is not None and name not in self.attributes:
                raise ValueError(f"{what} names the unknown attribute {name!r}")


class TabularLayer(LayerBase):
    """What vector and table layers share: a key, a time attribute, rows with their own clearance."""

    key: tuple[str, ...] = ()
    time: str | None = None
    row_clearance: str | None = None
    label: Text | None = None
    checks: tuple[Rule, ...] = ()
    gate: Gate = Gate()

    def rules(self) -> tuple[Rule, ...]:
        """Every declared rule, also those that attributes are short for."""
        return (*self.checks, *(a.check.rule(name) for name, a in self.attributes.items() if a.check is not None))

    @model_validator(mode="after")
    def _rules(self) -> TabularLayer:
        kind = getattr(self, "geometry", None)
        for rule in self.rules():
            self.known(rule.attributes(), f"check {rule.rule}")
            if rule.geometries is not None and kind not in rule.geometries:
                raise ValueError(f"check {rule.rule} does not apply to a layer of {kind or 'no'} geometries")
        return self

    @model_validator(mode="after")
    def _names(self) -> TabularLayer:
        self.known(self.key, "key")
        self.known((self.time,), "time")
        self.known((self.row_clearance,), "row_clearance")
        if self.label is not None:
            self.known((self.label.zh, self.label.en), "label")
        if self.time is not None and self.attributes[self.time].type not in ("date", "datetime"):
            raise ValueError("time must name a date or datetime attribute")
        for name, mapping in self.sources.items():
            mapping.check_targets(frozenset(self.attributes), name)
            # A clearance left empty is the layer's own: a word that nobody understands would open the row.
            if self.row_clearance in mapping.tolerate:
                raise ValueError(f"source {name!r} tolerates {self.row_clearance!r}, the clearance of rows")
        return self


class VectorLayer(TabularLayer):
    """Features with a geometry, stored in EPSG:4490 as x=lon, y=lat.

    `extent` (west, south, east, north in degrees) is where they lie; it shows swapped axes. `vertical_datum` is that of
    heights kept in attributes.
    """

    kind: Literal["vector"]
    geometry: GeometryType
    geometry_required: bool = True
    coverage: bool = False
    extent: tuple[float, float, float, float] | None = None
    vertical_datum: str | None = Field(default=None, pattern=VERTICAL_PATTERN)
    tiles: Zooms = Zooms()
    style: VectorStyle
    hazard: Hazard | None = None
    compliance: tuple[Compliance, ...] = ()
    names: Named | None = None
    network: Network | None = None

    @model_validator(mode="after")
    def _uses(self) -> VectorLayer:
        self.known(self.style.attributes(), "style")
        if self.tiles.attributes is not None:
            self.known(self.tiles.attributes, "tiles")
        self._mosaic()
        self._cluster()
        self._importance()
        if self.exposure is not None:
            self.known(self.exposure.attributes(), "exposure")
        self.known(tuple(one.by for one in self.compliance), "compliance")
        if self.hazard is not None:
            self.known((self.hazard.severity,), "hazard")
        if self.network is not None:
            self.known(self.network.attributes(), "network")
            own = {name: a.type for name, a in self.attributes.items() if a.effective_clearance(self) <= self.clearance}
            self.network.check(self.geometry, {n: a.type for n, a in self.attributes.items()}, own)
        if self.extent is not None and not is_box(self.extent):
            raise ValueError("extent is west, south, east, north in degrees")
        if self.coverage and self.geometry != "polygon":
            raise ValueError("only polygons can form a coverage")
        return self

    @model_validator(mode="after")
    def _named(self) -> VectorLayer:
        if self.names is None:
            return self
        self.known(self.names.attributes(), "names")
        if self.label is None:
            raise ValueError("names: the layer has no label, so its features have no names")
        for name in (self.names.by, self.names.division):
            if name is not None and self.attributes[name].effective_clearance(self) > self.clearance:
                raise ValueError("names: by and division name attributes that every reader of the layer may see")
        return self

    @property
    def exact_from(self) -> int:
        """The zoom level from which tiles answer questions about time and change; points are cheap to draw."""
        declared, levels = self.tiles.exact, 6 if self.geometry == "point" else 2
        return max(self.tiles.from_, self.tiles.to - levels) if declared is None else declared

    def _cluster(self) -> None:
        wanted = self.tiles.cluster
        if wanted is None:
            return
        self.known((wanted.by,), "tiles: cluster")
        if self.geometry != "point":
            raise ValueError("only points form clusters")
        if wanted.by is not None and self.attributes[wanted.by].type not in ("text", "code"):
            raise ValueError("clusters count the values of an attribute of type text or code")
        if wanted.by is not None and self.attributes[wanted.by].effective_clearance(self) > self.clearance:
            raise ValueError("clusters count the values of an attribute that every reader of the layer may see")
        if not self.tiles.from_ < wanted.below <= self.tiles.to:
            raise ValueError("tiles: cluster: below must lie above from and not above to")
        if {"count", "share", "classes"} & self.attributes.keys():
            raise ValueError("tiles of clusters carry count, share and classes; no attribute can have such a name")

    def _importance(self) -> None:
        wanted = self.tiles.importance
        if wanted is None:
            return
        self.known((wanted.by,), "tiles: importance")
        if self.tiles.attributes is not None and wanted.by not in self.tiles.attributes:
            raise ValueError("tiles: importance names an attribute that tiles carry")
        if self.attributes[wanted.by].effective_clearance(self) > self.clearance:
            raise ValueError("tiles: importance names an attribute that every reader of the layer may see")

    def _mosaic(self) -> None:
        wanted = self.tiles.mosaic
        if wanted is None:
            return
        self.known((wanted.by,), "tiles: mosaic")
        if self.geometry != "polygon" or self.attributes[wanted.by].type not in ("text", "code"):
            raise ValueError("a mosaic shows polygons by an attribute of type text or code")
        if wanted.by in ("count", "share"):
            raise ValueError("tiles of a mosaic carry count and share; it cannot show an attribute of that name")
        if self.attributes[wanted.by].effective_clearance(self) > self.clearance:
            raise ValueError("a mosaic shows an attribute that every reader of the layer may see")
        if not self.tiles.from_ < wanted.below <= self.tiles.to:
            raise ValueError("tiles: mosaic: below must lie above from and not above to")


class TableLayer(TabularLayer):
    """Rows without a geometry; `storage: series` partitions them by month of their time attribute."""

    kind: Literal["table"]
    storage: Literal["table", "series"] = "table"
    belongs_to: Series | None = None
    observes: Observes | None = None

    @model_validator(mode="after")
    def _series(self) -> TableLayer:
        if self.storage == "series" and (self.time is None or not self.key or self.time not in self.key):
            raise ValueError("a series has a time attribute that is part of its key")
        if self.belongs_to is not None:
            self.known((self.belongs_to.by,), "belongs_to")
        if self.observes is not None:
            self.known(tuple(self.observes.attributes()), "observes")
            if self.storage != "series" or self.belongs_to is None:
                raise ValueError("only a series that belongs to a layer of stations observes")
        return self


class Band(Frozen):
    """One band of a raster: meaning, unit, vertical datum, value that means no data, plausible range."""

    name: str = Field(pattern=NAME_PATTERN)
    title: Text | None = None
    unit: str | None = None
    vertical_datum: str | None = Field(default=None, pattern=VERTICAL_PATTERN)
    nodata: float | None = None
    range: tuple[float | None, float | None] | None = None


class CogProfile(Frozen):
    """How rasters are stored: tile size in pixels, compression, how overviews are resampled."""

    blocksize: Literal[128, 256, 512] = 512
    compress: Literal["zstd", "deflate", "lzw", "webp", "jpeg"] = "zstd"
    overviews: Literal["average", "nearest", "mode", "bilinear", "sum"] = "average"


class RasterLayer(LayerBase):
    """Cells stored as Cloud-Optimised GeoTIFFs in their own CRS, with a footprint in EPSG:4490.

    `time` is a pattern of names that say when a raster was taken (`layers.taken`), `order` which lies on top.
    """

    kind: Literal["raster"]
    bands: tuple[Band, ...] = Field(min_length=1)
    cog: CogProfile = CogProfile()
    tiles: Zooms = Zooms()
    style: RasterStyle
    list: str | None = None
    time: str | None = None
    order: Order = "loaded"

    @model_validator(mode="after")
    def _times(self) -> RasterLayer:
        if self.time is not None:
            time_pattern(self.time)
        elif self.order in ("newest", "oldest"):
            raise ValueError(f"order: {self.order} needs time, the pattern of names that say when a raster was taken")
        return self

    @model_validator(mode="after")
    def _no_columns(self) -> RasterLayer:
        if self.attributes:
            raise ValueError("a raster layer has bands, not attributes")
        if self.exposure is not None and (self.exposure.by or self.exposure.value):
            raise ValueError("exposure of a raster counts cells, it names no attribute")
        return self


Layer = Annotated[VectorLayer | RasterLayer | TableLayer, Field(discriminator="kind")]
RowLayer = VectorLayer | TableLayer


def codelists_of(layer: LayerBase) -> frozenset[str]:
    """Ids of all code lists that a layer refers to."""
    lists: set[str] = {a.list for a in layer.attributes.values() if a.list}
    own: Any = getattr(layer, "list", None)
    if own:
        lists.add(own)
    style: Any = getattr(layer, "style", None)
    if style is not None:
        lists |= style.codelists()
    for mapping in layer.sources.values():
        lists |= mapping.codelists()
    return frozenset(lists)
