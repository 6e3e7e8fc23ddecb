"""WFS 2.0 (OGC 09-025r2, ISO 19142) as a source: pages by `startIndex` and `count`, as GML 3.2."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from lxml import etree

from ingest.remote.client import Answer, Client
from ingest.remote.guard import redacted
from ingest.remote.snapshot import Snapshot
from layers.errors import RemoteRefused, RemoteUnavailable

_WFS = "http://www.opengis.net/wfs/2.0"
_GML = "http://www.opengis.net/gml/3.2"
_OWS = "http://www.opengis.net/ows/1.1"
HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<wfs:FeatureCollection xmlns:wfs="{_WFS}" xmlns:gml="{_GML}">\n'.encode()
)
TAIL = b"</wfs:FeatureCollection>\n"
_UNKNOWN = "unknown"


def fetch_pages(client: Client, address: str, snapshot: Snapshot) -> None:
    """Fetch all features of a type.

    Args:
        client: Fetches pages.
        address: The service with its `typeNames`, without `wfs:` in front.
        snapshot: Where the members go.

    Raises:
        RemoteRefused: When a page lies on a host that is not allowed, or the address names no type.
        RemoteUnavailable: When the server does not answer with features.
    """
    start = 0
    while True:
        answer = client.get(page_address(address, start, client.limits.page_size), "application/gml+xml, text/xml")
        root = _root(answer)
        members = [child for member in root.iterfind(f"{{{_WFS}}}member") for child in member]
        matched = root.get("numberMatched", _UNKNOWN)
        announced = int(matched) if matched.isdecimal() else None
        snapshot.page([_member(m) for m in members], announced)
        start += len(members)
        if not members or (announced is not None and start >= announced):
            return
        if announced is None and root.get("next") is None and len(members) < client.limits.page_size:
            return


def page_address(address: str, start: int, count: int) -> str:
    """Address of one page.

    Raises:
        RemoteRefused: When no feature type is named.
    """
    parts = urlsplit(address)
    given = {k.upper(): v for k, v in parse_qsl(parts.query, keep_blank_values=True)}
    names = given.pop("TYPENAMES", "") or given.pop("TYPENAME", "")
    if not names:
        raise RemoteRefused("A WFS source names its feature type: wfs:https://host/path?typeNames=prefix:name.")
    fixed = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", "TYPENAMES": names}
    query = urlencode({**given, **fixed, "COUNT": count, "STARTINDEX": start})
    return parts._replace(query=query, fragment="").geturl()


def _root(answer: Answer) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        tree = etree.parse(io.BytesIO(answer.body), parser)
    except etree.XMLSyntaxError:
        raise RemoteUnavailable(f"{redacted(answer.url)} answers no well-formed XML.") from None
    if tree.docinfo.doctype:
        raise RemoteUnavailable(f"{redacted(answer.url)} declares a document type; such XML is not read.")
    root = tree.getroot()
    if root.tag == f"{{{_OWS}}}ExceptionReport":
        said = " ".join(t.strip() for t in root.itertext() if t.strip())[:300]
        raise RemoteUnavailable(f"{redacted(answer.url)} answers with an exception: {said}")
    if root.tag != f"{{{_WFS}}}FeatureCollection":
        raise RemoteUnavailable(f"{redacted(answer.url)} answers no WFS 2.0 feature collection.")
    return root


def _member(feature: Any) -> tuple[str | None, bytes]:
    text: bytes = etree.tostring(feature, encoding="utf-8", with_tail=False)
    name: str | None = feature.get(f"{{{_GML}}}id")
    return name, b"<wfs:member>" + text + b"</wfs:member>\n"
