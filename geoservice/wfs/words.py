"""Names that requests, answers and descriptions of the feature service share."""

from __future__ import annotations

import re
from typing import Any

from layers.errors import BadParameter

WFS, FES, GML = "http://www.opengis.net/wfs/2.0", "http://www.opengis.net/fes/2.0", "http://www.opengis.net/gml/3.2"
OWS, XLINK = "http://www.opengis.net/ows/1.1", "http://www.w3.org/1999/xlink"
XSD, XSI = "http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance"
OURS, PREFIX = "urn:x-geoservice:features", "gs"
"""Namespace of feature types, and the prefix that answers use for it."""
VERSION, VERSIONS = "2.0.0", ("2.0.0", "2.0.2")
XML, GML_FORMAT = "text/xml", "application/gml+xml; version=3.2"
BY_ID = "urn:ogc:def:query:OGC-WFS::GetFeatureById"
GEOMETRY = "geom"
"""Element that holds the geometry of a feature."""
GML_ID = "@gml:id"
"""How GetPropertyValue is asked for ids of features (09-025r2, 10.2.4.3)."""
_PLAIN = re.compile(r"[A-Za-z0-9.\-\u4e00-\u9fff]")
_HIDDEN = re.compile(r"_x([0-9a-f]{1,6})_")
_LONGEST = 2000
_SIGNS = 0x110000


class WfsError(BadParameter):
    """A request that cannot be answered.

    Args:
        detail: One sentence that says what was expected.
        code: Exception code of OWS Common or WFS.
        locator: What it is about, such as the name of a parameter.
    """

    title = "Feature service exception"

    def __init__(
        self, detail: str, code: str = "InvalidParameterValue", locator: str | None = None, **facts: Any
    ) -> None:
        """Keep sentence, code, place and facts."""
        super().__init__(detail, **facts)
        self.code = code
        self.locator = locator


def feature_id(layer: str, key: str) -> str:
    """The id of a feature in XML: letters and digits stay, everything else is written by its number."""
    return f"{layer}." + "".join(c if _PLAIN.fullmatch(c) else f"_x{ord(c):x}_" for c in key)


def key_of(layer: str, identifier: str) -> str | None:
    """The public key that an id of a feature stands for; None when it is of no feature of the layer."""
    head, _, tail = identifier.partition(".")
    if head != layer or not tail or len(identifier) > _LONGEST:
        return None
    key = _HIDDEN.sub(lambda m: chr(int(m.group(1), 16)) if int(m.group(1), 16) < _SIGNS else "", tail)
    return key if feature_id(layer, key) == identifier else None


def local(name: str) -> str:
    """A name without its prefix."""
    return name.strip().rpartition(":")[2]
