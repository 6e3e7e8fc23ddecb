"""Zones that are no zones, or lie where zones are seldom: over the public interfaces, in words and never as zero."""

from __future__ import annotations

import json
from typing import Any

import pytest
import shapely

from tests.geoservice.test_impact_bounds import QUIET, Service, mapped, metres2, service

__all__ = ["service"]
NORTH = [[-180, 89], [-60, 89], [60, 89], [180, 89], [180, 90], [60, 90], [-60, 90], [-180, 90], [-180, 89]]
FIJI = [shapely.box(179, -18, 180, -17), shapely.box(-180, -18, -179.5, -17)]


def ring(*points: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(points)]}


BAD: dict[str, tuple[Any, str]] = {
    "crosses itself": (ring([105, 38], [106, 39], [106, 38], [105, 39], [105, 38]), "Self-intersection"),
    "empty polygon": ({"type": "Polygon", "coordinates": []}, "no ring"),
    "empty collection": ({"type": "FeatureCollection", "features": []}, "empty"),
    "beyond the pole": (ring([105, 89], [106, 89], [106, 91], [105, 89]), "outside the world"),
    "beyond 180 degrees": (ring([179, 0], [181, 0], [181, 1], [179, 0]), "outside the world"),
    "an edge around the world": (ring([-179, 0], [179, 0], [179, 1], [-179, 0]), "180 degrees"),
    "not a number": (ring([105, 38], [106, float("nan")], [106, 39], [105, 38]), ""),
    "a line among areas": (
        {
            "type": "GeometryCollection",
            "geometries": [mapped(shapely.box(105, 38, 106, 39)), {"type": "Point", "coordinates": [1, 2]}],
        },
        "no area",
    ),
    "without area": (ring([105, 38], [106, 38], [107, 38], [105, 38]), ""),
}


@pytest.mark.parametrize("path", ["/impact", "/analysis/zone", "/compliance", "/hazards/zones/drawn"])
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_zone_is_refused_in_a_sentence(service: Service, path: str, what: str) -> None:
    zone, word = BAD[what]
    body = {"classes": [{"code": "a", "area": zone}]} if path.startswith("/hazards") else {"zone": zone}
    answer = service.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert word in answer.json()["detail"]
    assert answer.json()["detail"].endswith((".", "])"))


@pytest.mark.parametrize(
    "zone",
    [
        {"type": "Polygon", "coordinates": [NORTH]},
        mapped(shapely.MultiPolygon(FIJI)),
        mapped(shapely.box(-60, -40, -59.9, -39.9)),
        # Nearer to what is loaded than it is large.
        mapped(shapely.box(106.1, 38.1, 106.9, 38.9)),
        ring([105, 38.1, 8], [105.1, 38.1, 9], [105.1, 38.2, 7], [105, 38.1, 8]),
    ],
    ids=["pole", "antimeridian", "elsewhere", "beside", "heights"],
)
def test_no_data_is_not_zero_wherever_a_zone_lies(service: Service, zone: dict[str, Any]) -> None:
    answer = service.client.post("/impact", json={"zone": zone, **QUIET})
    assert answer.status_code == 200, answer.text
    (land,) = answer.json()["sections"]
    told = {"status": land["status"], "has a total": "total" in land}
    near = zone["coordinates"][0][0] == [105, 38.1, 8]
    assert told == ({"status": "ok", "has a total": True} if near else {"status": "no-data", "has a total": False})
    if near:
        assert land["total"]["value"] > 0
        assert "note" not in land
    assert "people" not in answer.json()


def test_a_zone_that_leaves_what_is_loaded_says_how_much_of_it_does(service: Service) -> None:
    zone = mapped(shapely.box(105.9, 38.1, 106.1, 38.2))
    (land,) = service.client.post("/impact", json={"zone": zone, **QUIET}).json()["sections"]
    assert land["status"] == "ok"
    assert land["note"]["en"].startswith("50.0% of the zone lies outside the box of what is loaded of this layer;")
    assert land["total"]["value"] == pytest.approx(metres2(shapely.box(105.9, 38.1, 106, 38.2)), rel=1e-6)


def test_a_zone_on_both_sides_of_180_degrees_is_as_large_as_its_parts(service: Service) -> None:
    zone = service.client.post("/impact", json={"zone": mapped(shapely.MultiPolygon(FIJI)), **QUIET}).json()["zone"]
    assert zone["area_m2"] == pytest.approx(sum(map(metres2, FIJI)), rel=1e-6)
    assert zone["bbox"] == [179, -18, -179.5, -17]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"zone": {"type": "Polygon", "coordinates": []}},
        {"zone": {"type": "Polygon", "coordinates": [[[105, 38], [105.1, 38.1], [105.1, 38], [105, 38.1], [105, 38]]]}},
        {"adcode": "990101", "hazard": {}},
        {"hazard": {"kind": "flood"}},
        {"adcode": "990101", "explain": "yes"},
        {"adcode": "990101", "layers": []},
        {"adcode": "990101", "as_of": "tomorrow"},
        {"adcode": "990101", "at": "noon"},
        {"adcode": "990101", "depth": 3},
    ],
)
def test_bad_questions_are_refused_in_words(service: Service, body: dict[str, Any]) -> None:
    response = service.client.post("/impact", json=body)
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    assert response.json()["detail"].endswith(".")
