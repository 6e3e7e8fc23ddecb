"""Statistics of the sample county over HTTP: against its maker's truth, geopandas, pyproj, pandas and exactextract."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import openpyxl
import pyproj
import pytest
import rasterio
import shapely
from exactextract import exact_extract

from geoservice.db.engine import Database
from geoservice.statistics.bins import nice_edges
from geoservice.statistics.keeper import KEPT_FROM
from geoservice.statistics.shelf import FigureShelf
from layers.access import Clearance
from tests.support.county import LoadedCounty, WrittenCounty, county_catalog, serving_county

NAMES = ("division", "landuse_patch", "road", "building", "populated_place", "population", "land_cover")
CATALOG = county_catalog(NAMES)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)


@dataclass(frozen=True)
class County(LoadedCounty):
    """The loaded county, asked for statistics."""

    def get(self, layer: str, **asked: str) -> Any:
        query = urlencode({name.replace("_", "-"): value for name, value in asked.items()})
        return self.service.get(f"/collections/{layer}/statistics?{query}", Clearance.RESTRICTED)

    def ask(self, layer: str, **asked: str) -> Any:
        response = self.get(layer, **asked)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="module")
def loaded(module_database: Database, small_county: WrittenCounty) -> Iterator[County]:
    with serving_county(module_database, small_county, CATALOG) as service:
        yield County(small_county.folder, small_county.truth, service)


@pytest.fixture(scope="module", params=["placed", "kept"])
def county(loaded: County, request: pytest.FixtureRequest) -> County:
    """The county, its rows put into divisions for each question, or once for all questions."""
    house = loaded.service.client.app.state.house  # type: ignore[attr-defined]
    house.placements.kept_from = 0 if request.param == "kept" else KEPT_FROM
    house.figures = FigureShelf()
    return loaded


def by_key(answer: Any, measure: str) -> dict[str, Any]:
    return {group["keys"][0]: group["values"][measure] for group in answer["groups"]}


def areas(geometries: Any) -> Any:
    dense = shapely.segmentize(shapely.orient_polygons(np.asarray(geometries)), 0.001)
    return np.array([GEOD.geometry_area_perimeter(g)[0] for g in dense])


def lengths(geometries: Any) -> Any:
    return np.array([GEOD.geometry_length(g) for g in shapely.segmentize(np.asarray(geometries), 0.001)])


def test_land_by_class_is_what_its_maker_knows(county: County) -> None:
    found = county.ask("landuse_patch", group_by="class_code", measures="area,count,share", limit="1000")
    assert by_key(found, "area") == pytest.approx(county.truth.area_by_class, rel=1e-6)
    assert by_key(found, "count") == county.truth.patches_by_class
    assert found["total"]["area"] == pytest.approx(county.truth.area, rel=1e-6)
    assert sum(by_key(found, "share").values()) == pytest.approx(1)
    ranked = [group["values"]["area"] for group in found["groups"]]
    assert ranked == sorted(ranked, reverse=True)
    assert found["groups"][0]["labels"][0]["zh"] != found["groups"][0]["keys"][0]
    assert [m["unit"] for m in found["measures"]] == ["m2", None, "1"]
    assert found["edition"]["number"] >= 1


def test_what_is_left_is_told_together(county: County) -> None:
    whole = county.ask("landuse_patch", group_by="class_code", measures="area,count,mean:area,max:area", limit="1000")
    short = county.ask("landuse_patch", group_by="class_code", measures="area,count,mean:area,max:area", limit="2")
    assert short["numberOfGroups"] == whole["numberOfGroups"] == len(county.truth.patches_by_class)
    assert short["groups"] == whole["groups"][:2]
    assert short["total"] == whole["total"]
    left = [group["values"] for group in whole["groups"][2:]]
    assert short["rest"]["groups"] == len(left)
    assert short["rest"]["values"]["count"] == sum(one["count"] for one in left)
    assert short["rest"]["values"]["area"] == pytest.approx(sum(one["area"] for one in left))
    assert short["rest"]["values"]["max:area"] == max(one["max:area"] for one in left)
    weighted = sum(one["mean:area"] * one["count"] for one in left) / sum(one["count"] for one in left)
    assert short["rest"]["values"]["mean:area"] == pytest.approx(weighted)
    assert whole["rest"] is None


def test_areas_are_cut_at_the_borders_of_townships(county: County) -> None:
    found = county.ask("landuse_patch", group_by="division", level="township", measures="area")
    townships, patches = county.townships(), county.frame("landuse_patch")
    expected = {
        code: float(areas(shapely.intersection(patches.geometry.values, shape)).sum())
        for code, shape in zip(townships.adcode, townships.geometry, strict=True)
    }
    assert by_key(found, "area") == pytest.approx(expected, rel=1e-6)
    outside = found["outside"]["area"] if found["outside"] else 0
    assert sum(by_key(found, "area").values()) + outside == pytest.approx(found["total"]["area"], rel=1e-9)
    names = {group["keys"][0]: group["labels"][0]["zh"] for group in found["groups"]}
    assert names == county.truth.township_names
    assert {group["parent"] for group in found["groups"]} == {county.truth.adcode}


def test_roads_are_cut_and_buildings_counted_where_they_lie(county: County) -> None:
    townships = county.townships()
    roads, buildings = county.frame("road"), county.frame("building")
    found = county.ask("road", group_by="division,class", level="township", measures="length", limit="10000")
    expected: dict[tuple[str, str], float] = {}
    for code, shape in zip(townships.adcode, townships.geometry, strict=True):
        cut = lengths(shapely.intersection(roads.geometry.values, shape))
        for name, part in zip(roads["class"], cut, strict=True):
            if part > 1e-3:
                expected[code, name] = expected.get((code, name), 0) + part
    got = {tuple(group["keys"]): group["values"]["length"] for group in found["groups"]}
    assert {k: v for k, v in got.items() if v > 1e-3} == pytest.approx(expected, rel=1e-6, abs=0.01)
    counted = county.ask("building", group_by="division", level="township", measures="count,mean:floors,missing:height")
    points = gpd.GeoDataFrame(buildings, geometry=buildings.geometry.representative_point())
    joined = points.sjoin(townships[["adcode", "geometry"]], predicate="intersects", how="inner")
    assert by_key(counted, "count") == joined.groupby("adcode").size().to_dict()
    assert by_key(counted, "mean:floors") == pytest.approx(joined.groupby("adcode").floors.mean().to_dict())
    missing = joined.height.isna().groupby(joined.adcode).sum().to_dict()
    assert by_key(counted, "missing:height") == missing


def test_a_division_has_its_own_classes(county: County) -> None:
    township = county.townships().iloc[0]
    found = county.ask("landuse_patch", group_by="class_code", within=township.adcode, measures="area", limit="1000")
    patches = county.frame("landuse_patch")
    patches["part"] = areas(shapely.intersection(patches.geometry.values, township.geometry))
    expected = patches.groupby("class_code").part.sum()
    assert by_key(found, "area") == pytest.approx(expected[expected > 1e-3].to_dict(), rel=1e-6, abs=1)
    assert found["within"] == township.adcode
    assert found["outside"] is None


def test_a_filter_and_a_box_choose_what_the_items_show(county: County) -> None:
    west, south, east, north = county.truth.bounds
    box = f"{west},{south},{(west + east) / 2},{(south + north) / 2}"
    chosen = "slope_class >= 3"
    found = county.ask("landuse_patch", group_by="ownership", filter=chosen, bbox=box)
    query = urlencode({"filter": chosen, "bbox": box, "limit": "10000", "skipGeometry": "true"})
    page = county.service.get(f"/collections/landuse_patch/items?{query}", Clearance.RESTRICTED).json()
    counts: dict[Any, int] = {}
    for feature in page["features"]:
        key = feature["properties"]["ownership"]
        counts[key] = counts.get(key, 0) + 1
    assert by_key(found, "count") == counts
    assert found["total"]["count"] == page["numberMatched"] > 0


def test_histogram_counts_each_value_once(county: County) -> None:
    found = county.ask("building", bins="height:12")["histogram"]
    heights = county.frame("building").height
    edges = np.array(found["edges"])
    counts, _ = np.histogram(heights.dropna(), [*edges[:-1], edges[-1]])
    assert found["counts"] == counts.tolist()
    assert found["missing"] == int(heights.isna().sum())
    assert len(set(np.round(np.diff(edges), 9).tolist())) == 1
    assert (found["unit"], len(edges) - 1 <= 14) == ("m", True)


@pytest.mark.parametrize(
    ("low", "high", "bins", "whole", "edges"),
    [
        (0, 10, 5, False, [0, 2, 4, 6, 8, 10, 12]),
        (0.3, 0.9, 6, False, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (1, 5, 20, True, [1, 2, 3, 4, 5, 6]),
        (7, 7, 10, True, [7, 8]),
        (0, 0, 2, False, [0, 0.5]),
        (-250, 1200, 4, False, [-500, 0, 500, 1000, 1500]),
    ],
)
def test_edges_are_round(low: float, high: float, bins: int, whole: bool, edges: list[float]) -> None:
    assert nice_edges(low, high, bins, whole=whole) == edges


def test_people_of_townships_are_sums_of_cells(county: County) -> None:
    found = county.ask("population", group_by="division", level="township", measures="sum:people,mean:people,area")
    townships = county.townships()
    with rasterio.open(next(county.folder.glob("sample_population.*"))) as raster:
        shapes = townships.to_crs(raster.crs)
        expected = exact_extract(raster, shapes, ["sum", "mean"], output="pandas")
    codes = townships.adcode.tolist()
    assert by_key(found, "sum:people") == pytest.approx(dict(zip(codes, expected["sum"], strict=True)), rel=1e-6)
    assert by_key(found, "mean:people") == pytest.approx(dict(zip(codes, expected["mean"], strict=True)), rel=1e-6)
    assert found["total"]["sum:people"] == pytest.approx(county.truth.population, rel=0.01)


def test_land_cover_is_told_by_class(county: County) -> None:
    found = county.ask("land_cover", group_by="class", within=county.truth.adcode, measures="area,share")
    with rasterio.open(next(county.folder.glob("sample_land_cover.*"))) as raster:
        frame = county.frame("division")
        shape = frame[frame.level == "county"].to_crs(raster.crs)
        expected = exact_extract(raster, shape, ["unique", "frac"], output="pandas").iloc[0]
    shares = {str(int(code)): share for code, share in zip(expected["unique"], expected["frac"], strict=True)}
    assert by_key(found, "share") == pytest.approx(shares, abs=2e-4)
    assert found["total"]["area"] == pytest.approx(county.truth.area, rel=0.01)


def test_files_say_the_same(county: County) -> None:
    asked = {"group_by": "class_code", "measures": "area,count", "limit": "3"}
    body = county.ask("landuse_patch", **asked)
    rows = list(csv.DictReader(io.StringIO(county.get("landuse_patch", f="csv", **asked).text)))
    assert [row["row"] for row in rows] == ["group"] * 3 + ["rest", "total"]
    assert [float(row["area"]) for row in rows[:3]] == [group["values"]["area"] for group in body["groups"]]
    assert rows[0]["class_code_zh"] == body["groups"][0]["labels"][0]["zh"]
    book = openpyxl.load_workbook(io.BytesIO(county.get("landuse_patch", f="xlsx", **asked).content))
    assert [cell.value for cell in book["statistics"][2]][-1] == body["groups"][0]["values"]["count"]
    assert any("authority" in str(row[0].value) for row in book["about"])


def test_an_unchanged_answer_is_not_sent_again(county: County) -> None:
    first = county.get("road", group_by="class", measures="length")
    again = county.service.get(
        "/collections/road/statistics?group-by=class&measures=length",
        Clearance.RESTRICTED,
        **{"If-None-Match": first.headers["ETag"]},
    )
    assert again.status_code == 304
    assert first.headers["Geoservice-Edition"] == str(first.json()["edition"]["number"])


@pytest.mark.parametrize(
    ("layer", "asked", "word"),
    [
        ("landuse_patch", {"group_by": "nothing"}, "class_code"),
        ("landuse_patch", {"group_by": "area"}, "bins=area"),
        ("landuse_patch", {"group_by": "class_code,ownership,slope_class"}, "up to 2"),
        ("landuse_patch", {"measures": "median:area"}, "mean:"),
        ("landuse_patch", {"measures": "sum"}, "sum:"),
        ("landuse_patch", {"measures": "count:area"}, "count"),
        ("landuse_patch", {"measures": "sum:class_code"}, "slope_class"),
        ("landuse_patch", {"measures": "length"}, "polygon"),
        ("road", {"measures": "area"}, "line"),
        ("landuse_patch", {"bins": "class_code"}, "slope_class"),
        ("landuse_patch", {"bins": "area:0"}, "1 to 100"),
        ("landuse_patch", {"bins": "area:x"}, "1 to 100"),
        ("landuse_patch", {"group_by": "division", "level": "hamlet"}, "township"),
        ("landuse_patch", {"level": "county"}, "division"),
        ("landuse_patch", {"within": "99"}, "within"),
        ("landuse_patch", {"within": "99010x"}, "digits"),
        ("landuse_patch", {"period": "week"}, "month"),
        ("landuse_patch", {"period": "month"}, "date"),
        ("landuse_patch", {"order": "up"}, "key"),
        ("landuse_patch", {"limit": "0"}, "limit"),
        ("landuse_patch", {"filter": "nothing = 1"}, "nothing"),
        ("population", {"measures": "sum:people"}, "division"),
        ("population", {"group_by": "class"}, "division"),
        ("population", {"group_by": "division", "filter": "a = 1"}, "filter"),
        ("land_cover", {"group_by": "division", "measures": "sum:class"}, "area"),
    ],
)
def test_what_cannot_be_told_is_refused_in_words(county: County, layer: str, asked: dict[str, str], word: str) -> None:
    response = county.get(layer, **asked)
    assert response.status_code == 400, response.text
    assert word in response.json()["detail"]
