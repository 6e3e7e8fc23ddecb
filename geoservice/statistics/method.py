"""How statistics are made, in words that go out with every answer."""

from __future__ import annotations

from geoservice.analysis.method import METHOD as ZONES

ROWS = {
    "rows": "Those that the items of the collection show for the same filter, bbox, datetime, ids, as-of and edition.",
    "count": "Each feature counts once. Among divisions it counts where its inner point lies.",
    "area": f"m2. {ZONES['area'].partition('. ')[0]}. {ZONES['edges']} Among divisions areas are cut at the borders.",
    "length": "m, geodesic, of densified edges. Among divisions lines are cut at the borders.",
    "attribute": "Sums are added up in decimal; features without a value add nothing and are counted by missing:.",
    "share": "Part (0 to 1) of the first measure that adds up (area, length or sum), else of the count, of all rows.",
    "division": (
        "Divisions of one level that have a polygon; a point on a border belongs to the first by code. What lies in "
        "none is told as outside. A division that is not listed has no feature here; perhaps nothing is loaded."
    ),
    "code": "Rows without geometry belong to the division whose code begins their attribute adcode.",
    "histogram": "Each bin has its lower edge and not its upper one.",
}
CELLS = {
    "cells": ZONES["raster"],
    "area": "m2 of the cells with data, on the ellipsoid of CGCS2000.",
    "mean": "Sum of the cells by their shares, through the number of cells by their shares.",
    "division": "Divisions of one level that have a polygon. A division without any cell with data is not listed.",
}
ELLIPSOID = ZONES["ellipsoid"]
