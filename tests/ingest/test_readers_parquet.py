"""GeoParquet: written by geopandas in each version and encoding, and by pyarrow where it should be wrong."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from ingest.job import ReadLimits
from layers.errors import CrsRefused, SourceUnreadable
from tests.ingest.reading import read, read_here, table, vector

SHAPES: dict[str, list[Any]] = {
    "point": [shapely.Point(1, 2), None, shapely.Point(3, 4)],
    "linestring": [shapely.LineString([(0, 0), (1, 1), (2, 0)]), None, shapely.LineString([(5, 5), (6, 6)])],
    "polygon": [shapely.box(0, 0, 9, 9).difference(shapely.box(2, 2, 3, 3)), None, shapely.box(20, 20, 21, 21)],
    "multipoint": [shapely.MultiPoint([(1, 2), (3, 4)]), None, shapely.MultiPoint([(5, 6)])],
    "multilinestring": [shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3), (4, 2)]]), None, None],
    "multipolygon": [
        shapely.MultiPolygon([shapely.box(0, 0, 9, 9) - shapely.box(2, 2, 3, 3), shapely.box(20, 0, 21, 1)]),
        None,
        shapely.MultiPolygon([shapely.box(40, 0, 41, 1)]),
    ],
}
FAMILY = {"point": "point", "linestring": "line", "polygon": "polygon"}


def frame(kind: str = "point", crs: Any = "EPSG:4326") -> gpd.GeoDataFrame:
    """Three rows, the middle one without a geometry."""
    return gpd.GeoDataFrame({"name": ["东", None, "c"]}, geometry=SHAPES[kind], crs=crs)


def layer(kind: str = "point", **attributes: str) -> Any:
    family = FAMILY[kind.removeprefix("multi")]
    return vector(family, {"name": "text", **attributes}, geometry_required=False)


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
def test_encodings(tmp_path: Path, kind: str, encoding: str) -> None:
    written = frame(kind)
    written.to_parquet(tmp_path / "a.parquet", geometry_encoding=encoding, write_covering_bbox=True)
    found = read_here(tmp_path / "a.parquet", layer(kind))
    assert [r["name"] for r in found.good] == ["东", None, "c"]
    for row, shape in zip(found.good, SHAPES[kind], strict=True):
        assert row["geom"] == shape if shape is None else shapely.equals_exact(row["geom"], shape)
    assert found.summary.facts["geometry_encoding"] == ("wkb" if encoding == "WKB" else kind)
    assert found.summary.unmapped_fields == (), "the bounding boxes are no field"


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_versions_in_the_child(tmp_path: Path, version: str) -> None:
    frame(crs="EPSG:4527").set_geometry(
        [shapely.Point(39447950.515, 4419435.790), None, shapely.Point(39447951, 4419435)], crs="EPSG:4527"
    ).to_parquet(tmp_path / "a.geoparquet", schema_version=version)
    found = read(tmp_path / "a.geoparquet", layer())
    assert found.summary.crs == "EPSG:4527"
    where = found.good[0]["geom"]
    assert (where.x, where.y) == pytest.approx((116.3913, 39.9075), abs=1e-8)


def test_types_of_columns(tmp_path: Path) -> None:
    columns = {
        "word": pa.array(["a", "b", "a"]).dictionary_encode(),
        "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(9, 2)),
        "day": pa.array([dt.date(2026, 1, 1), None, dt.date(1999, 1, 1)]),
        "moment": pa.array([dt.datetime(2026, 1, 1, 12), None, None], pa.timestamp("ns", tz="Asia/Shanghai")),
        "tags": pa.array([["x", "y"], None, []], pa.list_(pa.string())),
        "big": pa.array(["x", "y", "z"], pa.large_string()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    kinds = {"word": "text", "price": "number", "day": "date", "moment": "datetime", "tags": "text", "big": "text"}
    rows = read_here(tmp_path / "a.parquet", table(kinds)).good
    assert [r["word"] for r in rows] == ["a", "b", "a"]
    assert [r["price"] for r in rows] == [1.5, None, -2.25]
    assert [r["day"] for r in rows] == columns["day"].to_pylist()
    assert rows[0]["moment"].astimezone(dt.UTC) == dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    assert [r["tags"] for r in rows] == ['["x", "y"]', None, "[]"]


def test_points_from_columns_of_plain_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"lon": [104.25, 1.0], "lat": [30.5, None]}), tmp_path / "a.parquet")
    found = read_here(tmp_path / "a.parquet", vector(), point={"x": "lon", "y": "lat"}, crs="EPSG:4490")
    assert [r["geom"].wkt for r in found.good] == ["POINT (104.25 30.5)"]
    assert found.summary.bad == 1


def test_crs_missing_null_or_odd(tmp_path: Path) -> None:
    def written(**column: Any) -> Path:
        geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB", **column}}}
        plain = pa.table({"g": pa.array([shapely.to_wkb(shapely.Point(1, 2))], pa.binary())})
        pq.write_table(plain.replace_schema_metadata({"geo": json.dumps(geo)}), tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    assert read_here(written(), vector()).good[0]["geom"].wkt == "POINT (1 2)"
    with pytest.raises(CrsRefused, match="states no coordinate reference system"):
        read_here(written(crs=None), vector())
    assert len(read_here(written(crs=None), vector(), crs="EPSG:4490").good) == 1
    with pytest.raises(CrsRefused, match="cannot be understood"):
        read_here(written(crs={"type": "nonsense"}), vector())
    assert "spherical-edges" in read_here(written(edges="spherical"), vector()).rules()
    with pytest.raises(SourceUnreadable, match="in encoding 'WKX'"):
        read_here(written(encoding="WKX"), vector())
    with pytest.raises(SourceUnreadable, match="not laid out as the encoding 'point' says"):
        read_here(written(encoding="point"), vector())


def test_damaged_geometries_are_bad_rows(tmp_path: Path) -> None:
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB"}}}
    values = pa.array([b"\x01\x01", shapely.to_wkb(shapely.Point(1, 2))], pa.binary())
    plain = pa.table({"g": values}).replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(plain, tmp_path / "a.parquet")
    found = read_here(tmp_path / "a.parquet", vector())
    assert (found.summary.good, found.summary.bad) == (1, 1)
    assert json.loads(found.bad[0]["_raw"])["geometry"] == "0101"


@pytest.mark.parametrize("geo", ["{", "[]", "{}", '{"version":"1.1.0","primary_column":"g","columns":{"g":3}}'])
def test_metadata_that_make_no_sense(tmp_path: Path, geo: str) -> None:
    pq.write_table(pa.table({"g": [b"x"]}).replace_schema_metadata({"geo": geo}), tmp_path / "a.parquet")
    with pytest.raises(SourceUnreadable, match="no GeoParquet metadata that make sense"):
        read_here(tmp_path / "a.parquet", vector())


def test_row_groups_beyond_the_memory(tmp_path: Path) -> None:
    numbers = pa.table({"name": np.random.default_rng(1).integers(0, 1 << 60, 200_000).astype(str)})
    pq.write_table(numbers, tmp_path / "big.parquet", use_dictionary=False)
    with pytest.raises(SourceUnreadable, match="row group of 4 MiB, more than the 2 MiB"):
        read_here(tmp_path / "big.parquet", table({"name": "text"}), ReadLimits(memory=8 << 20))
    pq.write_table(numbers, tmp_path / "small.parquet", use_dictionary=False, row_group_size=20_000)
    assert (
        read_here(tmp_path / "small.parquet", table({"name": "text"}), ReadLimits(memory=8 << 20)).summary.good
        == 200_000
    )


def test_truncated(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:-20])
    with pytest.raises(SourceUnreadable, match="no readable Parquet file"):
        read_here(tmp_path / "a.parquet", layer())
