"""A report about a zone in which nothing lies in danger: it says zero in each of its forms, and can be verified."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest
import shapely

from geoservice.reports import verify
from geoservice.reports.carrier import opened
from layers.access import Clearance
from tests.geoservice.reports.conftest import Office, question
from tests.geoservice.reports.test_report_proof import asked

LOOKED = [105.0, 38.0, 105.2, 38.2]


def calm() -> dict[str, Any]:
    return {"hazard": {**question()["hazard"], "classes": [], "looked": LOOKED, "status": "actual"}}


@pytest.fixture(scope="module")
def files(office: Office) -> dict[str, bytes]:
    made = office.post("/reports", {"impact": calm(), "title": "Calm", "lang": "en"})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    forms = ("json", "html", "pdf", "gpkg", "xlsx", "zip")
    found = {form: office.service.get(f"/reports/{number}?f={form}", Clearance.RESTRICTED) for form in forms}
    assert {one.status_code for one in found.values()} == {200}
    return {name: one.content for name, one in found.items()}


def test_every_form_says_that_nothing_lies_in_danger(files: dict[str, bytes], tmp_path: Path) -> None:
    page = files["html"].decode()
    assert "By this method nothing lies in danger." in page
    assert "Looked at; nothing in danger" in page
    assert files["pdf"].startswith(b"%PDF-")
    book = openpyxl.load_workbook(BytesIO(files["xlsx"]))
    key = {row[0].value: row[1].value for row in book[book.sheetnames[0]].iter_rows()}
    assert key["zone"] == 0
    file = tmp_path / "report.gpkg"
    file.write_bytes(files["gpkg"])
    zone = pyogrio.read_dataframe(file, layer="zone")
    assert zone["estimate"].tolist() == ["looked"]
    assert zone.geometry.iloc[0].equals(shapely.box(*LOOKED))
    figures = pyogrio.read_dataframe(file, layer="figure", read_geometry=False)
    assert set(figures[figures.figure == "total"]["value"]) == {0.0}


def test_it_is_verified_by_asking_again(office: Office, files: dict[str, bytes]) -> None:
    sealed = opened("report.json", files["json"]).sealed
    verify.check_figures(sealed.manifest, sealed.answer, asked(office))
    answer = json.loads(files["json"])["answer"]
    assert {one["total"]["value"] for one in answer["sections"] if one["status"] == "ok"} == {0.0}


def test_the_field_package_has_a_map_of_where_was_looked(files: dict[str, bytes]) -> None:

    with zipfile.ZipFile(BytesIO(files["zip"])) as archive:
        scripts = [name for name in archive.namelist() if name.endswith((".html", ".js"))]
        assert any(b"Looked at; nothing in danger" in archive.read(name) for name in scripts)
