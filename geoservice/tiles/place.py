"""Which tile it is: where it lies, whose it is, and under which name it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version

from geoservice.db.sync import definition_digest
from geoservice.tiles.drawing import TileRequest
from geoservice.tiles.journal import Window
from layers.ladder import CELLS, CLUSTER_CELLS, cluster_at
from layers.model import RasterLayer, VectorLayer
from tiles.budget import TILE_BYTES
from tiles.image import ImageFormat
from tiles.sets.model import MatrixSet

MARGIN = 2 / CELLS + 0.01
"""Share of its side by which a tile is widened for the question whether a change concerns it.

Twice the buffer of features, because a mosaic has a cell of buffer and a change concerns all of the cell it is in; and
a little more, because beside Web Mercator geometries are cut at some distance.
"""
CLUSTER_MARGIN = 2 / CLUSTER_CELLS
"""The same for clusters, whose cells are larger."""


@dataclass(frozen=True)
class KeptPlace:
    """One tile as readers of one clearance see it.

    Attributes:
        house: Identity of the database and of the program that draws; empty while the database was not heard of, and
            then nothing is kept on disk.
        layer: Name of the layer.
        definition: Digest of the definitions of layer and tile matrix set; with the clearance it says which rows and
            attributes are shown.
        clearance: Clearance of the readers.
        matrix_set: Tile matrix set.
        level: Tile matrix.
        row: Row, from the top.
        col: Column, from the left.
        window: West, south, east, north in degrees of all from which the tile is drawn.
        image: Format of an image; None for a vector tile.
    """

    house: str
    layer: str
    definition: str
    clearance: int
    matrix_set: str
    level: int
    row: int
    col: int
    window: Window
    image: ImageFormat | None = None

    @cached_property
    def path(self) -> str:
        """Path, for images with the query, under which the service offers the tile."""
        where = f"{self.matrix_set}/{self.level}/{self.row}/{self.col}"
        if self.image is not None:
            return f"/collections/{self.layer}/map/tiles/{where}?f={self.image}"
        return f"/collections/{self.layer}/tiles/{where}"

    @cached_property
    def key(self) -> str:
        """Name under which it is kept on disk."""
        owner = owner_of(self.house, self.layer)
        ending = "" if self.image is None else f"/{self.image}"
        where = f"{self.matrix_set}/{self.level}/{self.row}/{self.col}{ending}"
        return f"{owner}{self.definition}/{self.clearance}/{where}"


def owner_of(house: str, layer: str) -> str:
    """What the names of all tiles of a layer begin with."""
    return f"{house}/{layer}/"


def place_of(request: TileRequest, house: str) -> KeptPlace:
    """Which tile a request asks for.

    Args:
        request: The request; its decision says for whom.
        house: See `KeptPlace`.
    """
    clearance, grid = int(request.decision.rule.max_clearance), request.grid
    definition = definition_of(request.layer, grid)
    clustered = cluster_at(request.layer, request.zoom) is not None
    window = request.place.degrees(CLUSTER_MARGIN if clustered else MARGIN)
    return KeptPlace(
        house, request.layer.name, definition, clearance, grid.id, request.z, request.row, request.col, window
    )


_DEFINITIONS: dict[tuple[int, int], tuple[VectorLayer | RasterLayer, MatrixSet, str]] = {}
_MOST_DEFINITIONS = 4096


def definition_of(layer: VectorLayer | RasterLayer, grid: MatrixSet, also: Callable[[], str] = lambda: "") -> str:
    """Digest of what tiles of a layer in a set are derived from, and of what `also` tells; reckoned once for a pair."""
    pair = (id(layer), id(grid))
    known = _DEFINITIONS.get(pair)
    # An object that is gone may have left its number to another.
    if known is not None and known[0] is layer and known[1] is grid:
        return known[2]
    if len(_DEFINITIONS) >= _MOST_DEFINITIONS:
        _DEFINITIONS.clear()
    told = json.dumps(grid.document, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{definition_digest(layer)}{told}{also()}".encode()).hexdigest()[:16]
    _DEFINITIONS[pair] = (layer, grid, digest)
    return digest


@cache
def program() -> str:
    """Which program draws: tiles of another version may look otherwise."""
    return version("geoservice")


def is_kept(request: TileRequest) -> bool:
    """Whether a tile is one that is kept: nothing is asked beside its place, and there is something to draw."""
    return request.question.plain and request.budget == TILE_BYTES and request.layer.tiles.from_ <= request.zoom
