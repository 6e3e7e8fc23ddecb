"""Descriptions: the schema of feature types, the stored queries, exceptions."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from geoservice.wfs.words import BY_ID, GEOMETRY, GML, OURS, OWS, PREFIX, VERSION, WFS, XSD, WfsError
from layers.access import Decision
from layers.errors import GeoError
from layers.model import RowLayer, VectorLayer

_SCHEMA = "http://schemas.opengis.net/gml/3.2.1/gml.xsd"
_TYPES = {
    "text": "string",
    "code": "string",
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "datetime": "dateTime",
}
_GEOMETRIES = {"polygon": "MultiSurfacePropertyType", "line": "MultiCurvePropertyType"}
Element = etree._Element


def schema(found: Sequence[tuple[RowLayer, Decision]]) -> bytes:
    """XML Schema of feature types, without the attributes that the reader may not see."""
    names = {"xsd": XSD, "gml": GML, PREFIX: OURS}
    root = etree.Element(f"{{{XSD}}}schema", nsmap=names, targetNamespace=OURS, elementFormDefault="qualified")
    _add(root, "import", namespace=GML, schemaLocation=_SCHEMA)
    for layer, decision in found:
        _type(root, layer, decision)
    return _written(root)


def _type(root: Element, layer: RowLayer, decision: Decision) -> None:
    kind = f"{layer.name}Type"
    _add(root, "element", name=layer.name, type=f"{PREFIX}:{kind}", substitutionGroup="gml:AbstractFeature")
    content = _add(_add(root, "complexType", name=kind), "complexContent")
    sequence = _add(_add(content, "extension", base="gml:AbstractFeatureType"), "sequence")
    _add(sequence, "element", name="key", type="xsd:string")
    for name in decision.attributes:
        _add(sequence, "element", name=name, type=f"xsd:{_TYPES[layer.attributes[name].type]}", minOccurs="0")
    if isinstance(layer, VectorLayer):
        shape = _GEOMETRIES.get(layer.geometry, "GeometryPropertyType")
        _add(sequence, "element", name=GEOMETRY, type=f"gml:{shape}", minOccurs="0")


def _add(parent: Element, tag: str, /, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{XSD}}}{tag}", attributes)


def stored_queries(layers: Sequence[RowLayer]) -> bytes:
    """The list of stored queries: there is the one that every service has."""
    root = etree.Element(f"{{{WFS}}}ListStoredQueriesResponse", nsmap={"wfs": WFS, PREFIX: OURS})
    query = etree.SubElement(root, f"{{{WFS}}}StoredQuery", id=BY_ID)
    etree.SubElement(query, f"{{{WFS}}}Title").text = "Get feature by identifier"
    for layer in layers:
        etree.SubElement(query, f"{{{WFS}}}ReturnFeatureType").text = f"{PREFIX}:{layer.name}"
    return _written(root)


def described_queries(asked: str | None, layers: Sequence[RowLayer]) -> bytes:
    """The description of stored queries.

    Raises:
        WfsError: When one is named that is not there.
    """
    for name in (asked or BY_ID).split(","):
        if name.strip() != BY_ID:
            raise WfsError(f"There is no stored query {name[:60]!r}.", "InvalidParameterValue", "storedQuery_Id")
    root = etree.Element(f"{{{WFS}}}DescribeStoredQueriesResponse", nsmap={"wfs": WFS, PREFIX: OURS, "xsd": XSD})
    query = etree.SubElement(root, f"{{{WFS}}}StoredQueryDescription", id=BY_ID)
    etree.SubElement(query, f"{{{WFS}}}Title").text = "Get feature by identifier"
    etree.SubElement(query, f"{{{WFS}}}Parameter", name="ID", type="xsd:string")
    types = " ".join(f"{PREFIX}:{layer.name}" for layer in layers)
    language = "urn:ogc:def:queryLanguage:OGC-WFS::WFSQueryExpression"
    etree.SubElement(
        query, f"{{{WFS}}}QueryExpressionText", returnFeatureTypes=types, language=language, isPrivate="true"
    )
    return _written(root)


def exception_report(error: GeoError) -> bytes:
    """An error as an exception report of OWS Common 1.1."""
    root = etree.Element(f"{{{OWS}}}ExceptionReport", nsmap={"ows": OWS}, version=VERSION)
    code = error.code if isinstance(error, WfsError) else "NoApplicableCode"
    one = etree.SubElement(root, f"{{{OWS}}}Exception", exceptionCode=code)
    if isinstance(error, WfsError) and error.locator:
        one.set("locator", _plain(error.locator))
    etree.SubElement(one, f"{{{OWS}}}ExceptionText").text = _plain(error.detail)
    return _written(root)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _written(root: Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
