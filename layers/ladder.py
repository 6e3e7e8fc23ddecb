"""The ladder: generalised copies of a vector layer, one rung per band of zoom levels.

Low zooms are where tile servers die: a tile of zoom 8 touches a hundred thousand parcels. A rung holds what its zooms
can show, simplified and in Web Mercator already. The highest zooms have no rung; they are drawn from the rows
themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from layers.model import Cluster, LayerBase, Mosaic, RowLayer, VectorLayer

LADDER_SCHEMA = "ladder"
LADDER_FORMAT = 2
"""How ladders are made; it rises when tables or rungs change, and ladders of another format are made anew."""
SPAN = 2
"""Zoom levels that share a rung; the lowest may have one of its own, because it shows the most features per tile."""
WORLD = 2 * 20037508.342789244
"""Width of Web Mercator in metres of EPSG:3857."""
RADIUS = 6378137.0
"""Radius (metres) of the sphere of Web Mercator (EPSG method 1024)."""
LIMIT = 85.0511287798066
"""Latitude (degrees) at which Web Mercator ends."""
TURN_LOCK = "geoservice.ladder.turn."
"""With the name of a layer the advisory lock under which rows of its ladder are changed in place or replaced."""
PIXELS = 512
"""Display pixels of a tile's side, as MapLibre draws it."""
CELLS = 64
"""Cells of a mosaic along a tile's side."""
CLUSTER_CELLS = 8
"""Cells of clusters along a tile's side: circles of 64 display pixels, side by side at most."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder.

    Attributes:
        from_: Lowest zoom level drawn from it.
        to: Highest zoom level drawn from it; its name, and what it is generalised for.
    """

    from_: int
    to: int

    @property
    def pixel(self) -> float:
        """Metres of EPSG:3857 per display pixel at the highest zoom of the rung."""
        return float(WORLD / PIXELS / 2**self.to)


@lru_cache(maxsize=4096)
def rungs(layer: RowLayer) -> tuple[Rung, ...]:
    """The rungs of a layer, the most detailed first; none for points, which need no simplifying, and for tables."""
    if not isinstance(layer, VectorLayer) or layer.geometry == "point":
        return ()
    found: list[Rung] = []
    top = layer.tiles.to - 1
    lowest = layer.tiles.mosaic.below if layer.tiles.mosaic is not None else layer.tiles.from_
    while top >= lowest:
        low = max(top - SPAN + 1, lowest)
        found.append(Rung(low, top))
        top = low - 1
    return tuple(found)


def rung_at(layer: RowLayer, zoom: int) -> Rung | None:
    """The rung from which a zoom level is drawn; None where the rows themselves are drawn."""
    return next((rung for rung in rungs(layer) if rung.from_ <= zoom <= rung.to), None)


def has_ladder(layer: RowLayer) -> bool:
    """Whether some zoom levels of a layer are drawn from a ladder."""
    return bool(rungs(layer)) or mosaic_at(layer, 0) is not None or cluster_at(layer, 0) is not None


def mosaic_at(layer: RowLayer, zoom: int) -> Mosaic | None:
    """The mosaic from which a zoom level is drawn, if it is."""
    mosaic = layer.tiles.mosaic if isinstance(layer, VectorLayer) else None
    return mosaic if mosaic is not None and zoom < mosaic.below else None


def cluster_at(layer: RowLayer, zoom: int) -> Cluster | None:
    """The clusters from which a zoom level is drawn, if it is."""
    cluster = layer.tiles.cluster if isinstance(layer, VectorLayer) else None
    return cluster if cluster is not None and zoom < cluster.below else None


def cluster_by(layer: VectorLayer) -> str | None:
    """The attribute whose values clusters of a layer count apart: the declared one, or the one that colours points.

    An attribute that some reader of the layer may not see is never taken from the style.
    """
    declared = layer.tiles.cluster.by if layer.tiles.cluster is not None else None
    if declared is not None or layer.style.circle is None or isinstance(layer.style.circle.colour, str):
        return declared
    named = layer.style.circle.colour.by
    attribute = layer.attributes[named]
    open_to_all = attribute.effective_clearance(layer) <= layer.clearance
    return named if attribute.type in ("text", "code") and open_to_all else None


def rung_attributes(layer: VectorLayer, rung: Rung) -> tuple[str, ...]:
    """Attributes that a rung carries: all that tiles carry on the most detailed one, below what drawing needs.

    Drawing needs what style and labels name.
    """
    offered = tuple(layer.attributes) if layer.tiles.attributes is None else layer.tiles.attributes
    if rung == rungs(layer)[0]:
        return offered
    label = () if layer.label is None else (layer.label.zh, layer.label.en)
    important = () if layer.tiles.importance is None else (layer.tiles.importance.by,)
    needed = {*layer.style.attributes(), *label, *important}
    return tuple(name for name in offered if name in needed)


def rung_name(layer: LayerBase, rung: Rung) -> str:
    """Name of the table of a rung."""
    return f"{layer.name}_z{rung.to}"


def cell_name(layer: LayerBase) -> str:
    """Name of the table of the finest cells of a mosaic or of clusters."""
    return f"{layer.name}_cell"


def is_rung_name(layer: LayerBase, name: str) -> bool:
    """Whether a table of the schema is (or was to become) a rung of a layer."""
    return re.fullmatch(rf"{re.escape(layer.name)}_(z\d+|cell|mosaic|cluster)(_new)?", name) is not None
