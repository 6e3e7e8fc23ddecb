"""Asking a WMS 1.3.0 in the way of the suite ets-wms13, and reading its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from lxml import etree

from tests.conformance.pictures import pixels
from tests.conformance.structure import parse
from tests.support.service import Service
from tests.support.site import SIDE, SOUTH, WEST

ENDPOINT = "/wms"
NAMES = {"w": "http://www.opengis.net/wms", "g": "http://www.opengis.net/ogc"}
HREF = "{http://www.w3.org/1999/xlink}href"
CAPABILITIES = {"ReQuEsT": "GetCapabilities", "VeRsIoN": "1.3.0", "SeRvIcE": "WMS"}
NORTH, EAST = SOUTH + SIDE, WEST + SIDE
MAP = {
    # As the suite writes it: any case, any order, and no SERVICE.
    "VeRsIoN": "1.3.0", "ReQuEsT": "GetMap", "LaYeRs": "field", "StYlEs": "", "CrS": "CRS:84",
    "BbOx": f"{WEST},{SOUTH},{EAST},{NORTH}", "WiDtH": 100, "HeIgHt": 100, "FoRmAt": "image/png",
}  # fmt: skip
INFO = {**MAP, "ReQuEsT": "GetFeatureInfo", "QuErY_LaYeRs": "field", "I": 50, "J": 75}


def ask(site: Service, query: dict[str, Any], **changes: Any) -> Any:
    """GET with some parameters changed (by their name in small letters), None leaving one out."""
    names = {name.lower(): name for name in query}
    asked = {**query, **{names.get(name, name): value for name, value in changes.items()}}
    return site.client.get(ENDPOINT, params={name: value for name, value in asked.items() if value is not None})


def capabilities(site: Service) -> etree._Element:
    answer = ask(site, CAPABILITIES)
    assert answer.status_code == 200, answer.text
    return parse(answer.content)


def texts(element: etree._Element, path: str) -> list[str]:
    return [found.text or "" for found in element.iterfind(path, NAMES)]


def layers(site: Service) -> list[etree._Element]:
    """The named layers, which are those that can be asked for."""
    found = capabilities(site).iterfind("w:Capability//w:Layer", NAMES)
    return [layer for layer in found if layer.find("w:Name", NAMES) is not None]


def lineage(layer: etree._Element) -> Iterator[etree._Element]:
    """A layer and those that it inherits from, nearest first."""
    element: etree._Element | None = layer
    while element is not None and etree.QName(element).localname == "Layer":
        yield element
        element = element.getparent()


def formats(site: Service, operation: str) -> list[str]:
    return texts(capabilities(site), f"w:Capability/w:Request/w:{operation}/w:Format")


def media(answer: Any) -> str:
    return str(answer.headers["content-type"].partition(";")[0])


def drawn(answer: Any, expected: str = "image/png") -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    assert media(answer) == expected
    return pixels(answer.content)


def refused(answer: Any, code: str | None = None) -> None:
    """A service exception (annex E.2): text/xml, version 1.3.0, with the code that the standard names."""
    assert media(answer) == "text/xml", answer.headers
    assert answer.status_code < 500
    root = parse(answer.content)
    assert root.tag == f"{{{NAMES['g']}}}ServiceExceptionReport"
    assert root.get("version") == "1.3.0"
    (exception,) = root.iterfind("g:ServiceException", NAMES)
    assert (exception.text or "").strip()
    if code is not None:
        assert exception.get("code") == code
