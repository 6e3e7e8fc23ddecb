"""Map sheets and coordinates over HTTP."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.support.service import Service


def test_sheets_of_a_point(service: Service) -> None:
    body = service.get("/gazetteer/sheets?lon=116.391388889&lat=39.907222222").json()
    numbers = [one["number"] for one in body["sheets"]]
    assert numbers[0] == "J50"
    assert numbers[4] == "J50E001010"
    assert numbers[-1] == "J50K00540919"
    assert body["numberMatched"] == 11


def test_sheets_of_a_box_are_cut_by_the_limit(service: Service) -> None:
    body = service.get("/gazetteer/sheets?bbox=114,36,120,40&scale=50000&limit=3&f=geojson").json()
    assert body["numberMatched"] == 576
    assert [one["id"] for one in body["features"]] == ["J50E001001", "J50E001002", "J50E001003"]
    assert body["features"][0]["bbox"] == [114, pytest.approx(39 + 50 / 60), 114.25, 40]


def test_huge_lists_cost_no_more_than_the_limit(service: Service) -> None:
    body = service.get("/gazetteer/sheets?bbox=-180,0,180,60&scale=500&limit=1000000").json()
    assert body["numberMatched"] == 60 * 15 * 2304**2
    assert body["numberReturned"] == 10_000


def test_one_sheet(service: Service) -> None:
    body = service.get("/gazetteer/sheets/J-50-5-B").json()
    assert (body["number"], body["former_number"], body["scale"]) == ("J50E001010", "J-50-5-B", 50_000)
    assert body["neighbours"]["north"] == "K50E024010"
    assert body["lies_in"]["1:100000"] == "J50D001005"
    page = service.get("/gazetteer/sheets/J50E001010?f=html&lang=zh")
    assert "J50E001010" in page.text


def test_coordinates(service: Service) -> None:
    body = service.get("/gazetteer/coordinates?" + urlencode({"q": "北纬39度54分26秒 东经116度23分29秒"})).json()
    (reading,) = body["readings"]
    assert reading["certain"]
    assert reading["sheets"]["1:50000"] == "J50E001010"
    assert reading["gauss_krueger"]["3_degree"]["crs"] == "EPSG:4527"
    assert reading["dms"]["en"] == "39°54′26.00″N 116°23′29.00″E"
    assert service.get("/gazetteer/coordinates?q=40,-70").json()["readings"][0]["gauss_krueger"] == {}


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/gazetteer/sheets", "bbox and scale"),
        ("/gazetteer/sheets?lon=116", "bbox and scale"),
        ("/gazetteer/sheets?bbox=114,36,120,40", "denominator"),
        ("/gazetteer/sheets?lon=116&lat=39&bbox=1,1,2,2&scale=500", "bbox and scale"),
        ("/gazetteer/sheets?lon=nan&lat=39", "number of degrees"),
        ("/gazetteer/sheets?lon=116&lat=61", "60 degrees north"),
        ("/gazetteer/sheets?lon=116&lat=39&scale=123", "has no scale"),
        ("/gazetteer/sheets?lon=116&lat=39&scale=99999999999999", "whole number"),
        ("/gazetteer/sheets/J50E999001", "no sheet"),
        ("/gazetteer/coordinates?q=nowhere", "not understood"),
        ("/gazetteer/coordinates?q=500000,4400000", "give the zone"),
    ],
)
def test_refused(service: Service, path: str, word: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]
