"""Programs of others as clients of features: GDAL's OAPIF driver and OWSLib read, page, choose and reproject."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pyproj
import pytest
import shapely
from owslib.ogcapi.features import Features
from shapely.geometry import shape

from tests.support.serving import Watched
from tests.support.site import SOUTH, WEST, fields, spots

PATIENCE = 120.0
CORNER = (WEST, SOUTH, WEST + 0.05, SOUTH + 0.05)
ITEMS = "/collections/spot/items"
INSIDE = sorted(str(row["code"]) for row in spots() if shapely.box(*CORNER).intersects(row["geometry"]))


def gdal(address: str, **asked: Any) -> Any:
    """What GDAL finds there, in a process of its own."""
    told = json.dumps({"source": f"OAPIF:{address}", **asked})
    command = [sys.executable, "-m", "tests.conformance.gdal_program", told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shapes(found: Any) -> dict[str, shapely.Geometry]:
    """Geometries by code."""
    assert len({code for code, _ in found["rows"]}) == len(found["rows"])
    return {code: shapely.from_wkb(wkb) for code, wkb in found["rows"]}


def test_gdal_reads_over_pages(address: str) -> None:
    found = shapes(gdal(address, layer="spot", PAGE_SIZE="5", INITIAL_REQUEST_PAGE_SIZE="5"))
    wanted = {row["code"]: row["geometry"] for row in spots()}
    assert found.keys() == wanted.keys()
    assert all(shape_.equals_exact(wanted[code], 1e-9) for code, shape_ in found.items())


def test_gdal_lists_the_collections(address: str) -> None:
    names = set(gdal(address))
    assert {"spot", "field", "way"} <= names
    assert "hidden" not in names


def test_gdal_chooses_by_box(address: str) -> None:
    assert sorted(shapes(gdal(address, layer="spot", bbox=CORNER))) == INSIDE


def test_gdal_chooses_by_box_and_condition(address: str, watched: Watched) -> None:
    """GDAL has the box judged by the service, in the service's own system, and conditions by itself."""
    watched.requests.clear()
    found = shapes(gdal(address, layer="spot", bbox=CORNER, where="amount >= 1 AND code LIKE 's%'", PAGE_SIZE="2"))
    assert sorted(found) == ["s1", "s2"]
    boxes = [query["bbox"] for query in watched.asked(ITEMS) if "bbox" in query]
    south, west, north, east = map(float, boxes[0].split(","))
    assert (west, south, east, north) == pytest.approx(CORNER)
    assert all("cursor" in query for query in watched.asked(ITEMS)[2:]), "it pages by the links"


def test_gdal_has_the_service_choose_by_time(address: str, watched: Watched) -> None:
    """GDAL writes a day with a T behind it, and leaves the choice by the layer's time to the service."""
    watched.requests.clear()
    assert sorted(shapes(gdal(address, layer="spot", where="seen >= '2026/10/15'"))) == ["s10", "s11", "s9"]
    assert [query["datetime"] for query in watched.asked(ITEMS) if "datetime" in query] == ["2026-10-15T/.."]


@pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="GDAL's programs are not installed")
@pytest.mark.parametrize(
    ("source", "choice", "expected"),
    [
        ("OAPIF:{}", ["-where", "amount >= 1", "-spat", *map(str, CORNER)], ["s1", "s2"]),
        ("OAPIF:{}", ["-where", "seen = '2026/10/15'"], ["s9"]),
        ("WFS:{}/wfs", ["-where", "amount >= 1 AND code LIKE 's%'", "-spat", *map(str, CORNER)], ["s1", "s2"]),
    ],
)
def test_ogrinfo_chooses(address: str, source: str, choice: list[str], expected: list[str]) -> None:
    """The programs of the system's GDAL are another version than the library of the tests."""
    paging = ["--config", "OGR_WFS_PAGING_ALLOWED", "ON", "--config", "OGR_WFS_PAGE_SIZE", "1"]
    place, layer = source.format(address), "spot" if source.startswith("OAPIF") else "gs:spot"
    command = ["ogrinfo", "-q", *paging, place, layer, *choice]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert re.findall(r"code \(String\) = (\w+)", done.stdout) == expected
    assert "ERROR" not in done.stderr


@pytest.mark.parametrize("code", [4490, 3857, 4523])
def test_gdal_asks_in_another_system(address: str, code: int) -> None:
    """GDAL turns the axes of the authority into x before y."""
    found = gdal(address, layer="field", CRS=f"EPSG:{code}")
    assert found["crs"] == code
    way = pyproj.Transformer.from_crs(4326, code, always_xy=True)
    wanted = {row["code"]: shapely.transform(row["geometry"], way.transform, interleaved=False) for row in fields()}
    for name, geometry in shapes(found).items():
        assert geometry.normalize().equals_exact(wanted[name].normalize(), 1e-3)


def test_owslib_reads_and_pages(address: str) -> None:
    client = Features(f"{address}/")
    assert {"spot", "field", "way"} <= set(client.feature_collections())
    assert client.collection("spot")["storageCrs"].endswith("/4490")
    page = client.collection_items("spot", limit=5)
    assert (page["numberReturned"], page["numberMatched"]) == (5, 12)
    one = client.collection_item("spot", "s3")
    assert shape(one["geometry"]).equals_exact(spots()[3]["geometry"], 1e-9)


def test_owslib_sorts_and_chooses(address: str) -> None:
    page = Features(f"{address}/").collection_items("spot", bbox=list(CORNER), sortby=("code", "desc"))
    assert [feature["id"] for feature in page["features"]] == INSIDE[::-1]
