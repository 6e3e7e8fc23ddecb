"""Intensity ellipses: radii of the published relations, shapes by geodesics, strikes of faults, what is uncertain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from pydantic import ValidationError

from geoservice.hazards.attenuation import FILE, relations
from geoservice.hazards.earthquake import ellipse, nearest_strike
from geoservice.hazards.method import Feature, Found
from layers.area import ellipsoidal_area
from layers.errors import BadParameter, DefinitionError
from tests.geoservice.hazards.made import GEOD, assert_disjoint, metres2, shapes, whole, zone_of

RADII = [
    ("east", 6, 7, 17.6, 9.9), ("east", 6, 6, 48.5, 30.9), ("east", 7, 9, 6.5, 3.4), ("east", 7, 8, 29.3, 17.4),
    ("east", 7, 7, 69.0, 46.8), ("east", 7, 6, 138.2, 109.1), ("west", 7, 9, 2.2, 1.0), ("west", 7, 8, 23.0, 11.6),
    ("west", 7, 7, 59.2, 34.9), ("west", 7, 6, 122.2, 85.9), ("west", 8, 10, 9.1, 4.3), ("west", 8, 9, 35.1, 18.8),
    ("west", 8, 8, 80.2, 50.6), ("west", 8, 7, 158.6, 120.1), ("west", 8, 6, 295.0, 272.2),
]  # fmt: skip
"""Region, magnitude, intensity, long and short radius in km, as published tables of the relations have them."""
BASE = {"epicentre": [110.0, 34.0], "magnitude": 7.0, "strike": 30.0}


@pytest.mark.parametrize(("region", "magnitude", "intensity", "long", "short"), RADII)
def test_radii_follow_the_table(region: str, magnitude: float, intensity: float, long: float, short: float) -> None:
    assert relations()[region].radii(magnitude, intensity) == pytest.approx((long, short), abs=0.06)


def test_the_short_radius_is_capped_and_missing_degrees_are_absent() -> None:
    long, short = relations()["east"].radii(8.0, 6.0) or (0.0, 0.0)
    assert (long, short) == (pytest.approx(338.8, abs=0.05), long)
    assert relations()["east"].short.radius(8.0, 6.0) > long
    assert relations()["east"].radii(5.0, 9.0) is None


@pytest.mark.parametrize(("lon", "lat"), [(110.0, 34.0), (-70.0, -45.0), (10.0, 70.0)])
def test_the_edge_lies_where_an_ellipse_has_it(lon: float, lat: float) -> None:
    ring = shapely.get_coordinates(ellipse(lon, lat, (60.0, 25.0), 40.0))
    azimuth, _, metres = GEOD.inv(np.full(len(ring), lon), np.full(len(ring), lat), ring[:, 0], ring[:, 1])
    along, across = metres * np.cos(np.radians(azimuth - 40.0)), metres * np.sin(np.radians(azimuth - 40.0))
    assert ((along / 60_000) ** 2 + (across / 25_000) ** 2) == pytest.approx(1.0, abs=1e-9)
    assert max(metres) == pytest.approx(60_000, abs=1e-3)
    assert min(metres) == pytest.approx(25_000, abs=1e-3)


def test_classes_are_disjoint_and_nested_by_estimate() -> None:
    zone = zone_of("earthquake", **BASE)
    assert [one.code for one in zone.classes] == ["IX", "VIII", "VII", "VI"]
    assert zone.parameters["relation"] == "east"
    assert_disjoint(zone.classes)
    assert metres2(whole(zone.classes)) == pytest.approx(math.pi * 138.2e3 * 109.1e3, rel=0.002)
    low, best, high = (whole(zone.bound(bound)) for bound in ("low", "best", "high"))
    assert shapely.covers(best, low)
    assert shapely.covers(high, best)
    assert low.area < best.area < high.area
    assert zone.classes[0].band.below is None  # type: ignore[union-attr]
    assert zone.notes == ()


def test_without_errors_all_estimates_are_one() -> None:
    zone = zone_of("earthquake", **BASE, magnitude_error=0, intensity_error=0)
    assert zone.low == zone.classes == zone.high


def test_west_of_the_divide_the_western_relation_counts() -> None:
    zone = zone_of("earthquake", epicentre=[103.4, 31.0], magnitude=8.0, strike=229)
    assert zone.parameters["relation"] == "west"
    assert zone.notes[0].en.startswith("The relation was found from magnitudes 5–7.9")


def fault(key: str, *points: tuple[float, float]) -> Feature:
    return Feature(key, shapely.LineString(points), {})


def test_the_strike_is_that_of_the_nearest_fault() -> None:
    north = fault("north-south", (110.3, 33.0), (110.3, 35.0))
    slant = fault("slant", (111.0, 33.0), (112.0, 34.0))
    for order in ([north, slant], [slant, north]):
        found = nearest_strike(110.0, 34.0, order, 100_000)
        assert found.fault == "north-south"
        assert found.azimuth == pytest.approx(0.0, abs=0.3) or found.azimuth == pytest.approx(180.0, abs=0.3)
    azimuth = GEOD.inv(111.0, 33.0, 112.0, 34.0)[0]
    assert nearest_strike(111.6, 33.4, [slant], 100_000).azimuth == pytest.approx(azimuth, abs=0.5)
    assert nearest_strike(110.0, 34.0, [slant], 10_000).azimuth is None


def test_a_strike_that_nobody_knows_makes_circles_and_says_so() -> None:
    zone = zone_of("earthquake", epicentre=[110.0, 34.0], magnitude=7.0)
    known = zone_of("earthquake", **BASE)
    assert zone.parameters["strike"] is None
    assert "not known" in zone.notes[0].en
    assert metres2(whole(zone.classes)) == pytest.approx(metres2(whole(known.classes)), rel=1e-3)
    assert whole(zone.bound("low")).area < whole(known.bound("low")).area


def test_a_relation_of_ones_own(tmp_path: Path) -> None:
    own = relations()["east"].model_dump(mode="json") | {"name": "own"}
    own["long"]["c"] += 1.0
    own["short"]["c"] += 1.0
    zone = zone_of("earthquake", **BASE, coefficients=own)
    assert zone.classes[0].code == "X"
    header = "name,zh,en,long_c,long_m,long_k,long_r0,short_c,short_m,short_k,short_r0,least,greatest,source\n"
    (tmp_path / FILE).write_text(header + "yunnan,云南,Yunnan,5,1.4,4,20,2,1.4,3,8,5,7,test\n", encoding="utf-8")
    assert set(relations(tmp_path)) == {"east", "west", "yunnan"}
    (tmp_path / FILE).write_text(header + "yunnan,云南,Yunnan,5,1.4,-4,20,2,1.4,3,8,5,7,test\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"line 2: long\.k"):
        relations(tmp_path)
    with pytest.raises(BadParameter, match="east, west"):
        zone_of("earthquake", **BASE, relation="north")


def test_a_weak_earthquake_endangers_nothing() -> None:
    zone = zone_of("earthquake", epicentre=[110.0, 34.0], magnitude=3.0, strike=0)
    assert (zone.classes, zone.looked) == ((), (110.0, 34.0, 110.0, 34.0))
    assert "intensity VI nowhere" in zone.notes[0].en


def test_across_the_antimeridian_and_at_the_pole() -> None:
    zone = zone_of("earthquake", epicentre=[179.9, -17.0], magnitude=7.0, strike=90)
    area = whole(zone.classes)
    west, _, east, _ = area.bounds
    assert (west, east) == (-180.0, 180.0)
    assert metres2(area) == pytest.approx(math.pi * 138.2e3 * 109.1e3, rel=0.002)
    # West of 105 E the western relation counts.
    polar = whole(zone_of("earthquake", epicentre=[10.0, 89.9], magnitude=7.0, strike=0).classes)
    assert polar.bounds[3] == 90.0
    assert float(ellipsoidal_area(polar)) == pytest.approx(math.pi * 122.2e3 * 85.9e3, rel=0.01)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"epicentre": [110.0, 34.0]},
        {"epicentre": [110.0, 134.0], "magnitude": 7},
        {"epicentre": [110.0, 34.0], "magnitude": 7, "event": "x"},
        {"epicentre": [110.0, 34.0], "magnitude": float("nan")},
        {"epicentre": [110.0, 34.0], "magnitude": 7, "colour": "red"},
        {"epicentre": [110.0, 34.0], "magnitude": 7, "label": {"zh": "\ud800", "en": "x"}},
        {"epicentre": [110.0, 34.0], "magnitude": 7, "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
    ],
)
def test_wrong_parameters(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        zone_of("earthquake", Found(), **told)


def test_the_same_parameters_make_the_same_bytes() -> None:
    one, other = zone_of("earthquake", **BASE), zone_of("earthquake", **dict(reversed(BASE.items())))
    assert one.canonical() == other.canonical()
    assert one.id == other.id
    assert one.id != zone_of("earthquake", **{**BASE, "strike": 31.0}).id
    assert shapes(one.classes).keys() == shapes(other.classes).keys()
