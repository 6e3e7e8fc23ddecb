"""Heights of points and the vertical datum they stand on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pyproj
import pytest
import shapely

from ingest.notes import Notes
from ingest.vertical import Heights, settle_heights, stated
from layers.errors import CrsRefused
from tests.ingest.reading import Result, read, vector


def load(folder: Path, crs: str, wanted: str | None, **mapping: Any) -> Result:
    """One point 100 m high."""
    gpd.GeoDataFrame(geometry=[shapely.Point(110, 30, 100.0)], crs=crs).to_file(folder / "a.gpkg")
    layer = vector("point", {"height": "number"}, vertical_datum=wanted)
    return read(folder / "a.gpkg", layer, fields={"$z": "height"}, **mapping)


def told(found: Result) -> list[str]:
    return [f.severity for f in found.summary.findings if f.rule == "vertical-datum"]


def test_the_same_datum_says_nothing(tmp_path: Path) -> None:
    found = load(tmp_path, "EPSG:4490+5737", "EPSG:5737")
    assert found.good[0]["height"] == 100.0
    assert told(found) == []
    assert found.summary.facts["vertical_datum"] == {"source": "EPSG:5737", "layer": "EPSG:5737", "shift_m": 0.0}


@pytest.mark.parametrize(
    ("crs", "source"), [("EPSG:4490+5736", "EPSG:5736"), ("EPSG:4979", "ellipsoidal"), ("EPSG:4490", None)]
)
def test_another_datum_warns_and_keeps(tmp_path: Path, crs: str, source: str | None) -> None:
    found = load(tmp_path, crs, "EPSG:5737")
    assert found.good[0]["height"] == 100.0
    assert told(found) == ["warning"]
    assert found.summary.facts["vertical_datum"]["source"] == source


def test_another_datum_may_be_refused(tmp_path: Path) -> None:
    with pytest.raises(CrsRefused, match=r"are on EPSG:5736, but the layer has EPSG:5737"):
        load(tmp_path, "EPSG:4490+5736", "EPSG:5737", vertical="refuse")
    with pytest.raises(CrsRefused, match="no stated vertical datum"):
        load(tmp_path, "EPSG:4490", "EPSG:5737", vertical="refuse")


@pytest.mark.parametrize(
    ("crs", "mapping", "wanted", "height"),
    [
        ("EPSG:4490+5736", {}, "EPSG:5737", 99.971),
        ("EPSG:4490+5737", {}, "EPSG:5736", 100.029),
        ("EPSG:4490", {"vertical_datum": "EPSG:5736"}, "EPSG:5737", 99.971),
        ("EPSG:4490+5737", {"vertical_datum": "EPSG:5736"}, "EPSG:5737", 100.0),
    ],
)
def test_the_known_constant_on_request(
    tmp_path: Path, crs: str, mapping: dict[str, str], wanted: str, height: float
) -> None:
    """The difference of the two origins in Qingdao, 72.289 m and 72.260 m."""
    found = load(tmp_path, crs, wanted, vertical="convert", **mapping)
    assert found.good[0]["height"] == pytest.approx(height, abs=1e-9)
    assert height == 100.0 or found.summary.facts["vertical_datum"]["shift_m"] == pytest.approx(height - 100)


def test_no_constant_no_conversion(tmp_path: Path) -> None:
    with pytest.raises(CrsRefused, match="no constant leads there"):
        load(tmp_path, "EPSG:4979", "EPSG:5737", vertical="convert")


@pytest.mark.parametrize("wanted", [None, "none"])
def test_a_layer_without_a_datum_takes_any(tmp_path: Path, wanted: str | None) -> None:
    assert told(load(tmp_path, "EPSG:4490+5736", wanted, vertical="refuse")) == []


def test_heights_that_are_not_kept_do_not_matter(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.Point(110, 30, 1)], crs="EPSG:4979").to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector("point", vertical_datum="EPSG:5737"), vertical="refuse")
    assert "vertical_datum" not in found.summary.facts


def test_what_a_crs_states() -> None:
    names = ["EPSG:4490", "EPSG:4480", "EPSG:4490+5737", "EPSG:4527+5736"]
    assert [stated(pyproj.CRS(n)) for n in names] == [None, "ellipsoidal", "EPSG:5737", "EPSG:5736"]
    assert stated(None) is None
    assert settle_heights("EPSG:5737", "EPSG:5737", "refuse", "a", Notes()) == Heights("EPSG:5737", "EPSG:5737")
