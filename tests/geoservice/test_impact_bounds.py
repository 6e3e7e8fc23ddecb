"""Zones of many vertices: answered at once, by a job or not at all, and equal to what geopandas finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

from geoservice import front
from geoservice.analysis.kept import area_of, whole_area
from geoservice.app import create_app
from geoservice.db.engine import Database
from geoservice.impact.region import Region, pieces_of
from geoservice.processes.model import Call
from layers.access import Clearance, Principal
from layers.catalog import Catalog, read_catalog
from layers.hazard import HazardZone
from tests.support.loading import trial_layer
from tests.support.service import Service, running
from tests.support.stars import CENTRE, comb, star
from tests.support.zones import plant, prepare

LAND = trial_layer(
    "land",
    geometry="polygon",
    style={"fill": "#aabbcc"},
    row_clearance=None,
    time=None,
    attributes={"code": {"type": "text", "required": True}, "kind": {"type": "text"}},
    exposure={"role": "land", "measure": "area", "by": "kind"},
)
LISTS = list(read_catalog().codelists.values())
CATALOG = Catalog().with_([LAND], LISTS)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
AT_ONCE, MOST = 2_000, 20_000
LIMITS = {"impact_max_vertices": AT_ONCE, "hazard_max_vertices": MOST}
FIELDS = {"west": shapely.box(104, 38, 105.1, 39), "east": shapely.box(105.1, 38, 106, 39)}
QUIET = {"ways": False, "needs": False, "secondary": False}


@pytest.fixture(scope="module")
def service(module_database: Database) -> Iterator[Service]:
    prepare(module_database, CATALOG)
    rows = [{"code": kind, "kind": kind, "geom": shape} for kind, shape in FIELDS.items()]
    plant(module_database, LAND, rows)  # type: ignore[arg-type]
    with running(module_database, CATALOG, **LIMITS) as started:
        yield started


def post(service: Service, path: str, body: Any, who: Clearance | None = None) -> Any:
    headers = {} if who is None else {"X-API-Key": service.keys[who]}
    return service.client.post(path, json=body, headers=headers)


def mapped(shape: shapely.Geometry) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return found


def metres2(shape: shapely.Geometry) -> float:
    dense = shapely.segmentize(shapely.orient_polygons(shape), 0.002)
    return abs(float(GEOD.geometry_area_perimeter(dense)[0]))


def by_kind(answer: Any) -> dict[str, float]:
    (land,) = answer["sections"]
    return {row["code"]: row["value"] for row in land["rows"]}


def require_shares(answer: Any, zone: shapely.Geometry) -> None:
    """Figures by kind are those of the overlay, measured by another library."""
    found = by_kind(answer)
    assert set(found) == set(FIELDS)
    for kind, field in FIELDS.items():
        assert found[kind] == pytest.approx(metres2(shapely.intersection(zone, field)), rel=1e-6)


def hazard(classes: list[shapely.Geometry], **more: Any) -> dict[str, Any]:
    title = {"zh": "试", "en": "trial"}
    made = [{"code": f"c{n}", "label": title, "rank": n + 1, "geometry": mapped(s)} for n, s in enumerate(classes)]
    method = {"id": "trial", "version": "1", "source": "made", "title": title}
    return {"kind": "other", "label": title, "method": method, "classes": made, **more}


def test_a_zone_is_answered_at_once_by_a_job_or_not_at_all(service: Service) -> None:
    small, large, huge = ({"zone": mapped(star(number)), **QUIET} for number in (1_900, 6_000, 30_000))
    at_once = post(service, "/impact", small)
    assert at_once.status_code == 200, at_once.text
    require_shares(at_once.json(), star(1_900))
    refused = post(service, "/impact", large)
    assert (refused.status_code, refused.json()["limit"]) == (413, AT_ONCE)
    accepted = post(service, "/impact", large, Clearance.PUBLIC)
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["location"].endswith(f"/jobs/{accepted.json()['id']}")
    pair = {"first": small, "second": large}
    together = post(service, "/impact/compare", pair, Clearance.PUBLIC)
    assert together.status_code == 413
    assert "2,000 vertices" in together.json()["detail"]
    for who in (None, Clearance.RESTRICTED):
        assert post(service, "/impact", huge, who).status_code == 413
    assert post(service, "/impact", huge, Clearance.RESTRICTED).json()["limit"] == MOST


def test_the_job_answers_a_zone_of_many_vertices(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "create_app", lambda settings: create_app(settings, CATALOG))
    settings = service.database.settings.model_copy(update={**LIMITS, "max_body_bytes": 1_000_000})
    zone = star(18_000, 3e-3)
    call = Call("POST", "/impact", {}, {"zone": mapped(zone), **QUIET})
    asker = Principal("tester", Clearance.PUBLIC)
    require_shares(asyncio.run(front.ask(settings, asker, call)), zone)


def test_a_kept_zone_of_many_vertices_is_asked_by_its_id(service: Service) -> None:
    sizes = {5_000: 202, 1_000: 200}
    for number, status in sizes.items():
        shape = star(number)
        drawn = {"classes": [{"code": "a", "area": mapped(shape)}]}
        kept = post(service, "/hazards/zones/drawn?keep=true", drawn, Clearance.PUBLIC)
        assert kept.status_code == 201, kept.text
        found = post(service, "/impact", {"zone": kept.json()["id"], **QUIET}, Clearance.PUBLIC)
        assert found.status_code == status
        if status == 200:
            require_shares(found.json(), shape)
    assert (
        post(service, "/hazards/zones/drawn", {"classes": [{"code": "a", "area": mapped(star(5_000))}]}).status_code
        == 413
    )
    body = {"classes": [{"code": "a", "area": mapped(star(MOST + 1))}]}
    assert post(service, "/hazards/zones/drawn", body, Clearance.RESTRICTED).status_code == 413


def test_a_kept_zone_brings_its_classes_and_its_low_and_high(service: Service) -> None:
    point = {"type": "Point", "coordinates": list(CENTRE)}
    told = {"geometry": point, "radii": [2000, 5000], "position_error": 500}
    kept = post(service, "/hazards/zones/buffer?keep=true", told, Clearance.PUBLIC).json()
    found = post(service, "/impact", {"zone": kept["id"], **QUIET}).json()
    sent = post(service, "/impact", {"hazard": kept, **QUIET}).json()
    assert found["zone"].pop("origin") == f"zone:{kept['id']}"
    assert sent["zone"].pop("origin") == "hazard:buffer"
    assert found == sent
    assert [one["code"] for one in found["zone"]["classes"]] == [one["code"] for one in kept["classes"]]
    total = found["sections"][0]["total"]
    for estimate in ("low", "high"):
        whole = shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in kept[estimate]])
        assert total[estimate] == pytest.approx(metres2(whole), rel=1e-6)
    assert total["low"] < total["value"] < total["high"]
    assert "uncertainty" not in found["zone"]


def test_an_answer_without_low_and_high_says_why(service: Service) -> None:
    box = mapped(shapely.box(105, 38.4, 105.1, 38.5))
    kept = post(service, "/hazards/zones/drawn?keep=true", {"classes": [{"code": "a", "area": box}]}, Clearance.PUBLIC)
    for body, word in (
        ({"zone": kept.json()["id"]}, "method"),
        ({"zone": box}, "exact"),
        ({"hazard": hazard([star(9)])}, "method"),
    ):
        found = post(service, "/impact", {**body, **QUIET}).json()
        assert word in found["zone"]["uncertainty"]["en"]
        assert found["zone"]["uncertainty"]["zh"]
        assert "low" not in found["sections"][0]["total"]


def test_all_classes_of_a_hazard_count_together(service: Service) -> None:
    rings = [star(1_500, centre=(105 + n / 10, 38.5), radius=0.02) for n in range(14)]
    few = hazard(rings[:1])
    assert post(service, "/impact", {"hazard": few, **QUIET}).status_code == 200
    several = post(service, "/impact", {"hazard": hazard(rings), **QUIET}, Clearance.PUBLIC)
    # 21,000 vertices in classes of 1,500.
    assert (several.status_code, several.json()["limit"]) == (413, MOST)
    bounds = hazard(rings[:5], low=hazard(rings[:5])["classes"], high=hazard(rings[:5])["classes"])
    assert post(service, "/impact", {"hazard": bounds, **QUIET}, Clearance.PUBLIC).json()["limit"] == MOST
    assert post(service, "/impact", {"hazard": hazard(rings[:6]), **QUIET}, Clearance.PUBLIC).status_code == 202


@pytest.mark.parametrize("path", ["/impact", "/hazards/zones/drawn", "/hazards/zones/model-polygons"])
def test_classes_whose_outlines_cross_a_million_times_are_refused(service: Service, path: str) -> None:
    teeth = shapely.transform(comb(450), lambda at: at * 0.01 + CENTRE)
    across = shapely.transform(comb(450), lambda at: at[:, ::-1] * 0.01 + CENTRE)
    features = [
        {"type": "Feature", "properties": {"v": n}, "geometry": mapped(s)} for n, s in enumerate((teeth, across))
    ]
    label = {"zh": "试", "en": "trial"}
    bodies: dict[str, Any] = {
        "/impact": {"hazard": hazard([teeth, across]), **QUIET},
        "/hazards/zones/drawn": {"classes": [{"code": "a", "area": mapped(s)} for s in (teeth, across)]},
        "/hazards/zones/model-polygons": {
            "features": {"type": "FeatureCollection", "features": features},
            "field": "v",
            "classes": [{"values": [n], "code": str(n), "label": label} for n in (0, 1)],
        },
    }
    refused = post(service, path, bodies[path])
    assert refused.status_code == 413, refused.text
    assert "cross too often" in refused.json()["detail"]


def test_a_zone_in_pieces_is_as_large_as_the_whole() -> None:
    whole = star(20_000, 5e-3)
    pieces = pieces_of(whole)
    assert len(pieces) > 200
    assert shapely.area(pieces).sum() == pytest.approx(whole.area, rel=1e-12)
    fields = np.array(list(FIELDS.values()))
    number, parts = Region(whole).cut(fields)
    cut = np.bincount(number, shapely.area(parts))
    assert cut == pytest.approx(shapely.area(shapely.intersection(fields, whole)), rel=1e-9)


def test_the_rim_of_a_long_thin_zone_fits_into_the_memory(service: Service) -> None:
    # A grid of square cells as high as this zone would have four thousand million of them.
    answer = post(service, "/impact", {"bbox": [20, 38.5, 170, 38.50001], **QUIET})
    assert answer.status_code == 200, answer.text
    assert sum(by_kind(answer.json()).values()) == pytest.approx(
        metres2(shapely.box(104, 38.5, 106, 38.50001)), rel=1e-6
    )


@pytest.mark.parametrize("shape", [star(300, 0.4), star(40, 0.6), shapely.box(105, 38, 106, 38.001), comb(3)])
def test_the_grid_of_a_zone_looks_at_every_cell_that_the_outline_crosses(shape: shapely.Polygon) -> None:
    region = Region(shape)
    west, south, east, north = region.bounds
    at = np.linspace(0.01, 0.99, 64)
    boxes = np.array(
        [
            (
                west + x * (east - west),
                south + y * (north - south),
                west + (x + 0.005) * (east - west),
                south + (y + 0.005) * (north - south),
            )
            for x in at
            for y in at
        ]
    )
    found = region.sort(boxes)
    cells = shapely.box(*boxes.T)
    inside, apart = shapely.covers(shape, cells), shapely.disjoint(shape, cells)
    assert not (found[~inside] == 1).any()
    assert not (found[~apart] == 0).any()
    assert set(found.tolist()) - {2}


def test_a_kept_zone_reads_as_it_was_written() -> None:
    parts = shapely.MultiPolygon([shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2)), shapely.box(5, 5, 6, 6)])
    zone = HazardZone.model_validate(hazard([parts, shapely.box(10, 10, 11, 11)]))
    assert area_of(zone.classes[0].geometry).equals(parts)
    assert whole_area(zone).equals(shapely.union_all([parts, shapely.box(10, 10, 11, 11)]))
