"""What can go wrong with edits, beside what the writer itself refuses (`ingest.edit`)."""

from __future__ import annotations

from layers.errors import GeoError


class PreconditionRequired(GeoError):
    """This installation takes changes only with the version of the feature that they were made on."""

    title = "Version required"


class KeyReused(GeoError):
    """An Idempotency-Key came with another request before."""

    title = "Idempotency key used for another request"


class KeyInFlight(GeoError):
    """A request with the same Idempotency-Key is being worked on."""

    title = "Request is under way"
