"""The sequences of child elements that the schemas of WMS 1.3.0, WMTS 1.0.0 and OWS Common 1.1 allow, as patterns.

Written from the standards (OGC 06-042 annex E, 07-057r7, 06-121r3), because a test may not fetch a schema. A pattern
names children in their order with `?`, `*`, `+`, `|` as in regular expressions; elements without a pattern hold text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

DESCRIPTION = "Title* Abstract* Keywords*"
DOMAIN = "( AllowedValues | AnyValue | NoValues | ValuesReference ) DefaultValue? Meaning? DataType? Metadata*"

OWS: Mapping[str, str] = {
    "ServiceIdentification": f"{DESCRIPTION} ServiceType ServiceTypeVersion+ Profile* Fees? AccessConstraints*",
    "ServiceProvider": "ProviderName ProviderSite? ServiceContact",
    "OperationsMetadata": "Operation Operation+ Parameter* Constraint*",
    "Operation": "DCP+ Parameter* Constraint* Metadata*",
    "DCP": "HTTP",
    "HTTP": "( Get | Post )+",
    "Get": "Constraint*",
    "Parameter": DOMAIN,
    "Constraint": DOMAIN,
    "AllowedValues": "( Value | Range )+",
    "Keywords": "Keyword+ Type?",
    "WGS84BoundingBox": "LowerCorner UpperCorner",
    "BoundingBox": "LowerCorner UpperCorner",
    "ExceptionReport": "Exception+",
    "Exception": "ExceptionText*",
}

WMTS: Mapping[str, str] = {
    **OWS,
    "Capabilities": "ServiceIdentification? ServiceProvider? OperationsMetadata? Contents? Themes* WSDL* "
    "ServiceMetadataURL*",
    "Contents": "Layer* TileMatrixSet*",
    "Layer": f"{DESCRIPTION} WGS84BoundingBox* Identifier BoundingBox* Metadata* Style+ Format+ InfoFormat* Dimension* "
    "TileMatrixSetLink+ ResourceURL*",
    "Style": f"{DESCRIPTION} Identifier LegendURL*",
    "TileMatrixSetLink": "TileMatrixSet TileMatrixSetLimits?",
    "TileMatrixSetLimits": "TileMatrixLimits+",
    "TileMatrixLimits": "TileMatrix MinTileRow MaxTileRow MinTileCol MaxTileCol",
    "Contents/TileMatrixSet": f"{DESCRIPTION} Identifier BoundingBox? SupportedCRS WellKnownScaleSet? TileMatrix+",
    "TileMatrixSet/TileMatrix": f"{DESCRIPTION} Identifier ScaleDenominator TopLeftCorner TileWidth TileHeight "
    "MatrixWidth MatrixHeight",
    "Dimension": f"{DESCRIPTION} Identifier UOM? UnitSymbol? Default? Current? Value+",
}

WMS: Mapping[str, str] = {
    "WMS_Capabilities": "Service Capability",
    "Service": "Name Title Abstract? KeywordList? OnlineResource ContactInformation? Fees? AccessConstraints? "
    "LayerLimit? MaxWidth? MaxHeight?",
    "KeywordList": "Keyword*",
    "ContactInformation": "ContactPersonPrimary? ContactPosition? ContactAddress? ContactVoiceTelephone? "
    "ContactFacsimileTelephone? ContactElectronicMailAddress?",
    "ContactPersonPrimary": "ContactPerson ContactOrganization",
    "Capability": "Request Exception Layer?",
    "Request": "GetCapabilities GetMap GetFeatureInfo? GetLegendGraphic?",
    "GetCapabilities": "Format+ DCPType+",
    "GetMap": "Format+ DCPType+",
    "GetFeatureInfo": "Format+ DCPType+",
    "DCPType": "HTTP",
    "HTTP": "Get Post?",
    "Get": "OnlineResource",
    "Exception": "Format+",
    "Layer": "Name? Title Abstract? KeywordList? CRS* EX_GeographicBoundingBox? BoundingBox* Dimension* Attribution? "
    "AuthorityURL* Identifier* MetadataURL* DataURL* FeatureListURL* Style* MinScaleDenominator? MaxScaleDenominator? "
    "Layer*",
    "EX_GeographicBoundingBox": "westBoundLongitude eastBoundLongitude southBoundLatitude northBoundLatitude",
    "Attribution": "Title? OnlineResource? LogoURL?",
    "Style": "Name Title Abstract? LegendURL* StyleSheetURL? StyleURL?",
    "LegendURL": "Format OnlineResource",
    "LogoURL": "Format OnlineResource",
    "MetadataURL": "Format OnlineResource",
    "DataURL": "Format OnlineResource",
    "ServiceExceptionReport": "ServiceException*",
}


def parse(body: bytes) -> etree._Element:
    """Well-formed XML without a document type: entities are not resolved and nothing is fetched."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(body, parser)
    assert root.getroottree().docinfo.doctype == ""
    return root


def name(element: etree._Element) -> str:
    """Name of an element without its namespace."""
    return etree.QName(element).localname


def faults(root: etree._Element, patterns: Mapping[str, str]) -> Iterator[str]:
    """Elements whose children are not in an allowed sequence; a pattern may be given for a child of one parent only."""
    for element in root.iter(etree.Element):
        parent = element.getparent()
        own = name(element)
        path = f"{name(parent)}/{own}" if parent is not None else own
        pattern = patterns.get(path, patterns.get(own))
        children = "".join(f"{name(child)}," for child in element.iterchildren(etree.Element))
        if pattern is None:
            if children:
                yield f"{path} has children: {children}"
        elif not re.fullmatch(re.sub(r"\w+", lambda word: f"(?:{word[0]},)", pattern).replace(" ", ""), children):
            yield f"{path}: {children}"
