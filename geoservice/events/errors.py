"""What can go wrong with subscriptions."""

from __future__ import annotations

from layers.errors import GeoError


class TooManySubscriptions(GeoError):
    """A key has as many subscriptions as one may have."""

    title = "Too many subscriptions"
