"""Where answers come from, for one principal: layers, connections, polygons in memory, raster files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from geoservice.db.pools import RawConnection
from geoservice.db.reading import Reading
from geoservice.queries.memory import PolygonShelf
from layers.access import Decision, Principal, decide
from layers.catalog import Catalog
from layers.errors import BadParameter, UnknownLayer
from layers.model import Layer, RasterLayer, VectorLayer

Connect = Callable[[], AbstractAsyncContextManager[RawConnection]]


@dataclass(frozen=True)
class Sources:
    """What one principal may be answered from.

    Attributes:
        principal: Who asks.
        catalog: All layers.
        connect: Lends a read-only connection of the principal's clearance.
        reading: How rows are read.
        polygons: Polygons in memory.
        rasters: Folder of the raster files.
    """

    principal: Principal
    catalog: Catalog
    connect: Connect
    reading: Reading
    polygons: PolygonShelf
    rasters: Path

    def layer(self, name: str) -> tuple[Layer, Decision]:
        """See `open_layer`."""
        return open_layer(self.catalog, self.principal, name)

    def vectors(self, name: str) -> tuple[VectorLayer, Decision]:
        """A collection of features with geometries.

        Raises:
            UnknownLayer: When there is none that the principal may see.
            BadParameter: When it has no geometries.
        """
        layer, decision = self.layer(name)
        if not isinstance(layer, VectorLayer):
            raise BadParameter(f"Collection {layer.name} has no geometries of features.", parameter="collection")
        return layer, decision

    def drawn(self, name: str) -> tuple[VectorLayer, Decision]:
        """A collection of lines or polygons; raises as `vectors`, also when its features are points."""
        layer, decision = self.vectors(name)
        if layer.geometry == "point":
            raise BadParameter(f"Points share nothing; {layer.name} has points.", parameter="collection")
        return layer, decision

    def several(self, names: str | None) -> list[tuple[Layer, Decision]]:
        """Collections by their ids, separated by commas; all that the principal may see when there are none.

        Raises:
            UnknownLayer: When one is none that the principal may see.
        """
        if names:
            return [self.layer(name) for name in dict.fromkeys(names.split(","))]
        return [
            (layer, decision) for layer in self.catalog if (decision := decide(self.principal, "read", layer)).allowed
        ]

    def surfaces(self, name: str) -> tuple[VectorLayer, Decision]:
        """A collection of polygons; raises as `vectors`, also when its features are no areas."""
        layer, decision = self.vectors(name)
        if layer.geometry not in ("polygon", "any"):
            raise BadParameter(
                f"Only polygons hold points; {layer.name} has {layer.geometry}s.", parameter="collection"
            )
        return layer, decision

    def raster(self, name: str) -> tuple[RasterLayer, Decision]:
        """A raster collection; raises as `vectors`, when it is none."""
        layer, decision = self.layer(name)
        if not isinstance(layer, RasterLayer):
            raise BadParameter(f"Collection {layer.name} is no raster.", parameter="collection")
        return layer, decision


def open_layer(catalog: Catalog, principal: Principal, name: str) -> tuple[Layer, Decision]:
    """The layer of a collection id and what a principal may see of it.

    Raises:
        UnknownLayer: When there is none or the principal may not see it; the two look the same.
    """
    try:
        layer = catalog.layer(name) if "/" not in name else None
    except UnknownLayer:
        layer = None
    decision = decide(principal, "read", layer) if layer is not None else None
    if layer is None or decision is None or not decision.allowed:
        raise UnknownLayer(f"There is no collection {name[:60]!r}; /collections lists those there are.")
    return layer, decision
