"""Tiles of vector layers as images, for clients that draw no vectors: the renderer draws them as on the portal."""

from __future__ import annotations

import numpy as np
from rio_tiler.utils import render as encode_image

from geoservice.house import House
from geoservice.maps.encode import decoded
from geoservice.maps.picture import MapRequest, Shown, draw_map
from layers.access import Decision, Principal
from layers.errors import CrsRefused
from layers.model import VectorLayer
from tiles.plane import MapCrs, Plane, map_crs
from tiles.sets.model import MatrixSet, Place

MARGIN = 64
"""Pixels that are drawn beyond each edge and cut off again, so that labels and symbols reach across edges."""


def crs_of(grid: MatrixSet) -> MapCrs | None:
    """The CRS in which maps of a set are drawn; None for a set of an agency's own in any other CRS."""
    try:
        return map_crs(f"EPSG:{grid.srid}")
    except CrsRefused:
        return None


async def picture(
    house: House, asker: Principal, shown: tuple[VectorLayer, Decision], place: Place, crs: MapCrs
) -> tuple[bytes, bool]:
    """A tile as PNG with transparency, and whether nothing is on it.

    Raises:
        MapUnavailable: When it takes too long or the renderer cannot draw it.
    """
    request = MapRequest(plane_of(place, crs), [Shown(*shown)])
    pixels = decoded(await draw_map(house, asker, request))[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    body = bytes(encode_image(np.ascontiguousarray(pixels[:3]), mask=pixels[3], img_format="PNG"))
    return body, not pixels[3].any()


def plane_of(place: Place, crs: MapCrs) -> Plane:
    """The image of a tile with its margin."""
    matrix = place.grid.matrices[place.level]
    edge, side = MARGIN * matrix.cell, matrix.size + 2 * MARGIN
    left, top = matrix.west + place.col * matrix.span, matrix.north - place.row * matrix.span
    box = (left - edge, top - matrix.span - edge, left + matrix.span + edge, top + edge)
    return Plane(crs, box, side, side)
