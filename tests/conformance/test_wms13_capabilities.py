"""WMS 1.3.0, capabilities: what the suite ets-wms13 asks that does not depend on its own data set.

Docstrings name the script and the tests of the suite; clauses are those of OGC 06-042.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.conformance.pictures import size
from tests.conformance.structure import WMS, faults, parse
from tests.conformance.wms import (
    CAPABILITIES,
    ENDPOINT,
    HREF,
    INFO,
    MAP,
    NAMES,
    ask,
    capabilities,
    drawn,
    formats,
    layers,
    lineage,
    media,
    refused,
    texts,
)
from tests.support.service import Service
from tests.support.site import HIDDEN

SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


# ---------------------------------------------------------------- basic_elements.xml


@pytest.mark.parametrize("version", [None, "1.3.0", "100.0.0", "0.0.0"])
def test_versions_are_negotiated(site: Service, version: str | None) -> None:
    """version-negotiation: negotiate-no-version, -basic_elements-version, -higher-version, -lower-version."""
    root = parse(ask(site, CAPABILITIES, version=version).content)
    assert root.tag == f"{{{NAMES['w']}}}WMS_Capabilities"
    assert root.get("version") == "1.3.0"


def test_escaped_characters_are_read(site: Service) -> None:
    """reserved-chars: escaped-chars."""
    spelt = "".join(f"%{ord(letter):02X}" for letter in "GetCapabilities")
    answer = site.client.get(f"{ENDPOINT}?ReQuEsT={spelt}&VeRsIoN=1.3.0&SeRvIcE=WMS")
    assert parse(answer.content).tag == f"{{{NAMES['w']}}}WMS_Capabilities"


def test_unknown_parameters_are_ignored(site: Service) -> None:
    """param-rules: extra-GetCapabilities-param, extra-GetMap-param, extra-GetFeatureInfo-param."""
    assert parse(ask(site, CAPABILITIES, BoGuS="ignored").content).get("version") == "1.3.0"
    drawn(ask(site, MAP, BoGuS="ignored"))
    answer = ask(site, INFO, info_format=formats(site, "GetFeatureInfo")[0], BoGuS="ignored")
    assert media(answer) == formats(site, "GetFeatureInfo")[0]


def test_an_unknown_operation_is_refused(site: Service) -> None:
    """Clause 6.9.1; the suite does not ask."""
    refused(ask(site, MAP, request="GetBogus"), "OperationNotSupported")


# ---------------------------------------------------------------- getcapabilities.xml


def test_capabilities_in_every_format(site: Service) -> None:
    """requests: each-format, no-format and invalid-format."""
    for offered in formats(site, "GetCapabilities"):
        assert media(ask(site, CAPABILITIES, FoRmAt=offered)) == offered
    for unknown in (None, "invalid"):
        answer = ask(site, CAPABILITIES, FoRmAt=unknown)
        assert media(answer) == "text/xml"
        assert parse(answer.content).tag == f"{{{NAMES['w']}}}WMS_Capabilities"


def test_the_update_sequence(site: Service) -> None:
    """requests: updatesequence-ignored, or -current, -lower and -higher when one is advertised."""
    current = capabilities(site).get("updateSequence")
    if current is None:
        assert parse(ask(site, CAPABILITIES, UpDaTeSeQuEnCe="ignored").content).get("version") == "1.3.0"
        return
    refused(ask(site, CAPABILITIES, UpDaTeSeQuEnCe=current), "CurrentUpdateSequence")
    refused(ask(site, CAPABILITIES, UpDaTeSeQuEnCe=str(int(current) + 1)), "InvalidUpdateSequence")
    lower = ask(site, CAPABILITIES, UpDaTeSeQuEnCe=str(int(current) - 1))
    assert parse(lower.content).get("version") == "1.3.0"


def test_capabilities_follow_the_schema(site: Service) -> None:
    """xml-validation: normative-schema and validate-using-schemaLocation."""
    root = capabilities(site)
    assert not list(faults(root, WMS))
    space, place = root.get(SCHEMA_LOCATION).split()[:2]
    assert space == NAMES["w"]
    assert place.endswith("/wms/1.3.0/capabilities_1_3_0.xsd")


def test_metadata_of_the_service(site: Service) -> None:
    """capability-metadata: capability-onlineresource, capability-xml-getcapabilities-format and -exception-format."""
    root = capabilities(site)
    for operation in root.iterfind("w:Capability/w:Request/*", NAMES):
        (resource,) = operation.iterfind("w:DCPType/w:HTTP/w:Get/w:OnlineResource", NAMES)
        assert resource.get(HREF).endswith(("?", "&"))
        assert urlsplit(resource.get(HREF)).path == ENDPOINT
    assert "text/xml" in formats(site, "GetCapabilities")
    assert "XML" in texts(root, "w:Capability/w:Exception/w:Format")


def test_layers_state_where_they_lie(site: Service) -> None:
    """layer-properties: bbox-present, bbox-crs-advertised, bbox-distinct-crs, crs-present, ex_geobbox-present."""
    for layer in layers(site):
        line = list(lineage(layer))
        assert any(one.find("w:CRS", NAMES) is not None for one in line)
        assert any(one.find("w:BoundingBox", NAMES) is not None for one in line)
        assert any(one.find("w:EX_GeographicBoundingBox", NAMES) is not None for one in line)
    for layer in capabilities(site).iterfind("w:Capability//w:Layer", NAMES):
        boxes = [box.get("CRS") for box in layer.iterfind("w:BoundingBox", NAMES)]
        assert len(boxes) == len(set(boxes))
        assert set(boxes) <= {crs for one in lineage(layer) for crs in texts(one, "w:CRS")}


def test_what_all_layers_have_the_root_has(site: Service) -> None:
    """layer-properties: crs-for-all-layers and crs-auto2-declarations."""
    sets = [{crs for one in lineage(layer) for crs in texts(one, "w:CRS")} for layer in layers(site)]
    root = set(texts(capabilities(site), "w:Capability/w:Layer/w:CRS"))
    assert set.intersection(*sets) <= root
    assert not [crs for one in sets for crs in one if crs.startswith("AUTO2:") and "," in crs]


def test_boxes_agree_with_each_other(site: Service) -> None:
    """layer-properties: ex_geobbox-coordinates; layer-extents: axis order of CRS:84 and EPSG:4326."""
    checked = 0
    for layer in capabilities(site).iterfind("w:Capability//w:Layer", NAMES):
        nearest = next(
            (box for one in lineage(layer) for box in one.iterfind("w:EX_GeographicBoundingBox", NAMES)), None
        )
        for box in layer.iterfind("w:BoundingBox", NAMES):
            sides = ("westBoundLongitude", "southBoundLatitude", "eastBoundLongitude", "northBoundLatitude")
            west, south, east, north = (float(nearest.findtext(f"w:{side}", namespaces=NAMES)) for side in sides)
            assert west <= east
            assert south <= north
            stated = [float(box.get(name)) for name in ("minx", "miny", "maxx", "maxy")]
            if box.get("CRS") == "CRS:84":
                assert stated == [west, south, east, north]
            if box.get("CRS") in ("EPSG:4326", "EPSG:4490"):
                assert stated == [south, west, north, east]
            checked += box.get("CRS") in ("CRS:84", "EPSG:4326")
    assert checked > 0


def test_styles_are_not_redefined(site: Service) -> None:
    """layer-properties: style-unique."""
    for layer in layers(site):
        own, *ancestors = ([*texts(one, "w:Style/w:Name")] for one in lineage(layer))
        assert len(own) == len(set(own))
        assert not set(own) & {style for styles in ancestors for style in styles}


@pytest.mark.parametrize("element", ["Style/w:LegendURL", "MetadataURL", "DataURL", "FeatureListURL"])
def test_linked_resources_are_what_is_said_of_them(site: Service, element: str) -> None:
    """layer-properties: style-legendurls, metadataurls, dataurls, featurelisturls; resource-format and -size."""
    for resource in capabilities(site).iterfind(f"w:Capability//w:Layer/w:{element}", NAMES):
        answer = site.client.get(resource.find("w:OnlineResource", NAMES).get(HREF))
        assert answer.status_code == 200
        assert media(answer) == resource.findtext("w:Format", namespaces=NAMES).partition(";")[0]
        if resource.get("width"):
            assert size(answer.content) == (int(resource.get("width")), int(resource.get("height")))


def test_dimensions_are_declared_well(site: Service) -> None:
    """dimensions: dims-time, dims-no-redeclarations; recommendations: dims-no-whitespace and dims-defaults."""
    for dimension in capabilities(site).iterfind("w:Capability//w:Dimension", NAMES):
        assert dimension.get("name") == "time"
        assert dimension.get("units") == "ISO8601"
        assert dimension.get("default")
        assert not [
            one for one in list(lineage(dimension.getparent()))[1:] if one.find("w:Dimension", NAMES) is not None
        ]


def test_recommendations_are_followed(site: Service) -> None:
    """recommendations.xml: keywords, png, abstracts, keyword lists, CRS:84; not asked: contact, metadata of layers."""
    root = capabilities(site)
    assert texts(root, "w:Service/w:KeywordList/w:Keyword")
    assert "image/png" in formats(site, "GetMap")
    for layer in layers(site):
        assert {"CRS:84", "EPSG:4326"} & {crs for one in lineage(layer) for crs in texts(one, "w:CRS")}
        for part in ("Abstract", "KeywordList"):
            assert layer.find(f"w:{part}", NAMES) is not None, (texts(layer, "w:Name"), part)


def test_what_nobody_may_see_is_not_listed(site: Service) -> None:
    """Ours: the named layers are those of the collections that the asker may see."""
    names = [name for layer in layers(site) for name in texts(layer, "w:Name")]
    assert {"spot", "field", "way", "relief"} <= set(names)
    assert HIDDEN not in ask(site, CAPABILITIES).text
