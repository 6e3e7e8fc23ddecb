"""What can go wrong when stations are asked for."""

from __future__ import annotations

from layers.errors import UnknownResource


class UnknownStation(UnknownResource):
    """There is no such station, or not for whoever asks."""

    title = "Unknown station"
