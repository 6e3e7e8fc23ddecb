"""Typed errors. Each carries facts; HTTP status and exit codes are decided elsewhere."""

from __future__ import annotations

from typing import Any


class GeoError(Exception):
    """Base of every error this product raises on purpose.

    Args:
        detail: One sentence that says what happened and what was expected.
        facts: Machine-readable facts that belong to the error.
    """

    title = "Error"

    def __init__(self, detail: str, **facts: Any) -> None:
        """Keep the sentence and the facts."""
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class DefinitionError(GeoError):
    """A layer, code list or style definition does not follow the format."""

    title = "Invalid definition"


class UnknownLayer(GeoError):
    """No such layer, or none that this principal may see (the two look the same)."""

    title = "Unknown collection"


class UnknownFeature(GeoError):
    """No such feature in the layer, or none that this principal may see."""

    title = "Unknown feature"


class UnknownResource(GeoError):
    """Another addressed thing (tile matrix set, style, route, job) does not exist."""

    title = "Not found"


class UnknownEdition(UnknownResource):
    """There is no edition of this number, or not of this layer."""

    title = "Unknown edition"


class UnknownRow(UnknownResource):
    """There is no quarantined row of this number."""

    title = "Unknown quarantined row"


class CountsDisagree(GeoError):
    """The books of a load do not balance: a fault of this product, never of the source; the load is rolled back."""

    title = "Counts do not add up"


class NotWithdrawable(GeoError):
    """An edition cannot be withdrawn: it is already, or later ones stand upon it."""

    title = "Edition cannot be withdrawn"


class BadParameter(GeoError):
    """A parameter is known, but its value is not acceptable."""

    title = "Invalid parameter value"


class BadFilter(BadParameter):
    """A filter is not CQL2, names what is not there, compares what cannot be compared, or exceeds its budget."""

    title = "Invalid filter"


class RowSettled(BadParameter):
    """A row of quarantine is not open any more, so that nothing can be done with it."""

    title = "Row is settled"


class UnknownParameter(GeoError):
    """The request carries a parameter that the resource does not know."""

    title = "Unknown parameter"


class BadBody(GeoError):
    """The request body is not what the resource accepts."""

    title = "Invalid request body"


class BadGeometry(GeoError):
    """A geometry is malformed, self-crossing, empty or outside the world."""

    title = "Invalid geometry"


class TooLarge(GeoError):
    """Input exceeds a stated limit."""

    title = "Input too large"


class TileOutside(GeoError):
    """A tile address lies outside its tile matrix set or the limits of its tileset."""

    title = "Tile outside the tile matrix set"


class NotAcceptable(GeoError):
    """None of the asked-for media types can be produced."""

    title = "Not acceptable"


class NotAuthenticated(GeoError):
    """Credentials were presented and are not valid."""

    title = "Not authenticated"


class NotAllowed(GeoError):
    """The principal is known and lacks the right."""

    title = "Not allowed"


class MethodNotAllowed(GeoError):
    """The resource does not know this HTTP method."""

    title = "Method not allowed"


class DatabaseUnavailable(GeoError):
    """The database cannot be reached or has no free connection."""

    title = "Database unavailable"


class AssetUnavailable(GeoError):
    """The file of a raster asset is missing or damaged: the store needs repair, the request was fine."""

    title = "Raster file unavailable"


class MapUnavailable(GeoError):
    """A map cannot be drawn now: the renderer does not start, broke down, or took too long."""

    title = "Map could not be drawn"


class QueryTimeout(GeoError):
    """The database gave up after the time budget of this kind of request."""

    title = "Query took too long"


class CrsRefused(GeoError):
    """A coordinate reference system is unknown, missing, or has no safe path to storage."""

    title = "Coordinate reference system refused"


class SourceError(GeoError):
    """A source cannot be ingested; children say why."""

    title = "Source refused"


class SourceMissing(SourceError):
    """The source does not exist or cannot be opened by this user."""

    title = "Source not found"


class LayerBusy(SourceError):
    """Another load of the layer is under way; there is one writer at a time."""

    title = "Layer busy"


class SourceUnreadable(SourceError):
    """The source is not in the declared or any allowed format, is damaged, or is empty."""

    title = "Source unreadable"


class SourceMismatch(SourceError):
    """The source can be read but does not fit the layer (geometry type, fields, encoding)."""

    title = "Source does not fit the layer"


class GateClosed(SourceError):
    """The source has more errors than the layer's gate allows, so that none of it was loaded."""

    title = "Source refused by the layer's gate"


class RemoteRefused(SourceError):
    """A remote source lies where this installation does not go: scheme, host, address or name is not allowed."""

    title = "Remote source not allowed"


class RemoteUnavailable(SourceError):
    """A remote source does not answer, answers nonsense, or exceeds a limit."""

    title = "Remote source unavailable"


class ConfigurationError(GeoError):
    """A setting or the installation is not usable; the sentence says how to mend it."""

    title = "Configuration error"
