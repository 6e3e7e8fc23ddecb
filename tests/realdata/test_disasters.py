"""Files of real disasters through the public interface: alerts, a flood, fires, a hurricane, earthquakes.

Each figure is found a second time by other libraries over the same files: lxml, geopandas, pyproj, pandas.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from lxml import etree

from geoservice.db.engine import Database
from layers.access import ALERT, Clearance
from layers.catalog import Catalog, read_catalog
from tests.support.editing import give_key
from tests.support.loading import load_file, prepared, trial_layer
from tests.support.service import Service, running
from tests.support.zones import plant

pytestmark = pytest.mark.realdata
ALL = read_catalog()
NAMES = ("flood_extent", "active_fire", "earthquake", "cap_alert")
LAND = trial_layer(
    "land",
    geometry="polygon",
    style={"fill": "#aabbcc"},
    row_clearance=None,
    time=None,
    attributes={"code": {"type": "text", "required": True}, "kind": {"type": "text"}},
    exposure={"role": "land", "measure": "area", "by": "kind"},
)
CATALOG = Catalog({name: ALL.layer(name) for name in NAMES}, ALL.codelists).with_([LAND], [])
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
ALERTS = ("*.cap", "*.edxlde", "*.atom")
SOBERANES = (-122.2, 36.1, -121.3, 36.7)
KATRINA = ("Katrina", 2005)
NAUTICAL = 1852.0


@pytest.fixture(scope="module")
def service(module_database: Database, real_data: Path) -> Iterator[Service]:
    target = prepared(module_database, CATALOG)
    disasters = real_data / "disasters"
    load_file(CATALOG, target, "flood_extent", disasters / "emsr332_flood_extent.zip")
    load_file(CATALOG, target, "active_fire", disasters / "firms_soberanes_viirs.csv")
    load_file(CATALOG, target, "earthquake", real_data / "earthquakes" / "usgs_week_feed.json")
    key = give_key(module_database, Clearance.RESTRICTED, [ALERT])
    with running(module_database, CATALOG) as started:
        started.client.headers["X-API-Key"] = key
        yield started


def asked(service: Service, path: str, body: dict[str, Any]) -> Any:
    answer = service.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def shapes(zone: Any, estimate: str = "classes") -> list[Any]:
    return [shapely.geometry.shape(one["geometry"]) for one in zone[estimate]]


def metres2(geometry: Any) -> float:
    dense = shapely.segmentize(shapely.orient_polygons(geometry), 0.002)
    return abs(float(GEOD.geometry_area_perimeter(dense)[0]))


def drawn(element: Any) -> Any:
    """The polygons of an alert, read by nothing but lxml: latitude comes first."""
    rings = [ring.text.split() for ring in element.iter("{*}polygon")]
    return shapely.union_all([shapely.Polygon([tuple(map(float, p.split(",")))[::-1] for p in ring]) for ring in rings])


def require_circle(area: Any, told: str) -> None:
    """A circle of CAP is a place, latitude first, and a radius in kilometres along the ellipsoid."""
    centre, radius = told.split()
    lat, lon = map(float, centre.split(","))
    for share, inside in ((0.99, True), (1.01, False)):
        azimuths, reach = np.arange(0.0, 360.0, 15.0), np.full(24, float(radius) * 1000 * share)
        east, north, _ = GEOD.fwd(np.full(24, lon), np.full(24, lat), azimuths, reach)
        assert (shapely.contains_xy(area, east, north) == inside).all()


def test_every_sample_message_is_taken_and_lies_where_it_is_drawn(service: Service, real_data: Path) -> None:
    files = sorted(file for pattern in ALERTS for file in (real_data / "disasters").glob(pattern))
    assert len(files) == 9
    drawings = {"polygon": 0, "circle": 0}
    for file in files:
        content = file.read_bytes()
        answer = service.client.post("/alerts", content=content, headers={"Content-Type": "application/xml"})
        assert answer.status_code in (200, 201), (file.name, answer.text)
        elements = [e for e in etree.fromstring(content).iter("{*}alert") if e.find("{*}identifier") is not None]
        taken = answer.json()["alerts"]
        assert [one["identifier"] for one in taken] == [e.findtext("{*}identifier") for e in elements], file.name
        for one, element in zip(taken, elements, strict=True):
            kept = service.client.get(f"/alerts/{one['id']}?f=geojson").json()["features"]
            area = shapely.union_all([shapely.geometry.shape(f["geometry"]) for f in kept if f["geometry"] is not None])
            circle = element.findtext(".//{*}circle")
            if circle is not None and not circle.endswith(" 0.0"):
                drawings["circle"] += 1
                require_circle(area, circle)
            expected = drawn(element)
            if not expected.is_empty:
                drawings["polygon"] += 1
                assert shapely.area(area.symmetric_difference(expected)) < 1e-6, file.name
    assert drawings == {"polygon": 3, "circle": 1}
    assert service.client.get("/alerts").json()["alerts"] == []


def test_the_flood_in_veneto_is_as_large_as_geopandas_finds_it(service: Service, real_data: Path) -> None:
    frame = gpd.read_file(f"zip://{real_data / 'disasters' / 'emsr332_flood_extent.zip'}").to_crs(4326)
    whole = frame.geometry.make_valid().union_all()
    west, south, east, north = whole.bounds
    zone = asked(service, "/hazards/zones/flood-extent", {"bbox": [west, south, east, north]})
    made = shapely.union_all(shapes(zone))
    assert metres2(made) == pytest.approx(metres2(whole), rel=1e-4)
    assert shapely.get_num_coordinates(made) > 30_000
    quarters = _land(service, whole)
    kept = service.client.post("/hazards/zones/flood-extent?keep=true", json={"bbox": [west, south, east, north]})
    assert kept.status_code == 201, kept.text
    sent, named = (
        asked(service, "/impact", {**one, "ways": False}) for one in ({"hazard": zone}, {"zone": zone["id"]})
    )
    for found in (sent, named):
        assert found["zone"]["area_m2"] == pytest.approx(metres2(whole), rel=1e-4)
        land, *others = found["sections"]
        assert {row["code"]: row["value"] for row in land["rows"]} == {
            code: pytest.approx(metres2(whole.intersection(shape)), rel=1e-4) for code, shape in quarters.items()
        }
        # No other layer of exposure is here: that is said, and is no zero.
        assert {one["status"] for one in others} <= {"no-data"}
        assert "people" not in found
    assert named["sections"] == sent["sections"]


def _land(service: Service, flood: Any) -> dict[str, Any]:
    """Land of two classes on both sides of the middle of a flood."""
    west, south, east, north = flood.bounds
    middle = (west + east) / 2
    halves = {"left": shapely.box(west - 1, south - 1, middle, north + 1)}
    halves["right"] = shapely.box(middle, south - 1, east + 1, north + 1)
    rows = [{"code": code, "kind": code, "geom": shape} for code, shape in halves.items()]
    plant(service.database, LAND, rows)  # type: ignore[arg-type]
    return halves


def test_the_soberanes_fire_holds_its_points(service: Service, real_data: Path) -> None:
    points = pd.read_csv(real_data / "disasters" / "firms_soberanes_viirs.csv")
    west, south, east, north = SOBERANES
    inside = points[points.longitude.between(west, east) & points.latitude.between(south, north)]
    zone = asked(service, "/hazards/zones/fire", {"bbox": list(SOBERANES), "gap_hours": 720})
    made = shapely.union_all(shapes(zone, "high" if zone.get("high") else "classes"))
    held = shapely.contains_xy(made, inside.longitude.to_numpy(), inside.latitude.to_numpy())
    assert held.mean() > 0.999
    # Not smaller than half of what burnt (535 km2 by official figures), not larger than the hull of all pixels.
    hull = shapely.convex_hull(shapely.multipoints(inside[["longitude", "latitude"]].to_numpy()))
    assert 267e6 < metres2(made) < 1.2 * metres2(shapely.buffer(hull, 0.01))


def test_the_winds_of_katrina_reach_as_far_as_the_record_says(service: Service, real_data: Path) -> None:
    storms = pd.read_csv(real_data / "disasters" / "noaa_hurdat2_storms.csv")
    rows = storms[(storms["name"] == KATRINA[0]) & (storms["year"] == KATRINA[1])]
    rows = rows[rows["tropicalstorm_force_diameter"] > 0]
    fixes = [
        {
            "time": dt.datetime(r.year, r.month, r.day, int(r.hour), tzinfo=dt.UTC).isoformat(),
            "lon": r.long,
            "lat": r.lat,
            "radii": {"34": [r.tropicalstorm_force_diameter / 2], "64": [(r.hurricane_force_diameter or 0) / 2]},
        }
        for r in rows.itertuples()
    ]
    assert len(fixes) > 10
    zone = asked(service, "/hazards/zones/typhoon-wind", {"fixes": fixes, "unit": "nmi", "radius_error": 0})
    made = shapely.union_all(shapes(zone))
    for one in fixes:
        azimuths = np.arange(0.0, 360.0, 30.0)
        reach = np.full(12, one["radii"]["34"][0] * NAUTICAL * 0.99)
        lon, lat, _ = GEOD.fwd(np.full(12, one["lon"]), np.full(12, one["lat"]), azimuths, reach)
        assert shapely.contains_xy(made, lon, lat).all(), one["time"]
    largest = max(one["radii"]["34"][0] for one in fixes) * NAUTICAL
    length = sum(GEOD.inv(a["lon"], a["lat"], b["lon"], b["lat"])[2] for a, b in pairwise(fixes))
    assert metres2(made) <= math.pi * largest**2 + 2 * largest * length


def test_the_strongest_earthquake_of_the_week_shakes_in_nested_ellipses(service: Service, real_data: Path) -> None:
    feed = json.loads((real_data / "earthquakes" / "usgs_week_feed.json").read_bytes())
    strongest = max(feed["features"], key=lambda one: one["properties"]["mag"] or -9)
    zone = asked(service, "/hazards/zones/earthquake", {"event": strongest["id"], "relation": "east"})
    lon, lat = strongest["geometry"]["coordinates"][:2]
    rings = [shapely.union_all(shapes(zone)[: n + 1]) for n in range(len(zone["classes"]))]
    sizes = [metres2(ring) for ring in rings]
    assert sizes == sorted(sizes)
    for ring in rings:
        assert shapely.contains_xy(ring, lon, lat)
        # An ellipse is as long on one side of its middle as on the other.
        east, west = (ring.bounds[2] - lon), (lon - ring.bounds[0])
        assert east == pytest.approx(west, rel=0.01)
