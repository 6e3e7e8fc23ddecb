"""What a report says in each of its forms, read by others: poppler, pypdf, openpyxl, GDAL."""

from __future__ import annotations

import json
import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pypdf
import pytest
import shapely

from layers.access import Clearance
from tests.geoservice.reports.conftest import TITLE, Office, question
from tests.support.service import Service


@pytest.fixture(scope="module")
def answer(office: Office) -> Any:
    """The answer of the question itself, asked beside the report."""
    response = office.post("/impact", question())
    assert response.status_code == 200, response.text
    return response.json()


def spots(answer: Any) -> Any:
    return next(one for one in answer["sections"] if one["layer"] == "spot")


def test_the_json_holds_the_answer_of_the_question(office: Office, answer: Any) -> None:
    told = json.loads(office.files["json"])
    assert told["answer"] == answer
    assert told["manifest"]["question"] == json.loads(json.dumps({"impact": question()}))
    assert {one["layer"] for one in told["manifest"]["inputs"]} == {
        one["layer"] for one in answer["sections"] if one.get("edition")
    }
    assert spots(answer)["total"]["value"] == 30, "all points of the square, for the highest clearance"


def test_the_pdf_is_text_in_chinese_with_pages_and_its_attachment(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(office.files["pdf"])
    said = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, check=True, text=True).stdout
    for words in (
        "灾害影响评估报告",
        "清水河洪水",
        "演练 · 非真实事件",
        TITLE,
        "deep级",
    ):
        assert words in said, words
    *pages, after = said.split("\f")
    assert not after
    for number, page in enumerate(pages, 1):
        # Whether the narrow space around the stroke is one is poppler's guess.
        assert re.search(rf"(?<!\d){number} ?/ ?{len(pages)}\s*\Z", page), page[-200:]
    fonts = subprocess.run(["pdffonts", file], capture_output=True, check=True, text=True).stdout.splitlines()[2:]
    assert fonts, "there is text"
    assert all(line.split()[-5] == "yes" for line in fonts), "every font is embedded"
    reader = pypdf.PdfReader(BytesIO(office.files["pdf"]))
    width, height = (float(side) for side in reader.pages[0].mediabox[2:])
    assert (width, height) == pytest.approx((595.28, 841.89), abs=0.5)
    assert json.loads(reader.attachments["report.json"][0]) == json.loads(office.files["json"])


def test_the_workbook_has_numbers_and_no_formulas(office: Office, answer: Any) -> None:
    book = openpyxl.load_workbook(BytesIO(office.files["xlsx"]))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert any(cell.value == TITLE and cell.data_type == "s" for cell in cells), "a text is a text"
    key = {row[0].value: row[1].value for row in book[book.sheetnames[0]].iter_rows()}
    assert key["deep级"] == pytest.approx(answer["zone"]["classes"][0]["area_m2"])
    assert len(book.sheetnames) >= len(answer["sections"]) + 2


def test_the_geopackage_has_classes_features_and_figures(office: Office, answer: Any, tmp_path: Path) -> None:
    file = tmp_path / "report.gpkg"
    file.write_bytes(office.files["gpkg"])
    assert set(pyogrio.list_layers(file)[:, 0]) == {"zone", "feature", "figure", "report"}
    zone = pyogrio.read_dataframe(file, layer="zone")
    assert zone.crs.to_epsg() == 4490
    assert zone.sort_values("rank")["code"].tolist() == ["deep", "shallow"]
    assert zone.geometry.iloc[0].symmetric_difference(shapely.box(105.0, 38.0, 105.1, 38.2)).area == pytest.approx(0)
    features = pyogrio.read_dataframe(file, layer="feature")
    assert len(features) == 30
    assert features.geometry.within(shapely.box(105, 38, 105.2, 38.2)).all()
    figures = pyogrio.read_dataframe(file, layer="figure", read_geometry=False)
    totals = figures[figures.figure == "total"].set_index("layer")["value"].to_dict()
    expected = {one["layer"]: one["total"]["value"] for one in answer["sections"] if one["status"] == "ok"}
    assert totals == pytest.approx(expected)


def test_the_page_stands_alone_and_escapes_what_others_wrote(office: Office) -> None:
    page = office.files["html"].decode()
    assert "<script>x</script>" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert page.count("<script") == 1, "the seal, which is data"
    addresses = [part.partition('"')[0] for name in ('src="', 'href="') for part in page.split(name)[1:]]
    assert addresses
    assert all(one.startswith("data:image/png;base64,") for one in addresses)
    assert "演练 · 非真实事件" in page


@pytest.mark.parametrize(("path", "f", "start"), [("/impact", "pdf", b"%PDF-"), ("/compliance", "xlsx", b"PK")])
def test_anybody_gets_a_report_that_is_not_kept(office: Office, path: str, f: str, start: bytes) -> None:
    body = question() if path == "/impact" else {"bbox": [105.0, 38.0, 105.1, 38.1]}
    response = office.post(f"{path}?f={f}&lang=en", body, None)
    assert response.status_code == 200, response.text
    assert response.content.startswith(start)
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("zone", "named"),
    [
        ({"bbox": [105.0, 38.0, 105.1, 38.1]}, "Box"),
        ({"zone": shapely.geometry.mapping(shapely.box(105.0, 38.0, 105.1, 38.1))}, "Drawn area"),
    ],
)
def test_zones_that_nobody_named_are_reported_too(office: Office, zone: dict[str, Any], named: str) -> None:
    response = office.post("/impact?f=html&lang=en", zone, None)
    assert response.status_code == 200, response.text
    assert f"<dd>{named}</dd>" in response.text


def test_a_report_of_the_public_holds_nothing_above_it(office: Office) -> None:
    told = office.post("/impact?f=html&lang=en", question(), None).text
    # The points of the square take turns in three clearances; the area belongs to the second one.
    assert "CNRY-0-spot" in told
    assert not any(f"CNRY-{level}" in told for level in (1, 2))
    assert '"layer":"area"' not in told


def test_what_is_wrong_with_a_question_is_said(office: Office) -> None:
    for body in ({}, {"impact": {}, "compliance": {}}, {"impact": question(), "lang": "fr"}, {"impact": []}):
        assert office.post("/reports", body).status_code == 400, body
    assert office.post("/reports", {"impact": question()}, None).status_code == 401
    assert office.post("/reports", {"impact": question(), "title": "a\x00b"}).status_code == 400
    assert office.post("/impact?f=docx", question()).status_code == 400


def test_others_do_not_find_a_report(office: Office) -> None:
    service: Service = office.service
    place = f"/reports/{office.made['id']}"
    assert service.get(place).status_code == 401
    assert service.get(place, Clearance.INTERNAL).status_code == 404
    assert [one["id"] for one in service.get("/reports", Clearance.INTERNAL).json()["reports"]] == []
    listed = service.get("/reports", Clearance.RESTRICTED).json()["reports"]
    assert office.made["id"] in [one["id"] for one in listed]
