"""What can be wrong with readings and with what they name."""

from __future__ import annotations

from layers.errors import GeoError


class ReadingsRefused(GeoError):
    """Readings that must be written all or none were refused; `findings` names position, rule and reason of each."""

    title = "Readings refused"


class UnknownStream(GeoError):
    """There is no such datastream, or not for whoever asks."""

    title = "Unknown datastream"
