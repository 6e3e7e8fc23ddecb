"""Long pages of GeoJSON: sent part by part, one snapshot, one connection at a time, ended when the client leaves."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import shapely

from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.db.pools import Pools
from geoservice.db.reading import Reading
from geoservice.features import stream
from geoservice.features.query import FeatureQuery
from layers.access import ANONYMOUS, Clearance, decide
from layers.model import VectorLayer
from tests.support.edits import Editor
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running
from tests.support.serving import serving

CATALOG = trial_catalog(trial_layer("crowd", row_clearance=None))
PATH = "/collections/crowd/items"
NUMBER = 95
CODES = [f"c{i:03}" for i in range(NUMBER)]


def rows(name: str) -> list[dict[str, Any]]:
    """The layer's rows, all with one name."""
    more = {"amount": 1.0, "level": None, "secret": None, "seen": None}
    return [
        {**more, "code": code, "name": name, "geometry": shapely.Point(105, 38 + i / 1000)}
        for i, code in enumerate(CODES)
    ]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of ten features."""
    monkeypatch.setattr(stream, "PART", 10)


@pytest.fixture(scope="module")
def made(module_database: Database) -> Iterator[tuple[Service, Editor]]:
    """A service whose pages are long from 20 features on."""
    prepared(module_database, CATALOG)
    layer = CATALOG.layer("crowd")
    assert isinstance(layer, VectorLayer)
    editor = Editor(module_database, layer)
    editor.bring_to(rows("first"))
    settings = module_database.settings.model_copy(update={"max_limit": 20, "stream_max_limit": 90})
    copy = Database(module_database.parameters, module_database.prefix, module_database.passwords, settings)
    with running(copy, CATALOG) as service:
        yield service, editor


def codes(body: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in body["features"]]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("limit", [21, 50, 89, 90, 500])
def test_a_long_page_is_whole(made: tuple[Service, Editor], limit: int) -> None:
    service, _ = made
    response = service.get(f"{PATH}?limit={limit}")
    body = response.json()
    assert codes(body) == CODES[: min(limit, 90)]
    assert body["numberReturned"] == len(body["features"])
    assert response.headers["content-type"].startswith("application/geo+json")
    assert "etag" not in response.headers
    (following,) = [urlsplit(link["href"]).query for link in body["links"] if link["rel"] == "next"]
    rest = service.get(f"{PATH}?{following}").json()
    assert codes(rest) == CODES[min(limit, 90) :][: min(limit, 90)]
    assert {link["rel"] for link in rest["links"]} >= {"prev"}


@pytest.mark.usefixtures("small_parts")
def test_it_is_packed_for_those_who_take_it(made: tuple[Service, Editor]) -> None:
    service, _ = made
    with service.client.stream("GET", f"{PATH}?limit=60", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["content-encoding"] == "gzip"
        raw = b"".join(response.iter_raw())
    assert codes(json.loads(gzip.decompress(raw))) == CODES[:60]


@pytest.mark.usefixtures("small_parts")
def test_the_end_is_told(made: tuple[Service, Editor]) -> None:
    service, _ = made
    body = service.get(f"{PATH}?limit=90&bbox=104,38,106,38.0405").json()
    assert codes(body) == CODES[:41]
    assert (body["numberReturned"], body["numberMatched"]) == (41, 41)
    assert "next" not in {link["rel"] for link in body["links"]}
    empty = service.get(f"{PATH}?limit=90&bbox=1,1,2,2").json()
    assert (empty["features"], empty["numberReturned"]) == ([], 0)


def test_what_is_wrong_is_said_before_the_first_byte(made: tuple[Service, Editor]) -> None:
    service, _ = made
    for query in ("limit=90&cursor=x", "limit=90&sortby=planet", "limit=90&crs=x"):
        assert service.get(f"{PATH}?{query}").status_code == 400


async def test_edits_on_the_way_do_not_show(made: tuple[Service, Editor], small_parts: None) -> None:
    service, editor = made
    layer = editor.layer
    decision = decide(ANONYMOUS, "read", layer)
    editor.bring_to(rows("before"))
    found: list[dict[str, Any]] = []
    async with Pools(service.database) as pools:
        reading, query = Reading("policies"), FeatureQuery(1000)
        parts = stream.read_parts(lambda: pools.raw(Clearance.PUBLIC), reading, layer, decision, query, None)
        async for page in parts:
            # Between two parts nobody holds a connection.
            assert pools.use()["public"][0] == 0
            found += json.loads(f"[{page.features}]")
            await asyncio.to_thread(editor.bring_to, rows(f"after {len(found)}")[: NUMBER - len(found) // 2])
    assert [feature["id"] for feature in found] == CODES
    assert {feature["properties"]["name"] for feature in found} == {"before"}
    editor.bring_to(rows("first"))


async def test_who_leaves_ends_the_reading(
    made: tuple[Service, Editor], small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes after the first part costs no more than the part that was under way."""
    service, _ = made
    monkeypatch.setattr(stream, "PART", 1)
    read: list[int] = []
    inner = stream.read_pinned

    async def slow(*given: Any) -> Any:
        page = await inner(*given)
        read.append(page.returned)
        await asyncio.sleep(0.05)
        return page

    monkeypatch.setattr(stream, "read_pinned", slow)
    with serving(create_app(service.database.settings, CATALOG)) as address:
        async with httpx.AsyncClient() as client, client.stream("GET", f"{address}{PATH}?limit=90") as response:
            assert response.status_code == 200
            async for _ in response.aiter_raw(64):
                break
        await asyncio.sleep(0.3)
        seen = len(read)
        await asyncio.sleep(0.6)
    assert seen < NUMBER / 2
    assert len(read) <= seen + 1
