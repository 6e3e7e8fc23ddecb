"""OGC API - Features (OGC 17-069r4) as a source: pages by their `next` links, as GeoJSON in CRS84."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from ingest.remote.client import Answer, Client
from ingest.remote.guard import redacted
from ingest.remote.snapshot import Snapshot
from layers.errors import RemoteUnavailable

_GEOJSON = "application/geo+json"
_MEDIA = frozenset({_GEOJSON, "application/json", "application/vnd.geo+json"})


def fetch_pages(client: Client, address: str, snapshot: Snapshot) -> None:
    """Fetch all items of a collection.

    Args:
        client: Fetches pages.
        address: The collection or its items, with or without a query.
        snapshot: Where the features go, one JSON text per line.

    Raises:
        RemoteRefused: When a page lies on a host that is not allowed.
        RemoteUnavailable: When the server does not answer with features, or its pages run in a circle.
    """
    url: str | None = first_page(address, client.limits.page_size)
    seen: set[str] = set()
    while url is not None:
        if url in seen:
            raise RemoteUnavailable(f"The pages of {redacted(address)} run in a circle; nothing was loaded.")
        seen.add(url)
        answer = client.get(url, f"{_GEOJSON}, application/json;q=0.8")
        page = _collection(answer)
        snapshot.page([_line(f, answer) for f in page["features"]], _count(page.get("numberMatched")))
        url = _next(page, answer)


def first_page(address: str, size: int) -> str:
    """Address of the first page of a collection's items."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    path = path if path.endswith("/items") else f"{path}/items"
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return parts._replace(path=path, query=urlencode({"limit": str(size), **query}), fragment="").geturl()


def _collection(answer: Answer) -> dict[str, Any]:
    try:
        page = json.loads(answer.body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        page = None
    if not isinstance(page, dict) or page.get("type") != "FeatureCollection":
        raise RemoteUnavailable(f"{redacted(answer.url)} answers no GeoJSON feature collection.")
    features = page.get("features")
    if not isinstance(features, list) or not all(isinstance(f, dict) for f in features):
        raise RemoteUnavailable(f"The feature collection of {redacted(answer.url)} has no list of features.")
    return page


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _line(feature: dict[str, Any], answer: Answer) -> tuple[str | None, bytes]:
    """Id and text of a feature; its id also becomes a property, unless there is one of that name."""
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise RemoteUnavailable(f"A feature of {redacted(answer.url)} has properties that are no object.")
    name = feature.get("id")
    if name is not None:
        properties = {"id": name, **properties}
    text = json.dumps(
        {"type": "Feature", "properties": properties, "geometry": feature.get("geometry")},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return None if name is None else str(name), text.encode("utf-8", "backslashreplace") + b"\n"


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _next(page: dict[str, Any], answer: Answer) -> str | None:
    links = page.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            media = str(link.get("type") or _GEOJSON).partition(";")[0].strip().lower()
            if media in _MEDIA:
                return str(urljoin(answer.url, link["href"]))
    return None
