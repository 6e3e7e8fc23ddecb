"""What an archive is to hold: layers, area, zoom levels and the clearance of who will read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from layers.access import Clearance, Decision, Principal, decide
from layers.catalog import Catalog
from layers.errors import BadParameter, UnknownLayer
from layers.model import RasterLayer, TableLayer, VectorLayer
from tiles.archive.pmtiles_file import Kind
from tiles.image import ImageFormat

Drawn = VectorLayer | RasterLayer


@dataclass(frozen=True)
class ArchiveRequest:
    """What is asked for.

    Attributes:
        layers: Names, or theme/name.
        clearance: Of those who will read the archive; nothing above it goes in.
        area: Surface in degrees (x=longitude, y=latitude); None is all there is.
        adcode: Division that the area is instead.
        low: Lowest zoom level; None is that of the layers.
        high: Highest zoom level; None is that of the layers.
        image: Format of the tiles of a raster layer.
    """

    layers: tuple[str, ...]
    clearance: Clearance = Clearance.PUBLIC
    area: shapely.Geometry | None = None
    adcode: str | None = None
    low: int | None = None
    high: int | None = None
    image: ImageFormat = "png"


@dataclass(frozen=True)
class Choice:
    """The layers of an archive with what its readers may see of them: vector layers, or one raster layer."""

    layers: tuple[tuple[Drawn, Decision], ...]
    zooms: tuple[int, int]

    @property
    def vectors(self) -> tuple[tuple[VectorLayer, Decision], ...]:
        """The vector layers; empty for a raster."""
        return tuple((layer, decision) for layer, decision in self.layers if isinstance(layer, VectorLayer))

    @property
    def raster(self) -> RasterLayer | None:
        """The raster layer, if it is one."""
        return next((layer for layer, _ in self.layers if isinstance(layer, RasterLayer)), None)

    def kind(self, image: ImageFormat) -> Kind:
        """Format of the tiles."""
        return "mvt" if self.raster is None else image


def reader(clearance: Clearance) -> Principal:
    """Whoever may read up to a clearance, as the access decision knows them."""
    return Principal(f"reader-{clearance.label}", clearance)


def choose(catalog: Catalog, request: ArchiveRequest) -> Choice:
    """Find the layers of a request and decide what goes in.

    Raises:
        UnknownLayer: When there is none of a name, or it lies above the clearance.
        BadParameter: When layers cannot share an archive, or it would have no zoom level.
    """
    if not request.layers:
        raise BadParameter("An archive holds at least one layer; name it.", parameter="layers")
    found = tuple(_one(catalog, name, request.clearance) for name in dict.fromkeys(request.layers))
    rasters = [layer for layer, _ in found if isinstance(layer, RasterLayer)]
    if rasters and len(found) > 1:
        raise BadParameter(
            f"Layer {rasters[0].id} is a raster: its images have an archive of their own. Build it by itself.",
            parameter="layers",
        )
    return Choice(found, _zooms([layer for layer, _ in found], request))


def _one(catalog: Catalog, name: str, clearance: Clearance) -> tuple[Drawn, Decision]:
    layer = catalog.layer(name)
    if isinstance(layer, TableLayer):
        raise BadParameter(f"Layer {layer.id} is a table: it has no tiles.", parameter="layers")
    decision = decide(reader(clearance), "read", layer)
    if not decision.allowed:
        raise UnknownLayer(
            f"Readers up to {clearance.label} do not see a layer {name!r}; choose a higher --clearance.", layer=name
        )
    return layer, decision


def _zooms(layers: Sequence[Drawn], request: ArchiveRequest) -> tuple[int, int]:
    offered = min(layer.tiles.from_ for layer in layers), max(layer.tiles.to for layer in layers)
    low = offered[0] if request.low is None else max(request.low, offered[0])
    high = offered[1] if request.high is None else min(request.high, offered[1])
    if low > high:
        raise BadParameter(
            f"These layers have tiles at zoom levels {offered[0]} to {offered[1]}; none of them was asked for.",
            parameter="zooms",
        )
    return low, high
