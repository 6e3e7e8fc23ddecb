"""Pages forwards and backwards: any order, tokens that hold for their request alone, one snapshot per crawl."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.engine import Database
from layers.access import Clearance
from layers.model import VectorLayer
from tests.support.edits import Editor
from tests.support.loading import prepared
from tests.support.service import Service, running, service_catalog, spot_rows

TOP = Clearance.RESTRICTED
PATH = "/collections/spot/items"
CATALOG = service_catalog()
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SORTS = ["", "seen", "-seen", "amount", "-amount", "name,-seen", "-level,amount,-name", "-seen,amount"]


@pytest.fixture(scope="module")
def paged(module_database: Database) -> Iterator[tuple[Service, Editor]]:
    """The service, and somebody who edits its layer of points meanwhile."""
    prepared(module_database, CATALOG)
    layer = CATALOG.layer("spot")
    assert isinstance(layer, VectorLayer)
    with running(module_database, CATALOG) as service:
        yield service, Editor(module_database, layer)


def row(code: str, name: str | None, amount: float | None, seen: dt.date | None, level: str | None) -> dict[str, Any]:
    """A row of the layer."""
    more = {"secret": None, "geometry": shapely.Point(105, 38)}
    return {"code": code, "name": name, "amount": amount, "seen": seen, "level": level, **more}


@st.composite
def states(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A state of the layer: up to twelve rows of fifteen keys, with many equal and many missing values."""
    codes = draw(st.lists(st.sampled_from([f"c{i:02}" for i in range(15)]), unique=True, max_size=12))
    few = st.sampled_from([None, 0.0, -1.5, 2.25])
    days = st.sampled_from([None, dt.date(2026, 1, 1), dt.date(2026, 1, 2)])
    names, levels = st.sampled_from([None, "a", "b", "ü"]), st.sampled_from([None, "internal"])
    return [row(code, draw(names), draw(few), draw(days), draw(levels)) for code in codes]


def pages(service: Service, path: str, rel: str, clearance: Clearance | None = TOP) -> Iterator[dict[str, Any]]:
    """A page and all behind it in one direction."""
    following: str | None = path
    while following is not None:
        response = service.get(following, clearance)
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        yield page
        following = step(page, rel)


def step(page: dict[str, Any], rel: str) -> str | None:
    """Path of the page after or before this one."""
    found = [link["href"] for link in page["links"] if link["rel"] == rel]
    parts = urlsplit(found[0]) if found else None
    return f"{parts.path}?{parts.query}" if parts else None


def ids(page: dict[str, Any]) -> list[str]:
    """Public ids of a page."""
    return [feature["id"] for feature in page["features"]]


def sort_rows(found: list[dict[str, Any]], sortby: str) -> list[dict[str, Any]]:
    """Python's own stable sort of features in the order of their numbers; missing values are the largest."""
    ordered = list(found)
    for key in reversed([part for part in sortby.split(",") if part]):
        name, falling = key.lstrip("-"), key.startswith("-")

        def rank(feature: dict[str, Any], name: str = name) -> tuple[bool, Any]:
            value = feature["properties"][name]
            return (True, 0) if value is None else (False, value)

        # A stable sort with reverse keeps the order of equal features.
        ordered.sort(key=rank, reverse=falling)
    return ordered


@FEW
@given(st.lists(states(), min_size=1, max_size=6), st.sampled_from(SORTS), st.integers(1, 5), st.booleans())
def test_a_crawl_is_the_snapshot_it_began_with(
    paged: tuple[Service, Editor], edits: list[list[dict[str, Any]]], sortby: str, limit: int, above: bool
) -> None:
    """Somebody edits between the pages: their union is the state at the first page, in order, without repetition."""
    service, editor = paged
    clearance = TOP if above else None
    if not above:
        edits = [steady(state) for state in edits]
    editor.bring_to(edits[0])
    whole = service.get(f"{PATH}?limit=100", clearance).json()["features"]
    expected = [feature["id"] for feature in sort_rows(whole, sortby)]
    query = f"limit={limit}" + (f"&sortby={quote(sortby)}" if sortby else "")
    seen: list[str] = []
    turn = 0
    page: dict[str, Any] = {}
    for page in pages(service, f"{PATH}?{query}", "next", clearance):
        assert ids(page) == expected[len(seen) : len(seen) + limit]
        assert [feature for feature in page["features"] if feature not in whole] == []
        seen += ids(page)
        turn += 1
        editor.bring_to(edits[turn % len(edits)])
    assert seen == expected
    # All the way back through the same snapshot, and still somebody edits.
    seen = ids(page)
    while (before := step(page, "prev")) is not None:
        page = service.get(before, clearance).json()
        assert [feature for feature in page["features"] if feature not in whole] == []
        seen = ids(page) + seen
        turn += 1
        editor.bring_to(edits[turn % len(edits)])
    assert seen == expected


def steady(state: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The state without rows that rise above a reader: those leave all snapshots of the past, too."""
    return [{**one, "level": "internal" if int(one["code"][1:]) % 3 == 0 else None} for one in state]


def test_a_row_that_rises_leaves_the_crawls_of_those_below(paged: tuple[Service, Editor]) -> None:
    service, editor = paged
    some = [row(f"c{i:02}", None, float(i), None, None) for i in range(4)]
    editor.bring_to(some)
    begun = {reader: service.get(f"{PATH}?limit=2&sortby=amount", reader).json() for reader in (None, TOP)}
    assert [ids(page) for page in begun.values()] == [["c00", "c01"]] * 2
    editor.bring_to([{**one, "level": "internal"} if one["code"] == "c02" else one for one in some])
    rest = [ids(service.get(str(step(page, "next")), reader).json()) for reader, page in begun.items()]
    assert rest == [["c03"], ["c02", "c03"]]


@pytest.fixture
def filled(paged: tuple[Service, Editor]) -> Service:
    """The service with thirty rows of all clearances."""
    service, editor = paged
    editor.bring_to([{**one, "seen": dt.date.fromisoformat(one["seen"])} for one in spot_rows()])
    return service


@pytest.mark.parametrize("sortby", SORTS)
def test_back_and_forth_meet_the_same_pages(filled: Service, sortby: str) -> None:
    first = f"{PATH}?limit=7" + (f"&sortby={sortby}" if sortby else "")
    forward = [ids(page) for page in pages(filled, first, "next")]
    *_, last = pages(filled, first, "next")
    backward = [ids(last), *(ids(page) for page in pages(filled, step(last, "prev") or "", "prev"))]
    # Pages backwards are cut from the end, so that the first of them may begin within the first page forwards.
    assert [one for page in reversed(backward) for one in page] == [one for page in forward for one in page]
    assert forward == list(reversed(backward))
    again = filled.get(step(last, "prev") or "", TOP).json()
    assert ids(filled.get(step(again, "next") or "", TOP).json()) == ids(last)


def token_of(service: Service, query: str, clearance: Clearance | None = TOP, path: str = PATH) -> str:
    """The token of the second page."""
    following = step(service.get(f"{path}?{query}", clearance).json(), "next")
    assert following is not None
    return parse_qs(urlsplit(following).query)["cursor"][0]


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ("limit=5", "limit=5&bbox=105,38,106,39"),
        ("limit=5&bbox=105,38,106,39", "limit=5"),
        ("limit=5", "limit=5&sortby=name"),
        ("limit=5&sortby=name", "limit=5&sortby=-name"),
        ("limit=5&sortby=name", "limit=5"),
        ("limit=5", "limit=5&datetime=2026-03-01/.."),
        ("limit=2&ids=CNRY-0-spot-0,CNRY-0-spot-3,CNRY-0-spot-6", "limit=2"),
    ],
)
def test_a_token_holds_for_its_question_alone(filled: Service, query: str, other: str) -> None:
    token = token_of(filled, query)
    assert filled.get(f"{PATH}?{query}&cursor={token}", TOP).status_code == 200
    response = filled.get(f"{PATH}?{other}&cursor={token}", TOP)
    assert (response.status_code, response.json()["parameter"]) == (400, "cursor")


def test_what_does_not_choose_features_may_change_from_page_to_page(filled: Service) -> None:
    token = token_of(filled, "limit=5")
    others = ("limit=3", "crs=EPSG:3857", "properties=name", "skipGeometry=true", "zoom-level=3", "lang=zh")
    for query in others:
        page = filled.get(f"{PATH}?{query}&cursor={token}", TOP).json()
        assert ids(page)[0] == "CNRY-2-spot-5"


def test_a_token_of_somebody_higher_is_worth_nothing(filled: Service) -> None:
    for mine in Clearance:
        token = token_of(filled, "limit=2", mine)
        for other in Clearance:
            expected = 200 if other is mine else 400
            assert filled.get(f"{PATH}?limit=2&cursor={token}", other).status_code == expected
        if mine is not Clearance.PUBLIC:
            assert filled.get(f"{PATH}?limit=2&cursor={token}").status_code == 400


def test_a_token_of_another_collection(filled: Service) -> None:
    token = token_of(filled, "limit=2")
    assert filled.get(f"/collections/area/items?limit=2&cursor={token}", TOP).status_code == 400


def test_every_changed_bit_is_noticed(filled: Service) -> None:
    token = token_of(filled, "limit=2")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        text = base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
        assert filled.get(f"{PATH}?limit=2&cursor={text}", TOP).status_code == 400, place


@pytest.mark.parametrize("text", ["", "0", "12345", "a", "=", "%00", "é", "A" * 46, "A" * 30_000, "\u0663"])
def test_what_is_no_token(filled: Service, text: str) -> None:
    response = filled.get(f"{PATH}?cursor={quote(text)}", TOP)
    assert (response.status_code, response.json()["parameter"]) == (400, "cursor")


def test_tokens_outlive_the_process(filled: Service) -> None:
    token = token_of(filled, "limit=5", None)
    with running(filled.database, CATALOG) as fresh:
        page = fresh.get(f"{PATH}?limit=5&cursor={token}").json()
    assert ids(page) == [f"CNRY-0-spot-{i}" for i in (15, 18, 21, 24, 27)]


def test_links_are_in_the_header_too(filled: Service) -> None:
    second = filled.get(step(filled.get(f"{PATH}?limit=7", TOP).json(), "next") or "", TOP)
    for rel in ("next", "prev"):
        assert f'rel="{rel}"' in second.headers["link"]
    assert "link" not in filled.get(f"{PATH}?limit=100", TOP).headers


@pytest.mark.parametrize(
    "text", ["planet", "", "name,name", "+", "secret", "name;select", "ctid", "fid", "_clearance", "geometry", "-" * 99]
)
def test_only_visible_properties_sort(filled: Service, text: str) -> None:
    response = filled.client.get(PATH, params={"sortby": text})
    assert (response.status_code, response.json()["parameter"]) == (400, "sortby")
    assert "CNRY" not in response.text
    if text == "secret":
        assert "secret" not in str(response.json()["known"])
        assert filled.get(f"{PATH}?sortby=secret", TOP).status_code == 200


def test_a_plus_survives_the_address(filled: Service) -> None:
    expected = ids(filled.get(f"{PATH}?limit=30&sortby=name", TOP).json())
    for written in ("+name", "%2Bname"):
        assert ids(filled.get(f"{PATH}?limit=30&sortby={written}", TOP).json()) == expected
        found = [one for page in pages(filled, f"{PATH}?limit=7&sortby={written}", "next") for one in ids(page)]
        assert found == expected
