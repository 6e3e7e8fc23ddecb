"""Random tables written by other libraries to each format come back as they were, within what the format can hold."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.choose import open_source
from ingest.readers.source import Request
from tests.ingest.reading import plan_for, vector

LAYER = vector("point", {"name": "text", "amount": "number", "n": "integer", "day": "date"}, geometry_required=False)
LETTERS = "abcXYZ 0189-_,;\"'é东城区市辖县镇㐀土地利用"
Row = dict[str, Any]

texts = st.none() | st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
numbers = st.none() | st.floats(-1e9, 1e9).map(lambda v: round(v, 6) + 0.0)
whole = st.none() | st.integers(-999_999_999, 999_999_999)
days = st.none() | st.dates(dt.date(1900, 3, 1), dt.date(2100, 12, 31))
degrees = st.tuples(st.integers(-1_799_999, 1_799_999), st.integers(-899_999, 899_999))
places = st.none() | degrees.map(lambda p: shapely.Point(p[0] / 10_000, p[1] / 10_000))
rows = st.lists(
    st.fixed_dictionaries({"name": texts, "amount": numbers, "n": whole, "day": days, "geom": places}),
    min_size=1,
    max_size=12,
)


@dataclass(frozen=True)
class Format:
    """How a format is written and read, and whether it tells an empty row from none."""

    write: Callable[[list[Row], Path], None]
    mapping: dict[str, Any]
    empty_rows: bool = True


def frame(content: list[Row]) -> gpd.GeoDataFrame:
    columns = {
        "name": pd.Series([r["name"] for r in content], dtype=object),
        "amount": pd.Series([r["amount"] for r in content], dtype="float64"),
        "n": pd.Series([r["n"] for r in content], dtype="Int64"),
        "day": pd.Series([r["day"] for r in content], dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=[r["geom"] for r in content], crs="EPSG:4326")


def gdal(driver: str, **options: str) -> Callable[[list[Row], Path], None]:
    def write(content: list[Row], file: Path) -> None:
        pyogrio.write_dataframe(frame(content), file, driver=driver, geometry_type="Point", **options)

    return write


def cells(row: Row) -> list[Any]:
    place = row["geom"]
    return [row["name"], row["amount"], row["n"], row["day"], *((place.x, place.y) if place else (None, None))]


def workbook(content: list[Row], file: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in [["name", "amount", "n", "day", "lon", "lat"], *map(cells, content)]:
        book.active.append(row)
    book.save(file)


def text(content: list[Row], file: Path) -> None:
    columns = ["name", "amount", "n", "day", "lon", "lat"]
    plain = pd.DataFrame([cells(r) for r in content], columns=columns, dtype=object)
    plain.to_csv(file, index=False, encoding="gb18030")


LONLAT = {"point": {"x": "lon", "y": "lat"}, "crs": "EPSG:4326"}
FORMATS: dict[str, Format] = {
    "a.gpkg": Format(gdal("GPKG"), {}),
    "a.gdb": Format(gdal("OpenFileGDB", TARGET_ARCGIS_VERSION="ARCGIS_PRO_3_2_OR_LATER"), {}),
    "a.shp": Format(gdal("ESRI Shapefile", encoding="GB18030"), {"encoding": ["gb18030"]}),
    "a.geojson": Format(gdal("GeoJSON"), {}),
    "a.ndjson": Format(gdal("GeoJSONSeq"), {}),
    "a.fgb": Format(gdal("FlatGeobuf", SPATIAL_INDEX="NO"), {}),
    "a.parquet": Format(lambda content, file: frame(content).to_parquet(file), {}),
    "a.xlsx": Format(workbook, LONLAT, empty_rows=False),
    "a.csv": Format(text, {**LONLAT, "encoding": ["gb18030"]}),
}


def read_back(file: Path, scratch: Path, mapping: dict[str, Any]) -> list[Row]:
    plan = plan_for(file, LAYER, **mapping)
    pipeline = Pipeline(request := Request(file, plan, scratch, Notes()), open_source(request))
    found = [row for batch in pipeline.batches() for row in batch.to_pylist()]
    assert pipeline.summary().bad == 0
    return found


def comparable(row: Row) -> tuple[Any, ...]:
    place = shapely.from_wkb(row["geom"]) if isinstance(row["geom"], bytes) else row["geom"]
    where = None if place is None else tuple(round(float(v), 6) for v in place.bounds[:2])
    amount = None if row["amount"] is None else pytest.approx(row["amount"], rel=1e-9, abs=1e-6)
    return row["name"], amount, row["n"], row["day"], where


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are ours: this process keeps all of GDAL's drivers, and the reader does not mind."""
    monkeypatch.setattr("ingest.readers.vector.strangers", tuple)


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("name", list(FORMATS))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=rows)
def test_content_comes_back(name: str, content: list[Row]) -> None:
    form = FORMATS[name]
    written = [r for r in content if form.empty_rows or any(v is not None for v in r.values())]
    assume(written)
    with tempfile.TemporaryDirectory() as folder:
        form.write(content, Path(folder, name))
        found = read_back(Path(folder, name), Path(folder), form.mapping)
    assert [comparable(r) for r in found] == [comparable(r) for r in written]
