"""What can go wrong with coverages."""

from __future__ import annotations

from layers.errors import TooLarge, UnknownResource


class NoCoverage(UnknownResource):
    """A raster collection has no cell with data where it was asked for."""

    title = "No data there"


class CoverageTooLarge(TooLarge):
    """A coverage has more cells than are given in this way, or more bytes than there may be."""

    title = "Coverage too large"
