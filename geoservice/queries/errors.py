"""Errors of questions about places."""

from __future__ import annotations

from layers.errors import BadBody, GeoError


class TableUnreadable(BadBody):
    """The table of a batch cannot be read at all, or lacks the columns that say where its rows lie."""

    title = "Table cannot be read"


class UnsupportedTable(GeoError):
    """The table of a batch has a media type or an encoding that batches do not take."""

    title = "Unsupported table format"


class TooManyBatches(GeoError):
    """Every place for a batch is taken; the next one has to wait."""

    title = "Too many batches"
