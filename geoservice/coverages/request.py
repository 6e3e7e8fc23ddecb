"""What is asked of a coverage: of which collection, where, in which CRS and size, of which time."""

from __future__ import annotations

from dataclasses import dataclass

from geoservice.analysis.place import Place, zone_from_bbox, zone_from_feature
from geoservice.analysis.request import ZoneRequest
from geoservice.features.window import parse_window
from layers.errors import BadParameter
from layers.offered import CRS84, OfferedCrs, find_crs

BOX = "bbox"
"""Origin of zones that are boxes: they cut a grid out, and no cell of it is made empty."""
MOST_SIDE = 1_000_000
"""Most pixels along a side."""
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class CoverageRequest:
    """What is asked.

    Attributes:
        collection: Id of the collection.
        zone: Where; None for everywhere.
        crs: CRS of the answer; None for that of the topmost raster there.
        width, height: Pixels along the sides; with one of them the other follows, without both cells keep their size.
        taken: `datetime` as it was written: rasters that were taken then.
        as_of, edition: The instant or the edition of which rasters are meant, as they were written.
    """

    collection: str
    zone: ZoneRequest | None = None
    crs: OfferedCrs | None = None
    width: int | None = None
    height: int | None = None
    taken: str | None = None
    as_of: str | None = None
    edition: str | None = None


def box_asked(bbox: str, bbox_crs: str | None) -> Place:
    """The place of `bbox`, in the CRS and the order of axes of `bbox-crs` (CRS84 by default).

    Raises:
        BadParameter: When one of them is malformed.
        BadGeometry: When the box has no area.
    """
    window = parse_window(bbox, CRS84 if bbox_crs is None else find_crs(bbox_crs, "bbox-crs"))
    if window.bbox is not None:
        return zone_from_bbox(window.bbox)
    if window.region is None:
        raise BadParameter("bbox names no box.", parameter="bbox")
    return zone_from_feature(window.region, BOX)


def crs_asked(text: str | None) -> OfferedCrs | None:
    """The system that `crs` names.

    Raises:
        BadParameter: When it is none of those offered.
    """
    return None if text is None else find_crs(text, "crs")


def side_asked(text: str | None, parameter: str) -> int | None:
    """Pixels along a side, as `width` or `height` give them.

    Raises:
        BadParameter: When it is not a whole number from 1 to a million.
    """
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
    if not 1 <= number <= MOST_SIDE:
        raise BadParameter(
            f"{parameter} is a whole number of pixels from 1 to {MOST_SIDE:,}; {text[:30]!r} is not.",
            parameter=parameter,
        )
    return number
