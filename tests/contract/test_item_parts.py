"""Which parts of features are written: properties, geometry, detail; and features without a place or a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from shapely.geometry import shape

from geoservice.db.engine import Database
from layers.access import Clearance
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running

TOP = Clearance.RESTRICTED
PATH = "/collections/shore/items"
COAST = shapely.Polygon([*((105 + x / 800, 38 + 0.001 * (x % 7)) for x in range(400)), (105.5, 38.5), (105, 38.5)])
"""A jagged edge: its points lie some 140 m apart and up to 670 m beside a line."""
TINY = shapely.box(105.3, 38.3, 105.30001, 38.30001)


@pytest.fixture(scope="module")
def service(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A layer whose features may lack a geometry or a time."""
    catalog = trial_catalog(
        trial_layer("shore", geometry="polygon", geometry_required=False, style={"fill": "#aabbcc"})
    )
    base = {"amount": 1.5, "level": None, "secret": "hidden"}
    rows = [
        {**base, "code": "coast", "name": "海岸", "seen": "2026-01-01", "geometry": COAST},
        {**base, "code": "tiny", "name": "tiny", "seen": None, "geometry": TINY},
        {**base, "code": "nowhere", "name": None, "seen": "2026-02-01", "geometry": None},
        {**base, "code": "atoll", "name": "atoll", "seen": "2030-01-01", "geometry": shapely.box(165, 0, 166, 1)},
    ]
    target = prepared(module_database, catalog)
    report = load_file(catalog, target, "shore", write_rows(tmp_path_factory.mktemp("shore") / "shore.gpkg", rows))
    assert report.inserted == 4
    with running(module_database, catalog) as made:
        yield made


def found(service: Service, query: str, clearance: Clearance | None = None) -> dict[str, Any]:
    """Features by id."""
    response = service.get(f"{PATH}?{query}", clearance)
    assert response.status_code == 200, response.text
    return {feature["id"]: feature for feature in response.json()["features"]}


def test_what_has_no_place_meets_every_box(service: Service) -> None:
    """Features Part 1, /req/core/fc-bbox-response: bbox matches features without a spatial geometry, too."""
    assert set(found(service, "bbox=105.2,38.2,105.4,38.4")) == {"coast", "tiny", "nowhere"}
    assert set(found(service, "bbox=10,10,11,11")) == {"nowhere"}
    assert set(found(service, "bbox=170,10,-170,11")) == {"nowhere"}
    assert set(found(service, "bbox-crs=EPSG:4523&bbox=4100000,35400000,4110000,35410000")) == {"nowhere"}


def test_what_has_no_time_meets_every_interval(service: Service) -> None:
    """Features Part 1, /req/core/fc-time-response, C."""
    assert set(found(service, "datetime=2026-01-01")) == {"coast", "tiny"}
    assert set(found(service, "datetime=2026-01-15/..")) == {"nowhere", "tiny", "atoll"}
    assert set(found(service, "datetime=/2026-01-15")) == {"coast", "tiny"}
    assert set(found(service, "datetime=../2001-01-01T00:00:00Z")) == {"tiny"}


@pytest.mark.parametrize(
    ("query", "names", "placed"),
    [
        ("properties=name", {"name"}, False),
        ("properties=name,geometry", {"name"}, True),
        ("properties=geometry", set(), True),
        ("properties=seen,code", {"code", "seen"}, False),
        ("properties=name&skipGeometry=false", {"name"}, True),
        ("exclude-properties=name,level", {"code", "amount", "seen"}, True),
        ("exclude-properties=geometry", {"code", "name", "amount", "level", "seen"}, False),
        ("skipGeometry=true", {"code", "name", "amount", "level", "seen"}, False),
        ("skipGeometry=false", {"code", "name", "amount", "level", "seen"}, True),
    ],
)
def test_properties_are_chosen(service: Service, query: str, names: set[str], placed: bool) -> None:
    for feature in (found(service, query)["coast"], service.get(f"{PATH}/coast?{query}").json()):
        assert set(feature["properties"]) == names
        assert (feature["geometry"] is not None) == placed
        assert {"type", "id", "geometry", "properties"} <= set(feature)


def test_sorting_does_not_add_properties(service: Service) -> None:
    assert set(found(service, "sortby=-amount&properties=name")["coast"]["properties"]) == {"name"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("properties=planet", "properties"),
        ("properties=", "properties"),
        ("properties=secret", "properties"),
        ("properties=geom),(select%201", "properties"),
        ("properties=ctid", "properties"),
        ("exclude-properties=secret", "exclude-properties"),
        ("properties=name&exclude-properties=code", "properties"),
        ("skipGeometry=yes", "skipGeometry"),
        ("zoom-level=-1", "zoom-level"),
        ("zoom-level=nan", "zoom-level"),
        ("zoom-level=high", "zoom-level"),
        ("max-allowable-offset=inf", "max-allowable-offset"),
        ("max-allowable-offset=-5", "max-allowable-offset"),
        ("zoom-level=3&max-allowable-offset=3", "zoom-level"),
        ("ids=%00", "ids"),
        ("ids=" + ",".join(map(str, range(1001))), "ids"),
    ],
)
def test_bad_parts_are_named(service: Service, query: str, parameter: str) -> None:
    for path in (PATH, f"{PATH}/coast") if parameter != "ids" else (PATH,):
        response = service.get(f"{path}?{query}")
        assert (response.status_code, response.json()["parameter"]) == (400, parameter), path
        assert "hidden" not in response.text


def test_properties_above_the_clearance_are_as_if_they_did_not_exist(service: Service) -> None:
    assert found(service, "properties=secret", TOP)["coast"]["properties"] == {"secret": "hidden"}
    told = service.get(f"{PATH}?properties=secret").json()["detail"]
    made_up = service.get(f"{PATH}?properties=planet").json()["detail"]
    assert told.replace("secret", "") == made_up.replace("planet", "")


@pytest.mark.parametrize("offset", [50.0, 300.0, 2000.0])
def test_simplified_shapes_stay_near(service: Service, offset: float) -> None:
    """Distances by shapely on a local plane in metres, from the exact shape."""
    one = shape(found(service, f"max-allowable-offset={offset}")["coast"]["geometry"])
    scale = [111_320 * 0.788, 111_000]  # metres of a degree at 38 N
    plain, simple = (shapely.transform(g, lambda c: c * scale) for g in (COAST, one))
    assert one.geom_type == "Polygon"
    assert shapely.hausdorff_distance(plain, simple) <= offset
    if offset > 100:
        assert shapely.get_num_coordinates(one) < shapely.get_num_coordinates(COAST)


def test_detail_follows_the_zoom_level(service: Service) -> None:
    counts = []
    for zoom in ("0", "6.5", "9", "12", "24"):
        features = found(service, f"zoom-level={zoom}")
        # Nothing vanishes, and types stay.
        assert {f["geometry"]["type"] for f in features.values() if f["geometry"]} == {"Polygon"}
        counts.append(shapely.get_num_coordinates(shape(features["coast"]["geometry"])))
    assert counts == sorted(counts)
    assert counts[0] < 10
    assert counts[-1] == shapely.get_num_coordinates(COAST.simplify(1e-7))


def test_ids_choose_features(service: Service) -> None:
    assert set(found(service, "ids=tiny,nowhere,unknown")) == {"tiny", "nowhere"}
    assert found(service, "ids=") == {}


@pytest.mark.parametrize("crs", ["EPSG:4534", "EPSG:4502"])
def test_a_projection_that_does_not_reach_is_said(service: Service, crs: str) -> None:
    response = service.get(f"{PATH}?crs={crs}")
    assert (response.status_code, response.json()["parameter"]) == (400, "crs")
    assert service.get(f"{PATH}/atoll?crs={crs}").status_code == 400
    assert set(found(service, f"crs={crs}&bbox=104,37,106,39")) == {"coast", "tiny", "nowhere"}
