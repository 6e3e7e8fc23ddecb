"""What is written into a file: a layer as one reader sees it, types of its columns, what the file says of itself.

Batches have the columns of `Subject.schema`: the public key, the attributes in the order of the layer, and for layers
with a geometry `geom`, which is ISO WKB with x = east or longitude and y = north or latitude, whatever the axis order
of the CRS is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyproj

from layers.access import Clearance
from layers.boundary import BoundaryTemplate
from layers.model import LayerBase, RowLayer, Text, VectorLayer

KEY, GEOMETRY = "key", "geom"
"""Names of our columns; no attribute can bear them."""
_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "code": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class About:
    """What a file says of itself.

    Attributes:
        collection: Id of the collection.
        title: Title in both languages.
        clearance: Of those who may read the file; nothing above it is in it.
        edition: Number of the edition that is shown; None when nothing was loaded.
        committed: When that edition was committed.
        source: Name of the source of that edition.
        authority: The body that answers for the data.
        licence: Share type and terms.
        attribution: Whom to credit.
        instant: The instant as of which the rows held; None for now.
    """

    collection: str
    title: Text
    clearance: Clearance
    edition: int | None = None
    committed: dt.datetime | None = None
    source: str | None = None
    authority: str = ""
    licence: str = ""
    attribution: str | None = None
    instant: dt.datetime | None = None

    def facts(self) -> dict[str, Any]:
        """Plain values by name, without those that are not known."""
        found = {
            "collection": self.collection,
            "title": self.title.en,
            "title_zh": self.title.zh,
            "edition": self.edition,
            "committed": _written(self.committed),
            "as_of": _written(self.instant),
            "source": self.source,
            "authority": self.authority,
            "licence": self.licence,
            "attribution": self.attribution,
            "clearance": self.clearance.label,
        }
        return {name: value for name, value in found.items() if value not in (None, "")}


def about_layer(layer: LayerBase, clearance: Clearance, **facts: Any) -> About:
    """What a file of a layer says of itself; `facts` are the attributes of `About` that are known of its edition."""
    name, terms = layer.authority.name, layer.licence
    authority = layer.authority.kind if name is None else f"{name.en} ({layer.authority.kind})"
    licence = terms.share if terms.terms is None else f"{terms.share}; {terms.terms}"
    credit: dict[str, Any] = {"authority": authority, "licence": licence, "attribution": terms.attribution}
    return About(layer.name, layer.title, clearance, **credit, **facts)


@dataclass(frozen=True)
class Subject:
    """What is written.

    Attributes:
        layer: The layer.
        attributes: Names of the attributes that the reader may see and asked for, in the order of the layer.
        crs: CRS of the coordinates in `geom`.
        about: What the file says of itself.
        encoding: Encoding of texts where a format leaves a choice: `utf-8` or `gbk`.
        template: How boundary-point files are written.
        shapes: Whether geometries are written at all.
    """

    layer: RowLayer
    attributes: tuple[str, ...]
    crs: pyproj.CRS
    about: About
    encoding: str = "utf-8"
    template: BoundaryTemplate | None = None
    shapes: bool = True

    @property
    def spatial(self) -> bool:
        """Whether the rows have a geometry."""
        return isinstance(self.layer, VectorLayer) and self.shapes

    @property
    def geometry_type(self) -> str:
        """`point`, `line`, `polygon` or `any` of the layer; `none` of a table."""
        return self.layer.geometry if isinstance(self.layer, VectorLayer) else "none"

    @property
    def schema(self) -> pa.Schema:
        """Columns of the batches."""
        fields = [(name, _TYPES[self.layer.attributes[name].type]) for name in self.attributes]
        shape = [(GEOMETRY, pa.binary())] if self.spatial else []
        return pa.schema([(KEY, pa.string()), *fields, *shape])

    @property
    def decimals(self) -> int:
        """Decimals of coordinates in formats that write them as text: 0.1 mm."""
        return 9 if self.crs.is_geographic else 4


Batches = Iterator[pa.RecordBatch]
Write = Callable[[Subject, Batches, Path], None]
"""Writes batches into a file that does not exist yet."""


def _written(instant: dt.datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
