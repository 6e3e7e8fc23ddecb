"""All methods: adding one means one module and one line here."""

from __future__ import annotations

from geoservice.hazards import alert, areas, bands, earthquake, fire, ring, river, shakemap, typhoon
from geoservice.hazards.method import HazardMethod

METHODS: dict[str, HazardMethod] = {
    method.id: method
    for method in (
        alert.ALERT,
        areas.DRAWN,
        ring.RINGS,
        earthquake.ELLIPSES,
        shakemap.GRID,
        typhoon.WIND,
        typhoon.ERROR_CONE,
        areas.FLOOD,
        bands.DEPTH,
        river.RIVER,
        river.DAM,
        fire.PERIMETER,
        areas.POLYGONS,
        bands.RESULTS,
    )
}
"""In the order of the list of methods."""
