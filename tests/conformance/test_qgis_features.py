"""QGIS as a client of features, by OGC API - Features and by WFS: it adds the service, reads, pages and chooses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely

from tests.conformance.test_qgis import SYSTEM_PYTHON, pytestmark, surroundings
from tests.support.serving import Watched
from tests.support.site import SOUTH, WEST, spots

__all__ = ["pytestmark"]
PROGRAM = Path(__file__).with_name("qgis_reader.py")
CORNER = (WEST, SOUTH, WEST + 0.05, SOUTH + 0.05)
ITEMS = "/collections/spot/items"


def qgis(folder: Path, **asked: Any) -> Any:
    """What QGIS makes of it."""
    done = subprocess.run(
        [SYSTEM_PYTHON, str(PROGRAM)], input=json.dumps(asked), env=surroundings(folder),
        check=True, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    return json.loads(done.stdout)


def shapes(found: Any) -> dict[str, shapely.Geometry]:
    """Geometries by code."""
    assert found["valid"], found
    assert len({code for code, _, _ in found["rows"]}) == len(found["rows"])
    return {code: shapely.from_wkt(wkt) for code, _, wkt in found["rows"]}


def test_the_service_is_added_by_its_landing_page(address: str, watched: Watched, tmp_path: Path) -> None:
    """A new connection lists the collections, each as a source that opens: read over pages, turned into EPSG:4490."""
    sources = [source for _, source in qgis(tmp_path, connect=f"{address}/")]
    assert {"spot", "field", "way"} <= {source.split("typename='")[1].split("'")[0] for source in sources}
    assert not any("hidden" in source for source in sources)
    (spot,) = [source for source in sources if "typename='spot'" in source]
    watched.requests.clear()
    found = qgis(tmp_path, source=f"{spot} pageSize='5'", provider="OAPIF", crs="EPSG:4490")
    assert {"code", "name", "amount", "seen"} <= set(found["fields"])
    assert "secret" not in found["fields"]
    wanted = {row["code"]: row["geometry"] for row in spots()}
    read = shapes(found)
    assert read.keys() == wanted.keys()
    assert all(shape.equals_exact(wanted[code], 1e-8) for code, shape in read.items())
    assert {code: name for code, name, _ in found["rows"]} == {row["code"]: row["name"] for row in spots()}
    assert len([query for query in watched.asked(ITEMS) if "cursor" in query]) == 2


def test_a_collection_is_chosen_from(address: str, watched: Watched, tmp_path: Path) -> None:
    """QGIS has the box judged by the service, and the condition by itself."""
    source = f"restrictToRequestBBOX='1' typename='spot' url='{address}/'"
    watched.requests.clear()
    found = qgis(tmp_path, source=source, provider="OAPIF", extent=CORNER, where='"amount" >= 1')
    assert sorted(shapes(found)) == ["s1", "s2"]
    boxes = [query["bbox"] for query in watched.asked(ITEMS) if "bbox" in query]
    assert [float(side) for side in boxes[0].split(",")] == pytest.approx(CORNER, abs=1e-6)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4523"])
def test_the_feature_service_in_systems_of_china(address: str, watched: Watched, tmp_path: Path, crs: str) -> None:
    """QGIS asks for latitude or northing first and turns them; a condition goes to the service as a filter."""
    source = f"typename='gs:spot' url='{address}/wfs' version='2.0.0' srsname='{crs}' pagingEnabled='true'"
    watched.requests.clear()
    found = qgis(tmp_path, source=f"{source} pageSize='5'", provider="WFS", where='"amount" >= 1')
    assert found["crs"] == crs
    way = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    wanted = {
        row["code"]: shapely.transform(row["geometry"], way.transform, interleaved=False)
        for row in spots()
        if row["amount"] >= 1
    }
    read = shapes(found)
    assert read.keys() == wanted.keys()
    assert all(shape.equals_exact(wanted[code], 1e-3 if crs == "EPSG:4523" else 1e-8) for code, shape in read.items())
    asked = [query for query in watched.asked("/wfs") if "FILTER" in query]
    assert "PropertyIsGreaterThanOrEqualTo" in asked[0]["FILTER"]
    assert asked[0]["SRSNAME"] == f"urn:ogc:def:crs:EPSG::{crs.removeprefix('EPSG:')}"
    assert [query["STARTINDEX"] for query in asked] == ["0", "5", "10"]
