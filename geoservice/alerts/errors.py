"""What can go wrong with alerts."""

from __future__ import annotations

from layers.errors import BadBody, GeoError


class AlertRefused(BadBody):
    """A document holds no alert, or one that does not follow the standard; `faults` says where and why."""

    title = "Invalid alert"


class AlertImplausible(AlertRefused):
    """An alert follows the standard, and cannot be what its sender meant."""

    title = "Implausible alert"


class AlertContested(GeoError):
    """Another message of the same sender and identifier is known, and says something else."""

    title = "Alert contradicts a known one"


class AlertUnproven(GeoError):
    """A message that must be signed by its sender is not, or the signature does not hold."""

    title = "Alert not proven"


class DraftSettled(GeoError):
    """A draft was released or withdrawn, so that nothing more can be done with it."""

    title = "Draft is settled"


class DraftChanged(GeoError):
    """A draft says something else than what whoever releases it has read."""

    title = "Draft has changed"


class NoSender(GeoError):
    """This installation has no name as a sender, so that it releases no alerts."""

    title = "No sender of alerts"
