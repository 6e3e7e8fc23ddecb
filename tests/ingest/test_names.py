"""Field names in another case, and names that the table of a Shapefile cut: files as GDAL writes them, and by hand."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.names import match
from ingest.notes import Notes
from layers.errors import SourceMismatch
from tests.ingest.reading import Result, read, read_here, table, vector


def written(file: Path, columns: dict[str, list[Any]], encoding: str = "UTF-8") -> Path:
    """A Shapefile of one point with these columns."""
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.Point(1, 2)], crs="EPSG:4490")
    with warnings.catch_warnings():
        # Both libraries warn that they cut names, which is the point.
        warnings.simplefilter("ignore")
        frame.to_file(file, encoding=encoding)
    return file


def renamed(file: Path, old: bytes, new: bytes) -> Path:
    """The Shapefile with the name of a field replaced, byte by byte."""
    dbf = file.with_suffix(".dbf")
    data = bytearray(dbf.read_bytes())
    at = data.index(old.ljust(11, b"\0"), 32)
    data[at : at + 11] = new.ljust(11, b"\0")
    dbf.write_bytes(data)
    return file


def messages(found: Result, rule: str) -> list[str]:
    return [f.message for f in found.summary.findings if f.rule == rule]


def test_cut_names_of_attributes_and_of_the_mapping(tmp_path: Path) -> None:
    file = written(tmp_path / "a.shp", {"registered_owner": ["x"], "construction_year": [1999], "name": ["n"]})
    layer = vector("point", {"registered_owner": "text", "built": "integer", "name": "text"})
    found = read(file, layer, fields={"construction_year": "built"})
    assert [(r["registered_owner"], r["built"], r["name"]) for r in found.good] == [("x", 1999, "n")]
    said = messages(found, "truncated-name")
    assert len(said) == 2
    assert "'registered'" in said[0]
    assert "'registered_owner'" in said[0]


@pytest.mark.parametrize("encoding", ["UTF-8", "GB18030"])
def test_chinese_titles(tmp_path: Path, encoding: str) -> None:
    """Ten bytes are three Hanzi and a third in UTF-8, and five Hanzi in GB 18030."""
    file = written(tmp_path / "a.shp", {"x": ["耕地"], "n": [3]}, encoding)
    renamed(file, b"x", "土地利用现状分类".encode(encoding)[:10])
    title = {"zh": "土地利用现状分类", "en": "Land use class"}
    found = read(file, vector("point", {"use": {"type": "text", "title": title}, "n": "integer"}))
    assert [(r["use"], r["n"]) for r in found.good] == [("耕地", 3)]
    assert found.summary.unmapped_fields == ()


def test_half_a_character_kept_or_left_out(tmp_path: Path) -> None:
    title = {"zh": "A土地利用现状", "en": "Use"}
    whole = title["zh"].encode("gb18030")[:10]
    for raw in (whole, whole[:9]):
        file = renamed(written(tmp_path / "a.shp", {"x": ["耕地"], "n": [3]}, "GB18030"), b"x", raw)
        found = read(file, vector("point", {"use": {"type": "text", "title": title}, "n": "integer"}))
        assert [(r["use"], r["n"]) for r in found.good] == [("耕地", 3)]


def test_numbered_doubles(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"population": [1], "population_urban": [2]}
    file = written(tmp_path / "a.shp", columns)
    layer = vector("point", {"population": "integer", "population_urban": "integer"})
    (row,) = read(file, layer).good
    assert (row["population"], row["population_urban"]) == (1, 2)


def test_ambiguous_names_are_refused_with_their_candidates(tmp_path: Path) -> None:
    file = written(tmp_path / "a.shp", {"population_2010": [1], "population_2020": [2]})
    layer = vector("point", {"population_2010": "integer", "population_2020": "integer"})
    with pytest.raises(SourceMismatch, match=r"'population' is cut and may stand for population_2010, population_2020"):
        read(file, layer)
    fields = {"population": "population_2010", "populati_1": "population_2020"}
    (row,) = read(file, layer, fields=fields).good
    assert (row["population_2010"], row["population_2020"]) == (1, 2)


def test_nothing_is_guessed_for_what_is_filled_otherwise(tmp_path: Path) -> None:
    file = written(tmp_path / "a.shp", {"registered_owner": ["x"], "other": ["y"]})
    layer = vector("point", {"registered_owner": "text"})
    assert read(file, layer, constants={"registered_owner": "c"}).good[0]["registered_owner"] == "c"
    found = read(file, layer, fields={"other": "registered_owner"})
    assert found.good[0]["registered_owner"] == "y"
    assert found.summary.unmapped_fields == ("registered",)


def test_case_in_text_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("NAME,Lon,LAT,Kind\na,104.5,30,k\n")
    layer = vector("point", {"name": "text", "kind": "text"})
    found = read_here(tmp_path / "a.csv", layer, point={"x": "lon", "y": "lat"}, crs="EPSG:4490")
    assert [(r["name"], r["kind"], r["geom"].wkt) for r in found.good] == [("a", "k", "POINT (104.5 30)")]
    assert len(messages(found, "field-case")) == 4
    (tmp_path / "b.csv").write_text("NAME,Name\na,b\n")
    assert read_here(tmp_path / "b.csv", table({"name": "text"})).good[0]["name"] is None, "two may be meant"


@given(
    st.lists(st.text("abAB_", min_size=1, max_size=3), unique=True), st.lists(st.text("abAB_", min_size=1, max_size=3))
)
def test_matches_are_exact_but_for_case_and_never_shared(fields: list[str], wanted: list[str]) -> None:
    found = match(fields, dict.fromkeys(wanted), Notes())
    assert all(f.lower() == w.lower() and f != w for f, w in found.items())
    assert len(set(found.values())) == len(found)
    assert not set(found.values()) & set(fields)
    assert not set(found) & set(wanted)
