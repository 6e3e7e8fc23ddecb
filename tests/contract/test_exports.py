"""Exports over HTTP: asked for, made, taken by ranges by whoever asked and by nobody else, closed with their rows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pytest
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.exports.desk import ExportDesk
from geoservice.exports.errors import ExportClosed, ExportTooLarge
from geoservice.exports.wish import ExportInputs
from geoservice.formats.known import EXPORT_FORMATS
from geoservice.formats.subject import Batches, Subject
from geoservice.jobs import queue
from geoservice.jobs.results import results_folder
from geoservice.security.keys import make_key
from geoservice.settings import Settings
from layers.access import Clearance, Principal
from layers.system import api_key
from tests.support.database import copied_database
from tests.support.exporting import do_waiting, made
from tests.support.loading import load_file, prepared, write_rows
from tests.support.service import Service, running, service_catalog, spot_rows

FOUND = re.compile(rb"CNRY-(\d)-[a-z]+-\d+")
INTERNAL = Clearance.INTERNAL
ROOM = 1 << 50


class Desk:
    """A service whose exports are done on the spot."""

    def __init__(self, served: Service, folder: Path) -> None:
        self.served, self.folder, self.loads = served, folder, 0

    def load(self, rows: list[dict[str, Any]]) -> None:
        self.loads += 1
        target = prepared(self.served.database, self.served.catalog)
        load_file(self.served.catalog, target, "spot", write_rows(self.folder / f"spot{self.loads}.gpkg", rows))

    def ask(self, clearance: Clearance | None = INTERNAL, **body: Any) -> Any:
        key = {} if clearance is None else {"X-API-Key": self.served.keys[clearance]}
        return self.served.client.post("/exports", json={"collection": "spot", "f": "parquet", **body}, headers=key)

    def made(self, clearance: Clearance = INTERNAL, **body: Any) -> str:
        answer = self.ask(clearance, **body)
        assert answer.status_code == 201, answer.text
        do_waiting(self.served.database, self.served.catalog)
        number: str = answer.json()["id"]
        return number


@pytest.fixture(scope="module")
def desk(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    catalog = service_catalog()
    with copied_database(cluster_settings) as database:
        prepared(database, catalog)
        with running(database, catalog) as served:
            found = Desk(served, tmp_path_factory.mktemp("exports"))
            found.load(spot_rows())
            yield found


@pytest.mark.parametrize("clearance", list(Clearance))
def test_an_export_holds_what_its_owner_may_see(desk: Desk, clearance: Clearance) -> None:
    number = desk.made(clearance)
    shown = desk.served.get(f"/exports/{number}", clearance).json()
    assert (shown["status"], shown["rows"]) == ("successful", 10 * (int(clearance) + 1))
    assert shown["about"]["clearance"] == clearance.label
    file = desk.served.get(f"/exports/{number}/file", clearance)
    assert file.status_code == 200
    assert file.headers["content-type"] == "application/vnd.apache.parquet"
    assert f'filename="spot-{shown["about"]["edition"]}.parquet"' in file.headers["content-disposition"]
    assert file.headers["cache-control"] == "private, no-store"
    assert file.headers["geoservice-clearance"] == clearance.label
    frame = gpd.read_parquet(io.BytesIO(file.content))
    assert len(frame) == 10 * (int(clearance) + 1)
    assert ("secret" in frame.columns) == (clearance == Clearance.RESTRICTED)
    assert {int(code.split("-")[1]) for code in frame["code"]} == set(range(int(clearance) + 1))


def test_a_result_is_read_by_ranges(desk: Desk) -> None:
    number = desk.made(f="csv")
    whole = desk.served.get(f"/exports/{number}/file", INTERNAL)
    part = desk.served.get(f"/exports/{number}/file", INTERNAL, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert desk.served.get(f"/exports/{number}/file", INTERNAL, Range="bytes=999999999-").status_code == 416


def test_nobody_else_learns_of_an_export(desk: Desk) -> None:
    number = desk.made()
    missing = desk.served.get("/exports/999999", Clearance.RESTRICTED)
    for asker in (None, Clearance.PUBLIC, Clearance.RESTRICTED):
        for path in (f"/exports/{number}", f"/exports/{number}/file"):
            answer = desk.served.get(path, asker)
            assert answer.status_code == missing.status_code == 404
            assert answer.text.replace(number, "999999") == missing.text
        assert number not in {one["id"] for one in desk.served.get("/exports", asker).json()["exports"]}
    with_rights = make_key()
    values = {"id": with_rights.id, "name": "x", "digest": with_rights.digest, "clearance": 2, "rights": ["load"]}
    with desk.served.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.insert(api_key).values(**values))
    loader = {"X-API-Key": with_rights.text}
    assert desk.served.client.get(f"/jobs/{number}", headers=loader).status_code == 404
    assert desk.served.client.delete(f"/exports/{number}", headers=loader).status_code == 404
    listed = desk.served.client.get("/jobs?limit=1000", headers=loader).json()["jobs"]
    assert all(one["processID"] != "export" for one in listed)
    assert desk.served.client.get(f"/jobs/{number}/results/file", headers=loader).status_code == 404
    assert desk.served.get(f"/jobs/{number}", INTERNAL).json()["processID"] == "export"


def test_the_public_has_nobody_to_keep_a_result_for(desk: Desk) -> None:
    assert desk.ask(None).status_code == 401
    assert desk.served.get("/exports").json()["exports"] == []


def test_hidden_collections_cannot_be_exported(desk: Desk) -> None:
    hidden, missing = (desk.ask(Clearance.PUBLIC, collection=name) for name in ("way", "yaw"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("way", "yaw") == missing.text
    assert desk.ask(INTERNAL, properties=["secret"]).status_code == 400
    assert "secret" not in desk.ask(INTERNAL, properties=["nope"]).text


def test_a_result_is_closed_with_its_rows(desk: Desk) -> None:
    number, rows = desk.made(f="csv"), spot_rows()
    desk.load([{**row, "level": "restricted"} if row["level"] == "internal" else row for row in rows])
    answer = desk.served.get(f"/exports/{number}/file", INTERNAL)
    assert answer.status_code == 410, answer.text
    assert FOUND.search(answer.content) is None
    again = desk.made(f="csv")
    assert desk.served.get(f"/exports/{again}", INTERNAL).json()["rows"] == 10
    assert desk.served.get(f"/exports/{again}/file", INTERNAL).status_code == 200
    desk.load(rows)


def test_a_result_of_the_past_is_closed_with_its_rows(desk: Desk) -> None:
    edition = str(desk.served.get("/collections/spot", INTERNAL).json()["edition"]["number"])
    desk.load([{**row, "amount": -1.0} for row in spot_rows()])
    number = desk.made(f="csv", edition=edition)
    text = desk.served.get(f"/exports/{number}/file", INTERNAL).text
    assert ",-1," not in text
    desk.load([{**row, "level": "restricted"} for row in spot_rows()])
    assert desk.served.get(f"/exports/{number}/file", INTERNAL).status_code == 410
    desk.load(spot_rows())


def test_a_lower_clearance_takes_former_results(desk: Desk) -> None:
    number = int(desk.made())
    house = desk.served.client.app.state.house  # type: ignore[attr-defined]
    with desk.served.database.transaction(Role.WRITER) as connection:
        job = queue.get(connection, number)
    assert house.desk.results(Principal(job.principal, INTERNAL), job)["file"].facts["rows"] == 20
    with pytest.raises(ExportClosed):
        house.desk.results(Principal(job.principal, Clearance.PUBLIC), job)


def test_results_are_removed_by_their_owner(desk: Desk) -> None:
    number = desk.made()
    headers = {"X-API-Key": desk.served.keys[INTERNAL]}
    assert desk.served.client.delete(f"/exports/{number}", headers=headers).status_code == 200
    assert desk.served.get(f"/exports/{number}/file", INTERNAL).status_code in (404, 422)
    assert not results_folder(desk.served.database.settings, int(number)).exists()


def test_a_waiting_export_is_cancelled(desk: Desk) -> None:
    number = desk.ask().json()["id"]
    assert desk.served.get(f"/exports/{number}/file", INTERNAL).status_code == 404
    headers = {"X-API-Key": desk.served.keys[INTERNAL]}
    assert desk.served.client.delete(f"/exports/{number}", headers=headers).json()["status"] == "dismissed"


def test_results_have_a_quota_and_a_size(desk: Desk) -> None:
    house = desk.served.client.app.state.house  # type: ignore[attr-defined]
    layer, decision = house.open_layer(Principal("ann", INTERNAL), "spot")
    inputs = ExportInputs(collection="spot", f="csv")
    with desk.served.database.transaction(Role.WRITER) as connection:
        owner = queue.get(connection, int(desk.made())).principal
    small = house.settings.model_copy(update={"export_quota_bytes": 1_024})
    exports = ExportDesk(small, house.catalog, house.desk)
    with pytest.raises(ExportTooLarge, match="delete some"):
        exports.submit(Principal(owner, INTERNAL), layer, decision, inputs)
    tight = replace(desk.served.database, settings=house.settings.model_copy(update={"export_max_bytes": 1_024}))
    with pytest.raises(ExportTooLarge, match="1,024 bytes"):
        made(tight, desk.served.catalog, inputs, INTERNAL)


@pytest.mark.parametrize("full", [True, False])
def test_a_failed_export_leaves_nothing_and_tells_of_a_full_disk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """Libraries have words of their own for a full disk."""
    written: list[Path] = []

    def broken(subject: Subject, batches: Batches, file: Path) -> None:
        file.write_bytes(b"some rows")
        written.append(file)
        next(batches)
        monkeypatch.setattr(
            "geoservice.exports.run.shutil.disk_usage", lambda _: SimpleNamespace(free=0 if full else ROOM)
        )
        raise OSError("sqlite3_exec failed: disk I/O error")

    monkeypatch.setattr("geoservice.exports.run.shutil.disk_usage", lambda _: SimpleNamespace(free=ROOM))
    monkeypatch.setitem(EXPORT_FORMATS, "csv", replace(EXPORT_FORMATS["csv"], write=broken))
    with pytest.raises(ExportTooLarge if full else OSError, match="has not enough room" if full else "sqlite3_exec"):
        made(desk.served.database, desk.served.catalog, ExportInputs(collection="spot", f="csv"), INTERNAL)
    assert not list(written[0].parent.iterdir())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"f": "exe"}, 400),
        ({"f": "../../etc/passwd"}, 400),
        ({"f": "csv", "bbox": [1, 2, 3]}, 400),
        ({"f": "csv", "bbox": [500, 0, 1, 1]}, 400),
        ({"f": "csv", "datetime": "yesterday"}, 400),
        ({"f": "csv", "crs": "http://169.254.169.254/"}, 400),
        ({"f": "boundary", "template": "../national", "crs": "EPSG:4523"}, 400),
        ({"f": "csv", "as-of": "2999-01-01T00:00:00Z"}, 400),
        ({"f": "csv", "unknown": 1}, 400),
        ({"f": "ndjson", "crs": "EPSG:3857"}, 406),
        ({"collection": "reading", "f": "dxf"}, 406),
    ],
)
def test_wishes_that_cannot_be_met_never_become_jobs(desk: Desk, body: dict[str, Any], status: int) -> None:
    before = len(desk.served.get("/exports?limit=1000", INTERNAL).json()["exports"])
    answer = desk.ask(INTERNAL, **body)
    assert answer.status_code == status, answer.text
    assert len(desk.served.get("/exports?limit=1000", INTERNAL).json()["exports"]) == before
