"""How the figures of a zone analysis are made, in words that go out with every answer."""

from __future__ import annotations

import datetime as dt

from geoservice.analysis.statements import MAX_LISTED, MIN_PART
from layers.area import INVERSE_FLATTENING, SEMI_MAJOR

METHOD = {
    "coordinates": (
        "Longitude and latitude in degrees; CGCS2000 (EPSG:4490) and WGS 84 are taken as equal (at 1 m or coarser)."
    ),
    "ellipsoid": f"CGCS2000: semi-major axis {SEMI_MAJOR:.0f} m, inverse flattening {INVERSE_FLATTENING}.",
    "edges": (
        "Straight in longitude and latitude, densified to at most 1 km before measuring, "
        "so that parts add up to the whole."
    ),
    "area": (
        "Ellipsoidal area in m2 by the Lambert cylindrical equal-area projection (EPSG method 9835; EPSG:6933 in the "
        "database). A feature wholly inside is measured whole, one on the rim after it is cut at the zone."
    ),
    "length": "Ellipsoidal (geodesic) length in m of the part inside the zone; what runs along the border is inside.",
    "count": (
        "Points count when they lie inside or on the border. Lines and polygons count when a part of them lies inside; "
        f"a part below {MIN_PART:g} m or m2 only touches and neither counts nor adds."
    ),
    "sum": (
        "Sum of an attribute over features; each counts as a whole, where it lies or, for lines and polygons, where "
        "its inner point lies. Features without a value add nothing and are named in the note."
    ),
    "raster": (
        "Sum of cells; a cell on the rim adds the share of it that lies inside the zone. Cells without data add 0."
    ),
    "no-data": (
        "A section says no-data when the zone lies beyond the box of all that is loaded of its layer and that the "
        "reader may see; where a part of the zone does, the note says how much. That is not zero."
    ),
    "listing": f"At most {MAX_LISTED} features are listed, in the order of their keys; features_total counts all.",
    "snapshot": "All sections read one state of the database (repeatable read); editions name it.",
}

_AS_OF = (
    "All rows, rasters and named zones are those that the database held at the instant as_of; the edition of a section "
    "is the latest of its layer by then. Messages of alerts and kept zones never change: they are found whatever the "
    "instant."
)


def method_of(instant: dt.datetime | None) -> dict[str, str]:
    """How the figures of an answer are made; of the past also what that means."""
    return METHOD if instant is None else {**METHOD, "as-of": _AS_OF}
