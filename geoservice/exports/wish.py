"""What somebody asks to have exported, and the rows and the file that it means."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from geoservice.features.query import FeatureQuery
from geoservice.formats.known import EXPORT_FORMATS, FileFormat
from geoservice.formats.subject import Subject, about_layer
from geoservice.formats.target import crs_for, pyproj_of
from layers.access import Clearance, Decision
from layers.catalog import Catalog
from layers.errors import BadParameter, NotAcceptable
from layers.extent import Extent, parse_bbox
from layers.filter import LANGS, Filter, parse_filter, queryables_of
from layers.interval import parse_datetime
from layers.model import RowLayer
from layers.offered import OfferedCrs, find_crs

EVERYTHING = 2**62
"""A limit that no table reaches."""
ENCODINGS = ("utf-8", "gbk")
NATIONAL = "national"
"""The template of boundary-point files that is followed when none is named."""
_SHORT, _MOST_NAMES = 100, 1000


class ExportInputs(BaseModel):
    """What is asked for; texts are written as in the parameters of items."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    collection: str = Field(min_length=1, max_length=200, description="Collection to export.")
    f: str = Field(min_length=1, max_length=_SHORT, description=f"Format: {', '.join(EXPORT_FORMATS)}.")
    bbox: list[float] | None = Field(
        default=None, min_length=4, max_length=6, description="west, south, east, north in degrees (CRS84)."
    )
    datetime: str | None = Field(default=None, max_length=_SHORT, description="RFC 3339 instant, date or interval.")
    as_of: str | None = Field(default=None, max_length=_SHORT, alias="as-of", description="Rows as they were then.")
    edition: str | None = Field(default=None, max_length=_SHORT, description="Rows as this edition left them.")
    filter: str | dict[str, Any] | None = Field(default=None, description="CQL2: text, or JSON as an object.")
    filter_crs: str | None = Field(
        default=None, max_length=_SHORT, alias="filter-crs", description="CRS of geometries in the filter."
    )
    crs: str | None = Field(default=None, max_length=_SHORT, description="CRS of the coordinates; default: CRS84.")
    properties: list[Annotated[str, Field(max_length=_SHORT)]] | None = Field(
        default=None, max_length=_MOST_NAMES, description="Attributes to write; default: all that you may see."
    )
    encoding: str = Field(default="utf-8", max_length=_SHORT, description="Of Shapefiles: utf-8 or gbk.")
    template: str | None = Field(
        default=None, max_length=_SHORT, description="Of boundary-point files; default: national."
    )

    def file_format(self, layer: RowLayer) -> FileFormat:
        """The format.

        Raises:
            BadParameter: When there is none of the name.
            NotAcceptable: When it cannot hold the rows of the layer.
        """
        found = EXPORT_FORMATS.get(self.f)
        if found is None:
            raise BadParameter(f"f is one of {', '.join(EXPORT_FORMATS)}; {self.f[:30]!r} is not.", parameter="f")
        require_fit(found, layer)
        return found

    def query(self, layer: RowLayer, decision: Decision, instant: dt.datetime | None) -> FeatureQuery:
        """The rows that are meant.

        Args:
            layer: The layer; the decision allowed it.
            decision: What the asker may see.
            instant: What `as-of` or `edition` stand for.

        Raises:
            BadParameter: When a parameter is not acceptable, or an attribute is not known.
            BadFilter, BadGeometry: When the filter is not.
        """
        return FeatureQuery(
            limit=EVERYTHING,
            bbox=None if self.bbox is None else parse_bbox(",".join(map(repr, self.bbox))),
            interval=None if self.datetime is None else parse_datetime(self.datetime),
            as_of=instant,
            filter=self._filter(layer, decision),
            properties=known_properties(layer, decision, self.properties),
        )

    def _filter(self, layer: RowLayer, decision: Decision) -> Filter | None:
        if self.filter is None:
            return None
        text, lang = (self.filter, LANGS[0]) if isinstance(self.filter, str) else (json.dumps(self.filter), LANGS[1])
        crs = None if self.filter_crs is None else pyproj_of(find_crs(self.filter_crs, "filter-crs"))
        return parse_filter(text, lang, crs, queryables_of(layer, decision))


def known_properties(layer: RowLayer, decision: Decision, asked: list[str] | None) -> tuple[str, ...] | None:
    """The attributes asked for, which must be among those that may be seen.

    Raises:
        BadParameter: Naming the first stranger and those that are known.
    """
    for name in asked or ():
        if name not in decision.attributes:
            known = ", ".join(decision.attributes)
            raise BadParameter(
                f"properties names attributes of {layer.name}: {known}; {name[:60]!r} is none of them.",
                parameter="properties",
            )
    return None if asked is None else tuple(asked)


def require_fit(chosen: FileFormat, layer: RowLayer) -> None:
    """A format that can hold the rows of a layer.

    Raises:
        NotAcceptable: When it cannot.
    """
    if not chosen.holds(layer):
        fit = ", ".join(name for name, one in EXPORT_FORMATS.items() if one.holds(layer))
        raise NotAcceptable(f"Rows of {layer.name} cannot be written as {chosen.name}; ask for one of {fit}.")


def subject_of(
    inputs: ExportInputs, layer: RowLayer, decision: Decision, catalog: Catalog, extent: Extent | None, **facts: Any
) -> tuple[Subject, OfferedCrs]:
    """What a file is about, and the CRS of its coordinates.

    Args:
        inputs: What is asked for.
        layer: The layer; the decision allowed it.
        decision: What the asker may see.
        catalog: For templates of boundary-point files.
        extent: Where the rows lie, as far as it is known: for formats that want a zone.
        facts: What is known of the edition, see `geoservice.formats.subject.About`.

    Raises:
        BadParameter: When the CRS, the encoding, the template or an attribute is not known.
        NotAcceptable: When the format cannot hold the rows.
    """
    chosen = inputs.file_format(layer)
    if inputs.encoding.lower() not in ENCODINGS:
        raise BadParameter(f"encoding is utf-8 or gbk; {inputs.encoding[:20]!r} is not.", parameter="encoding")
    template = inputs.template or NATIONAL
    if inputs.template is not None and template not in catalog.templates:
        known = ", ".join(catalog.templates)
        raise BadParameter(f"template is one of {known}; {template[:40]!r} is not.", parameter="template")
    names = known_properties(layer, decision, inputs.properties)
    attributes = tuple(name for name in decision.attributes if names is None or name in names)
    crs = crs_for(chosen, inputs.crs, extent)
    about = about_layer(layer, Clearance(decision.rule.max_clearance), **facts)
    encoding = inputs.encoding.lower()
    return Subject(layer, attributes, pyproj_of(crs), about, encoding, catalog.templates.get(template)), crs
