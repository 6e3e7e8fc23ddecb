"""What can go wrong with exports."""

from __future__ import annotations

from layers.errors import GeoError, TooLarge


class ExportClosed(GeoError):
    """Something in a result was closed to its readers since it was made."""

    title = "Export is closed"


class ExportTooLarge(TooLarge):
    """A result grows beyond what is allowed, or beyond the room on the disk."""

    title = "Export too large"
