"""Asking a Web Feature Service, and reading what it answers."""

from __future__ import annotations

from typing import Any

from lxml import etree

from layers.access import Clearance
from tests.support.service import Service

NAMES = {
    "wfs": "http://www.opengis.net/wfs/2.0",
    "gml": "http://www.opengis.net/gml/3.2",
    "ows": "http://www.opengis.net/ows/1.1",
    "gs": "urn:x-geoservice:features",
}


def ask(site: Service, clearance: Clearance | None = None, **pairs: Any) -> Any:
    """A GetFeature request, changed by pairs; those without a value are left out."""
    query = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": "GetFeature", **pairs}
    headers = {} if clearance is None else {"X-API-Key": site.keys[clearance]}
    return site.client.get("/wfs", params={name: value for name, value in query.items() if value}, headers=headers)


def root_of(answer: Any) -> Any:
    """The document of an answer that is none of an error."""
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.content)


def codes(answer: Any) -> list[str]:
    """Codes of the features in an answer, in their order."""
    return [one.text for one in root_of(answer).iterfind(".//gs:code", NAMES)]


def first_place(answer: Any) -> list[float]:
    """The first position in an answer."""
    return [float(word) for word in root_of(answer).find(".//gml:pos", NAMES).text.split()]


def filtered(site: Service, condition: str, kind: str = "spot") -> list[str]:
    """Codes of the features that meet a condition of FES 2.0."""
    space = 'xmlns="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"'
    return codes(ask(site, TYPENAMES=kind, FILTER=f"<Filter {space}>{condition}</Filter>"))


def members(answer: Any) -> list[str]:
    """Texts of the members of a collection of values."""
    root = root_of(answer)
    assert root.tag == f"{{{NAMES['wfs']}}}ValueCollection"
    found = ["".join(one.itertext()) for one in root.iterfind("wfs:member", NAMES)]
    assert root.get("numberReturned") == str(len(found))
    return found
