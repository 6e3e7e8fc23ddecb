"""Divisions through the API: chains against geopandas, codes in all spellings, history, what was before."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import shapely

from tests.support.atlas import SIDE, SOUTH, WEST, Atlas


def test_a_division_by_any_spelling(atlas: Atlas) -> None:
    for code in ("9901", "990100", "990100000000"):
        one = atlas.get(f"/divisions/{code}")
        assert (one["code"], one["level"], one["name"]["zh"], one["parent"]) == ("9901", "city", "甲城市", "99")
        assert one["gb2260"] == "990100"
        assert one["statistical"] == "990100000000"


def test_children_in_order_and_in_pages(atlas: Atlas) -> None:
    whole = [d["code"] for d in atlas.get("/divisions/990101/children")["divisions"]]
    assert whole == ["990101001", "990101101", "990101102", "990101200"]
    page = atlas.get("/divisions/990101/children", limit=3)
    following = next(one["href"] for one in page["links"] if one["rel"] == "next")
    rest = atlas.service.client.get(following).json()
    assert [d["code"] for d in page["divisions"] + rest["divisions"]] == whole
    assert not any(one["rel"] == "next" for one in rest["links"])
    assert atlas.get("/divisions/990101001/children")["divisions"] == []


def test_lists_by_level(atlas: Atlas) -> None:
    assert [d["code"] for d in atlas.get("/divisions", level="county")["divisions"]] == sorted(
        ["990101", "990102", "990201", "990202"]
    )
    assert atlas.get("/divisions")["numberReturned"] == 10
    assert "county" in atlas.get("/divisions", 400, level="parish")["detail"]


def test_chain(atlas: Atlas) -> None:
    chain = atlas.get("/divisions/990202102/chain")["divisions"]
    assert [d["code"] for d in chain] == ["99", "9902", "990202", "990202102"]
    assert [d["level"] for d in chain] == ["province", "city", "county", "township"]


def test_points_against_geopandas(atlas: Atlas) -> None:
    spots = np.random.default_rng(7).random((60, 2)) * 1.2 - 0.1
    points = [(WEST + float(x), SOUTH + float(y)) for x, y in spots]
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(p) for p in points], crs="EPSG:4490")
    joined = frame.sjoin(atlas.divisions, predicate="within")
    outside = 0
    for number, (lon, lat) in enumerate(points):
        expected = sorted(joined.loc[joined.index == number, "adcode"], key=len)
        found = atlas.get("/divisions/at", lon=lon, lat=lat)
        assert [d["code"] for d in found["divisions"]] == expected
        assert found["code"] == (expected[-1] if expected else None)
        outside += not expected
    assert 0 < outside < 40, "some points lie abroad"


def test_a_point_on_a_border_has_one_answer(atlas: Atlas) -> None:
    # The middle of the country: four counties of both cities meet here.
    corner = atlas.get("/divisions/at", lon=WEST + 2 * SIDE, lat=SOUTH + 2 * SIDE)
    assert [d["code"] for d in corner["divisions"]] == ["99", "9901", "990101", "990101200"]
    # Between 990102 and 990202, on the border of two townships each.
    between = atlas.get("/divisions/at", lon=WEST + 3 * SIDE, lat=SOUTH + 2 * SIDE)
    assert between["code"] == "990102102"


def test_codes_of_other_years(atlas: Atlas) -> None:
    def asked(code: str, start: object, end: object) -> dict[str, str]:
        answer = atlas.service.client.get("/gazetteer/convert", params={"code": code, "from": start, "to": end})
        assert answer.status_code == 200, answer.text
        return {d["code"]: d["relation"] for d in answer.json()["divisions"]}

    assert asked("992122", 1990, 2000) == {"990101": "equal"}
    assert asked("990101", 2000, 1990) == {"992122": "equal"}
    assert asked("990101201", 2000, 2020) == {"990101001": "within"}
    assert asked("990101101", 2009, 2010) == {"990101101": "part", "990101102": "part"}
    assert asked("990101101", "2009-12-31", "2010-01-01") == {"990101101": "part", "990101102": "part"}
    assert asked("990101400", 2014, 2016) == {}
    assert asked("990202", 1990, 2020) == {"990202": "equal"}


def test_former_codes_answer_with_their_successors(atlas: Atlas) -> None:
    one = atlas.get("/divisions/990101201000")
    assert (one["status"], one["name"]["zh"], one["ended"]) == ("former", "河湾乡", "2001-07-01")
    assert [(s["code"], s["relation"]) for s in one["successors"]] == [("990101001", "within")]
    farm = atlas.get("/divisions/990101400")
    assert (farm["ended"], farm["successors"]) == ("2015-03-01", [])


def test_history(atlas: Atlas) -> None:
    told = atlas.get("/divisions/990101001/history")
    assert told["status"] == "current"
    assert [(c["kind"], c["from"]["code"]) for c in told["changes"]] == [("merge", "990101001"), ("merge", "990101201")]
    assert atlas.get("/divisions/990202/history")["changes"] == []


def test_shapes_as_geojson(atlas: Atlas) -> None:
    feature = atlas.get("/divisions/990101", f="geojson")
    assert shapely.equals(
        shapely.geometry.shape(feature["geometry"]), shapely.box(WEST, SOUTH, WEST + 2 * SIDE, SOUTH + 2 * SIDE)
    )
    assert feature["properties"]["name"]["zh"] == "清源县"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/divisions/12345", {}, 400),
        ("/divisions/98", {}, 404),
        ("/divisions/98/children", {}, 404),
        ("/divisions/98/chain", {}, 404),
        ("/divisions/98/history", {}, 404),
        ("/divisions/at", {"lon": "x", "lat": "1"}, 400),
        ("/divisions/at", {"lon": "181", "lat": "1"}, 400),
        ("/divisions/at", {"lon": "nan", "lat": "1"}, 400),
        ("/convert", {"code": "99", "from": "soon", "to": "2000"}, 400),
        ("/convert", {"code": "98", "from": "1999", "to": "2000"}, 404),
        ("/divisions", {"cursor": "'; --"}, 400),
        ("/divisions/99", {"as_of": "yesterday"}, 400),
    ],
)
def test_bad_questions(atlas: Atlas, path: str, query: dict[str, str], status: int) -> None:
    assert atlas.get(path, status, **query)["detail"]


def test_before_the_load_there_was_nothing(atlas: Atlas) -> None:
    assert atlas.get("/divisions", as_of="2001-01-01T00:00:00Z")["divisions"] == []
    assert atlas.get("/divisions/at", lon=WEST, lat=SOUTH, as_of="2001-01-01T00:00:00Z")["divisions"] == []
    now = dt.datetime.now(dt.UTC).isoformat()
    assert atlas.get("/divisions/at", lon=WEST, lat=SOUTH, as_of=now)["code"] == "990101001"


@pytest.mark.parametrize("path", ["", "/990101", "/990101/history", "/990101201"])
def test_pages(atlas: Atlas, path: str) -> None:
    page = atlas.service.client.get(f"/gazetteer/divisions{path}", params={"f": "html", "lang": "zh"})
    assert page.status_code == 200
    assert "清源" in page.text or "河湾乡" in page.text or "甲城市" in page.text
