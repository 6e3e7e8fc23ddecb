"""Errors of hazard zones."""

from __future__ import annotations

from layers.errors import BadGeometry, GeoError


class EmptyZone(BadGeometry):
    """There is no zone: what was given has no area, or nothing is loaded where danger was looked for."""

    title = "Empty zone"


class TooManyZones(GeoError):
    """A key keeps as many zones as it may."""

    title = "Too many zones"
