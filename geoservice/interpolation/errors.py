"""What can go wrong when a surface is asked for."""

from __future__ import annotations

from layers.errors import UnknownResource


class TooFewStations(UnknownResource):
    """There are not enough stations with a value at that time to draw a surface between them."""

    title = "Too few stations"
