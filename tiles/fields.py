"""What tiles carry at which zoom levels: the attributes of every step of a ladder, as a reader may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from layers.access import Decision
from layers.ladder import cluster_by, rung_attributes, rungs
from layers.model import VectorLayer
from tiles.vector import tile_attributes

Source = Literal["mosaic", "clusters", "generalised", "rows"]


@dataclass(frozen=True, slots=True)
class ZoomStep:
    """A range of zoom levels whose tiles carry the same.

    Attributes:
        from_: Lowest zoom level.
        to: Highest zoom level.
        source: What they are drawn from once the ladder stands.
        fields: Names of what features carry.
    """

    from_: int
    to: int
    source: Source
    fields: tuple[str, ...]


def zoom_steps(layer: VectorLayer, decision: Decision) -> tuple[ZoomStep, ...]:
    """The steps of a layer from the lowest zoom level to the highest.

    Below the most detailed rung, features carry what style, labels and importance need and no more.
    """
    offered, tiles = tile_attributes(layer, decision), layer.tiles
    found: list[ZoomStep] = []
    if tiles.mosaic is not None:
        found.append(ZoomStep(tiles.from_, tiles.mosaic.below - 1, "mosaic", (tiles.mosaic.by, "count", "share")))
    if tiles.cluster is not None:
        by = cluster_by(layer)
        counted = ("count",) if by is None else tuple(dict.fromkeys((by, "count", "share", "classes")))
        single = tuple(name for name in offered if name != by)
        found.append(ZoomStep(tiles.from_, tiles.cluster.below - 1, "clusters", ("key", *single, *counted)))
    for rung in reversed(rungs(layer)):
        carried = set(rung_attributes(layer, rung))
        names = tuple(name for name in offered if name in carried)
        found.append(ZoomStep(rung.from_, rung.to, "generalised", ("key", *names)))
    first = found[-1].to + 1 if found else tiles.from_
    return (*found, ZoomStep(first, tiles.to, "rows", ("key", *offered)))
