"""Errors of hazard zones."""

from __future__ import annotations

from layers.errors import BadGeometry, GeoError


class EmptyZone(BadGeometry):
    """The method was carried out and found no place with any danger: there is no zone."""

    title = "Empty zone"


class TooManyZones(GeoError):
    """A key keeps as many zones as it may."""

    title = "Too many zones"
