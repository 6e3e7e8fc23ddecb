"""A layer of patches that share winding borders, some above the clearance of their layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from layers.model import VectorLayer
from tests.support.loading import trial_layer

CLASSES = ("0101", "0301", "1101", None)
LEVELS = (None, None, None, "internal", "restricted")
ORIGIN = np.array([105.0, 38.0])
SIDE = 0.004


def patches(**more: Any) -> VectorLayer:
    own: dict[str, Any] = {
        "geometry": "polygon",
        "coverage": True,
        "style": {"fill": "#336699"},
        "attributes": {
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
        },
        "time": None,
        "tiles": {"from": 5, "to": 14, "mosaic": {"by": "kind", "below": 12}},
        "sources": {"all": {"match": ["*.gpkg"], "complete": True}},
    }
    layer = trial_layer("patch", **{**own, **more})
    assert isinstance(layer, VectorLayer)
    return layer


def mesh(columns: int, rows: int, seed: int) -> list[dict[str, Any]]:
    """Patches that share winding borders: a grid whose nodes and border vertices are shifted at random."""
    random = np.random.default_rng(seed)
    fine = 4
    shape = (columns * fine + 1, rows * fine + 1, 2)
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    points = ORIGIN + np.stack([x, y], axis=-1) * SIDE / fine + random.uniform(-1, 1, shape) * SIDE / fine / 4
    found = []
    for i in range(columns):
        for j in range(rows):
            a, b = i * fine, j * fine
            ring = [points[a + k, b] for k in range(fine)] + [points[a + fine, b + k] for k in range(fine)]
            ring += [points[a + fine - k, b + fine] for k in range(fine)]
            ring += [points[a, b + fine - k] for k in range(fine)]
            found.append({"code": f"{i}-{j}", "kind": "0101", "level": None, "geometry": shapely.Polygon(ring)})
    for row in found:
        row["kind"] = CLASSES[random.integers(len(CLASSES))]
        row["level"] = LEVELS[random.integers(len(LEVELS))]
    return found
