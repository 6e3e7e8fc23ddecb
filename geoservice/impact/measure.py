"""How large features are: area and length on the ellipsoid, for many at once. Coordinates are in degrees.

The rules are those of `layers.area`: edges straight in longitude and latitude, areas in the equal-area projection, and
lengths along geodesics. Sizes are kept in whole ten-thousandths of a square metre or metre, so that sums are exact and
the order in which parts are added changes nothing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from geoservice.impact.region import Floats, Longs, Shapes
from layers.area import ellipsoidal_area, ellipsoidal_lengths

Measure = Literal["count", "length", "area", "sum"]
UNITS = 10_000
"""Units of a size in a square metre, a metre, or one of what is counted or summed."""
LEAST = UNITS // 1000
"""A part of a line or polygon below a thousandth of a metre or square metre only touches."""
_BLOCK = 20_000


def sizes_of(measure: Measure, shapes: Shapes) -> Longs:
    """Sizes of shapes: area or length; 1 for what is counted."""
    if measure in ("count", "sum"):
        return np.full(len(shapes), UNITS, dtype=np.int64)
    made = [_measured(measure, shapes[start : start + _BLOCK]) for start in range(0, len(shapes), _BLOCK)]
    return np.concatenate(made) if made else np.zeros(0, dtype=np.int64)


def whole_units(values: Floats) -> Longs:
    """Numbers as whole units; what is not a number becomes 0."""
    return np.rint(np.nan_to_num(values) * UNITS).astype(np.int64)


def plain(units: int) -> float:
    """Units as a number."""
    return int(units) / UNITS


def _measured(measure: Measure, shapes: Shapes) -> Longs:
    values = ellipsoidal_area(shapes) if measure == "area" else ellipsoidal_lengths(shapes)
    return whole_units(values)
