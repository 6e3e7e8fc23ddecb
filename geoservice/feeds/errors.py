"""What can go wrong with feeds."""

from __future__ import annotations

from layers.errors import RemoteUnavailable


class FeedWentBack(RemoteUnavailable):
    """A feed answers with something older than what it gave before; nothing of it is taken."""

    title = "Feed went back in time"
