"""What a zone answer says, on a real PostGIS; the oracles are shapely with PROJ's geodesics."""

from __future__ import annotations

import math
from typing import Any

import pyproj
import pytest
import shapely
from shapely import affinity

from geoservice.db.engine import Database
from layers.access import Clearance
from layers.catalog import read_catalog
from layers.errors import BadGeometry, UnknownFeature
from layers.model import RowLayer
from tests.support.zones import COMMITTED, answer, counts, plant, prepare, section, values

CATALOG = read_catalog()
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
# Edges of the oracle are cut much shorter than the product cuts them, so that geodesics follow the straight lines.
FINE = 0.0005
ZONE = shapely.box(110.0, 30.0, 110.1, 30.1)
CENTRE = shapely.Point(110.05, 30.05)


def layer(name: str) -> RowLayer:
    found = CATALOG.layer(name)
    assert found.kind != "raster"
    return found


def area(geometry: shapely.Geometry) -> float:
    return abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shapely.segmentize(geometry, FINE)))[0])


def length(geometry: shapely.Geometry) -> float:
    return GEOD.geometry_length(shapely.segmentize(geometry, FINE))


def patch(number: int, code: str | None, geometry: shapely.Geometry, **more: Any) -> dict[str, Any]:
    return {"patch_id": f"{number:019d}00000000", "class_code": code, "geom": geometry, **more}


ALERT = {
    "sender": "eoc@test.example",
    "identifier": "AL-1",
    "info_number": 0,
    "sent": COMMITTED,
    "headline": "洪水 flood",
    "caption": "洪水 flood",
}
DRILL = {"sender": "drill@test.example", "status": "Exercise"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "landuse_patch": [
        patch(1, "0101", shapely.box(110.01, 30.01, 110.03, 30.03)),
        patch(2, "0101", shapely.box(110.09, 30.05, 110.12, 30.07)),
        patch(3, "0307", affinity.rotate(shapely.box(110.05, 30.05, 110.06, 30.08), 30)),
        patch(4, None, shapely.box(110.02, 29.98, 110.04, 30.005)),
        patch(5, "0201", shapely.box(110.1, 30.0, 110.2, 30.1)),
        patch(6, "1001", shapely.box(110.5, 30.5, 110.6, 30.6)),
        patch(7, "9999", shapely.box(110.07, 30.01, 110.08, 30.02)),
        patch(8, "0602", shapely.box(110.07, 30.03, 110.08, 30.04), clearance=Clearance.RESTRICTED),
    ],
    "road": [
        {"road_id": "r1", "class": "primary", "geom": shapely.LineString([(109.9, 30.02), (110.2, 30.05)])},
        {"road_id": "r2", "class": "track", "geom": shapely.LineString([(110.02, 30.02), (110.05, 30.09)])},
        {"road_id": "r3", "class": "primary", "geom": shapely.LineString([(110.2, 30.0), (110.3, 30.0)])},
        {"road_id": "r4", "class": "path", "geom": shapely.LineString([(110.1, 30.1), (110.2, 30.2)])},
    ],
    "populated_place": [
        {
            "place_id": "a",
            "name_zh": "甲村",
            "name_en": "Jia",
            "population": 1200,
            "geom": shapely.Point(110.05, 30.05),
        },
        {"place_id": "b", "name_zh": "乙村", "population": 300, "geom": shapely.Point(110.1, 30.05)},
        {"place_id": "c", "name_en": "Bing", "population": None, "geom": shapely.Point(110.02, 30.02)},
        {"place_id": "d", "name_en": "Far", "population": 7, "geom": shapely.Point(110.1001, 30.05)},
    ],
    "hospital": [
        {"hospital_id": "h2", "name_en": "Point", "beds": 20, "geom": shapely.Point(110.03, 30.03)},
        {"hospital_id": "h1", "name_zh": "医院", "geom": shapely.box(110.095, 30.01, 110.105, 30.02)},
        {"hospital_id": "h3", "name_en": "Neighbour", "geom": shapely.box(110.1, 30.03, 110.11, 30.04)},
        {"hospital_id": "h4", "name_en": "Corner", "geom": shapely.Point(110.1, 30.1)},
    ],
    "hazard_source": [
        {"source_id": "s1", "name_en": "Tank", "grade": "1", "quantity": 5, "geom": shapely.Point(110.05, 30.05)}
    ],
    "building": [
        {"building_id": "b1", "use": "residential", "geom": shapely.box(110.04, 30.04, 110.041, 30.041)},
        {
            "building_id": "b2",
            "use": "public",
            "geom": shapely.box(110.042, 30.04, 110.043, 30.041),
            "clearance": Clearance.INTERNAL,
        },
    ],
    "division": [
        {"adcode": "990101", "level": "county", "name_zh": "示范县", "name_en": "Demo", "geom": ZONE},
        {"adcode": "990102", "level": "county", "geom": shapely.box(110.1, 30.0, 110.2, 30.1)},
    ],
    "cap_alert": [
        {**ALERT, "status": "Actual", "area_number": 0, "geom": shapely.box(110, 30, 110.06, 30.1)},
        {**ALERT, "status": "Actual", "area_number": 1, "geom": shapely.box(110.05, 30, 110.1, 30.1)},
        # Somebody else plays with the same identifier.
        {**ALERT, **DRILL, "area_number": 0, "geom": shapely.box(110, 30, 110.5, 30.5)},
        {**ALERT, **DRILL, "identifier": "AL-3", "area_number": 0, "geom": shapely.box(110, 30, 110.1, 30.1)},
        {**ALERT, "identifier": "AL-2", "area_number": 0, "geom": None},
    ],
}


@pytest.fixture(scope="module")
def region(module_database: Database) -> Database:
    prepare(module_database, CATALOG)
    for name, rows in ROWS.items():
        plant(module_database, layer(name), rows)
    return module_database


async def test_areas_by_class_follow_the_geodesic_oracle(region: Database) -> None:
    land = section(await answer(region, CATALOG, ZONE), "landuse_patch")
    expected = {
        "0101": area(shapely.box(110.01, 30.01, 110.03, 30.03)) + area(shapely.box(110.09, 30.05, 110.1, 30.07)),
        "0307": area(affinity.rotate(shapely.box(110.05, 30.05, 110.06, 30.08), 30)),
        "9999": area(shapely.box(110.07, 30.01, 110.08, 30.02)),
        None: area(shapely.box(110.02, 30.0, 110.04, 30.005)),
    }
    assert values(land) == pytest.approx(expected, rel=1e-8)
    assert counts(land) == {"0101": 2, "0307": 1, "9999": 1, None: 1}
    assert (land.measure, land.unit, land.role, land.status) == ("area", "m2", "land", "ok")
    assert land.total == pytest.approx(sum(expected.values()), rel=1e-8)


async def test_rows_follow_the_code_list_and_end_with_what_has_no_class(region: Database) -> None:
    land = section(await answer(region, CATALOG, ZONE), "landuse_patch")
    codes = list(CATALOG.codelist("gb-t-21010@2017").codes)
    known = [row.code for row in land.rows if row.code in codes]
    assert [row.code for row in land.rows] == [*sorted(known, key=lambda code: codes.index(str(code))), "9999", None]
    labels = {row.code: row.label for row in land.rows}
    entry = CATALOG.codelist("gb-t-21010@2017").codes["0101"]
    assert (labels["0101"].zh, labels["0101"].en) == (entry.zh, entry.en)
    assert (labels[None].zh, labels[None].en) == ("未分类", "unclassified")
    assert labels["9999"].en == "9999"


async def test_lengths_follow_the_geodesic_oracle_and_touching_is_not_inside(region: Database) -> None:
    road = section(await answer(region, CATALOG, ZONE), "road")
    through = shapely.intersection(shapely.LineString([(109.9, 30.02), (110.2, 30.05)]), ZONE)
    within = shapely.LineString([(110.02, 30.02), (110.05, 30.09)])
    assert values(road) == pytest.approx({"primary": length(through), "track": length(within)}, rel=1e-7)
    assert road.unit == "m"


async def test_people_are_summed_from_points_inside_or_on_the_border(region: Database) -> None:
    people = section(await answer(region, CATALOG, ZONE), "populated_place")
    assert people.total == 1500
    assert people.features_total == 3
    assert [(f.id, f.label.zh, f.label.en) for f in people.features] == [
        ("a", "甲村", "Jia"),
        ("b", "乙村", "乙村"),
        ("c", "Bing", "Bing"),
    ]
    assert people.note is not None
    assert people.note.en.startswith("1 of 3")


async def test_facilities_are_counted_listed_and_placed_inside_the_zone(region: Database) -> None:
    hospitals = section(await answer(region, CATALOG, ZONE), "hospital")
    assert hospitals.total == 3
    assert [f.id for f in hospitals.features] == ["h1", "h2", "h4"]
    assert all(ZONE.covers(shapely.Point(f.lon, f.lat)) for f in hospitals.features)
    assert hospitals.features[1].attributes == {"hospital_id": "h2", "beds": 20}
    assert (hospitals.unit, hospitals.rows) == ("1", ())


async def test_a_neighbouring_division_does_not_count(region: Database) -> None:
    assert counts(section(await answer(region, CATALOG, ZONE), "division")) == {"county": 1}


async def test_nothing_above_the_clearance_is_counted(region: Database) -> None:
    public = await answer(region, CATALOG, ZONE)
    internal = await answer(region, CATALOG, ZONE, Clearance.INTERNAL)
    restricted = await answer(region, CATALOG, ZONE, Clearance.RESTRICTED)
    assert [section(a, "building").total for a in (public, internal, restricted)] == [1, 2, 2]
    assert ["0602" in values(section(a, "landuse_patch")) for a in (public, internal, restricted)] == [
        False,
        False,
        True,
    ]
    assert "hazard_source" not in {s.layer for s in public.sections} | {s.layer for s in internal.sections}
    assert section(restricted, "hazard_source").features[0].attributes["quantity"] == 5


async def test_sections_come_by_role_and_name_their_editions(region: Database) -> None:
    found = await answer(region, CATALOG, ZONE, Clearance.RESTRICTED)
    roles = ["population", "settlement", "land", "road", "railway", "bridge", "building", "facility", "danger"]
    roles += ["dam", "power", "pipeline", "protected", "monument"]
    assert [roles.index(s.role) for s in found.sections] == sorted(roles.index(s.role) for s in found.sections)
    wanted = {la.name for la in CATALOG if la.exposure is not None}
    assert {s.layer for s in found.sections} == wanted
    edition = section(found, "road").edition
    assert edition is not None
    assert (edition.source, edition.committed) == ("road.test", COMMITTED)
    assert section(found, "railway").edition is None


async def test_no_data_is_not_zero(region: Database) -> None:
    here = await answer(region, CATALOG, shapely.box(110.15, 30.15, 110.16, 30.16))
    far = await answer(region, CATALOG, shapely.box(-60.0, -20.0, -59.0, -19.0))
    land = section(here, "landuse_patch")
    assert (land.status, land.total, land.rows) == ("ok", 0.0, ())
    assert section(here, "railway").status == "no-data"
    assert {s.status for s in far.sections} == {"no-data"}
    assert all(s.total is None and s.note is not None for s in far.sections)


async def test_the_zone_is_described(region: Database) -> None:
    zone = (await answer(region, CATALOG, ZONE)).zone
    assert zone.area_m2 == pytest.approx(area(ZONE), rel=1e-9)
    assert zone.bbox == (110.0, 30.0, 110.1, 30.1)
    assert zone.origin == "geometry"


@pytest.mark.parametrize(
    ("body", "label"),
    [
        ({"adcode": "990101"}, "示范县"),
        ({"feature": {"collection": "division", "id": "990101"}}, "示范县"),
        ({"alert": "AL-1"}, "洪水 flood"),
        ({"alert": "AL-3"}, "洪水 flood"),
        ({"bbox": [110.0, 30.0, 110.1, 30.1]}, None),
    ],
)
async def test_a_zone_may_be_named(region: Database, body: dict[str, Any], label: str | None) -> None:
    drawn, named = await answer(region, CATALOG, ZONE), await answer(region, CATALOG, body)
    assert named.zone.area_m2 == pytest.approx(drawn.zone.area_m2, rel=1e-12)
    assert (named.zone.label.zh if named.zone.label else None) == label
    assert values(section(named, "landuse_patch")) == pytest.approx(values(section(drawn, "landuse_patch")), rel=1e-12)


async def test_one_area_of_an_alert_is_a_zone_too(region: Database) -> None:
    part = await answer(region, CATALOG, {"feature": {"collection": "cap_alert", "id": "eoc@test.example|AL-1|0|0"}})
    assert part.zone.bbox == (110.0, 30.0, 110.06, 30.1)


@pytest.mark.parametrize(
    "body",
    [
        {"adcode": "000000"},
        {"alert": "AL-9"},
        {"feature": {"collection": "nothing", "id": "1"}},
        {"feature": {"collection": "population", "id": "1"}},
    ],
)
async def test_unknown_zones(region: Database, body: dict[str, Any]) -> None:
    with pytest.raises(UnknownFeature):
        await answer(region, CATALOG, body)


async def test_hidden_features_look_like_missing_ones(region: Database) -> None:
    hidden_row = {"feature": {"collection": "landuse_patch", "id": "0" * 18 + "8" + "0" * 8}}
    hidden_layer = {"feature": {"collection": "hazard_source", "id": "s1"}}
    texts = []
    for body in (hidden_row, hidden_layer):
        with pytest.raises(UnknownFeature) as hidden:
            await answer(region, CATALOG, body)
        missing = {"feature": {**body["feature"], "id": "none"}}
        with pytest.raises(UnknownFeature) as absent:
            await answer(region, CATALOG, missing)
        texts.append((hidden.value.detail.replace(body["feature"]["id"], "none"), absent.value.detail))
    assert all(one == other for one, other in texts)
    zone = (await answer(region, CATALOG, hidden_row, Clearance.RESTRICTED)).zone
    assert zone.bbox == (110.07, 30.03, 110.08, 30.04)


@pytest.mark.parametrize(
    "body",
    [
        {"alert": "AL-2"},
        {"feature": {"collection": "populated_place", "id": "a"}},
        {"feature": {"collection": "road", "id": "r1"}},
    ],
)
async def test_features_that_are_no_area_are_refused(region: Database, body: dict[str, Any]) -> None:
    with pytest.raises(BadGeometry):
        await answer(region, CATALOG, body)


async def test_views_give_the_same_answer_as_policies(region: Database) -> None:
    with_policies = [await answer(region, CATALOG, ZONE, clearance) for clearance in Clearance]
    prepare(region, CATALOG, "views")
    try:
        with_views = [await answer(region, CATALOG, ZONE, clearance, "views") for clearance in Clearance]
    finally:
        prepare(region, CATALOG)
    assert [a.sections for a in with_views] == [a.sections for a in with_policies]


async def test_the_same_question_has_the_same_answer(region: Database) -> None:
    one, two = [await answer(region, CATALOG, ZONE, Clearance.RESTRICTED) for _ in range(2)]
    assert one.sections == two.sections
    assert one.method == two.method


def test_the_oracles_agree_with_known_figures() -> None:
    # The example of GeographicLib's Planimeter: a square of one degree at the equator, its sides geodesics.
    square = GEOD.geometry_area_perimeter(shapely.box(0, 0, 1, 1))[0]
    assert math.isclose(square, 12_308_778_361.469452, rel_tol=1e-10)
    assert math.isclose(length(shapely.LineString([(0, 0), (1, 0)])), 111_319.490793, rel_tol=1e-9)
