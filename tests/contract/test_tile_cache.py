"""Kept tiles over HTTP: what they say, whom they are for, and that none of them is older than what it shows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.house import House
from geoservice.http import tile_front
from geoservice.metrics.measured import NOTE
from geoservice.tiles import cache
from geoservice.tiles.path import TILE_PATH
from layers.access import Clearance
from tests.contract.test_canary import FOUND
from tests.support.service import Service, fill, plain_bytes, running, service_catalog

READERS: tuple[Clearance | None, ...] = (None, *Clearance)
SPOT = "/collections/spot/tiles/WebMercatorQuad/8/98/202"
AREA = "/collections/area/tiles/WebMercatorQuad/8/98/202"
WAY = "/collections/way/tiles/WebMercatorQuad/8/98/202"
PACKED = {"Accept-Encoding": "gzip, deflate, br, zstd"}


@pytest.fixture(scope="module")
def served(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog = service_catalog()
    fill(module_database, catalog, tmp_path_factory.mktemp("canary"))
    with running(module_database, catalog) as found:
        look(found)
        yield found


@pytest.fixture(autouse=True)
def cold(served: Service) -> None:
    """Each test begins with nothing kept."""
    tiles = house_of(served).tiles
    tiles.reading.purge()
    look(served)
    tiles.shelf.clear()


def house_of(service: Service) -> House:
    found: House = service.client.app.state.house  # type: ignore[attr-defined]
    return found


def look(service: Service) -> None:
    """Have the process hear of all changes now; by itself it does so several times per second."""
    service.client.portal.call(house_of(service).tiles.watch.look)  # type: ignore[union-attr]


def counts(service: Service) -> cache.Counts:
    return house_of(service).tiles.counts


def test_a_tile_is_drawn_once_and_then_found_in_memory(served: Service) -> None:
    first = served.get(SPOT, **PACKED)
    drawn = counts(served).drawn
    for _ in range(3):
        again = served.get(SPOT, **PACKED)
        assert again.status_code == first.status_code == 200
        assert again.content == first.content
        # Whoever answers, the client sees no difference.
        assert dict(again.headers) == dict(first.headers)
    assert counts(served).drawn == drawn
    assert counts(served).memory >= 3


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0.1, gzip;q=0.9", "gzip"),
        ("gzip;q=0, identity", None),
        ("*", "gzip"),
        ("br", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_each_encoding_has_an_entity_tag_of_its_own(served: Service, accept: str, encoding: str | None) -> None:
    plain = served.get(SPOT, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for _ in range(2):
        with served.client.stream("GET", SPOT, headers={"Accept-Encoding": accept}) as response:
            raw = b"".join(response.iter_raw())
        assert response.headers.get("content-encoding") == encoding
        assert (response.headers["etag"] == plain.headers["etag"]) == (encoding is None)
        assert {"Accept-Encoding", "Authorization", "Cookie"} <= set(response.headers["vary"].split(", "))
        assert int(response.headers["content-length"]) == len(raw)
        assert unpacked(raw, encoding, len(plain.content)) == plain.content
        fields = {"Accept-Encoding": accept, "If-None-Match": f'"other", {response.headers["etag"]}'}
        same = served.client.get(SPOT, headers=fields)
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == response.headers["etag"]
        assert served.client.get(SPOT, headers={**fields, "If-None-Match": '"other"'}).status_code == 200


def unpacked(raw: bytes, encoding: str | None, length: int) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(raw)
    if encoding == "zstd":
        found: bytes = pa.Codec("zstd").decompress(raw, decompressed_size=length, asbytes=True)
        return found
    return raw


@pytest.mark.parametrize("reader", READERS)
def test_what_is_for_somebody_is_kept_by_no_other_cache(served: Service, reader: Clearance | None) -> None:
    for path in (SPOT, AREA, WAY):
        for _ in range(2):
            response = served.get(path, reader)
            if response.status_code == 404:
                assert response.headers["cache-control"] == "no-store"
                continue
            private = reader is not None or path != SPOT
            assert ("private" in response.headers["cache-control"]) == private
            assert "public" not in response.headers["cache-control"]
            assert "no-cache" in response.headers["cache-control"]
    tokens = {"Authorization": f"Bearer {served.keys[Clearance.INTERNAL]}"}
    assert "private" in served.client.get(SPOT, headers=tokens).headers["cache-control"]


def test_nobody_finds_in_a_warm_cache_what_was_drawn_for_others(served: Service) -> None:
    paths = (SPOT, AREA, WAY)
    for reader in reversed(READERS):
        for path in paths:
            served.get(path, reader)
    seen = set()
    for reader in READERS:
        allowed = reader or Clearance.PUBLIC
        for path in paths:
            response = served.get(path, reader)
            hidden = (path == AREA and allowed < 1) or (path == WAY and allowed < 2)
            assert response.status_code == (404 if hidden else 200)
            levels = {int(m.group(1)) for m in FOUND.finditer(plain_bytes(response))}
            assert max(levels, default=0) <= allowed
            seen |= levels
            if hidden:
                missing = served.get(path.replace("area", "aera").replace("way", "yaw"), reader)
                assert missing.status_code == 404
                assert set(missing.headers) == set(response.headers)
    assert seen == {0, 1, 2}
    wrong = served.client.get(SPOT, headers={"X-API-Key": "nonsense"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("f=mvt", 200),
        ("f=png", 400),
        ("x=1", 400),
        ("f=mvt&f=mvt", 400),
        ("datetime=2026-01-01", 204),
        ("lang=zh", 400),
    ],
)
def test_questions_are_understood_or_refused_as_without_a_cache(served: Service, query: str, status: int) -> None:
    cold = served.get(f"{SPOT}?{query}")
    served.get(SPOT)
    warm = served.get(f"{SPOT}?{query}")
    assert (cold.status_code, cold.content) == (warm.status_code, warm.content)
    assert warm.status_code == status


@pytest.mark.parametrize("path", [SPOT.replace("/98/", "/098/"), SPOT + "/", SPOT.replace("/8/", "/08/")])
def test_other_spellings_do_not_make_other_tiles(served: Service, path: str) -> None:
    plain = served.get(SPOT)
    drawn = counts(served).drawn
    other = served.get(path)
    assert other.status_code in (200, 404)
    assert other.status_code == 404 or other.content == plain.content
    assert counts(served).drawn == drawn


def test_whoever_measures_hears_which_route_would_have_answered() -> None:
    note: dict[str, Any] = {}
    tile_front._leave_word({"path": SPOT, NOTE: note})
    assert note["route"] == TILE_PATH
    found = note["path_params"]
    assert (found["collection_id"], found["tile_matrix"]) == ("spot", "8")


def test_head_is_answered_like_get(served: Service) -> None:
    served.get(SPOT)
    got, head = served.get(SPOT), served.client.head(SPOT)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    assert head.headers["content-length"] == got.headers["content-length"]


def test_empty_tiles_are_kept_too(served: Service) -> None:
    empty = "/collections/spot/tiles/WebMercatorQuad/12/1579/3245"
    first = served.get(empty)
    drawn = counts(served).drawn
    assert first.status_code in (204, 404)
    assert served.get(empty).status_code == first.status_code
    assert counts(served).drawn == drawn


def test_a_layer_that_goes_back_in_time_is_drawn_anew(served: Service) -> None:
    """A database that is put back to an earlier state counts on with numbers that meant something else."""
    for _ in range(2):
        assert served.get(SPOT).status_code == 200
    journal = house_of(served).tiles.watch._journals["spot"]
    journal.edition += 7
    tiles, drawn = house_of(served).tiles, counts(served).drawn
    look(served)
    assert len(tiles.shelf) == 0
    assert served.get(SPOT).status_code == 200
    assert counts(served).drawn == drawn + 1


def test_a_revoked_key_opens_nothing_that_is_kept(served: Service) -> None:
    """Keys are asked for in front of routing too; what a key ring remembers dies with its few seconds."""
    for _ in range(2):
        assert served.get(SPOT, Clearance.INTERNAL).status_code == 200
    with served.database.psycopg(Role.WRITER) as connection:
        connection.execute("UPDATE meta.api_key SET revoked = now() WHERE clearance = 1")
    house_of(served).keys._known.clear()
    assert served.get(SPOT, Clearance.INTERNAL).status_code == 401
    assert served.get(SPOT, Clearance.RESTRICTED).status_code == 200
