"""Every format, read back by somebody else's reader, holds the rows as they are in the database."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.exports.wish import ExportInputs
from geoservice.formats.known import EXPORT_FORMATS
from geoservice.settings import Settings
from layers.catalog import Catalog
from layers.errors import BadParameter, NotAcceptable
from tests.support.database import copied_database
from tests.support.exporting import LONG, LONGER, NOON, formats_catalog, made, points, rows, surfaces
from tests.support.loading import load_file, prepared, write_rows

MIXED = [shapely.Point(105, 38), shapely.LineString([(105, 38), (105.1, 38.1)]), shapely.box(105, 38, 105.1, 38.1)]
SHAPES: dict[str, list[Any]] = {"point": points(), "surface": surfaces(), "mixed": [*MIXED, None]}


class Files:
    """A database with rows, and files made of them."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self.database, self.catalog = database, catalog

    def make(self, layer: str, form: str, **wish: Any) -> Path:
        file, _ = made(self.database, self.catalog, ExportInputs(collection=layer, f=form, **wish))
        return file


@pytest.fixture(scope="module")
def files(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    catalog, folder = formats_catalog(), tmp_path_factory.mktemp("rows")
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        for layer, shapes in SHAPES.items():
            load_file(catalog, target, layer, write_rows(folder / f"{layer}.gpkg", rows(shapes)))
        table = pd.DataFrame(rows([None] * 4)).drop(columns="geometry").convert_dtypes()
        table.to_csv(folder / "plain.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        load_file(catalog, target, "plain", folder / "plain.csv")
        yield Files(database, catalog)


def expected(layer: str) -> list[dict[str, Any]]:
    return rows(SHAPES[layer])


def same(found: Any, wanted: Any, tolerance: float = 0.0) -> bool:
    if wanted is None or found is None:
        return found is None and wanted is None
    one, other = (shapely.normalize(_single(shape)) for shape in (found, wanted))
    return bool(shapely.equals_exact(one, other, tolerance))


def _single(shape: shapely.Geometry) -> shapely.Geometry:
    """A collection of one part as that part: the source of the rows was written with collections only."""
    parts = shapely.get_parts(shape)
    return parts[0] if len(parts) == 1 else shape


def plain(value: Any) -> Any:
    """A value of a data frame as Python has it."""
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if isinstance(value, np.generic) else value


def day(value: Any) -> Any:
    found = plain(value)
    return found.date() if isinstance(found, dt.datetime) else found


def assert_same_rows(frame: gpd.GeoDataFrame, layer: str, tolerance: float = 0.0) -> None:
    wanted = expected(layer)
    assert len(frame) == len(wanted)
    frame = frame.sort_values("code").reset_index(drop=True)
    for place, row in enumerate(wanted):
        found = frame.loc[place]
        for name in ("code", "name", "amount", "number", "open", "moment", LONG, LONGER):
            assert plain(found[name]) == row[name], (place, name)
        assert day(found["seen"]) == row["seen"]
        assert same(found.geometry, row["geometry"], tolerance), place


@pytest.mark.parametrize("layer", ["point", "surface", "mixed"])
def test_geoparquet_is_read_by_geopandas(files: Files, layer: str) -> None:
    file = files.make(layer, "parquet")
    frame = gpd.read_parquet(file)
    assert_same_rows(frame, layer)
    geo = json.loads(pq.read_metadata(file).metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert geo["version"] == "1.1.0"
    assert pyproj.CRS.from_json_dict(column["crs"]) == pyproj.CRS("OGC:CRS84")
    shapes = [shape for shape in SHAPES[layer] if shape is not None]
    assert column["bbox"] == pytest.approx(list(shapely.total_bounds(shapes)))
    assert column["geometry_types"] == sorted({shape.geom_type for shape in frame.geometry if shape is not None})
    near = gpd.read_parquet(file, bbox=(104.9, 37.9, 105.0005, 38.0005))
    assert len(near) == sum(shapely.intersects(shapely.box(104.9, 37.9, 105.0005, 38.0005), shape) for shape in shapes)


@pytest.mark.parametrize("layer", ["point", "surface", "mixed"])
@pytest.mark.parametrize("form", ["gpkg", "flatgeobuf"])
def test_gdal_reads_what_gdal_formats_hold(files: Files, form: str, layer: str) -> None:
    assert_same_rows(gpd.read_file(files.make(layer, form)), layer)


def test_a_geopackage_says_what_it_is(files: Files) -> None:
    about = pyogrio.read_info(files.make("point", "gpkg"))
    assert about["geometry_name"] == "geom"
    assert about["layer_metadata"]["clearance"] == "public"
    assert about["layer_metadata"]["collection"] == "point"
    assert int(about["layer_metadata"]["edition"]) >= 1
    assert about["layer_metadata"]["source"] == "point.gpkg"


def test_coordinates_come_in_any_crs_with_east_first(files: Files) -> None:
    way = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4523", always_xy=True)
    frame = gpd.read_parquet(files.make("point", "parquet", crs="EPSG:4523")).sort_values("code")
    x, y = way.transform([p.x for p in points()[:-1]], [p.y for p in points()[:-1]])
    assert frame.geometry.x[:-1].tolist() == pytest.approx(x, abs=1e-4)
    assert frame.geometry.y[:-1].tolist() == pytest.approx(y, abs=1e-4)
    assert min(x) > 35_000_000
    assert max(y) < 5_000_000
    package = gpd.read_file(files.make("point", "gpkg", crs="EPSG:4490"))
    assert package.crs == pyproj.CRS("EPSG:4490")
    assert package.geometry.x.min() == pytest.approx(105.001)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
@pytest.mark.parametrize("layer", ["point", "surface", "mixed"])
def test_shapefiles_map_their_names_back(files: Files, layer: str, encoding: str, tmp_path: Path) -> None:
    if encoding == "gbk" and layer == "mixed":
        pytest.skip("one layer of several types is enough")
    with zipfile.ZipFile(files.make(layer, "shapefile", encoding=encoding)) as archive:
        archive.extractall(tmp_path)
    listed = list(csv.DictReader(io.StringIO((tmp_path / "names.csv").read_text(encoding="utf-8-sig"))))
    names = {row["field"]: row["attribute"] for row in listed}
    assert all(len(name.encode()) <= 10 for name in names)
    assert len(names) == 10
    assert {row["attribute"]: row["title_zh"] for row in listed}["name"] == "名称"
    parts = sorted(tmp_path.glob("*.shp"))
    assert len(parts) == (3 if layer == "mixed" else 1)
    assert all(part.with_suffix(".cpg").read_text().strip().upper() == encoding.upper() for part in parts)
    frame = pd.concat([gpd.read_file(part) for part in parts]).rename(columns=names)
    wanted = expected(layer)
    assert len(frame) == len(wanted)
    frame = frame.sort_values("code").reset_index(drop=True)
    for place, row in enumerate(wanted):
        found = frame.loc[place]
        for name in ("code", "name", "amount", LONG, LONGER):
            assert plain(found[name]) == row[name], (place, name)
        assert bool(found["open"]) == row["open"]
        assert plain(found["moment"]) == (row["moment"] and f"{row['moment']:%Y-%m-%dT%H:%M:%SZ}")
        assert same(found.geometry, row["geometry"]), place
    about = json.loads((tmp_path / "about.json").read_text(encoding="utf-8"))
    assert about["clearance"] == "public"


def test_gbk_refuses_what_it_cannot_write(files: Files, tmp_path: Path) -> None:
    target = prepared(files.database, files.catalog)
    odd = [{**row, "code": "odd", "name": "𠀀 鿿"} for row in rows(points(2))][:1]
    load_file(files.catalog, target, "empty", write_rows(tmp_path / "empty.gpkg", odd))
    with pytest.raises(NotAcceptable, match="encoding=utf-8"):
        files.make("empty", "shapefile", encoding="gbk")


def test_csv_has_no_formula_and_reads_back(files: Files) -> None:
    text = files.make("point", "csv").read_text(encoding="utf-8")
    found = {row["code"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    for row in expected("point"):
        cells = found[row["code"]]
        name = row["name"] or ""
        dangerous = name[:1] in "=@＝" and name != ""
        assert cells["name"] == (f"'{name}" if dangerous else name)
        assert cells["amount"] == ("" if row["amount"] is None else repr(row["amount"]))
        assert cells["number"] == ("" if row["number"] is None else str(row["number"]))
        assert cells["seen"] == (row["seen"].isoformat() if row["seen"] else "")
        assert cells["moment"] == (f"{row['moment']:%Y-%m-%dT%H:%M:%SZ}" if row["moment"] else "")
        shape = shapely.from_wkt(cells["geometry"]) if cells["geometry"] else None
        assert same(shape, row["geometry"], 1e-9)
    assert not any(cell[:1] in "=@+＝" for row in found.values() for cell in row.values() if cell)


def test_csv_of_points_has_two_columns(files: Files) -> None:
    found = pd.read_csv(files.make("point", "csv-xy"))
    assert found["x"][:-1].tolist() == pytest.approx([p.x for p in points()[:-1]], abs=1e-9)
    assert found["y"][:-1].tolist() == pytest.approx([p.y for p in points()[:-1]], abs=1e-9)
    assert np.isnan(found["x"].iloc[-1])


@pytest.mark.parametrize(("form", "separator"), [("ndjson", ""), ("geojsonseq", "\x1e")])
def test_text_sequences_hold_one_feature_per_line(files: Files, form: str, separator: str) -> None:
    lines = files.make("mixed", form).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    wanted = expected("mixed")
    assert len(lines) == len(wanted)
    assert all(line.startswith(separator) for line in lines)
    for line, row in zip(lines, wanted, strict=True):
        feature = json.loads(line.removeprefix(separator))
        assert feature["id"] == row["code"]
        assert feature["properties"]["name"] == row["name"]
        assert feature["properties"]["number"] == row["number"]
        geometry = None if feature["geometry"] is None else shapely.geometry.shape(feature["geometry"])
        assert same(geometry, row["geometry"], 1e-9)


def test_geojson_is_read_by_gdal(files: Files) -> None:
    assert_same_rows(gpd.read_file(files.make("surface", "geojson")), "surface", 1e-9)


def test_jsonfg_keeps_the_axes_of_its_crs(files: Files) -> None:
    body = json.loads(files.make("point", "jsonfg", crs="EPSG:4490").read_text(encoding="utf-8"))
    assert body["coordRefSys"] == "http://www.opengis.net/def/crs/EPSG/0/4490"
    assert body["featureType"] == "point"
    first = body["features"][0]
    assert first["geometry"] is None
    assert first["place"]["coordinates"] == pytest.approx([38.001, 105.001])
    assert first["time"] == {"date": "2026-01-01"}
    body = json.loads(files.make("point", "jsonfg").read_text(encoding="utf-8"))
    assert body["features"][0]["place"] is None
    assert body["features"][0]["geometry"]["coordinates"] == pytest.approx([105.001, 38.001])
    assert gpd.read_file(files.make("point", "jsonfg", crs="EPSG:4490")).geometry.x.min() == pytest.approx(105.001)


def test_a_workbook_has_texts_and_no_formula(files: Files) -> None:
    book = openpyxl.load_workbook(files.make("point", "xlsx"))
    head, *found = book["rows"].iter_rows()
    names = [cell.value for cell in head]
    wanted = expected("point")
    assert len(found) == len(wanted)
    for cells, row in zip(found, wanted, strict=True):
        values = dict(zip(names, cells, strict=True))
        assert all(cell.data_type != "f" for cell in cells)
        assert values["name"].value == row["name"]
        assert values["amount"].value == row["amount"]
        assert values["number"].value == row["number"]
        assert day(values["seen"].value) == row["seen"]
        assert values["open"].value is row["open"]
    about = {key.value: value.value for key, value in book["about"].iter_rows()}
    assert about["clearance"] == "public"
    assert about["changed_cells"] == 0


def test_a_drawing_is_read_by_gdal(files: Files) -> None:
    frame = gpd.read_file(files.make("surface", "dxf", crs="EPSG:4523"))
    assert set(frame["Layer"]) == {"surface"}
    way = pyproj.Transformer.from_crs("EPSG:4490", "EPSG:4523", always_xy=True)
    rings = [ring for shape in surfaces() for part in shapely.get_parts(shape) for ring in shapely.get_rings(part)]
    assert len(frame) == len(rings)
    for found, ring in zip(frame.geometry, rings, strict=True):
        moved = shapely.transform(ring, lambda c: np.column_stack(way.transform(c[:, 0], c[:, 1])))
        outline = found.exterior if found.geom_type == "Polygon" else found
        assert shapely.hausdorff_distance(shapely.force_2d(outline), moved) < 2e-4


@pytest.mark.parametrize("form", sorted(EXPORT_FORMATS))
def test_empty_collections_give_whole_files(cluster_settings: Settings, form: str) -> None:
    catalog = formats_catalog()
    with copied_database(cluster_settings) as database:
        prepared(database, catalog)
        inputs = ExportInputs(collection="empty", f=form, crs="EPSG:4523" if form == "boundary" else None)
        file, output = made(database, catalog, inputs)
        assert output.facts["rows"] == 0
        assert file.stat().st_size > 0 or form in ("ndjson", "geojsonseq")
        if form in ("gpkg", "flatgeobuf", "geojson", "shapefile"):
            assert len(gpd.read_file(file)) == 0
        if form == "parquet":
            assert len(gpd.read_parquet(file)) == 0


@pytest.mark.parametrize("form", ["csv", "parquet", "gpkg", "shapefile", "xlsx", "ndjson", "jsonfg"])
def test_tables_without_a_geometry(files: Files, form: str) -> None:
    file = files.make("plain", form)
    readers: dict[str, Any] = {
        "csv": pd.read_csv,
        "xlsx": pd.read_excel,
        "parquet": pd.read_parquet,
        "ndjson": lambda f: pd.DataFrame([json.loads(line)["properties"] for line in f.read_text().splitlines()]),
        "jsonfg": lambda f: pd.DataFrame([one["properties"] for one in json.loads(f.read_text())["features"]]),
    }
    frame = readers.get(form, lambda f: pyogrio.read_dataframe(f, read_geometry=False))(file)
    assert frame["code"].tolist() == ["r00", "r01", "r02", "r03"]
    assert [plain(value) for value in frame["amount"]] == [0.25, 1.25, None, 3.25]


@pytest.mark.parametrize("form", ["flatgeobuf", "dxf", "boundary", "csv-xy"])
def test_tables_are_refused_where_there_is_no_place_for_them(files: Files, form: str) -> None:
    with pytest.raises(NotAcceptable, match="ask for one of"):
        files.make("plain", form)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"f": "exe"}, "f is one of"),
        ({"f": "csv", "crs": "http://localhost/x"}, "crs names one of"),
        ({"f": "csv", "properties": ["nope"]}, "code, name"),
        ({"f": "csv", "bbox": [500, 1, 2, 3]}, "bbox is"),
        ({"f": "shapefile", "encoding": "latin-1"}, "utf-8 or gbk"),
        ({"f": "boundary", "template": "../x", "crs": "EPSG:4523"}, "template is one of"),
    ],
)
def test_wishes_that_make_no_sense(files: Files, wish: dict[str, Any], words: str) -> None:
    with pytest.raises(BadParameter, match=words):
        files.make("point", **{"form": wish["f"], **{k: v for k, v in wish.items() if k != "f"}})


def test_rows_are_those_that_were_asked_for(files: Files) -> None:
    box = gpd.read_parquet(files.make("point", "parquet", bbox=[105.0, 38.0, 105.005, 38.02]))
    assert box["code"].tolist() == ["r00"]
    seen = gpd.read_parquet(files.make("point", "parquet", datetime="2026-01-02/2026-01-04"))
    assert seen["code"].tolist() == ["r01", "r03"]
    few = gpd.read_parquet(files.make("point", "parquet", properties=["amount"]))
    assert set(few.columns) == {"key", "amount", "geometry", "bbox"} - ({"bbox"} - set(few.columns))
    past = gpd.read_parquet(files.make("point", "parquet", as_of=(NOON - dt.timedelta(days=3650)).isoformat()))
    assert len(past) == 0
