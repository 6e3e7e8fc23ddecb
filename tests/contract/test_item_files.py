"""Pages of features as files, by `f` and `Accept`: paging, axes, access and headers are those of any page."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from typing import Any

import geopandas as gpd
import openpyxl
import pyarrow.parquet as pq
import pytest
import shapely

from geoservice.formats.known import FILE_FORMATS
from layers.access import Clearance
from tests.support.service import Service, canary, spot_rows

FOUND = re.compile(rb"CNRY-(\d)-[a-z]+-\d+")
PUBLIC = [row for row in spot_rows() if row["level"] == "public"]


def unpacked(content: bytes) -> bytes:
    """Everything that can be read in a file, whatever it is packed in."""
    if content[:4] == b"PAR1":
        return str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return content


@pytest.mark.parametrize("asker", [None, *Clearance])
@pytest.mark.parametrize("form", sorted(FILE_FORMATS.keys() - {"boundary"}))
def test_no_file_shows_what_is_above(service: Service, form: str, asker: Clearance | None) -> None:
    level = asker or Clearance.PUBLIC
    answer = service.get(f"/collections/spot/items?limit=100&f={form}", asker)
    assert answer.status_code == 200, answer.text
    found = {int(match.group(1)) for match in FOUND.finditer(unpacked(answer.content))}
    assert found == (set() if form == "dxf" else set(range(int(level) + 1)))
    if level < Clearance.RESTRICTED:
        assert b"secret" not in unpacked(answer.content)
    assert answer.headers["content-type"].startswith(FILE_FORMATS[form].media)
    assert answer.headers["geoservice-clearance"] == level.label
    assert answer.headers["geoservice-source"] == "spot.gpkg"
    name = f"spot-{answer.headers['geoservice-edition']}{FILE_FORMATS[form].suffix}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_pages_of_files_follow_one_another(service: Service) -> None:
    address: str | None = "/collections/spot/items?f=csv&limit=4"
    seen: list[str] = []
    while address is not None:
        answer = service.get(address)
        seen += [row["code"] for row in csv.DictReader(io.StringIO(answer.text))]
        match = re.search(r'<([^>]+)>; rel="next"; type="text/csv"', answer.headers.get("link", ""))
        address = match.group(1).removeprefix("http://testserver") if match else None
    assert seen == [row["code"] for row in PUBLIC]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("application/vnd.apache.parquet;q=0.9, application/x-nothing", "application/vnd.apache.parquet"),
        ("application/geopackage+sqlite3", "application/geopackage+sqlite3"),
        ("application/vnd.ogc.fg+json", "application/vnd.ogc.fg+json"),
        ("text/csv;q=0.1, application/geo+json", "application/geo+json"),
        ("*/*", "application/geo+json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html"),
        ("," * 1000 + "text/csv", "application/geo+json"),
        ("text/csv;q=nonsense, */*;q=0.1", "application/geo+json"),
    ],
)
def test_formats_are_negotiated(service: Service, accept: str, media: str) -> None:
    answer = service.get("/collections/spot/items", Accept=accept)
    assert answer.headers["content-type"].startswith(media)


@pytest.mark.parametrize("accept", ["application/x-nothing", "text/csv;q=0", "image/png"])
def test_what_is_not_offered_is_406(service: Service, accept: str) -> None:
    assert service.get("/collections/spot/items", Accept=accept).status_code == 406


def test_axes_of_files_are_east_first(service: Service) -> None:
    want = PUBLIC[0]["geometry"]
    for query in ("", "&crs=EPSG:4490", "&crs=EPSG:4326"):
        content = service.get(f"/collections/spot/items?f=parquet{query}").content
        found = gpd.read_parquet(io.BytesIO(content)).geometry.iloc[0]
        assert shapely.equals_exact(found, want, 1e-8), query
    frame = gpd.read_parquet(io.BytesIO(service.get("/collections/spot/items?f=parquet&crs=EPSG:4523").content))
    assert 35_000_000 < frame.geometry.x.min() < 36_000_000
    assert frame.crs.to_epsg() == 4523
    body = service.get("/collections/spot/items?f=jsonfg&crs=EPSG:4490").json()
    assert body["features"][0]["place"]["coordinates"] == pytest.approx([want.y, want.x])


def test_one_feature_is_a_file_too(service: Service) -> None:
    path = f"/collections/spot/items/{canary(Clearance.PUBLIC, 'spot', 0)}"
    rows = list(csv.DictReader(io.StringIO(service.get(f"{path}?f=csv").text)))
    assert [row["name"] for row in rows] == ["点 0"]
    sheet = openpyxl.load_workbook(io.BytesIO(service.get(f"{path}?f=xlsx").content))["rows"]
    assert [cell.value for cell in sheet["C"]] == ["name", "点 0"]
    hidden = f"/collections/spot/items/{canary(Clearance.RESTRICTED, 'spot', 2)}?f=csv"
    assert service.get(hidden).status_code == 404


def test_choices_of_a_page_hold_for_files(service: Service) -> None:
    text = service.get("/collections/spot/items?f=csv&properties=amount&sortby=-amount&limit=2").text
    assert next(csv.reader(io.StringIO(text))) == ["key", "amount"]
    assert [row["amount"] for row in csv.DictReader(io.StringIO(text))] == ["27", "24"]
    assert service.get("/collections/spot/items?f=flatgeobuf&skipGeometry=true").status_code == 406
    lines = service.get("/collections/spot/items?f=ndjson&datetime=2026-01-01/2026-02-01").text.split("\n")
    assert {json.loads(line)["properties"]["seen"][:7] for line in lines if line} == {"2026-01"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("f=exe", 400),
        ("f=../csv", 400),
        ("f=ndjson&crs=EPSG:3857", 406),
        ("f=csv&crs=EPSG:2437", 400),
        ("f=boundary&crs=EPSG:3857", 400),
        ("f=csv&f=gpkg", 400),
    ],
)
def test_what_does_not_go_together_is_refused(service: Service, query: str, status: int) -> None:
    assert service.get(f"/collections/spot/items?{query}").status_code == status


def test_tables_have_the_formats_that_hold_them(service: Service) -> None:
    body = service.get("/collections/reading/items").json()
    offered: dict[str, Any] = {one["type"]: one["href"] for one in body["links"] if one["rel"] == "alternate"}
    assert "text/csv" in offered
    assert "application/vnd.flatgeobuf" not in offered
    rows = list(csv.DictReader(io.StringIO(service.get("/collections/reading/items?f=csv").text)))
    assert len(rows) == 10
    assert service.get("/collections/reading/items?f=dxf").status_code == 400
