"""OGC API Features Part 2: systems that are offered, coordinates and boxes in them, against pyproj and shapely."""

from __future__ import annotations

from typing import Any

import pyproj
import pytest
import shapely
from shapely.geometry import shape

from layers.access import Clearance
from layers.offered import offered
from tests.support.service import Service, spot_rows

TOP = Clearance.RESTRICTED
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
PATH = "/collections/spot/items"
NEAR = (f"{EPSG}4490", f"{EPSG}4326", f"{EPSG}3857", f"{EPSG}4513", f"{EPSG}4534", f"{EPSG}4523", f"{EPSG}4544",
        f"{EPSG}4496", f"{EPSG}4507", f"{EPSG}32648")  # fmt: skip
"""Degrees, Web Mercator, and zones at the place of the points and far from it."""


def features(service: Service, query: str) -> list[dict[str, Any]]:
    """Features that a query finds, on one page."""
    response = service.get(f"{PATH}?limit=100&{query}", TOP)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["features"]
    return found


def in_authority_order(uri: str, points: list[shapely.Point]) -> list[tuple[float, float]]:
    """Coordinates by pyproj from CRS84, axes in the order of the authority."""
    way = pyproj.Transformer.from_crs(pyproj.CRS.from_user_input(CRS84), pyproj.CRS.from_user_input(uri))
    return [way.transform(point.x, point.y) for point in points]


@pytest.mark.parametrize("uri", NEAR)
def test_coordinates_agree_with_pyproj(service: Service, uri: str) -> None:
    found = {f["id"]: f["geometry"]["coordinates"] for f in features(service, f"crs={uri}")}
    rows = spot_rows()
    expected = in_authority_order(uri, [row["geometry"] for row in rows])
    close = 1e-8 if max(map(abs, expected[0])) < 360 else 2e-4
    for row, place in zip(rows, expected, strict=True):
        assert found[row["code"]] == pytest.approx(list(place), abs=close)


@pytest.mark.parametrize("uri", [CRS84, *NEAR])
def test_answers_name_their_system(service: Service, uri: str) -> None:
    for path in (PATH, f"{PATH}/CNRY-0-spot-0"):
        assert service.get(f"{path}?crs={uri}").headers["content-crs"] == f"<{uri}>"
    assert service.get(PATH).headers["content-crs"] == f"<{CRS84}>"


def test_one_feature_in_another_system(service: Service) -> None:
    feature = service.get(f"{PATH}/CNRY-0-spot-0?crs=EPSG:4523").json()
    (expected,) = in_authority_order("EPSG:4523", [spot_rows()[0]["geometry"]])
    assert feature["geometry"]["coordinates"] == pytest.approx(list(expected), abs=2e-4)
    # Northing first: some 4,208 km from the equator; the easting carries the number of the zone.
    assert 4.2e6 < feature["geometry"]["coordinates"][0] < 4.22e6
    assert 35e6 < feature["geometry"]["coordinates"][1] < 36e6


def test_every_spelling_of_a_system_is_looked_up(service: Service) -> None:
    wanted = features(service, f"crs={EPSG}4490")
    for name in ("EPSG:4490", "[EPSG:4490]", "urn:ogc:def:crs:EPSG::4490"):
        assert features(service, f"crs={name}") == wanted
    for name in ("OGC:CRS84", "[OGC:CRS84]", "urn:ogc:def:crs:OGC:1.3:CRS84"):
        assert features(service, f"crs={name}") == features(service, "")


@pytest.mark.parametrize("parameter", ["crs", "bbox-crs"])
@pytest.mark.parametrize(
    "name",
    [
        "EPSG:4214", "EPSG:4610", "EPSG:2343", "http://www.opengis.net/def/crs/EPSG/0/4555",
        "http://example.org/crs/1", "file:///etc/passwd", "4490", "", "+proj=merc", "EPSG:99999", "x" * 5000,
    ],
)  # fmt: skip
def test_other_systems_are_refused(service: Service, parameter: str, name: str) -> None:
    for path in (PATH, f"{PATH}/CNRY-0-spot-0") if parameter == "crs" else (PATH,):
        response = service.client.get(path, params={parameter: name, **({"bbox": "1,2,3,4"} if path == PATH else {})})
        assert response.status_code == 400
        assert response.json()["parameter"] == parameter
        assert len(response.json()["detail"]) < 400


@pytest.mark.parametrize("uri", NEAR)
@pytest.mark.parametrize("box", [(105.02, 38.02, 105.08, 38.071), (105.0, 38.0, 105.2, 38.2), (105.0312, 38, 106, 39)])
def test_boxes_agree_with_shapely(service: Service, uri: str, box: tuple[float, float, float, float]) -> None:
    way = pyproj.Transformer.from_crs("EPSG:4326", pyproj.CRS.from_user_input(uri), always_xy=True)
    west, south, east, north = way.transform_bounds(*box, densify_pts=0)
    crs = pyproj.CRS.from_user_input(uri)
    swapped = crs.axis_info[0].direction == "north"
    numbers = (south, west, north, east) if swapped else (west, south, east, north)
    found = {f["id"] for f in features(service, f"bbox-crs={uri}&bbox={','.join(map(repr, numbers))}")}
    inside = shapely.box(west, south, east, north)
    points = {row["code"]: shapely.Point(*way.transform(*row["geometry"].coords[0])) for row in spot_rows()}
    assert found == {code for code, point in points.items() if inside.intersects(point)}
    assert len(found) > 0
    with_heights = (*numbers[:2], -100, *numbers[2:], 9000)
    solid = features(service, f"bbox-crs={uri}&bbox={','.join(map(repr, with_heights))}")
    assert {f["id"] for f in solid} == found


def test_a_box_over_the_antimeridian_in_latitude_and_longitude(service: Service) -> None:
    assert len(features(service, "bbox-crs=EPSG:4490&bbox=38,105,39,-170")) == 30
    assert features(service, "bbox-crs=EPSG:4490&bbox=38,106,39,-170") == []


@pytest.mark.parametrize(
    "query",
    [
        "bbox-crs=EPSG:4490&bbox=105,38,106,39",
        "bbox-crs=EPSG:4523&bbox=5e6,36e6,4e6,35e6",
        "bbox-crs=EPSG:4523&bbox=nan,1,2,3",
        "bbox-crs=EPSG:4523&bbox=1,2,3",
        "bbox-crs=EPSG:4523&bbox=0,0,1e7,9e7",
        "bbox-crs=EPSG:3857&bbox=a,b,c,d",
    ],
)
def test_boxes_that_cannot_be(service: Service, query: str) -> None:
    response = service.get(f"{PATH}?{query}")
    assert (response.status_code, response.json()["parameter"]) == (400, "bbox")


def test_collections_list_what_is_offered(service: Service) -> None:
    listing = service.get("/collections", TOP).json()
    assert listing["crs"] == [crs.uri for crs in offered()]
    for collection in listing["collections"]:
        whole = service.get(f"/collections/{collection['id']}", TOP).json()
        if collection["id"] == "reading":
            assert (collection["crs"], "storageCrs" in whole) == ([CRS84], False)
        else:
            assert (collection["crs"], whole["crs"]) == (["#/crs"], listing["crs"])
            assert whole["storageCrs"] == collection["storageCrs"] == f"{EPSG}4490"
            assert whole["storageCrs"] in whole["crs"]


def test_axes_and_names_are_those_of_the_registry() -> None:
    uris = [crs.uri for crs in offered()]
    assert len(set(uris)) == len(uris)
    assert uris[0] == CRS84
    for crs in offered():
        for name in crs.names:
            if name.startswith("["):
                continue
            known = pyproj.CRS.from_user_input("OGC:CRS84" if name == "CRS84" else name)
            assert (known.axis_info[0].direction == "north", known.is_projected) == (crs.swapped, crs.projected), name
            assert known.geodetic_crs is not None
            assert known.geodetic_crs.datum is not None
            assert known.geodetic_crs.datum.name in {"China 2000", "World Geodetic System 1984 ensemble"}


def test_pages_for_people_stay_in_degrees(service: Service) -> None:
    response = service.get(f"{PATH}?crs=EPSG:3857&f=html")
    assert response.headers["content-crs"] == f"<{CRS84}>"


def test_shapes_keep_their_form(service: Service) -> None:
    body = service.get("/collections/area/items?crs=EPSG:4490", TOP).json()
    plain = service.get("/collections/area/items", TOP).json()
    for one, other in zip(body["features"], plain["features"], strict=True):
        flipped = shapely.transform(shape(one["geometry"]), lambda c: c[:, ::-1])
        assert flipped.equals_exact(shape(other["geometry"]), 1e-9)
