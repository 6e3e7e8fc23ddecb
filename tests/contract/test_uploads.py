"""Uploads as the tus protocol 1.0.0 says, and abuse of them. Requests are written from the protocol's text."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from geoservice.app import create_app
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import desk
from geoservice.jobs.uploads import UploadStore, main_file
from geoservice.security.keys import make_key
from geoservice.settings import Settings
from ingest.sandbox import SandboxCapabilities
from layers.errors import BadParameter
from layers.system import api_key
from tests.support.loading import prepared, trial_catalog, trial_layer

TUS = {"Tus-Resumable": "1.0.0"}
PART = {**TUS, "Content-Type": "application/offset+octet-stream"}
LIMITS = {"max_upload_bytes": 5_000_000, "upload_quota_bytes": 9_000_000, "upload_idle_timeout": 1.0}


@dataclass
class Dock:
    """The service with keys of two loaders and a reader."""

    client: TestClient
    settings: Settings
    keys: dict[str, str]

    def send(self, method: str, path: str, who: str | None = "ann", **more: Any) -> Any:
        headers = {**TUS, **more.pop("headers", {})}
        if who is not None:
            headers["X-API-Key"] = self.keys[who]
        return self.client.request(method, path, headers=headers, **more)

    def begin(self, length: int, name: str = "a.gpkg", who: str = "ann") -> str:
        response = self.send("POST", "/uploads", who, headers=begin_headers(length, name))
        assert response.status_code == 201, response.text
        return str(response.headers["location"]).removeprefix("http://testserver")

    def part(self, path: str, offset: int, content: Any, who: str = "ann", **headers: str) -> Any:
        return self.send("PATCH", path, who, content=content, headers={**PART, "Upload-Offset": str(offset), **headers})

    def offset(self, path: str) -> int:
        response = self.send("HEAD", path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        return int(response.headers["upload-offset"])


def begin_headers(length: int | str, name: str) -> dict[str, str]:
    return {"Upload-Length": str(length), "Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}"}


def checksum(content: bytes) -> str:
    return "sha256 " + base64.b64encode(hashlib.sha256(content).digest()).decode()


def make_loader(database: Database, *rights: str, clearance: int = 0) -> str:
    made = make_key()
    values = {"id": made.id, "name": "x", "digest": made.digest, "clearance": clearance, "rights": list(rights)}
    with database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    return made.text


@pytest.fixture(scope="module")
def dock(module_database: Database) -> Iterator[Dock]:
    catalog = trial_catalog(trial_layer())
    prepared(module_database, catalog)
    settings = module_database.settings.model_copy(update=LIMITS)
    keys = {n: make_loader(module_database, "load") for n in ("ann", "bob")} | {"eve": make_loader(module_database)}
    with TestClient(create_app(settings, catalog), raise_server_exceptions=False) as client:
        yield Dock(client, settings, keys)


def stored(dock: Dock, path: str) -> bytes:
    return (dock.settings.home / "uploads" / path.rpartition("/")[2] / "data").read_bytes()


def test_what_the_server_can_do(dock: Dock) -> None:
    response = dock.client.options("/uploads")
    assert response.status_code == 204
    assert response.headers["tus-version"] == "1.0.0"
    assert set(response.headers["tus-extension"].split(",")) == {"creation", "termination", "expiration", "checksum"}
    assert response.headers["tus-checksum-algorithm"] == "sha256"
    assert response.headers["tus-max-size"] == "5000000"


def test_in_parts_with_a_break(dock: Dock) -> None:
    content = secrets.token_bytes(3_000_000)
    path = dock.begin(len(content), "数据.gpkg")
    assert dock.offset(path) == 0
    first = dock.part(path, 0, content[:1_000_000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "1000000")
    assert first.headers["tus-resumable"] == "1.0.0"
    assert "upload-expires" in first.headers
    assert dock.offset(path) == 1_000_000
    rest = dock.part(path, 1_000_000, content[1_000_000:], **{"Upload-Checksum": checksum(content[1_000_000:])})
    assert rest.status_code == 204
    assert stored(dock, path) == content
    assert dock.send("GET", path).json()["name"] == "数据.gpkg"
    assert dock.send("DELETE", path).status_code == 204
    assert dock.send("HEAD", path).status_code == 404


@pytest.mark.parametrize("offset", [0, 5, 11, 10**17])
def test_a_part_at_another_offset_is_409(dock: Dock, offset: int) -> None:
    path = dock.begin(20)
    assert dock.part(path, 0, b"x" * 10).status_code == 204
    refused = dock.part(path, offset, b"y")
    assert refused.status_code in (409, 413)
    assert (dock.offset(path), stored(dock, path)) == (10, b"x" * 10)
    dock.send("DELETE", path)


def test_a_wrong_checksum_is_460_and_counts_for_nothing(dock: Dock) -> None:
    path = dock.begin(20)
    dock.part(path, 0, b"x" * 10)
    bad = dock.part(path, 10, b"y" * 10, **{"Upload-Checksum": checksum(b"z" * 10)})
    assert bad.status_code == 460
    assert dock.offset(path) == 10
    good = dock.part(path, 10, b"y" * 10, **{"Upload-Checksum": checksum(b"y" * 10)})
    assert good.status_code == 204
    assert stored(dock, path) == b"x" * 10 + b"y" * 10
    for header in ("md5 x", "sha256", "sha256 AAAA", "sha256 !!"):
        assert dock.part(path, 20, b"", **{"Upload-Checksum": header}).status_code == 400
    dock.send("DELETE", path)


def test_more_than_announced_is_413(dock: Dock) -> None:
    path = dock.begin(10)
    assert dock.part(path, 0, b"x" * 11).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 4

    assert dock.part(path, 0, chunks()).status_code == 413
    assert dock.offset(path) == 0
    assert dock.part(path, 0, iter([b"x" * 4, b"y" * 6])).status_code == 204, "no length is fine, too much is not"
    assert stored(dock, path) == b"xxxxyyyyyy"
    dock.send("DELETE", path)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {**begin_headers(10, "a.gpkg"), "Tus-Resumable": "0.2.2"}, 412),
        ("POST", begin_headers("ten", "a.gpkg"), 400),
        ("POST", begin_headers(-1, "a.gpkg"), 400),
        ("POST", begin_headers("9" * 30, "a.gpkg"), 400),
        ("POST", {"Upload-Length": "10"}, 400),
        ("POST", {"Upload-Length": "10", "Upload-Metadata": "filename !!"}, 400),
        ("POST", {"Upload-Length": "10", "Upload-Metadata": b"filename \xe9\xe9"}, 400),
        ("POST", {"Upload-Length": "10", "Upload-Metadata": "filename /w=="}, 400),
        ("POST", begin_headers(10, "../../etc/passwd"), 400),
        ("POST", begin_headers(10, "a\0b"), 400),
        ("POST", begin_headers(10, ".hidden"), 400),
        ("POST", begin_headers(10, ""), 400),
        ("POST", begin_headers(10, "x" * 300), 400),
        ("POST", begin_headers(5_000_001, "a.gpkg"), 413),
    ],
)
def test_bad_beginnings(dock: Dock, method: str, headers: dict[str, Any], status: int) -> None:
    response = dock.send(method, "/uploads", headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["tus-resumable"] == "1.0.0"


def test_bad_parts(dock: Dock) -> None:
    path = dock.begin(10)
    plain = dock.send("PATCH", path, content=b"x", headers={"Upload-Offset": "0", "Content-Type": "text/plain"})
    assert plain.status_code == 415
    assert dock.send("PATCH", path, content=b"x", headers=PART).status_code == 400
    assert dock.part(path, 0, b"x", **{"Tus-Resumable": "2.0.0"}).status_code == 412
    assert dock.offset(path) == 0
    dock.send("DELETE", path)


def test_only_its_owner_knows_an_upload(dock: Dock) -> None:
    path = dock.begin(10)
    for who, status in (("bob", 404), ("eve", 403), (None, 401)):
        for method in ("HEAD", "GET", "DELETE"):
            assert dock.send(method, path, who).status_code == status, (who, method)
        headers = {**PART, "Upload-Offset": "0"}
        assert dock.send("PATCH", path, who, content=b"x", headers=headers).status_code == status
        if who != "bob":
            assert dock.send("POST", "/uploads", who, headers=begin_headers(1, "a.gpkg")).status_code == status
    for address in ("/uploads/x", "/uploads/" + "a" * 32, "/uploads/..%2f..%2fetc"):
        assert dock.send("GET", address).status_code == 404
    other = dock.send("GET", path, "bob").json()
    missing = dock.send("GET", "/uploads/" + "a" * 32, "bob").json()
    assert other["title"] == missing["title"]
    dock.send("DELETE", path)


def test_a_quota_for_each(dock: Dock) -> None:
    first = dock.begin(5_000_000, who="bob")
    refused = dock.send("POST", "/uploads", "bob", headers=begin_headers(4_500_000, "b.gpkg"))
    assert refused.status_code == 413
    second = dock.begin(4_500_000, who="ann")
    dock.send("DELETE", first, "bob")
    dock.send("DELETE", second, "ann")


def test_a_full_disk_is_507(dock: Dock) -> None:
    full = dock.settings.model_copy(update={"upload_reserve_bytes": 1 << 62})
    with TestClient(create_app(full, trial_catalog(trial_layer())), raise_server_exceptions=False) as client:
        headers = {**TUS, **begin_headers(1, "a.gpkg"), "X-API-Key": dock.keys["ann"]}
        assert client.post("/uploads", headers=headers).status_code == 507


def test_a_machine_that_cannot_confine_takes_nothing(dock: Dock, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = SandboxCapabilities("none", "file permissions only", "same user")
    monkeypatch.setattr(desk, "probe", lambda: weak)
    headers = {**TUS, **begin_headers(1, "a.gpkg"), "X-API-Key": dock.keys["ann"]}
    for override, status in ((False, 503), (True, 201)):
        settings = dock.settings.model_copy(update={"uploads_unconfined": override})
        with TestClient(create_app(settings, trial_catalog(trial_layer())), raise_server_exceptions=False) as client:
            assert client.post("/uploads", headers=headers).status_code == status


def test_two_writers_at_once(dock: Dock, tmp_path: Path) -> None:
    store = UploadStore(dock.settings)
    path = dock.begin(10)
    with store.part(owner_of(dock, path), path.rpartition("/")[2], 0) as part:
        part.write(b"abc")
        assert dock.part(path, 0, b"x").status_code == 423
        assert dock.send("DELETE", path).status_code == 423
        part.finish()
    assert dock.part(path, 3, b"d").status_code == 204
    assert stored(dock, path) == b"abcd"
    dock.send("DELETE", path)


def owner_of(dock: Dock, path: str) -> str:
    return dock.keys["ann"].split("_")[1]


def test_a_killed_request_leaves_what_counts(dock: Dock) -> None:
    """The process dies between writing and counting: the bytes beyond the offset are cut off by the next part."""
    path = dock.begin(10)
    dock.part(path, 0, b"abc")
    data = dock.settings.home / "uploads" / path.rpartition("/")[2] / "data"
    with data.open("ab") as handle:
        handle.write(b"torn")
    assert dock.offset(path) == 3
    assert dock.part(path, 3, b"defghij").status_code == 204
    assert stored(dock, path) == b"abcdefghij"
    dock.send("DELETE", path)


def test_expired_uploads_go(dock: Dock) -> None:
    store = UploadStore(dock.settings.model_copy(update={"upload_expiry_hours": 1e-9}))
    kept = UploadStore(dock.settings).create("ann", "b.gpkg", 10)
    gone = store.create("ann", "a.gpkg", 10)
    assert UploadStore(dock.settings).sweep() >= 1
    folder = dock.settings.home / "uploads"
    assert not (folder / gone.id).exists()
    assert (folder / kept.id).exists()


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (["a.gpkg"], "a.gpkg"),
        (["a.dbf"], "a.dbf"),
        (["p.shp", "p.dbf", "p.shx", "p.prj", "p.cpg"], "p.shp"),
        (["P.DBF", "P.SHP"], "P.SHP"),
        (["m.tab", "m.dat", "m.map", "m.id"], "m.tab"),
        (["a.tif", "a.tfw"], "a.tif"),
    ],
)
def test_the_main_file_of_a_family(names: list[str], main: str) -> None:
    assert main_file(names) == main


@pytest.mark.parametrize("names", [["a.gpkg", "b.gpkg"], ["a.dbf", "a.shx"], ["a.shp", "A.SHP"]])
def test_no_family(names: list[str]) -> None:
    with pytest.raises(BadParameter):
        main_file(names)
