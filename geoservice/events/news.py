"""What is new for one reader: the message about a layer that has changed, with what the reader may know of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

KIND = "collection.changed"


def message(root: str, name: str, span: tuple[int, int], counts: Mapping[str, int] | None) -> dict[str, Any]:
    """The data of a message.

    Args:
        root: Address of the landing page; empty when it is not known.
        name: Name of the layer.
        span: The edition that the reader knew, and the one that is there now.
        counts: Features that were created, updated and deleted; None for a raster.
    """
    since, until = span
    found: dict[str, Any] = {"collection": name, "since": since, "edition": until}
    if counts is None:
        return {**found, "href": f"{root}/collections/{name}"}
    query = urlencode({"since": since, "until": until})
    return {**found, "counts": dict(counts), "href": f"{root}/collections/{name}/changes?{query}"}


def envelope(committed: dt.datetime, data: Mapping[str, Any], *, played: bool = False) -> dict[str, Any]:
    """A message as it is posted: its type, when the edition was committed, whether it tells of what is played, data."""
    mark = {"exercise": True} if played else {}
    return {"type": KIND, "timestamp": moment(committed), **mark, "data": dict(data)}


def moment(instant: dt.datetime) -> str:
    """An instant as messages write it."""
    return instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
