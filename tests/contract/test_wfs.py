"""Web Feature Service 2.0: real clients read, page and filter; axes, exceptions, access, and XML that means harm."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from lxml import etree
from owslib.fes2 import And, BBox, PropertyIsLessThan, PropertyIsLike
from owslib.wfs import WebFeatureService

from geoservice.app import create_app
from geoservice.settings import Settings
from geoservice.wfs.fes import FilterReader
from layers.access import Clearance
from layers.filter import Queryable, Queryables, parse_filter
from layers.filter.tree import Kind
from tests.support.service import Service, canary, spot_rows
from tests.support.serving import serving
from tests.support.site import SOUTH, WEST, running_site, spots
from tests.support.wfs import NAMES, ask, codes, filtered, first_place, members, root_of

URN = "urn:ogc:def:crs:EPSG::"


@pytest.fixture(scope="module")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_site(cluster_settings, tmp_path_factory.mktemp("wfs")) as found:
        yield found


@pytest.fixture(scope="module")
def address(site: Service) -> Iterator[str]:
    with serving(create_app(site.database.settings, site.catalog)) as found:
        yield f"{found}/wfs"


def test_owslib_reads_pages_and_filters(address: str) -> None:
    service = WebFeatureService(address, version="2.0.0")
    assert {"gs:spot", "gs:field", "gs:way"} == set(service.contents)
    assert "gs:hidden" not in service.contents
    spot = service.contents["gs:spot"]
    assert spot.boundingBoxWGS84 == pytest.approx((WEST + 0.005, SOUTH + 0.005, 105.005 + 11 / 60, 38.005 + 11 / 60))
    schema = service.get_schema("gs:spot")
    assert schema["properties"]["amount"] == "double"
    assert schema["geometry_column"] == "geom"
    assert "secret" not in schema["properties"]
    pages = [service.getfeature("gs:spot", maxfeatures=5, startindex=start).read() for start in (0, 5, 10)]
    found = [re.findall(rb"<gs:code>(\w+)</gs:code>", page) for page in pages]
    assert [len(page) for page in found] == [5, 5, 2]
    assert {code.decode() for page in found for code in page} == {row["code"] for row in spots()}
    query = And([PropertyIsLessThan("gs:amount", "6"), PropertyIsLike("gs:code", "s*", wildCard="*")])
    text = etree.tostring(query.toXML()).decode()
    body = f'<fes:Filter xmlns:fes="http://www.opengis.net/fes/2.0">{text}</fes:Filter>'
    assert re.findall(rb"<gs:code>(\w+)<", service.getfeature("gs:spot", filter=body, method="Post").read()) == [
        f"s{i}".encode() for i in range(6)
    ]
    box = etree.tostring(BBox([WEST, SOUTH, WEST + 0.03, SOUTH + 0.03], "EPSG:4490").toXML()).decode()
    body = f'<fes:Filter xmlns:fes="http://www.opengis.net/fes/2.0">{box}</fes:Filter>'
    assert len(re.findall(rb"<gs:code>", service.getfeature("gs:spot", filter=body, method="Post").read())) == 2
    names = service.getpropertyvalue(valuereference="gs:name", typename="gs:spot", method="Get")
    assert re.findall("<gs:name>([^<]+)<", names.decode()) == [row["name"] for row in spots()]


def with_gdal(tmp_path: Path, address: str, layer: str, **arguments: Any) -> gpd.GeoDataFrame:
    """What GDAL's driver reads; in a process of its own, because it waits for answers without letting others work."""
    program = """
import json, sys, pyogrio
place, layer, arguments, target = sys.argv[1:]
wanted = json.loads(arguments)
if "bbox" in wanted:
    wanted["bbox"] = tuple(wanted["bbox"])
pyogrio.set_gdal_config_options(wanted.pop("options"))
pyogrio.read_dataframe(place, layer=layer, **wanted).to_parquet(target)
"""
    target = tmp_path / "read.parquet"
    wanted = json.dumps({"options": {}, **arguments})
    command = [sys.executable, "-c", program, f"WFS:{address}", layer, wanted, str(target)]
    subprocess.run(command, check=True, timeout=120)
    return gpd.read_parquet(target)


def test_gdal_reads_what_there_is(address: str, tmp_path: Path) -> None:
    frame = with_gdal(tmp_path, address, "gs:spot")
    wanted = {row["code"]: row for row in spots()}
    assert sorted(frame["code"]) == sorted(wanted)
    for _, row in frame.iterrows():
        assert shapely.equals_exact(row.geometry, wanted[row["code"]]["geometry"], 1e-8)
        assert row["amount"] == wanted[row["code"]]["amount"]
    assert frame.crs.to_epsg() == 4490
    surfaces = with_gdal(tmp_path, address, "gs:field")
    assert sum(map(shapely.area, surfaces.geometry)) == pytest.approx(0.2 * 0.1 + 0.1 * 0.1)


def test_gdal_filters_and_pages(address: str, tmp_path: Path) -> None:
    near = with_gdal(tmp_path, address, "gs:spot", bbox=(WEST, SOUTH, WEST + 0.03, SOUTH + 0.03))
    assert sorted(near["code"]) == ["s0", "s1"]
    few = with_gdal(tmp_path, address, "gs:spot", where="amount >= 10 AND code LIKE 's%'")
    assert sorted(few["code"]) == ["s10", "s11"]
    pages = {"OGR_WFS_PAGING_ALLOWED": "ON", "OGR_WFS_PAGE_SIZE": "5"}
    frame = with_gdal(tmp_path, address, "gs:spot", options=pages)
    assert sorted(frame["code"]) == sorted(row["code"] for row in spots())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, (SOUTH + 0.005, WEST + 0.005)),
        (f"{URN}4490", (SOUTH + 0.005, WEST + 0.005)),
        (f"{URN}4326", (SOUTH + 0.005, WEST + 0.005)),
        ("http://www.opengis.net/def/crs/EPSG/0/4490", (SOUTH + 0.005, WEST + 0.005)),
        ("EPSG:4490", (WEST + 0.005, SOUTH + 0.005)),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", (WEST + 0.005, SOUTH + 0.005)),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", (WEST + 0.005, SOUTH + 0.005)),
    ],
)
def test_axes_follow_the_name_of_the_system(site: Service, name: str | None, expected: tuple[float, float]) -> None:
    answer = ask(site, TYPENAMES="gs:spot", COUNT="1", SRSNAME=name)
    assert first_place(answer) == pytest.approx(expected)
    point = root_of(answer).find(".//gml:Point", NAMES)
    assert point.get("srsName") == (name or f"{URN}4490")


def test_projected_systems(site: Service) -> None:
    north, east = first_place(ask(site, TYPENAMES="spot", COUNT="1", SRSNAME=f"{URN}4523"))
    assert 35_000_000 < east < 36_000_000
    assert 4_000_000 < north < 5_000_000
    x, y = first_place(ask(site, TYPENAMES="spot", COUNT="1", SRSNAME="EPSG:3857"))
    assert x == pytest.approx(11689103.1, abs=0.2)
    assert y == pytest.approx(4580124.1, abs=1000)


def test_boxes_follow_the_axes_of_their_system(site: Service) -> None:
    low, high = (WEST, SOUTH), (WEST + 0.03, SOUTH + 0.03)
    plain = f"{low[0]},{low[1]},{high[0]},{high[1]}"
    turned = f"{low[1]},{low[0]},{high[1]},{high[0]}"
    for box in (f"{plain},EPSG:4490", f"{plain},urn:ogc:def:crs:OGC:1.3:CRS84", f"{turned},{URN}4490", turned):
        assert codes(ask(site, TYPENAMES="spot", BBOX=box)) == ["s0", "s1"], box
    assert codes(ask(site, TYPENAMES="spot", BBOX=f"{plain},{URN}4490")) == []


def test_pages_link_to_one_another(site: Service) -> None:
    answer, seen = ask(site, TYPENAMES="spot", COUNT="5"), []
    while True:
        root = root_of(answer)
        seen += codes(answer)
        assert root.get("numberMatched") == "12"
        following = root.get("next")
        if following is None:
            break
        answer = site.client.get("/wfs", params=parse_qsl(urlsplit(following).query))
    assert seen == [row["code"] for row in spots()]
    back = root_of(answer).get("previous")
    assert codes(site.client.get("/wfs", params=parse_qsl(urlsplit(back).query))) == seen[5:10]


def test_hits_count_without_features(site: Service) -> None:
    root = root_of(ask(site, TYPENAMES="spot", RESULTTYPE="hits"))
    assert (root.get("numberMatched"), root.get("numberReturned"), len(root)) == ("12", "0", 0)


def test_one_feature_by_its_id(site: Service) -> None:
    query = {"STOREDQUERY_ID": "urn:ogc:def:query:OGC-WFS::GetFeatureById"}
    answer = ask(site, ID="spot.s3", **query)
    root = root_of(answer)
    assert root.tag == "{urn:x-geoservice:features}spot"
    assert root.get(f"{{{NAMES['gml']}}}id") == "spot.s3"
    assert root.findtext("gs:name", namespaces=NAMES) == "点 3"
    assert ask(site, ID="spot.none", **query).status_code == 404
    assert ask(site, ID="hidden.south", **query).status_code == 404
    assert codes(ask(site, RESOURCEID="spot.s3,spot.s1")) == ["s1", "s3"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("<PropertyIsEqualTo><ValueReference>gs:code</ValueReference><Literal>s4</Literal></PropertyIsEqualTo>", [4]),
        ("<PropertyIsGreaterThanOrEqualTo><ValueReference>amount</ValueReference><Literal>10</Literal>"
         "</PropertyIsGreaterThanOrEqualTo>", [10, 11]),
        ("<PropertyIsBetween><ValueReference>amount</ValueReference><LowerBoundary><Literal>2</Literal></LowerBoundary>"
         "<UpperBoundary><Literal>3</Literal></UpperBoundary></PropertyIsBetween>", [2, 3]),
        ('<PropertyIsLike wildCard="*" singleChar="." escapeChar="!"><ValueReference>code</ValueReference>'
         "<Literal>s1.</Literal></PropertyIsLike>", [10, 11]),
        ('<PropertyIsEqualTo matchCase="false"><ValueReference>code</ValueReference><Literal>S4</Literal>'
         "</PropertyIsEqualTo>", [4]),
        ("<PropertyIsNull><ValueReference>name</ValueReference></PropertyIsNull>", []),
        ("<Not><PropertyIsLessThan><ValueReference>amount</ValueReference><Literal>11</Literal></PropertyIsLessThan>"
         "</Not>", [11]),
        ("<PropertyIsLessThan><ValueReference>seen</ValueReference><Literal>2026-02-20</Literal></PropertyIsLessThan>",
         [0, 1]),
        ('<BBOX><ValueReference>geom</ValueReference><gml:Envelope srsName="EPSG:4326"><gml:lowerCorner>105 38'
         "</gml:lowerCorner><gml:upperCorner>105.03 38.03</gml:upperCorner></gml:Envelope></BBOX>", [0, 1]),
        ('<BBOX><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>38 105</gml:lowerCorner>'
         "<gml:upperCorner>38.03 105.03</gml:upperCorner></gml:Envelope></BBOX>", [0, 1]),
        ('<Intersects><ValueReference>geom</ValueReference><gml:Polygon srsName="EPSG:4490"><gml:exterior>'
         "<gml:LinearRing><gml:posList>105 38 105.03 38 105.03 38.03 105 38.03 105 38</gml:posList></gml:LinearRing>"
         "</gml:exterior></gml:Polygon></Intersects>", [0, 1]),
        ('<DWithin><ValueReference>geom</ValueReference><gml:Point srsName="urn:ogc:def:crs:OGC:1.3:CRS84"><gml:pos>'
         '105.005 38.005</gml:pos></gml:Point><Distance uom="m">3000</Distance></DWithin>', [0, 1]),
        ('<ResourceId rid="spot.s2"/><ResourceId rid="field.south"/>', [2]),
    ],
)  # fmt: skip
def test_filters(site: Service, condition: str, expected: list[int]) -> None:
    assert filtered(site, condition) == [f"s{number}" for number in expected]


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-02-20T12:00:00", 0),
        ("2026-02-20T12:00:00Z", 0),
        ("2026-02-20T12:00:00+08:00", -8),
        ("2026-02-20T12:00:00-05:00", 5),
        ("2026-02-20T12:00:00.5-03:30", 3.5),
    ],
)
def test_times_keep_their_zone(text: str, hours: float) -> None:
    known = Queryables({"moment": Queryable("moment", Kind.DATETIME, "moment")})
    condition = (
        f"<PropertyIsEqualTo><ValueReference>moment</ValueReference><Literal>{text}</Literal></PropertyIsEqualTo>"
    )
    written = FilterReader("spot", known).read(etree.fromstring(f"<Filter>{condition}</Filter>"))
    found = parse_filter(json.dumps(written), "cql2-json", None, known)
    assert found is not None
    (instant,) = found.values.values()
    noon = dt.datetime(2026, 2, 20, 12, tzinfo=dt.UTC)
    assert instant.replace(microsecond=0) == noon + dt.timedelta(hours=hours)


def test_requests_as_xml(site: Service) -> None:
    body = f"""<wfs:GetFeature service="WFS" version="2.0.0" count="2" startIndex="1" xmlns:wfs="{NAMES["wfs"]}"
      xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gs="urn:x-geoservice:features">
      <wfs:Query typeNames="gs:spot" srsName="EPSG:4490"><wfs:PropertyName>gs:code</wfs:PropertyName><fes:Filter>
      <fes:PropertyIsGreaterThan><fes:ValueReference>gs:amount</fes:ValueReference><fes:Literal>4</fes:Literal>
      </fes:PropertyIsGreaterThan></fes:Filter><fes:SortBy><fes:SortProperty><fes:ValueReference>gs:amount
      </fes:ValueReference><fes:SortOrder>DESC</fes:SortOrder></fes:SortProperty></fes:SortBy></wfs:Query>
      </wfs:GetFeature>"""
    answer = site.client.post("/wfs", content=body.encode(), headers={"Content-Type": "text/xml"})
    assert codes(answer) == ["s10", "s9"]
    assert root_of(answer).find(".//gs:amount", NAMES) is None
    described = f'<DescribeFeatureType xmlns="{NAMES["wfs"]}"><TypeName>gs:field</TypeName></DescribeFeatureType>'
    answer = site.client.post("/wfs", content=described)
    assert b"MultiSurfacePropertyType" in answer.content
    values = f"""<GetPropertyValue xmlns="{NAMES["wfs"]}" valueReference="gs:code" count="2">
      <Query typeNames="gs:spot"/></GetPropertyValue>"""
    assert members(site.client.post("/wfs", content=values)) == ["s0", "s1"]
    listed = site.client.post("/wfs", content=f'<ListStoredQueries xmlns="{NAMES["wfs"]}" service="WFS"/>')
    assert b"GetFeatureById" in listed.content


def test_other_formats(site: Service) -> None:
    frame = gpd.read_file(io.BytesIO(ask(site, TYPENAMES="spot", OUTPUTFORMAT="application/json").content))
    assert frame.geometry.x.min() == pytest.approx(WEST + 0.005)
    table = pd.read_csv(io.BytesIO(ask(site, TYPENAMES="spot", OUTPUTFORMAT="csv", COUNT="3").content))
    assert table["code"].tolist() == ["s0", "s1", "s2"]


HOSTILE = [
    '<!DOCTYPE x [<!ENTITY a "b">]><GetFeature xmlns="{wfs}"><Query typeNames="&a;"/></GetFeature>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><GetCapabilities xmlns="{wfs}"/>',
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><GetFeature xmlns="{wfs}">&a;</GetFeature>',
    "<a>" * 100 + "</a>" * 100,
    "<GetFeature>",
    "",
    "\x00",
    '<GetFeature xmlns="{wfs}">' + "<b/>" * 21_000 + "</GetFeature>",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_xml_that_means_harm_is_refused(site: Service, body: str) -> None:
    answer = site.client.post("/wfs", content=body.replace("{wfs}", NAMES["wfs"]).encode())
    assert answer.status_code == 400
    report = etree.fromstring(answer.content)
    assert report.tag == "{http://www.opengis.net/ows/1.1}ExceptionReport"
    assert report.find("ows:Exception", NAMES).get("exceptionCode") in (
        "OperationParsingFailed",
        "OperationNotSupported",
    )
    assert b"root:" not in answer.content


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ({"REQUEST": "Transaction"}, "OperationNotSupported"),
        ({"REQUEST": None}, "MissingParameterValue"),
        ({"TYPENAMES": None}, "MissingParameterValue"),
        ({"TYPENAMES": "nope"}, "InvalidParameterValue"),
        ({"TYPENAMES": "hidden"}, "InvalidParameterValue"),
        ({"VERSION": "1.1.0"}, "InvalidParameterValue"),
        ({"COUNT": "-1"}, "InvalidParameterValue"),
        ({"STARTINDEX": "x"}, "InvalidParameterValue"),
        ({"STARTINDEX": "999999999"}, "InvalidParameterValue"),
        ({"SRSNAME": "http://169.254.169.254/"}, "InvalidParameterValue"),
        ({"OUTPUTFORMAT": "application/x-shockwave-flash"}, "InvalidParameterValue"),
        ({"BBOX": "1,2,3"}, "InvalidParameterValue"),
        ({"BBOX": "nan,1,2,3"}, "InvalidParameterValue"),
        ({"BBOX": "1,2,3,4", "RESOURCEID": "spot.s1"}, "InvalidParameterValue"),
        ({"SORTBY": "secret"}, "InvalidParameterValue"),
        ({"PROPERTYNAME": "secret"}, "InvalidParameterValue"),
        ({"FILTER": "<Filter/>"}, "OperationParsingFailed"),
        ({"FILTER": "<Filter><Foo/></Filter>"}, "OperationParsingFailed"),
        ({"FILTER": "<Filter><PropertyIsNull><ValueReference>secret</ValueReference></PropertyIsNull></Filter>"},
         "InvalidParameterValue"),
        ({"FILTER": "<Filter><BBOX><Envelope><lowerCorner>1</lowerCorner><upperCorner>2</upperCorner></Envelope></BBOX>"
                    "</Filter>"}, "OperationParsingFailed"),
        ({"STOREDQUERY_ID": "x"}, "InvalidParameterValue"),
        ({"REQUEST": "GetPropertyValue"}, "MissingParameterValue"),
        ({"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "secret"}, "InvalidParameterValue"),
        ({"REQUEST": "GetPropertyValue", "VALUEREFERENCE": "name", "OUTPUTFORMAT": "csv"}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_exceptions_are_reports(site: Service, pairs: dict[str, Any], code: str) -> None:
    answer = ask(site, **{"TYPENAMES": "spot", **pairs})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    found = etree.fromstring(answer.content).find("ows:Exception", NAMES)
    assert found.get("exceptionCode") == code, answer.text


def test_versions_are_negotiated(site: Service) -> None:
    assert ask(site, REQUEST="GetCapabilities", VERSION=None, ACCEPTVERSIONS="2.0.0,1.1.0").status_code == 200
    answer = ask(site, REQUEST="GetCapabilities", VERSION=None, ACCEPTVERSIONS="1.0.0")
    assert b"VersionNegotiationFailed" in answer.content


def test_hidden_types_look_like_missing_ones(site: Service) -> None:
    hidden, missing = (ask(site, TYPENAMES=name) for name in ("hidden", "neddih"))
    assert hidden.text.replace("hidden", "neddih") == missing.text
    assert codes(ask(site, Clearance.RESTRICTED, TYPENAMES="hidden")) == ["south", "north"]


@pytest.mark.parametrize("asker", [None, *Clearance])
def test_nothing_above_the_asker_comes_out(service: Service, asker: Clearance | None) -> None:
    allowed = asker or Clearance.PUBLIC
    headers = {} if asker is None else {"X-API-Key": service.keys[asker]}
    found = set()
    for kind in ("spot", "area", "way", "reading"):
        for form in ("", "geojson", "csv"):
            pairs = {"SERVICE": "WFS", "REQUEST": "GetFeature", "TYPENAMES": kind, "OUTPUTFORMAT": form}
            content = service.client.get("/wfs", params=pairs, headers=headers).content
            found |= {int(level) for level in re.findall(rb"CNRY-(\d)-", content)}
    assert found == set(range(int(allowed) + 1))
    hits = service.client.get("/wfs?REQUEST=GetFeature&TYPENAMES=spot&RESULTTYPE=hits", headers=headers)
    assert root_of(hits).get("numberMatched") == str(10 * (int(allowed) + 1))
    secrets = service.client.get("/wfs?REQUEST=GetPropertyValue&TYPENAMES=spot&VALUEREFERENCE=secret", headers=headers)
    assert (secrets.status_code == 200) == (allowed == Clearance.RESTRICTED)
    names = service.client.get("/wfs?REQUEST=GetPropertyValue&TYPENAMES=spot&VALUEREFERENCE=code", headers=headers)
    assert len(members(names)) == 10 * (int(allowed) + 1)
    schema = service.client.get("/wfs?REQUEST=DescribeFeatureType", headers=headers).text
    assert ("secret" in schema) == (allowed == Clearance.RESTRICTED)
    number = next(i for i, row in enumerate(spot_rows()) if row["level"] == "restricted")
    identifier = f"spot.{canary(Clearance.RESTRICTED, 'spot', number)}"
    one = service.client.get(f"/wfs?REQUEST=GetFeature&RESOURCEID={identifier}", headers=headers)
    assert (b"<gs:code>" in one.content) == (allowed == Clearance.RESTRICTED)
