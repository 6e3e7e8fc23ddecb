"""Jobs over HTTP, from upload to map, with a real server and a real worker; who may see and do what."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pytest
import shapely

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.catalog import read_catalog
from tests.contract.test_uploads import make_loader
from tests.support.jobs import environment, slay, until, write_layers
from tests.support.loading import count, prepared, write_rows

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@dataclass
class Quay:
    """A served installation: its address and keys."""

    database: Database
    address: str
    folder: Path
    keys: dict[str, str]

    def ask(self, method: str, path: str, who: str | None = "ann", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        if who is not None:
            headers = {**headers, "X-API-Key": self.keys[who]}
        url = path if "://" in path else f"{self.address}{path}"
        return httpx.request(method, url, headers=headers, timeout=60, **more)

    def upload(self, file: Path, who: str = "ann") -> str:
        content = file.read_bytes()
        name = base64.b64encode(file.name.encode()).decode()
        begun = self.ask(
            "POST",
            "/uploads",
            who,
            headers={**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": f"filename {name}"},
        )
        assert begun.status_code == 201, begun.text
        place = begun.headers["location"]
        assert self.ask("PATCH", place, who, content=content, headers={**TUS, "Upload-Offset": "0"}).status_code == 204
        return str(place.rpartition("/")[2])

    def make(self, who: str = "ann", **body: Any) -> httpx.Response:
        return self.ask("POST", "/jobs", who, json=body)

    def ended(self, path: str, who: str = "ann") -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            body: dict[str, Any] = self.ask("GET", path, who).json()
            return body if body["status"] in ("successful", "failed", "dismissed") else None

        found: dict[str, Any] = until(over, every=0.2)
        return found


@contextmanager
def served(environ: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`geoservice serve` as a process, with its worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "geoservice", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, env=environ)

    def up() -> bool:
        try:
            return httpx.get(f"{address}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(up, every=0.2)
        yield address, process
    finally:
        slay(process)


@pytest.fixture(scope="module")
def quay(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    folder = tmp_path_factory.mktemp("quay")
    layers = write_layers(folder, "spot", "other", row_clearance=None)
    hidden = write_layers(folder / "h", "hidden", row_clearance=None, clearance="internal")
    for file in (hidden / "themes" / "trial").iterdir():
        file.rename(layers / "themes" / "trial" / file.name)
    prepared(module_database, read_catalog(layers))
    allowed = folder / "allowed"
    allowed.mkdir()
    environ = environment(
        module_database,
        layers,
        GEOSERVICE_SOURCE_FOLDERS=json.dumps([str(allowed)]),
        GEOSERVICE_JOB_QUEUE_MAX="3",
    )
    keys = {
        "ann": make_loader(module_database, "load"),
        "bob": make_loader(module_database, "load:other"),
        "ivy": make_loader(module_database, "load", clearance=1),
        "eve": make_loader(module_database),
    }
    with served(environ) as (address, _):
        yield Quay(module_database, address, folder, keys)


def points(folder: Path, name: str, number: int = 5) -> Path:
    rows = [{"code": f"c{i}", "name": f"n{i}", "geometry": shapely.Point(100 + i / 1e3, 30)} for i in range(number)]
    return write_rows(folder / name, rows)


def test_from_upload_to_map(quay: Quay) -> None:
    incoming = quay.database.settings.home / "incoming"
    # Other tests of this process may have left jobs that hold files.
    others = set(incoming.iterdir()) if incoming.exists() else set()
    upload = quay.upload(points(quay.folder, "spot-1.gpkg"))
    made = quay.make(layer="spot", uploads=[upload], options={"owner": "Land office"})
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["status"], body["type"], body["processID"]) == ("accepted", "process", "load")
    assert made.headers["location"].endswith(f"/jobs/{body['jobID']}")
    done = quay.ended(f"/jobs/{body['jobID']}")
    assert (done["status"], done["progress"], done["state"]) == ("successful", 100, "done")
    assert done["edition"] >= 1
    results = next(x["href"] for x in done["links"] if x["rel"].endswith("/results"))
    assert quay.ask("GET", results).json()["number"] >= 1
    items = quay.ask("GET", "/collections/spot/items").json()
    assert items["numberMatched"] == 5
    assert quay.ask("GET", f"/uploads/{upload}").status_code == 404, "the job has taken it over"
    assert set(incoming.iterdir()) <= others, "and has thrown it away"


def test_a_family_of_uploads(quay: Quay) -> None:
    frame = gpd.read_file(points(quay.folder, "x.gpkg", 4))
    folder = quay.folder / "shape"
    folder.mkdir()
    frame.to_file(folder / "other.shp")
    uploads = [quay.upload(file, "bob") for file in sorted(folder.iterdir())]
    assert len(uploads) >= 4
    made = quay.make("bob", layer="other", uploads=uploads, mapping="gpkg")
    assert made.status_code == 201, made.text
    assert made.json()["source"] == "other.shp"
    assert quay.ended(made.headers["location"], "bob")["status"] == "successful"
    assert count(quay.database, "geo.other") == 4


def test_a_dry_run_writes_nothing(quay: Quay) -> None:
    before = count(quay.database, "meta.edition")
    upload = quay.upload(points(quay.folder, "spot-2.gpkg", 9))
    made = quay.make(layer="spot", uploads=[upload], options={"dry_run": True})
    done = quay.ended(made.headers["location"])
    assert done["status"] == "successful"
    assert "edition" not in done
    assert done["message"].startswith("Done as a dry run: nothing was written")
    assert count(quay.database, "meta.edition") == before


def test_a_bad_source_is_refused_with_its_reason(quay: Quay) -> None:
    garbage = quay.folder / "spot-bad.gpkg"
    garbage.write_bytes(b"no geopackage" * 100)
    made = quay.make(layer="spot", uploads=[quay.upload(garbage)])
    failed = quay.ended(made.headers["location"])
    assert (failed["status"], failed["state"]) == ("failed", "refused")
    assert failed["exception"]["status"] == 422
    assert "by its extension, but it is" in failed["exception"]["detail"]
    answer = quay.ask("GET", made.headers["location"], headers={"Accept-Language": "zh"})
    assert answer.json()["exception"]["detail"].startswith("spot-bad.gpkg 的扩展名表示")


def test_a_source_from_an_allowed_folder(quay: Quay) -> None:
    allowed = quay.folder / "allowed"
    file = points(allowed, "spot-3.gpkg", 6)
    assert quay.ended(quay.make(layer="spot", source=str(file)).headers["location"])["status"] == "successful"
    outside = points(quay.folder, "spot-4.gpkg")
    (allowed / "spot-link.gpkg").symlink_to(outside)
    for path in (
        str(outside),
        f"{allowed}/../spot-4.gpkg",
        str(allowed / "spot-link.gpkg"),
        "spot-4.gpkg",
        "/etc/passwd",
    ):
        refused = quay.make(layer="spot", source=path)
        assert refused.status_code == 422, path
        assert "no such file" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("who", "body", "status"),
    [
        (None, {"layer": "spot", "source": "/x"}, 401),
        ("eve", {"layer": "spot", "source": "/x"}, 403),
        ("bob", {"layer": "spot", "source": "/x"}, 403),
        ("ann", {"layer": "hidden", "source": "/x"}, 404),
        ("ann", {"layer": "nowhere", "source": "/x"}, 404),
        ("ann", {"layer": "spot"}, 400),
        ("ann", {"layer": "spot", "source": "/x", "uploads": ["a" * 32]}, 400),
        ("ann", {"layer": "spot", "uploads": ["a" * 32]}, 404),
        ("ann", {"layer": "spot", "source": "/x", "options": {"nonsense": 1}}, 400),
        ("ann", {"layer": "spot", "source": "/x", "options": {"dry_run": "yes"}}, 400),
        ("ann", {"layer": "spot", "source": "/x", "surprise": 1}, 400),
        ("ann", {"source": "/x"}, 400),
    ],
)
def test_bad_wishes(quay: Quay, who: str | None, body: dict[str, Any], status: int) -> None:
    response = quay.ask("POST", "/jobs", who, json=body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_an_unfinished_upload_makes_no_job(quay: Quay) -> None:
    begun = quay.ask(
        "POST", "/uploads", headers={**TUS, "Upload-Length": "10", "Upload-Metadata": "filename c3BvdC5ncGtn"}
    )
    upload = begun.headers["location"].rpartition("/")[2]
    assert quay.make(layer="spot", uploads=[upload]).status_code == 400
    assert quay.ask("GET", f"/uploads/{upload}", "ann").status_code == 200


def test_jobs_are_seen_by_their_owner_and_the_loaders_of_the_layer(quay: Quay) -> None:
    file = points(quay.folder / "allowed", "hidden-1.gpkg")
    made = quay.make("ivy", layer="hidden", source=str(file), options={"dry_run": True})
    assert made.status_code == 201, made.text
    place, number = made.headers["location"], made.json()["jobID"]
    assert quay.ended(place, "ivy")["status"] == "successful"
    for who in ("ann", "bob", "eve", None):
        assert quay.ask("GET", place, who).status_code == 404, who
        assert quay.ask("DELETE", place, who).status_code == 404
        assert quay.ask("GET", f"{place}/events", who).status_code == 404
        assert number not in {job["jobID"] for job in quay.ask("GET", "/jobs?limit=100", who).json()["jobs"]}
    assert number in {job["jobID"] for job in quay.ask("GET", "/jobs?limit=100", "ivy").json()["jobs"]}
    assert quay.ask("GET", "/jobs", None).json()["jobs"] == []
    for path in ("/jobs/0", "/jobs/x", "/jobs/" + "9" * 40):
        assert quay.ask("GET", path).status_code == 404


def test_the_list_pages_and_filters(quay: Quay) -> None:
    seen, address = [], "/jobs?limit=2&status=successful"
    while address:
        page = quay.ask("GET", address).json()
        assert page["numberReturned"] == len(page["jobs"]) <= 2
        assert {job["status"] for job in page["jobs"]} <= {"successful"}
        seen += [int(job["jobID"]) for job in page["jobs"]]
        address = next((x["href"] for x in page["links"] if x["rel"] == "next"), "")
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) >= 3
    assert quay.ask("GET", "/jobs?status=lost").status_code == 400
    assert "<html" in quay.ask("GET", "/jobs?f=html&lang=zh").text


def read_events(quay: Quay, path: str, last: str | None = None) -> tuple[int, list[dict[str, Any]]]:
    """Events of a stream by the rules of the HTML standard: fields, blank lines, comments."""
    headers = {"X-API-Key": quay.keys["ann"], **({"Last-Event-ID": last} if last else {})}
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{quay.address}{path}", headers=headers, timeout=60) as response:
        if response.status_code == 200:
            assert response.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in response.iter_lines():
            if not line:
                found += [event] if "data" in event and event.get("event") != "alive" else []
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(":")
                event[name] = value.removeprefix(" ")
        return response.status_code, found


def test_events_until_the_end_and_again(quay: Quay) -> None:
    upload = quay.upload(points(quay.folder, "spot-5.gpkg", 2000))
    number = quay.make(layer="spot", uploads=[upload]).json()["jobID"]
    status, events = read_events(quay, f"/jobs/{number}/events")
    assert status == 200
    assert events[-1]["event"] == "end"
    assert {e["event"] for e in events[:-1]} <= {"progress"}
    states = [json.loads(e["data"]) for e in events]
    assert states[-1]["status"] == "successful"
    assert [s["progress"] for s in states] == sorted(s["progress"] for s in states)
    assert len({e["id"] for e in events}) == len(events), "no state is told twice"
    again = read_events(quay, f"/jobs/{number}/events", last=events[0]["id"] if len(events) > 1 else "0")
    assert [json.loads(e["data"])["status"] for e in again[1]] == ["successful"]
    assert read_events(quay, f"/jobs/{number}/events", last=events[-1]["id"]) == (204, [])


def test_too_many_and_cancel(quay: Quay) -> None:
    file = points(quay.folder / "allowed", "spot-6.gpkg")
    with quay.database.psycopg(Role.OWNER) as connection:
        connection.execute("LOCK TABLE meta.load_report IN SHARE ROW EXCLUSIVE MODE")
        first = quay.make(layer="spot", source=str(file))
        until(lambda: quay.ask("GET", first.headers["location"]).json()["status"] == "running")
        waiting = [quay.make(layer="spot", source=str(file)) for _ in range(3)]
        assert [w.status_code for w in waiting] == [201] * 3
        full = quay.make(layer="spot", source=str(file))
        assert full.status_code == 429
        assert int(full.headers["retry-after"]) > 0
        for job in waiting:
            gone = quay.ask("DELETE", job.headers["location"])
            assert (gone.status_code, gone.json()["status"]) == (200, "dismissed")
        assert quay.ask("DELETE", first.headers["location"]).json()["status"] == "running"
        assert quay.ended(first.headers["location"])["status"] == "dismissed"
        assert quay.ask("DELETE", first.headers["location"]).status_code == 409
