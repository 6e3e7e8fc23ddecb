"""What can go wrong when environmental data is asked for."""

from __future__ import annotations

from layers.errors import UnknownResource


class NoEnvironmentalData(UnknownResource):
    """There is no data at the place that was asked about, or no such place."""

    title = "No environmental data there"
