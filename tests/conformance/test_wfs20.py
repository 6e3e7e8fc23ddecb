"""Web Feature Service 2.0: filters by time (FES 2.0, 7.9), and values of single properties (09-025r2, clause 10)."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from tests.support.service import Service
from tests.support.site import SOUTH, WEST, spots
from tests.support.wfs import NAMES, ask, codes, filtered, first_place, members, root_of


def at(day: str) -> str:
    return f'<gml:TimeInstant gml:id="t"><gml:timePosition>{day}</gml:timePosition></gml:TimeInstant>'


def period(begin: str, end: str) -> str:
    ends = f"<gml:beginPosition>{begin}</gml:beginPosition><gml:endPosition>{end}</gml:endPosition>"
    return f'<gml:TimePeriod gml:id="t">{ends}</gml:TimePeriod>'


SEEN = "<ValueReference>gs:seen</ValueReference>"
OPEN_END = """<gml:TimePeriod gml:id="t"><gml:begin><gml:TimeInstant gml:id="i">
 <gml:timePosition>2026-10-15</gml:timePosition></gml:TimeInstant></gml:begin>
 <gml:endPosition indeterminatePosition="unknown"/></gml:TimePeriod>"""


@pytest.mark.parametrize(
    ("operator", "operands", "expected"),
    [
        ("After", SEEN + at("2026-10-15"), [10, 11]),
        ("Before", SEEN + at("2026-02-15"), [0]),
        ("Before", SEEN + at("2026-02-15T12:00:00+08:00"), [0]),
        ("After", at("2026-02-15") + SEEN, [0]),
        ("During", SEEN + period("2026-01-15", "2026-03-15"), [1]),
        ("During", SEEN + period("2026-01-14T23:59:59Z", "2026-03-15"), [0, 1]),
        ("During", SEEN + OPEN_END, [10, 11]),
        ("TEquals", SEEN + at("2026-05-15"), [4]),
        ("TEquals", SEEN + "<Literal>2026-05-15</Literal>", [4]),
        ("Begins", SEEN + period("2026-01-15", "2026-03-15"), [0]),
        ("Ends", SEEN + period("2026-01-15", "2026-03-15"), [2]),
        ("AnyInteracts", SEEN + period("2026-01-15", "2026-03-15"), [0, 1, 2]),
        ("AnyInteracts", SEEN + "<Literal>2026-01-15/2026-02-15</Literal>", [0, 1]),
        ("TContains", period("2026-01-15", "2026-03-15") + SEEN, [1]),
        ("BegunBy", period("2026-01-15", "2026-03-15") + SEEN, [0]),
        ("EndedBy", period("2026-01-15", "2026-03-15") + SEEN, [2]),
        ("TOverlaps", SEEN + period("2026-01-15", "2026-03-15"), []),
        ("Meets", SEEN + period("2026-03-15", "2026-05-15"), [2]),
        ("MetBy", SEEN + period("2026-03-15", "2026-05-15"), [4]),
    ],
)
def test_temporal_filters(site: Service, operator: str, operands: str, expected: list[int]) -> None:
    """Places are seen on the fifteenth of a month each; instants are intervals that end where they begin."""
    assert filtered(site, f"<{operator}>{operands}</{operator}>") == [f"s{number}" for number in expected]


def test_the_description_names_operators_of_time(site: Service) -> None:
    root = root_of(ask(site, REQUEST="GetCapabilities"))
    fes = "{http://www.opengis.net/fes/2.0}"
    named = {one.get("name") for one in root.iter(f"{fes}TemporalOperator")}
    assert {"After", "Before", "During", "TEquals", "AnyInteracts"} <= named
    known = {one.get("name"): one[-1].text for one in root.iter(f"{fes}Constraint")}
    assert (known["ImplementsMinTemporalFilter"], known["ImplementsTemporalFilter"]) == ("TRUE", "TRUE")


def test_now_is_when_it_is_asked(site: Service) -> None:
    now = '<gml:TimeInstant gml:id="t"><gml:timePosition indeterminatePosition="now"/></gml:TimeInstant>'
    today = dt.datetime.now(dt.UTC).date()
    over = [row["code"] for row in spots() if dt.date.fromisoformat(row["seen"]) < today]
    assert filtered(site, f"<Before>{SEEN}{now}</Before>") == over


@pytest.mark.parametrize(
    ("operands", "code"),
    [
        (SEEN, "OperationParsingFailed"),
        (SEEN + at("soon"), "OperationParsingFailed"),
        (SEEN + at("2026-02-30"), "OperationProcessingFailed"),
        (SEEN + "<gml:Point/>", "OperationParsingFailed"),
        (SEEN + period("2026-03-15", "2026-01-15"), "OperationProcessingFailed"),
        (SEEN + '<gml:TimePeriod gml:id="t"/>', "OperationParsingFailed"),
        (SEEN + at("2026-01-01' OR '1'='1"), "OperationParsingFailed"),
        (SEEN + at("2026-01-01T00:00:00'||pg_sleep(5)||'Z"), "OperationProcessingFailed"),
        ("<ValueReference>amount</ValueReference>" + at("2026-02-15"), "OperationProcessingFailed"),
        ("<ValueReference>secret</ValueReference>" + at("2026-02-15"), "InvalidParameterValue"),
    ],
)
def test_times_that_are_none_are_refused(site: Service, operands: str, code: str) -> None:
    space = 'xmlns:gml="http://www.opengis.net/gml/3.2"'
    answer = ask(site, TYPENAMES="spot", FILTER=f"<Filter {space}><During>{operands}</During></Filter>")
    assert answer.status_code == 400
    assert etree.fromstring(answer.content).find("ows:Exception", NAMES).get("exceptionCode") == code, answer.text


def test_values_of_one_property(site: Service) -> None:
    query = {"REQUEST": "GetPropertyValue", "TYPENAMES": "gs:spot"}
    wanted = [row["name"] for row in spots()]
    answer = ask(site, VALUEREFERENCE="gs:name", COUNT="5", **query)
    assert members(answer) == wanted[:5]
    assert root_of(answer).get("numberMatched") in ("12", "unknown")
    following = parse_qsl(urlsplit(root_of(answer).get("next")).query)
    assert members(site.client.get("/wfs", params=following)) == wanted[5:10]
    ids = ask(site, VALUEREFERENCE="@gml:id", SORTBY="amount DESC", COUNT="2", **query)
    assert members(ids) == ["spot.s11", "spot.s10"]
    hits = ask(site, VALUEREFERENCE="name", RESULTTYPE="hits", **query)
    assert (members(hits), root_of(hits).get("numberMatched")) == ([], "12")
    place = ask(site, VALUEREFERENCE="geom", SRSNAME="EPSG:4490", RESOURCEID="spot.s0", **query)
    assert first_place(place) == pytest.approx((WEST + 0.005, SOUTH + 0.005))
    assert len(members(place)) == 1
    stored = {"STOREDQUERY_ID": "urn:ogc:def:query:OGC-WFS::GetFeatureById", "ID": "spot.s3"}
    assert members(ask(site, REQUEST="GetPropertyValue", VALUEREFERENCE="amount", **stored)) == ["3.0"]


def test_features_without_a_value_have_none_to_tell(site: Service) -> None:
    answer = ask(site, REQUEST="GetPropertyValue", TYPENAMES="way", VALUEREFERENCE="amount")
    assert (members(answer), root_of(answer).get("numberMatched")) == ([], "0")
    assert members(ask(site, REQUEST="GetPropertyValue", TYPENAMES="way", VALUEREFERENCE="name")) == ["way"]


def test_geometries_are_written_when_they_are_asked_for(site: Service) -> None:
    for names, shown in ((None, 1), ("code,geom", 1), ("code", 0)):
        answer = ask(site, TYPENAMES="spot", COUNT="1", PROPERTYNAME=names)
        assert len(root_of(answer).findall(".//gml:Point", NAMES)) == shown
        assert codes(answer) == ["s0"]
