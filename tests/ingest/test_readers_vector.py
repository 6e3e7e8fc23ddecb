"""Vector files written by GDAL through geopandas, read by the confined child, compared with what was written."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import pytest
import shapely

from ingest.job import ReadLimits
from layers.errors import CrsRefused, SourceMismatch, SourceUnreadable
from tests.ingest.reading import read, vector

ATTRIBUTES = {"name": "text", "amount": "number", "count": "integer", "day": "date", "moment": "datetime"}
NAMES = ["Ælf", "北京市", None]


def frame(crs: str | None = "EPSG:4490", geometry: Any = None) -> gpd.GeoDataFrame:
    """Three squares with one attribute of each kind."""
    squares = shapely.box([100.0, 101.0, 102.0], 30.0, [100.5, 101.5, 102.5], 30.5)
    return gpd.GeoDataFrame(
        {
            "name": NAMES,
            "amount": [1.25, None, -3.0],
            "count": [1, 2, 3],
            "day": [dt.date(2026, 1, 2), dt.date(2026, 12, 31), None],
        },
        geometry=squares if geometry is None else geometry,
        crs=crs,
    )


def expect(rows: list[dict[str, Any]], written: gpd.GeoDataFrame) -> None:
    """Rows equal what was written."""
    assert [r["name"] for r in rows] == NAMES
    assert [r["amount"] for r in rows] == [1.25, None, -3.0]
    assert [r["count"] for r in rows] == [1, 2, 3]
    assert [r["day"] for r in rows] == [dt.date(2026, 1, 2), dt.date(2026, 12, 31), None]
    assert [r["_position"] for r in rows] == [0, 1, 2]
    for row, shape in zip(rows, written.geometry, strict=True):
        assert shapely.equals(shapely.normalize(row["geom"]), shapely.normalize(shape))


@pytest.mark.parametrize(("name", "driver"), [("a.gpkg", "GPKG"), ("a.geojson", "GeoJSON"), ("a.gml", "GML")])
def test_formats_give_back_what_was_written(tmp_path: Path, name: str, driver: str) -> None:
    written = frame("EPSG:4326")
    options = {"FORMAT": "GML3.2"} if driver == "GML" else {}
    written.to_file(tmp_path / name, driver=driver, **options)
    found = read(tmp_path / name, vector("polygon", ATTRIBUTES))
    expect(found.rows, written)
    assert found.summary.driver == driver
    assert found.summary.crs == "EPSG:4326"
    assert (found.summary.read, found.summary.good, found.summary.bad) == (3, 3, 0)


def test_shapefile_beside_its_siblings_and_in_a_zip(tmp_path: Path) -> None:
    written = frame()
    written.to_file(tmp_path / "a.shp", encoding="UTF-8")
    expect(read(tmp_path / "a.shp", vector("polygon", ATTRIBUTES)).rows, written)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for part in tmp_path.glob("a.*"):
            if part.suffix != ".zip":
                archive.write(part, f"folder/{part.name}")
    expect(read(tmp_path / "a.zip", vector("polygon", ATTRIBUTES)).rows, written)


def test_kml_and_kmz(tmp_path: Path) -> None:
    points = gpd.GeoDataFrame({"Name": ["一", "two"]}, geometry=shapely.points([[1, 2], [3, 4]]), crs="EPSG:4326")
    pyogrio.write_dataframe(points, tmp_path / "a.kml", driver="LIBKML")
    layer = vector("point", {"label": "text"})
    found = read(tmp_path / "a.kml", layer, fields={"Name": "label"})
    assert [(r["label"], r["geom"].wkt) for r in found.rows] == [("一", "POINT (1 2)"), ("two", "POINT (3 4)")]
    with zipfile.ZipFile(tmp_path / "a.kmz", "w") as archive:
        archive.write(tmp_path / "a.kml", "doc.kml")
    assert len(read(tmp_path / "a.kmz", layer, fields={"Name": "label"}).good) == 2


def test_geojson_in_a_zip(tmp_path: Path) -> None:
    written = frame("EPSG:4326")
    written.to_file(tmp_path / "plain.geojson", driver="GeoJSON")
    with zipfile.ZipFile(tmp_path / "a.geojson.zip", "w") as archive:
        archive.write(tmp_path / "plain.geojson", "a.json")
        archive.writestr("__MACOSX/._a.json", "rubbish")
    found = read(tmp_path / "a.geojson.zip", vector("polygon", ATTRIBUTES))
    expect(found.good, written)


@pytest.mark.parametrize("encoding", ["GB18030", "UTF-8"])
def test_shapefile_encodings_are_tried_in_order(tmp_path: Path, encoding: str) -> None:
    frame()[["name", "geometry"]].to_file(tmp_path / "a.shp", encoding=encoding)
    (tmp_path / "a.cpg").unlink(missing_ok=True)
    found = read(tmp_path / "a.shp", vector("polygon", {"name": "text"}), encoding=["UTF-8", "GB18030"])
    assert [r["name"] for r in found.rows] in ([*NAMES[:2], None], [None, "北京市", None], ["Ælf", "北京市", None])
    assert found.rows[1]["name"] == "北京市"
    assert found.summary.encoding == encoding.lower()


def test_shapefile_in_no_expected_encoding(tmp_path: Path) -> None:
    frame()[["name", "geometry"]].to_file(tmp_path / "a.shp", encoding="GB18030")
    (tmp_path / "a.cpg").unlink(missing_ok=True)
    with pytest.raises(SourceUnreadable, match=r"utf-8 \(fails at byte \d+ of the \.dbf\)"):
        read(tmp_path / "a.shp", vector("polygon", {"name": "text"}), encoding=["UTF-8"])


def test_projected_source_with_false_axis_order_trap(tmp_path: Path) -> None:
    """EPSG:4527 has the axes north, east; the worked point of the fact book decides."""
    point = gpd.GeoDataFrame(geometry=[shapely.Point(39447950.515, 4419435.790)], crs="EPSG:4527")
    point.to_file(tmp_path / "a.gpkg")
    where = read(tmp_path / "a.gpkg", vector()).rows[0]["geom"]
    assert (where.x, where.y) == pytest.approx((116.3913, 39.9075), abs=1e-8)


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", "OGC:CRS84"])
def test_null_linked_coordinates_are_untouched(tmp_path: Path, crs: str) -> None:
    places = shapely.points(np.random.default_rng(1).uniform([-180, -90], [180, 90], (50, 2)))
    gpd.GeoDataFrame(geometry=places, crs=crs).to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector()).rows
    assert [shapely.to_wkb(r["geom"]) for r in found] == [shapely.to_wkb(p) for p in places]


def test_feet_come_out_in_degrees(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.Point(987567.0, 207000.0)], crs="EPSG:2263").to_file(tmp_path / "a.gpkg")
    where = read(tmp_path / "a.gpkg", vector()).rows[0]["geom"]
    oracle = pyproj.Transformer.from_crs("EPSG:2263", "EPSG:4326", always_xy=True).transform(987567.0, 207000.0)
    assert (where.x, where.y) == pytest.approx(oracle, abs=1e-5)


@pytest.mark.parametrize("crs", ["EPSG:4214", "EPSG:4610", "EPSG:4555", "EPSG:2356", "EPSG:21420"])
def test_controlled_datums_are_refused(tmp_path: Path, crs: str) -> None:
    gpd.GeoDataFrame(geometry=[shapely.Point(116, 39)], crs=crs).to_file(tmp_path / "a.gpkg")
    with pytest.raises(CrsRefused):
        read(tmp_path / "a.gpkg", vector())


def test_missing_crs(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.shp", encoding="UTF-8")
    (tmp_path / "a.prj").unlink()
    layer = vector("polygon", {"name": "text"})
    with pytest.raises(CrsRefused, match="states no coordinate reference system; name one with `crs"):
        read(tmp_path / "a.shp", layer)
    assert read(tmp_path / "a.shp", layer, crs="EPSG:4490").summary.crs == "EPSG:4490"


def test_stated_crs_beats_the_assumed_and_override_beats_both(tmp_path: Path) -> None:
    point = gpd.GeoDataFrame(geometry=[shapely.Point(12956620.249, 4852509.522)], crs="EPSG:3857")
    point.to_file(tmp_path / "a.gpkg")
    where = read(tmp_path / "a.gpkg", vector(), crs="EPSG:4326").rows[0]["geom"]
    assert (where.x, where.y) == pytest.approx((116.3913, 39.9075), abs=1e-7)
    wrong = gpd.GeoDataFrame(geometry=[shapely.Point(12956620.249, 4852509.522)], crs="EPSG:4527")
    wrong.to_file(tmp_path / "b.gpkg")
    where = read(tmp_path / "b.gpkg", vector(), override_crs="EPSG:3857").rows[0]["geom"]
    assert (where.x, where.y) == pytest.approx((116.3913, 39.9075), abs=1e-7)


def test_heights_are_kept_as_a_field_and_dropped_from_the_geometry(tmp_path: Path) -> None:
    places = [shapely.Point(100, 30, 12.5), shapely.Point(101, 31, -3)]
    gpd.GeoDataFrame(geometry=places, crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector("point", {"depth": "number"}), fields={"$z": "depth"})
    assert [r["depth"] for r in found.rows] == [12.5, -3]
    assert not any(r["geom"].has_z for r in found.rows)
    assert "flattened" in found.rules()


def test_several_layers_need_a_name(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.gpkg", layer="one")
    frame().to_file(tmp_path / "a.gpkg", layer="two")
    layer = vector("polygon", ATTRIBUTES)
    with pytest.raises(SourceMismatch, match="one, two"):
        read(tmp_path / "a.gpkg", layer)
    with pytest.raises(SourceMismatch, match="no layer 'three'"):
        read(tmp_path / "a.gpkg", layer, sublayer="three")
    expect(read(tmp_path / "a.gpkg", layer, sublayer="two").rows, frame())


def test_wrong_geometry_for_all_rows(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.gpkg")
    with pytest.raises(SourceMismatch, match=r"Polygon.*stores point"):
        read(tmp_path / "a.gpkg", vector("point"))


def test_wrong_geometry_for_one_row_is_a_bad_row(tmp_path: Path) -> None:
    shapes = [shapely.box(0, 0, 1, 1), shapely.Point(3, 4), shapely.MultiPolygon([shapely.box(5, 5, 6, 6)])]
    frame("EPSG:4326", shapes).to_file(tmp_path / "a.geojson", driver="GeoJSON")
    found = read(tmp_path / "a.geojson", vector("polygon", {"name": "text"}))
    assert [r["_position"] for r in found.good] == [0, 2]
    (bad,) = found.bad
    assert "Point, where a polygon was expected" in bad["_reason"]
    raw = json.loads(bad["_raw"])
    assert (raw["name"], raw["geometry"]) == ("北京市", "POINT (3 4)")


def test_unknown_field_names_those_that_exist(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.gpkg")
    with pytest.raises(SourceMismatch, match=r"no field 'TITEL'.*it has name, amount, count, day"):
        read(tmp_path / "a.gpkg", vector("polygon", {"name": "text"}), fields={"TITEL": "name"})


def test_repair_keeps_area_and_counts(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    spike = shapely.Polygon([(5, 5), (6, 5), (5, 5)])
    gpd.GeoDataFrame(geometry=[bow, spike, shapely.box(8, 8, 9, 9)], crs="EPSG:4326").to_file(
        tmp_path / "a.geojson", driver="GeoJSON"
    )
    found = read(tmp_path / "a.geojson", vector("polygon"))
    assert found.summary.repaired == 1
    assert found.good[0]["geom"].is_valid
    assert found.good[0]["geom"].area == pytest.approx(0.5)
    assert "collapses to nothing" in found.bad[0]["_reason"]
    assert found.rules() >= {"repaired"}


def test_coordinates_outside_the_world_and_beyond_180(tmp_path: Path) -> None:
    places = [shapely.Point(190, 10), shapely.Point(10, 95), shapely.Point(-180.0000001, 5), shapely.Point(400, 5)]
    gpd.GeoDataFrame(geometry=places, crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector())
    assert [r["geom"].wkt for r in found.good] == ["POINT (-170 10)", "POINT (-180 5)"]
    assert all("outside the world" in r["_reason"] for r in found.bad)
    assert "longitude" in found.rules()


def test_what_straddles_180_is_cut_there(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.box(175, 0, 190, 10)], crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    shape = read(tmp_path / "a.gpkg", vector("polygon")).rows[0]["geom"]
    expected = shapely.union(shapely.box(175, 0, 180, 10), shapely.box(-180, 0, -170, 10))
    assert shape.symmetric_difference(expected).area == pytest.approx(0)


def test_vertex_budget(tmp_path: Path) -> None:
    ring = shapely.Point(0, 0).buffer(1, quad_segs=300)
    gpd.GeoDataFrame(geometry=[ring, shapely.box(0, 0, 1, 1)], crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector("polygon"), ReadLimits(vertices=1000))
    assert (found.summary.good, found.summary.bad) == (1, 1)
    assert "vertices, more than the 1000" in found.bad[0]["_reason"]


def test_null_and_empty_geometries(tmp_path: Path) -> None:
    places = [shapely.Point(1, 2), None, shapely.Point()]
    gpd.GeoDataFrame(geometry=places, crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    needed = read(tmp_path / "a.gpkg", vector())
    assert (needed.summary.good, needed.summary.bad) == (1, 2)
    free = read(tmp_path / "a.gpkg", vector(geometry_required=False))
    assert (free.summary.good, [r["geom"] for r in free.rows[1:]]) == (3, [None, None])


@pytest.mark.parametrize("content", ["", "{", '{"type":"FeatureCollection"', "null", "[1,2]", '{"a":1}', "\x00\x01"])
def test_what_is_no_geojson(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.geojson").write_text(content)
    with pytest.raises(SourceUnreadable):
        read(tmp_path / "a.geojson", vector())


def test_truncated_files(tmp_path: Path) -> None:
    shapes = shapely.box(np.arange(2000) * 0.01, 0, np.arange(2000) * 0.01 + 0.01, 1)
    whole = gpd.GeoDataFrame({"n": range(2000)}, geometry=shapes, crs="EPSG:4326")
    for name, driver in (("a.gpkg", "GPKG"), ("a.geojson", "GeoJSON"), ("a.gml", "GML")):
        whole.to_file(tmp_path / name, driver=driver)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
        with pytest.raises(SourceUnreadable):
            read(tmp_path / name, vector("polygon", {"n": "integer"}))


def test_extension_that_lies(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.gpkg")
    (tmp_path / "a.geojson").write_bytes((tmp_path / "a.gpkg").read_bytes())
    with pytest.raises(SourceUnreadable, match="should be GeoJSON by its extension, but it is a GeoPackage"):
        read(tmp_path / "a.geojson", vector("polygon"))
    (tmp_path / "a.xyz").write_text("x")
    with pytest.raises(SourceUnreadable, match="unknown extension"):
        read(tmp_path / "a.xyz", vector("polygon"))


@pytest.mark.parametrize(
    "text", ['{"width": 2, "values": [1, 2]}', '{"name": "usgs", "resources": [{"type": "date"}]}']
)
def test_json_that_is_no_geojson_is_called_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceUnreadable, match=r"^a\.json is JSON, but no GeoJSON: an object of the type Feature"):
        read(tmp_path / "a.json", vector())


@pytest.mark.parametrize(
    ("name", "whole"),
    [("dem.tif.aux.xml", "a raster; load dem.tif"), ("A.DBF", "a Shapefile; load A.shp"), ("b.mid", "load b.mif")],
)
def test_a_lone_side_file_names_the_file_it_belongs_to(tmp_path: Path, name: str, whole: str) -> None:
    (tmp_path / name).write_bytes(b"\x03<PAMDataset/>")
    with pytest.raises(SourceUnreadable, match=whole):
        read(tmp_path / name, vector())


def test_deep_and_wild_geojson(tmp_path: Path) -> None:
    deep = '{"type":"GeometryCollection","geometries":[' * 3000 + "]}" * 3000
    (tmp_path / "deep.geojson").write_text(f'{{"type":"Feature","properties":{{}},"geometry":{deep}}}')
    with pytest.raises((SourceUnreadable, SourceMismatch)):
        read(tmp_path / "deep.geojson", vector("polygon"))
    feature = '{"type":"Feature","properties":{"n":%s},"geometry":{"type":"Point","coordinates":[%s,1]}}'
    layer = vector("point", {"n": "number"})
    for value in ((1, "1e400"), ("1e400", "6")):
        text = f'{{"type":"FeatureCollection","features":[{feature % value}]}}'
        (tmp_path / "wild.geojson").write_text(text)
        with pytest.raises(SourceUnreadable):
            read(tmp_path / "wild.geojson", layer)
    (tmp_path / "nan.geojson").write_text(f'{{"type":"FeatureCollection","features":[{feature % (1, "NaN")}]}}')
    assert read(tmp_path / "nan.geojson", layer).summary.bad == 1


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    with np.errstate(invalid="ignore"):
        places = shapely.linestrings([[[0, 0], [1, 1]], [[0, 0], [np.inf, 1]], [[2, 2], [3, np.nan]], [[4, 4], [5, 5]]])
    lines = gpd.GeoDataFrame({"n": [1.0, 2.0, 3.0, np.inf]}, geometry=places, crs="EPSG:4326")
    lines.to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector("line", {"n": "number"}))
    assert [r["n"] for r in found.good] == [1]
    assert ["not finite" in r["_reason"] for r in found.bad] == [True, True, False]
    assert "'inf', where a number was expected" in found.bad[2]["_reason"]


@pytest.mark.parametrize("suffix", ["kml", "gml"])
def test_entities_are_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "secret.txt").write_text("planted-secret")
    root = {
        "kml": '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>&x;</name></Placemark>'
        "</Document></kml>",
        "gml": '<a:FeatureCollection xmlns:a="http://ogr.maptools.org/">&x;</a:FeatureCollection>',
    }
    file = tmp_path / f"a.{suffix}"
    file.write_text(
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY x SYSTEM "file://{tmp_path}/secret.txt">]>{root[suffix]}'
    )
    with pytest.raises(SourceUnreadable, match="document type"):
        read(file, vector(attributes={"name": "text"}))


def test_zipped_shapefiles_need_a_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for stem in ("one", "two"):
            frame().to_file(tmp_path / f"{stem}.shp", encoding="UTF-8")
            for part in tmp_path.glob(f"{stem}.*"):
                if part.suffix != ".zip":
                    archive.write(part, part.name)
    layer = vector("polygon", ATTRIBUTES)
    with pytest.raises(SourceMismatch, match=r"one\.shp, two\.shp"):
        read(tmp_path / "two.zip", layer)
    expect(read(tmp_path / "two.zip", layer, sublayer="two").rows, frame())


def test_million_rows_in_bounded_batches(tmp_path: Path) -> None:
    """A size that shows the streaming: 100,000 parcels, each batch at most what was asked for."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(400) * 1e-3, np.arange(250) * 1e-3))
    parcels = gpd.GeoDataFrame({"n": np.arange(100_000)}, geometry=shapely.box(x, y, x + 1e-3, y + 1e-3), crs=4490)
    parcels.to_file(tmp_path / "a.gpkg")
    found = read(tmp_path / "a.gpkg", vector("polygon", {"n": "integer"}), ReadLimits(memory=1 << 30))
    assert found.summary.good == 100_000
    assert found.table.column("n").to_pylist() == list(range(100_000))
    assert max(c.num_chunks for c in [found.table.column("n")]) >= 5


def test_a_geopackage_that_lost_its_end(tmp_path: Path) -> None:
    file = tmp_path / "a.gpkg"
    pyogrio.write_dataframe(frame(), file, driver="GPKG")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceUnreadable, match=r"^a\.gpkg is damaged or cut short: .* send the whole file\.$"):
        read(file, vector("polygon", ATTRIBUTES))
