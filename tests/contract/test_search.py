"""Search across collections: the union of what single collections show, page by page, and nothing above a clearance."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from layers.access import Clearance
from tests.support.service import Service

TOP = Clearance.RESTRICTED
ALL = ("area", "reading", "spot", "way")


def crawl(service: Service, path: str, clearance: Clearance | None) -> list[dict[str, Any]]:
    """Features over all pages."""
    found: list[dict[str, Any]] = []
    address: str | None = path
    while address is not None:
        response = service.get(address, clearance)
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["numberReturned"] == len(page["features"])
        assert page["features"] or address == path, "a next link leads to an empty page"
        found += page["features"]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        parts = urlsplit(following[0]) if following else None
        address = f"{parts.path}?{parts.query}" if parts else None
    return found


def items(service: Service, clearance: Clearance | None, query: str = "") -> list[dict[str, Any]]:
    """The same by the lists of single collections."""
    found = []
    for name in ALL:
        response = service.get(f"/collections/{name}/items?limit=100{query}", clearance)
        if response.status_code == 200:
            found += [{**feature, "collection": name} for feature in response.json()["features"]]
    return found


def by_place(features: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return sorted((f["collection"], f["id"], json.dumps(f["properties"], sort_keys=True)) for f in features)


@pytest.mark.parametrize("clearance", [None, *Clearance])
@pytest.mark.parametrize("limit", [1, 4, 7, 10, 30, 100])
def test_pages_are_the_union_of_the_collections(service: Service, clearance: Clearance | None, limit: int) -> None:
    found = crawl(service, f"/search?limit={limit}", clearance)
    assert by_place(found) == by_place(items(service, clearance))
    names = [feature["collection"] for feature in found]
    assert names == sorted(names)


@pytest.mark.parametrize("limit", [1, 4, 10])
def test_the_way_back_is_the_way_there(service: Service, limit: int) -> None:
    there, back = [], []
    for relation, pages in (("next", there), ("prev", back)):
        address: str | None = pages_end(there) if back is pages else f"/search?limit={limit}&skipGeometry=true"
        while address is not None:
            page = service.get(address, TOP).json()
            pages.append(page)
            turns = {link["rel"]: urlsplit(link["href"]) for link in page["links"]}
            address = f"{turns[relation].path}?{turns[relation].query}" if relation in turns else None
    ids = [[(f["collection"], f["id"]) for f in page["features"]] for page in there]
    assert len(ids) > 1
    everything = [one for page in ids for one in page]
    found = [[(f["collection"], f["id"]) for f in page["features"]] for page in back]
    assert found == backward(everything, limit, len(ids[-1]))
    assert {link["rel"] for link in there[0]["links"]} == {"self", "alternate", "next"}


def pages_end(pages: list[dict[str, Any]]) -> str:
    """Address of the page before the last one."""
    (before,) = [urlsplit(link["href"]) for link in pages[-1]["links"] if link["rel"] == "prev"]
    return f"{before.path}?{before.query}"


def backward(everything: list[tuple[str, str]], limit: int, last: int) -> list[list[tuple[str, str]]]:
    """What pages show that are read from the end on: full ones, but for what is left at the beginning."""
    end, found = len(everything) - last, []
    while end > 0:
        found.append(everything[max(0, end - limit) : end])
        end -= limit
    return found


def test_people_get_a_page(service: Service) -> None:
    answer = service.get("/search?limit=3&f=html&ids=CNRY-0-spot-3&lang=zh")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "/collections/spot/items/CNRY-0-spot-3?f=html" in answer.text
    assert "CNRY-1" not in service.get("/search?limit=100&f=html").text


def test_conditions_hold_in_every_collection(service: Service) -> None:
    box = "bbox=105.05,38.05,105.12,38.12"
    placed = [f for f in items(service, TOP, f"&{box}") if f["geometry"] is not None]
    assert by_place(crawl(service, f"/search?limit=3&{box}", TOP)) == by_place(placed)
    wanted = [f for f in items(service, TOP) if f["id"] in ("CNRY-0-spot-3", "CNRY-1-area-0")]
    assert by_place(crawl(service, "/search?ids=CNRY-0-spot-3,CNRY-1-area-0", TOP)) == by_place(wanted)
    some = crawl(service, "/search?collections=spot,area&limit=5", TOP)
    assert {feature["collection"] for feature in some} == {"spot", "area"}


def test_filters_name_what_all_have(service: Service) -> None:
    text = quote("amount > 20")
    expected = [f for f in items(service, TOP) if (f["properties"]["amount"] or 0) > 20 and f["collection"] != "way"]
    found = crawl(service, f"/search?collections=spot,area,reading&limit=4&filter={text}", TOP)
    assert by_place(found) == by_place([f for f in expected if f["collection"] != "way"])
    refused = service.get("/search?filter=" + quote("station = 's1'"), TOP)
    assert refused.status_code == 400
    hidden = service.get("/search?filter=" + quote("secret = 'x'"))
    unknown = service.get("/search?filter=" + quote("planet = 'x'"))
    assert hidden.status_code == unknown.status_code == 400
    assert hidden.text.replace("secret", "planet") == unknown.text


def test_a_body_says_the_same(service: Service) -> None:
    headers = {"X-API-Key": service.keys[TOP]}
    body: dict[str, Any] = {"collections": ["spot", "area"], "bbox": [105, 38, 105.1, 38.1], "limit": 4}
    body |= {"filter": {"op": "<", "args": [{"property": "amount"}, 15]}, "skipGeometry": True}
    found: list[dict[str, Any]] = []
    while True:
        response = service.client.post("/search", json=body, headers=headers)
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["features"]
        following = [link for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        assert following[0]["method"] == "POST"
        body = following[0]["body"]
    text = quote("amount < 15")
    query = f"collections=spot,area&bbox=105,38,105.1,38.1&limit=4&filter={text}&skipGeometry=true"
    assert by_place(found) == by_place(crawl(service, f"/search?{query}", TOP))
    assert found
    assert all(feature["geometry"] is None for feature in found)


def test_hidden_collections_are_as_unknown(service: Service) -> None:
    hidden, unknown = service.get("/search?collections=spot,way"), service.get("/search?collections=spot,yaw")
    assert hidden.status_code == unknown.status_code == 400
    assert hidden.text.replace("way", "yaw") == unknown.text
    assert b"CNRY-1" not in service.get("/search?limit=100").content


def test_tokens_hold_for_one_search_and_one_clearance(service: Service) -> None:
    page = service.get("/search?limit=3", TOP).json()
    (following,) = [urlsplit(link["href"]).query for link in page["links"] if link["rel"] == "next"]
    assert service.get(f"/search?{following}", TOP).status_code == 200
    assert service.get(f"/search?{following}&bbox=1,2,3,4", TOP).status_code == 400
    assert service.get(f"/search?{following}", Clearance.INTERNAL).status_code == 400
    assert service.get(f"/search?{following}").status_code == 400
    assert service.get(f"/search?{following[:-3]}abc", TOP).status_code == 400


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("bbox=1,2", "bbox"), ("crs=EPSG:1", "crs"), ("datetime=x", "datetime"),
        ("as-of=2999-01-01T00:00:00Z", "as-of"), ("collections=", "collections"), ("planet=1", "planet"),
        ("cursor=x", "cursor"), ("f=gml", "f"), ("filter-lang=sql&filter=a", "filter-lang"),
        ("filter-crs=x", "filter-crs"),
    ],
)  # fmt: skip
def test_bad_searches(service: Service, query: str, parameter: str) -> None:
    response = service.get(f"/search?{query}")
    assert (response.status_code, response.json()["parameter"]) == (400, parameter)


@pytest.mark.parametrize(
    "body",
    [
        {"planet": 1},
        {"limit": [1]},
        {"bbox": [[1]]},
        {"bbox": {"a": 1}},
        {"ids": [None]},
        {"filter": [1]},
        {"limit": True},
    ],
)
def test_bad_bodies(service: Service, body: dict[str, Any]) -> None:
    response = service.client.post("/search", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["parameter"] == next(iter(body))


def test_a_search_as_of_before_everything_is_empty(service: Service) -> None:
    page = service.get("/search?as-of=2001-01-01T00:00:00Z", TOP).json()
    assert (page["numberReturned"], page["numberMatched"], page["features"]) == (0, 0, [])


def test_ids_that_no_database_can_hold_are_refused(service: Service) -> None:
    """JSON can spell half of a surrogate pair; an address cannot."""
    for text in ("\\ud800", "\\u0000"):
        body = f'{{"ids": ["{text}"]}}'.encode()
        answer = service.client.post("/search", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
        assert answer.json()["parameter"] == "ids"
