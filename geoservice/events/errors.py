"""What can go wrong with subscriptions."""

from __future__ import annotations

from layers.errors import GeoError, RemoteRefused


class TooManySubscriptions(GeoError):
    """A key has as many subscriptions as one may have."""

    title = "Too many subscriptions"


class TooManyQuestions(TooManySubscriptions):
    """Readers of a mail address were asked too often whether they agree."""

    title = "Too many questions"


class ReceiverRefused(RemoteRefused):
    """Messages are not posted to the address of a subscription."""

    title = "Receiver not allowed"
