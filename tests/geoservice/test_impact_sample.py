"""Impact of zones in the sample county, asked over HTTP: against geopandas, exactextract and the maker's truth."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from exactextract import exact_extract

from geoservice.db.engine import Database
from geoservice.impact import outlook, raster_keeper
from layers.access import Clearance
from tests.support.county import LoadedCounty, WrittenCounty, county_catalog, serving_county

NAMES = (
    "division",
    "landuse_patch",
    "road",
    "populated_place",
    "building",
    "hospital",
    "school",
    "population",
    "control_line",
    "cap_alert",
    "hazard_source",
    "shelter",
    "bridge",
    "power_line",
    "planning_zone",
    "land_approval",
)
CATALOG = county_catalog(NAMES)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)


@dataclass(frozen=True)
class County(LoadedCounty):
    """The loaded county, asked for the impact of zones."""

    def ask(self, body: dict[str, Any], path: str = "/impact") -> Any:
        response = self.post(body, path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, body: dict[str, Any], path: str = "/impact", clearance: Clearance = Clearance.RESTRICTED) -> Any:
        headers = {"Content-Type": "application/json", "X-API-Key": self.service.keys[clearance]}
        return self.service.client.post(path, content=json.dumps(body), headers=headers)

    def zone(self) -> shapely.Geometry:
        west, south, east, north = self.truth.bounds
        middle = shapely.Point((west + east) / 2, (south + north) / 2)
        return middle.buffer((north - south) / 5, 64)


@pytest.fixture(scope="module")
def county(module_database: Database, small_county: WrittenCounty) -> Iterator[County]:
    with serving_county(module_database, small_county, CATALOG) as service:
        yield County(small_county.folder, small_county.truth, service)


def section(found: Any, layer: str) -> Any:
    return next(one for one in found["sections"] if one["layer"] == layer)


def by_code(figures: Any) -> dict[str, float]:
    return {one["code"]: one["value"] for one in figures}


def areas(geometries: Any) -> Any:
    dense = shapely.segmentize(shapely.orient_polygons(np.asarray(geometries)), 0.001)
    return np.array([GEOD.geometry_area_perimeter(g)[0] for g in dense])


def drawn(shape: shapely.Geometry) -> dict[str, Any]:
    return json.loads(shapely.to_geojson(shape))


def test_the_county_is_hit_as_its_maker_knows(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode})
    land = section(found, "landuse_patch")
    assert by_code(land["rows"]) == pytest.approx(county.truth.area_by_class, rel=1e-6)
    assert {row["code"]: row["count"] for row in land["rows"]} == county.truth.patches_by_class
    assert land["total"]["value"] == pytest.approx(county.truth.area, rel=1e-6)
    assert found["people"]["layer"] == "population"
    assert found["people"]["value"] == pytest.approx(county.truth.population, rel=0.01)
    places = section(found, "populated_place")
    assert {one["code"]: one["value"] for one in places["divisions"]} == county.truth.population_by_township


def test_townships_and_classes_add_up(county: County) -> None:
    found = county.ask({"zone": drawn(county.zone())})
    for name in ("landuse_patch", "road", "building", "populated_place", "population"):
        one = section(found, name)
        for part in ("divisions", "classes"):
            assert sum(p["value"] for p in one[part]) == pytest.approx(one["total"]["value"], rel=1e-9), (name, part)
    land = section(found, "landuse_patch")
    assert round(sum(row["mu"] for row in land["rows"]), 2) == land["total"]["mu"]
    assert round(sum(row["ha"] for row in land["divisions"]), 4) == land["total"]["ha"]
    crops = next(group for group in land["groups"] if group["code"] == "01")
    assert crops["value"] == pytest.approx(sum(r["value"] for r in land["rows"] if r["code"].startswith("01")))


def test_land_by_township_and_class_follows_geopandas(county: County) -> None:
    zone = county.zone()
    frame = gpd.overlay(county.frame("landuse_patch"), gpd.GeoDataFrame(geometry=[zone], crs="EPSG:4490"))
    towns = county.frame("division").query("level == 'township'")[["adcode", "geometry"]]
    frame = gpd.overlay(frame, towns, keep_geom_type=True)
    frame["m2"] = areas(frame.geometry)
    expected = frame.groupby(["adcode", "class_code"])["m2"].sum().to_dict()
    land = section(county.ask({"zone": drawn(zone)}), "landuse_patch")
    got = {(d["code"], row["code"]): row["value"] for d in land["divisions"] for row in d["rows"]}
    # Straight pieces of up to 1 km on the one side, of 0.1 km on the other: a few square metres on long edges.
    assert {k: v for k, v in got.items() if v > 10} == pytest.approx(
        {k: v for k, v in expected.items() if v > 10}, rel=1e-6, abs=10.0
    )


def test_roads_and_buildings_follow_geopandas(county: County) -> None:
    zone = county.zone()
    found = county.ask({"zone": drawn(zone)})
    frame = gpd.clip(county.frame("road"), zone)
    frame["m"] = [GEOD.geometry_length(g) for g in frame.geometry]
    assert by_code(section(found, "road")["rows"]) == pytest.approx(
        frame.groupby("class")["m"].sum().to_dict(), rel=1e-6
    )
    for layer in ("building", "hospital", "school"):
        frame = county.frame(layer)
        assert section(found, layer)["total"]["value"] == frame.intersects(zone).sum(), layer
    pupils = county.frame("school")
    assert section(found, "school")["capacity"]["value"] == pupils[pupils.intersects(zone)]["pupils"].sum()


def test_people_by_township_follow_exactextract(county: County) -> None:
    zone = county.zone()
    towns = county.frame("division").query("level == 'township'")
    shapes = gpd.GeoDataFrame(geometry=towns.geometry.intersection(zone), crs=towns.crs)
    shapes["adcode"] = towns["adcode"].to_numpy()
    shapes = shapes[shapely.area(shapes.geometry.to_numpy()) > 0]
    file = next(county.folder.glob("sample_population.*"))
    with rasterio.open(file) as raster:
        moved = shapes.to_crs(raster.crs) if raster.crs.to_epsg() not in (4326, 4490) else shapes
        expected = exact_extract(raster, moved, ["sum"], include_cols=["adcode"], output="pandas")
    people = section(county.ask({"zone": drawn(zone)}), "population")
    got = {one["code"]: one["value"] for one in people["divisions"]}
    wanted = dict(zip(expected["adcode"], expected["sum"], strict=True))
    assert got == pytest.approx({k: v for k, v in wanted.items() if k in got}, rel=1e-4, abs=0.05)
    assert sum(got.values()) == pytest.approx(expected["sum"].sum(), rel=1e-5)


def hazard(best: list[shapely.Geometry], **bounds: list[shapely.Geometry]) -> dict[str, Any]:
    """A hazard zone of classes, the worst first."""
    word = {"zh": "试验", "en": "test"}

    def classes(shapes: list[shapely.Geometry]) -> list[dict[str, Any]]:
        return [{"code": f"c{n}", "label": word, "rank": n, "geometry": drawn(s)} for n, s in enumerate(shapes, 1)]

    method = {"id": "test", "version": "1", "source": "none", "title": word}
    made = {"kind": "flood", "label": word, "method": method, "classes": classes(best)}
    return {**made, **{name: classes(shapes) for name, shapes in bounds.items()}}


def test_severity_and_bounds(county: County) -> None:
    zone = county.zone()
    middle = shapely.centroid(zone)
    worst, small, large = middle.buffer(0.01, 16), middle.buffer(0.02, 16), zone
    # The classes overlap as they were sent: a place belongs to its worst class.
    body = {"hazard": hazard([worst, small], low=[worst], high=[worst, large])}
    land = section(county.ask(body), "landuse_patch")
    inside = {name: county.ask({"zone": drawn(s)}) for name, s in (("w", worst), ("s", small), ("l", large))}
    w, s, large_ = (section(inside[n], "landuse_patch")["total"]["value"] for n in "wsl")
    assert [one["value"] for one in land["classes"]] == pytest.approx([w, s - w], rel=1e-7)
    assert land["total"] == pytest.approx({**land["total"], "value": s, "low": w, "high": large_}, rel=1e-7)


def test_the_same_question_has_the_same_bytes(county: County) -> None:
    body = {"zone": drawn(county.zone()), "explain": True, "at": "2026-01-01T00:00:00Z"}
    one, other = county.post(body), county.post(body)
    assert one.content == other.content
    explain = section(one.json(), "landuse_patch")["explain"]
    number = section(one.json(), "landuse_patch")["edition"]["number"]
    assert any(f"edition {number} " in told for told in explain["inputs"])


def test_layers_that_are_kept_ready_answer_any_zone_with_the_same_bytes(county: County) -> None:
    keeper = county.service.client.app.state.house.exposure  # type: ignore[attr-defined]
    middle = shapely.centroid(county.zone())
    small, large = {"zone": drawn(middle.buffer(0.004))}, {"zone": drawn(county.zone())}
    before = county.post(large).content
    keeper.kept_from = 1
    try:
        # What is made ready when a small zone is asked about must serve a large one, too.
        county.post(small)
        deadline = time.monotonic() + 60
        while not list(keeper._folder.glob("landuse_patch-*/[0-9]*-*")):
            assert time.monotonic() < deadline, "the layer was not made ready"
            time.sleep(0.05)
        assert county.post(large).content == before
        assert any(name.startswith("landuse_patch-") for name in keeper._held)
    finally:
        keeper.kept_from = 10**9


def test_a_zone_outside_all_data_is_no_data_and_not_zero(county: County) -> None:
    found = county.ask({"bbox": [-60.0, 10.0, -59.9, 10.1]})
    assert {one["status"] for one in found["sections"]} == {"no-data"}
    assert all("total" not in one for one in found["sections"])
    assert "people" not in found


def test_a_zone_beside_everything_inside_the_data_is_zero(county: County) -> None:
    schools = county.frame("school").geometry
    west, south, east, north = schools.total_bounds
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(west, east, 30), np.linspace(south, north, 30)))
    free = next(p for p in shapely.points(x, y) if shapely.dwithin(schools.to_numpy(), p, 0.002).sum() == 0)
    found = section(
        county.ask({"zone": drawn(shapely.buffer(free, 0.001)), "layers": ["school"], "ways": False}), "school"
    )
    assert (found["status"], found["total"]["value"]) == ("ok", 0.0)
    beside = county.ask({"bbox": [west - 0.02, south - 0.02, west - 0.01, south - 0.01], "layers": ["school"]})
    assert section(beside, "school")["status"] == "no-data"


def test_of_more_settlements_than_are_looked_at_the_nearest_count(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, south, east, north = county.truth.bounds
    zone = shapely.box((west + east) / 2, (south + north) / 2, east, north)
    places = county.frame("populated_place").geometry.to_numpy()
    inside = int(shapely.intersects(places, zone).sum())
    assert 0 < inside < len(places)
    whole = county.ask({"zone": drawn(zone), "layers": ["road"]})["ways"]
    assert "note" not in whole
    monkeypatch.setattr(outlook, "MOST_SPOTS", inside)
    ways = county.ask({"zone": drawn(zone), "layers": ["road"]})["ways"]
    assert f"{inside:,} nearest" in ways["note"]["en"]
    assert ways["facilities"]["settlements"] == inside
    assert {one["situation"] for one in ways["settlements"]} == {"inside"}


def test_hidden_layers_are_not_told(county: County) -> None:
    body = {"adcode": county.truth.adcode}
    public = county.post(body, clearance=Clearance.PUBLIC)
    assert "control_line" not in public.text
    refused = county.post({**body, "layers": ["control_line"]}, clearance=Clearance.PUBLIC)
    missing = county.post({**body, "layers": ["controlxline"]}, clearance=Clearance.PUBLIC)
    assert refused.status_code == missing.status_code == 404
    assert refused.text.replace("control_line", "controlxline") == missing.text


def test_two_zones_are_compared(county: County) -> None:
    zone = county.zone()
    half = shapely.intersection(zone, shapely.box(0, 0, shapely.centroid(zone).x, 90))
    found = county.ask({"first": {"zone": drawn(half)}, "second": {"zone": drawn(zone)}}, "/impact/compare")
    one = next(s for s in found["sections"] if s["layer"] == "landuse_patch")
    assert one["difference"] == pytest.approx(one["second"] - one["first"])
    assert 0 < one["first"] < one["second"]
    assert sum(row["difference"] for row in one["rows"]) == pytest.approx(one["difference"], rel=1e-6)


def test_roads_that_are_closed_cut_settlements_off(county: County) -> None:
    found = county.ask({"zone": drawn(county.zone()), "layers": ["road"]})
    ways = found["ways"]
    assert ways["status"] == "ok"
    roads = county.frame("road")
    assert 0 < ways["closed_m"] <= sum(GEOD.geometry_length(g) for g in roads.geometry)
    places = county.frame("populated_place").set_index("place_id")
    inside = {k.split("/")[1] for k in (s["id"] for s in ways["settlements"] if s["situation"] == "inside")}
    assert inside == set(places[places.intersects(county.zone())].index)


def test_roads_and_power_lines_that_are_cut_are_told_by_name(county: County) -> None:
    zone = county.zone()
    found = county.ask({"zone": drawn(zone)})
    for layer, key in (("road", "road_id"), ("power_line", "line_id")):
        frame = gpd.clip(county.frame(layer), zone)
        frame["m"] = [GEOD.geometry_length(g) for g in frame.geometry]
        frame = frame[frame["m"] > 0.001]
        one = section(found, layer)
        assert one["features_total"] == len(frame)
        wanted = frame.set_index(key)["m"].to_dict()
        got = {feature["id"]: feature["value"] for feature in one["features"]}
        assert got == pytest.approx({key: wanted[key] for key in got}, abs=0.01)
        told = list(got.values())
        assert told == sorted(told, reverse=True)
        # What is left out of the list is shorter than all that is in it.
        assert len(got) == min(len(wanted), 200)
        assert all(size <= min(told) + 0.01 for key, size in wanted.items() if key not in got)


def test_people_by_census_are_weighted_by_area_as_geopandas_does(county: County) -> None:
    zone = county.zone()
    towns = county.frame("division").query("level == 'township'").set_index("adcode")
    shares = areas(towns.geometry.intersection(zone)) / areas(towns.geometry)
    expected = dict(zip(towns.index, towns["population"] * shares, strict=True))
    found = county.ask({"zone": drawn(zone), "people": "areal", "ways": False})["people"]
    assert (found["layer"], found["method"]) == ("division", "areal")
    got = {one["code"]: one["value"] for one in found["divisions"]}
    assert got == pytest.approx({code: v for code, v in expected.items() if code in got}, rel=1e-5, abs=0.01)
    assert found["value"] == pytest.approx(sum(expected.values()), rel=1e-5)
    assert {one["method"] for one in found["others"]} == {"raster", "points"}


def test_people_by_census_of_the_whole_county_are_its_people(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode, "ways": False, "secondary": False})
    census = next(one for one in found["people"]["others"] if one["method"] == "areal")
    assert census["value"] == pytest.approx(county.truth.population, rel=1e-9)
    by_town = {one["code"]: one["value"] for one in census["divisions"]}
    assert by_town == pytest.approx(county.truth.population_by_township)


def test_what_dangerous_sites_may_reach_follows_pyproj_and_geopandas(county: County) -> None:
    sites = county.frame("hazard_source")
    # A small zone around the store that reaches farthest, so that it reaches out of the zone.
    zone = sites.loc[sites["reach"].idxmax()].geometry.buffer(0.004)
    inside = sites[sites.intersects(zone)].sort_values(["reach", "source_id"], ascending=[False, True])
    assert len(inside) > 0
    found = county.ask({"zone": drawn(zone), "ways": False})["secondary"]
    assert [(one["id"], one["reach_m"]) for one in found["sites"]] == list(
        zip(inside["source_id"], inside["reach"], strict=True)
    )
    circles = []
    for point, reach in zip(inside.geometry, inside["reach"], strict=True):
        around = np.linspace(0, 360, 720, endpoint=False)
        lon, lat, _ = GEOD.fwd(np.full(720, point.x), np.full(720, point.y), around, np.full(720, reach))
        circles.append(shapely.Polygon(zip(lon, lat, strict=True)))
    land = shapely.difference(shapely.union_all(circles), zone)
    assert found["area_m2"] == pytest.approx(areas(shapely.get_parts(land)).sum(), rel=0.01, abs=1.0)
    expected = county.frame("building").intersects(land).sum()
    assert section(found, "building")["total"]["value"] == pytest.approx(expected, abs=2)


def test_dangerous_sites_are_not_told_to_those_who_may_not_see_them(county: County) -> None:
    body = {"adcode": county.truth.adcode, "ways": False}
    assert "secondary" in county.post(body).json()
    hidden = county.post(body, clearance=Clearance.INTERNAL)
    assert "secondary" not in hidden.json()
    assert "hazard_source" not in hidden.text


def test_shelters_and_bridges_are_those_of_the_county(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode, "ways": False, "secondary": False})
    shelter = section(found, "shelter")
    assert shelter["capacity"]["value"] == county.truth.shelter_capacity
    assert shelter["total"]["value"] == county.truth.counts["shelter"]
    assert section(found, "bridge")["total"]["value"] == county.frame("road")["bridge"].sum()


def test_the_plan_and_approvals_of_the_county_are_laid_under_a_red_line(county: County) -> None:
    found = county.ask({"adcode": county.truth.adcode}, "/compliance")
    plan = next(one for one in found["sections"] if one["role"] == "planning")
    rows = {one.get("code"): one["m2"] for one in plan["rows"]}
    gap = rows.pop(None)
    assert rows == pytest.approx(county.truth.planned_area, rel=1e-6)
    towns = county.frame("division").query("level == 'township'").sort_values("adcode")
    assert gap == pytest.approx(float(areas([towns.geometry.iloc[-1]])[0]), rel=1e-5)
    verdicts = {one["id"]: one["verdict"] for one in found["rules"]}
    assert (verdicts["planning"], verdicts["approval"]) == ("conflict", "attention")
    site = county.frame("land_approval").geometry.iloc[0]
    inside = county.ask({"zone": drawn(shapely.buffer(site, -0.0002))}, "/compliance")
    told = {one["id"]: one["verdict"] for one in inside["rules"]}
    assert (told["planning"], told["approval"]) == ("clear", "clear")


def test_shelters_and_hospitals_still_reached_lie_outside_the_zone(county: County) -> None:
    # A band across most of the county: who lives beside it has to go another way.
    west, south, east, north = county.truth.bounds
    middle = (west + east) / 2
    zone = shapely.box(middle - 0.01, south, middle + 0.01, south + 0.8 * (north - south))
    ways = county.ask({"zone": drawn(zone), "layers": ["road"], "lines": True})["ways"]
    hit = [reach for one in ways["settlements"] for reach in one["reach"] if "id" in reach]
    assert hit
    for reach in hit:
        place = county.frame(reach["layer"]).set_index(f"{reach['layer']}_id").loc[reach["id"].split("/")[1]]
        assert not shapely.intersects(place.geometry, zone)
        assert GEOD.geometry_length(shapely.LineString(reach["line"])) == pytest.approx(reach["distance_m"], abs=1.0)
    assert [one["minutes"] for one in ways["evacuation"]] == [15, 30, 60]
    reached = [one["road_m"] for one in ways["evacuation"]]
    assert reached == sorted(reached)
    assert reached[0] > 0


def test_a_zone_within_one_cell_has_its_part_of_the_cell(county: County) -> None:
    with rasterio.open(next(county.folder.glob("sample_population.*"))) as raster:
        grid = raster.read(1)
        row, column = np.unravel_index(np.argmax(grid), grid.shape)
        x, y = raster.xy(row, column)
        side, most = abs(raster.transform.a), float(grid[row, column])
    zone = shapely.box(x - side / 10, y - side / 10, x + side / 10, y + side / 10)
    found = county.ask({"zone": drawn(zone), "layers": ["population"], "ways": False})
    # A fifth of the cell in each direction.
    assert found["people"]["value"] == pytest.approx(most / 25, rel=1e-4)


def test_the_order_of_layers_changes_no_byte(county: County) -> None:
    body = {"zone": drawn(county.zone()), "ways": False, "explain": True}
    layers = ["school", "road", "landuse_patch", "population", "hazard_source", "division"]
    one = county.post({**body, "layers": layers})
    assert one.status_code == 200
    assert county.post({**body, "layers": layers[::-1]}).content == one.content


def test_two_times_are_compared_and_the_comparison_repeats(county: County) -> None:
    now = dt.datetime.now(dt.UTC)
    then = (now - dt.timedelta(days=30)).isoformat()
    zone = {"bbox": list(county.truth.bounds), "layers": ["landuse_patch", "school"]}
    pair = {"first": {**zone, "as_of": then}, "second": {**zone, "as_of": now.isoformat()}}
    found = county.ask(pair, "/impact/compare")
    for one in found["sections"]:
        # Nothing was loaded then: that is not zero, and nothing can be taken from it.
        assert one["first"] is None
        assert one["difference"] is None
        assert one["second"] > 0
    assert county.post(pair, "/impact/compare").content == county.post(pair, "/impact/compare").content
    same = county.ask({"first": pair["second"], "second": zone}, "/impact/compare")
    assert [one["difference"] for one in same["sections"]] == [0.0, 0.0]


def test_a_zone_across_the_antimeridian_is_answered(county: County) -> None:
    found = county.ask({"bbox": [179.5, 38.0, -179.5, 38.5]})
    assert {one["status"] for one in found["sections"]} == {"no-data"}
    flat = shapely.segmentize(shapely.box(0, 38.0, 1.0, 38.5), 0.001)
    assert found["zone"]["area_m2"] == pytest.approx(abs(GEOD.geometry_area_perimeter(flat)[0]), rel=1e-6)


def test_every_need_is_people_times_a_ratio_with_its_source(county: County) -> None:
    zone = county.zone()
    worst = shapely.centroid(zone).buffer(0.02)
    body = {"hazard": hazard([zone], low=[worst], high=[zone]), "explain": True, "ways": False}
    found = county.ask(body)
    people = found["people"]
    assert {one["id"] for one in found["needs"]} >= {"water", "food", "tents", "beds", "bedding"}
    for one in found["needs"]:
        assert one["value"] == pytest.approx(people["value"] * one["ratio"], abs=0.06)
        assert one["low"] == pytest.approx(people["low"] * one["ratio_low"], abs=0.06)
        assert one["high"] == pytest.approx(people["high"] * one["ratio_high"], abs=0.06)
        assert one["source"].startswith("Sphere Handbook 2018")
        assert "people ×" in one["explain"]["formula"]
    assert people["explain"]["formula"].startswith("sum over cells")


def test_sums_kept_beside_a_raster_change_no_byte(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    rasters = county.service.client.app.state.house.exposure.rasters  # type: ignore[attr-defined]
    body = {"zone": drawn(county.zone().buffer(0.1)), "layers": ["population"]}
    plain = county.post(body).content
    monkeypatch.setattr(raster_keeper, "LEAST_BYTES", 0)
    monkeypatch.setattr(raster_keeper, "LEAST_DIVISIONS", 1)
    rasters._tried.clear()
    assert county.post(body).content == plain
    until = time.monotonic() + 60
    while rasters._making and time.monotonic() < until:
        time.sleep(0.05)
    kept = sorted(file.suffix for file in rasters._folder.iterdir())
    assert kept == ["", ".blocks", ".polygons"]
    assert county.post(body).content == plain
