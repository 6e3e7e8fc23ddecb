"""Batch queries as jobs over HTTP: a body with Prefer: respond-async, an upload, results for their owner alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from geoservice.db.engine import Database
from layers.catalog import read_catalog
from tests.contract.test_jobs_api import Quay, served
from tests.contract.test_uploads import make_loader
from tests.support.jobs import environment, write_layers
from tests.support.loading import load_file, prepared, write_rows

ASYNC = {"Prefer": "respond-async", "Content-Type": "text/csv"}
BODY = b"id,lon,lat\n1,105.5,38.5\n2,0,0\n3,x,1\n"


@pytest.fixture(scope="module")
def quay(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quay]:
    folder = tmp_path_factory.mktemp("queries")
    layers = write_layers(folder, "unit", geometry="polygon", style={"fill": "#aabbcc"}, row_clearance=None)
    catalog = read_catalog(layers)
    target = prepared(module_database, catalog)
    square = {"code": "u0", "name": "u", "geometry": shapely.box(105, 38, 106, 39)}
    load_file(catalog, target, "unit", write_rows(folder / "unit.gpkg", [square]))
    keys = {"ann": make_loader(module_database, "load"), "bob": make_loader(module_database, "load")}
    with served(environment(module_database, layers)) as (address, _):
        yield Quay(module_database, address, folder, keys)


def check(quay: Quay, place: str) -> None:
    ended = quay.ended(place)
    assert ended["status"] == "successful", ended
    listed = quay.ask("GET", f"{place}/results").json()
    assert listed["table"]["rows"] == 3
    assert listed["table"]["errors"] == 1
    found = quay.ask("GET", listed["table"]["href"])
    assert found.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(found.text)))
    assert [(row["id"], row["unit_key"], bool(row["error"])) for row in rows] == [
        ("1", "u0", False),
        ("2", "", False),
        ("3", "", True),
    ]
    assert quay.ask("GET", listed["table"]["href"], "bob").status_code == 404


def test_a_body_becomes_a_job(quay: Quay) -> None:
    answer = quay.ask("POST", "/query/join?collection=unit", content=BODY, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    check(quay, answer.headers["location"])
    batches = quay.database.settings.home / "batches"
    assert list(batches.iterdir()) == []


def test_an_upload_becomes_a_job(quay: Quay, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_bytes(BODY)
    upload = quay.upload(file)
    path = f"/query/join?collection=unit&upload={upload}"
    csv_only = {"Content-Type": "text/csv"}
    assert quay.ask("POST", path, "bob", headers=csv_only).status_code == 404
    answer = quay.ask("POST", path, headers=csv_only)
    assert answer.status_code == 202, answer.text
    check(quay, answer.headers["location"])


def test_nobody_has_no_jobs(quay: Quay) -> None:
    assert quay.ask("POST", "/query/join?collection=unit", None, content=BODY, headers=ASYNC).status_code == 401
