"""Content negotiation: `f=` wins over the Accept header; what cannot be made is refused clearly."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request

from layers.errors import BadParameter, NotAcceptable

JSON = "application/json"
GEOJSON = "application/geo+json"
HTML = "text/html"
MVT = "application/vnd.mapbox-vector-tile"
SCHEMA_JSON = "application/schema+json"
OPENAPI_30 = "application/vnd.oai.openapi+json;version=3.0"
OPENAPI_31 = "application/vnd.oai.openapi+json;version=3.1"

DOCUMENT = {"json": JSON, "html": HTML}
FEATURES = {"json": GEOJSON, "html": HTML}


def negotiate(request: Request, asked: str | None, formats: Mapping[str, str]) -> str:
    """Choose a format name among those a resource can make; the first one is the default.

    Args:
        request: For its Accept header.
        asked: Value of `f=`, or None.
        formats: Format name -> media type, the default first.

    Raises:
        BadParameter: When `f=` names a format that the resource does not have.
        NotAcceptable: When the Accept header excludes all of them.
    """
    if asked is not None:
        if asked not in formats:
            raise BadParameter(f"f is one of {', '.join(formats)}; {asked[:30]!r} is not.", parameter="f")
        return asked
    wishes = _by_weight(request.headers.get("accept", "*/*"))
    refused = {media for media, weight in wishes if not weight > 0}
    for media, weight in wishes:
        for name, offered in formats.items():
            # What is named with the weight 0 is not covered by a wider range either (RFC 9110, 12.5.1).
            if weight > 0 and offered.partition(";")[0] not in refused and _covers(media, offered):
                return name
    raise NotAcceptable(f"This resource is offered as {', '.join(formats.values())}.", offered=list(formats.values()))


def _by_weight(header: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in header.split(",")[:32]:
        media, *parameters = (p.strip() for p in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if media:
            found.append((media.lower(), weight))
    return sorted(found or [("*/*", 1.0)], key=lambda pair: -pair[1])


def _covers(pattern: str, media: str) -> bool:
    bare = media.partition(";")[0]
    if pattern in ("*/*", bare):
        return True
    # JSON clients of old ask for application/json and are content with its GeoJSON child.
    if pattern == JSON and bare in (GEOJSON, SCHEMA_JSON, "application/vnd.oai.openapi+json"):
        return True
    kind, _, sub = pattern.partition("/")
    return sub == "*" and bare.startswith(f"{kind}/")
