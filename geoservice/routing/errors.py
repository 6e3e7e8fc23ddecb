"""Errors of routing."""

from __future__ import annotations

from layers.errors import GeoError


class NetworkUnavailable(GeoError):
    """A network is not ready yet, or is larger than this service keeps in memory."""

    title = "Network not available"
