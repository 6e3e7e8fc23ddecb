"""The description of the feature service for one reader (OGC 09-025r2, clause 8; OWS Common 1.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from geoservice.features.state import LayerState
from geoservice.wfs.asked import OPERATIONS, READING
from geoservice.wfs.fes import OPERATORS, SPATIAL_OPERATORS
from geoservice.wfs.times import OPERANDS, TEMPORAL
from geoservice.wfs.words import FES, GML, GML_FORMAT, OURS, OWS, PREFIX, VERSION, WFS, XLINK
from layers.crs import STORAGE_SRID
from layers.model import RowLayer, VectorLayer
from layers.offered import find_crs, offered

FORMATS = (GML_FORMAT, "application/geo+json", "text/csv")
_TITLE, _ABSTRACT = (
    "geoservice",
    "Features of the open geospatial service, to be read. 开放空间地理信息服务的要素（只读）。",
)
_CONSTRAINTS = {
    "ImplementsSimpleWFS": True,
    "ImplementsBasicWFS": False,
    "ImplementsTransactionalWFS": False,
    "ImplementsLockingWFS": False,
    "KVPEncoding": True,
    "XMLEncoding": True,
    "SOAPEncoding": False,
    "ImplementsInheritance": False,
    "ImplementsRemoteResolve": False,
    "ImplementsResultPaging": True,
    "ImplementsStandardJoins": False,
    "ImplementsSpatialJoins": False,
    "ImplementsTemporalJoins": False,
    "ImplementsFeatureVersioning": False,
    "ManageStoredQueries": False,
}
_CONFORMANCE = {
    "ImplementsQuery": True,
    "ImplementsAdHocQuery": True,
    "ImplementsFunctions": False,
    "ImplementsResourceId": True,
    "ImplementsMinStandardFilter": True,
    "ImplementsStandardFilter": True,
    "ImplementsMinSpatialFilter": True,
    "ImplementsSpatialFilter": True,
    "ImplementsMinTemporalFilter": True,
    "ImplementsTemporalFilter": True,
    "ImplementsVersionNav": False,
    "ImplementsSorting": True,
    "ImplementsExtendedOperators": False,
    "ImplementsMinimumXPath": False,
    "ImplementsSchemaElementFunc": False,
}
Element = etree._Element


@dataclass(frozen=True)
class Described:
    """What the description is made of: address, layers the reader may see, their states, the most per page."""

    address: str
    layers: Sequence[RowLayer]
    states: Mapping[str, LayerState]
    most: int


def capabilities(about: Described) -> bytes:
    """The capabilities document as XML."""
    names = {"wfs": WFS, "ows": OWS, "fes": FES, "gml": GML, "xlink": XLINK, PREFIX: OURS}
    root = etree.Element(f"{{{WFS}}}WFS_Capabilities", nsmap=names, version=VERSION)
    _identification(root)
    _operations(root, about)
    types = _sub(root, WFS, "FeatureTypeList")
    for layer in about.layers:
        _type(types, layer, about.states[layer.name])
    _filters(_sub(root, FES, "Filter_Capabilities"))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _sub(parent: Element, space: str, tag: str, text: str | None = None, /, **attributes: str) -> Element:
    made = etree.SubElement(parent, f"{{{space}}}{tag}", attributes)
    made.text = text
    return made


def _identification(root: Element) -> None:
    part = _sub(root, OWS, "ServiceIdentification")
    _sub(part, OWS, "Title", _TITLE)
    _sub(part, OWS, "Abstract", _ABSTRACT)
    _sub(part, OWS, "ServiceType", "WFS")
    _sub(part, OWS, "ServiceTypeVersion", VERSION)
    _sub(part, OWS, "Fees", "NONE")
    _sub(part, OWS, "AccessConstraints", "NONE")
    provider = _sub(root, OWS, "ServiceProvider")
    _sub(provider, OWS, "ProviderName", _TITLE)
    _sub(provider, OWS, "ServiceContact")


def _operations(root: Element, about: Described) -> None:
    part = _sub(root, OWS, "OperationsMetadata")
    for name in OPERATIONS:
        operation = _sub(part, OWS, "Operation", name=name)
        http = _sub(_sub(operation, OWS, "DCP"), OWS, "HTTP")
        for method in ("Get", "Post"):
            _sub(http, OWS, method).set(f"{{{XLINK}}}href", about.address + ("?" if method == "Get" else ""))
        if name in READING:
            _parameter(operation, "outputFormat", FORMATS if name == "GetFeature" else (GML_FORMAT,))
            _parameter(operation, "resultType", ("results", "hits"))
        if name == "DescribeFeatureType":
            _parameter(operation, "outputFormat", (GML_FORMAT,))
    _parameter(part, "version", (VERSION,))
    for name, holds in _CONSTRAINTS.items():
        _constraint(part, name, "TRUE" if holds else "FALSE")
    _constraint(part, "CountDefault", str(about.most))
    _constraint(part, "QueryExpressions", "wfs:Query", "wfs:StoredQuery")


def _parameter(parent: Element, name: str, values: Sequence[str]) -> None:
    allowed = _sub(_sub(parent, OWS, "Parameter", name=name), OWS, "AllowedValues")
    for value in values:
        _sub(allowed, OWS, "Value", value)


def _constraint(parent: Element, name: str, *values: str) -> None:
    part = _sub(parent, OWS, "Constraint", name=name)
    if len(values) == 1:
        _sub(part, OWS, "NoValues")
        _sub(part, OWS, "DefaultValue", values[0])
        return
    allowed = _sub(part, OWS, "AllowedValues")
    for value in values:
        _sub(allowed, OWS, "Value", value)


def _type(types: Element, layer: RowLayer, state: LayerState) -> None:
    part = _sub(types, WFS, "FeatureType")
    _sub(part, WFS, "Name", f"{PREFIX}:{layer.name}")
    for language in ("zh", "en"):
        title = _sub(part, WFS, "Title", layer.title.of(language))
        title.set("{http://www.w3.org/XML/1998/namespace}lang", language)
    if layer.abstract is not None:
        _sub(part, WFS, "Abstract", layer.abstract.en)
    keywords = _sub(part, OWS, "Keywords")
    for word in (layer.theme, layer.authority.kind, layer.clearance.label, f"edition {state.edition or 0}"):
        _sub(keywords, OWS, "Keyword", word)
    if not isinstance(layer, VectorLayer):
        _sub(part, WFS, "NoCRS")
        return
    default = find_crs(f"EPSG:{STORAGE_SRID}", "srsName")
    for crs in (default, *(one for one in offered() if one is not default)):
        _sub(part, WFS, "DefaultCRS" if crs is default else "OtherCRS", crs.names[1])
    _box(part, state)


def _box(part: Element, state: LayerState) -> None:
    if state.extent is not None:
        box = _sub(part, OWS, "WGS84BoundingBox")
        west, east = (state.extent.west, state.extent.east)
        west, east = (west, east) if west <= east else (-180.0, 180.0)
        _sub(box, OWS, "LowerCorner", f"{west!r} {state.extent.south!r}")
        _sub(box, OWS, "UpperCorner", f"{east!r} {state.extent.north!r}")


def _filters(part: Element) -> None:
    conformance = _sub(part, FES, "Conformance")
    for name, holds in _CONFORMANCE.items():
        one = _sub(conformance, FES, "Constraint", name=name)
        _sub(one, OWS, "NoValues")
        _sub(one, OWS, "DefaultValue", "TRUE" if holds else "FALSE")
    _sub(_sub(part, FES, "Id_Capabilities"), FES, "ResourceIdentifier", name="fes:ResourceId")
    scalar = _sub(part, FES, "Scalar_Capabilities")
    _sub(scalar, FES, "LogicalOperators")
    comparison = _sub(scalar, FES, "ComparisonOperators")
    for name in OPERATORS:
        _sub(comparison, FES, "ComparisonOperator", name=name)
    spatial = _sub(part, FES, "Spatial_Capabilities")
    operands = _sub(spatial, FES, "GeometryOperands")
    for name in ("Envelope", "Point", "MultiPoint", "LineString", "MultiCurve", "Polygon", "MultiSurface"):
        _sub(operands, FES, "GeometryOperand", name=f"gml:{name}")
    operators = _sub(spatial, FES, "SpatialOperators")
    for name in SPATIAL_OPERATORS:
        _sub(operators, FES, "SpatialOperator", name=name)
    temporal = _sub(part, FES, "Temporal_Capabilities")
    operands = _sub(temporal, FES, "TemporalOperands")
    for name in OPERANDS:
        _sub(operands, FES, "TemporalOperand", name=f"gml:{name}")
    operators = _sub(temporal, FES, "TemporalOperators")
    for name in TEMPORAL:
        _sub(operators, FES, "TemporalOperator", name=name)
