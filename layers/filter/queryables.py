"""What may be named in a filter: the attributes that a reader may see, the geometry, the public id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from layers.access import Decision
from layers.filter.tree import Kind
from layers.model import RowLayer, VectorLayer

ID, GEOMETRY = "id", "geometry"
_KINDS = {
    "text": Kind.TEXT,
    "code": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
}


@dataclass(frozen=True, slots=True)
class Queryable:
    """One name: what kind of value it has, and in which column of a layer's tables it is kept."""

    name: str
    kind: Kind
    column: str


@dataclass(frozen=True, slots=True)
class Queryables:
    """All names that a reader may use about a layer.

    `any_geometry` says that a feature of the layer may be a collection of points, lines and areas.
    """

    names: Mapping[str, Queryable]
    any_geometry: bool = False


@lru_cache(maxsize=4096)
def queryables_of(layer: RowLayer, decision: Decision) -> Queryables:
    """The names a reader may use about a layer.

    Attributes above the reader's clearance are not among them, so that a filter cannot tell that they exist.
    """
    found = [Queryable(ID, Kind.TEXT, "key")]
    if isinstance(layer, VectorLayer):
        found.append(Queryable(GEOMETRY, Kind.GEOMETRY, "geom"))
    found += [Queryable(name, _KINDS[layer.attributes[name].type], name) for name in decision.attributes]
    return Queryables(
        {one.name: one for one in found}, any_geometry=isinstance(layer, VectorLayer) and layer.geometry == "any"
    )


def common_queryables(found: list[Queryables]) -> Queryables:
    """The names that all of some layers share, with the same kind of value; of columns, those of the first."""
    first, *others = found
    names = {
        name: one
        for name, one in first.names.items()
        if all(name in other.names and other.names[name].kind is one.kind for other in others)
    }
    return Queryables(names, any_geometry=any(one.any_geometry for one in found))
