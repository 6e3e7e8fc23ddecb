"""Winds along tracks and cones of error: distances by geodesics, time between fixes, order of fixes, the date line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely

from layers.errors import BadParameter
from tests.geoservice.hazards.made import GEOD, assert_disjoint, metres2, shape, shapes, whole, zone_of

QUADRANTS = [300.0, 250.0, 150.0, 200.0]


def fix(hour: int, lon: float, lat: float, **radii: Any) -> dict[str, Any]:
    """A fix on the first days of a month; radii by wind as `w7=...`."""
    time = f"2026-08-{1 + hour // 24:02}T{hour % 24:02}:00:00Z"
    return {"time": time, "lon": lon, "lat": lat, "radii": {name[1:]: values for name, values in radii.items()}}


def test_each_quadrant_reaches_its_radius() -> None:
    zone = zone_of("typhoon-wind", fixes=[fix(0, 125.0, 20.0, w7=QUADRANTS)], radius_error=0)
    ring = shapely.get_coordinates(shape(zone.classes[0]))
    azimuth, _, metres = GEOD.inv(np.full(len(ring), 125.0), np.full(len(ring), 20.0), ring[:, 0], ring[:, 1])
    for number, radius in enumerate(QUADRANTS):
        inside = (azimuth % 360 > number * 90 + 1) & (azimuth % 360 < number * 90 + 89)
        assert inside.sum() >= 25
        assert metres[inside] == pytest.approx(radius * 1000, abs=1.0)
    assert metres2(shape(zone.classes[0])) == pytest.approx(
        math.pi / 4 * sum((r * 1000) ** 2 for r in QUADRANTS), rel=0.002
    )
    assert zone.low is None


def test_nautical_miles_and_knots() -> None:
    zone = zone_of("typhoon-wind", fixes=[fix(0, 125.0, 20.0, w34=[100], w64=[30])], unit="nmi", radius_error=0)
    assert [(one.code, one.rank) for one in zone.classes] == [("64kt", 1), ("34kt", 2)]
    assert zone.classes[1].band.below == 64  # type: ignore[union-attr]
    inner, outer = (shape(one) for one in zone.classes)
    assert metres2(inner) == pytest.approx(math.pi * (30 * 1852) ** 2, rel=0.002)
    assert metres2(outer) == pytest.approx(math.pi * (100**2 - 30**2) * 1852**2, rel=0.002)


def test_a_swath_is_the_area_around_a_geodesic() -> None:
    fixes = [fix(0, 125.0, 20.0, w7=[100]), fix(12, 127.0, 20.5, w7=[100])]
    zone = zone_of("typhoon-wind", fixes=fixes, radius_error=0, step_minutes=10)
    _, _, length = GEOD.inv(125.0, 20.0, 127.0, 20.5)
    assert metres2(whole(zone.classes)) == pytest.approx(math.pi * 1e10 + 2e5 * length, rel=0.003)
    assert str(zone.start) == "2026-08-01 00:00:00+00:00"
    assert str(zone.end) == "2026-08-01 12:00:00+00:00"


def test_radii_are_linear_in_time() -> None:
    fixes = [fix(0, 125.0, 20.0, w7=[50]), fix(10, 135.0, 20.0, w7=[250])]
    area = whole(zone_of("typhoon-wind", fixes=fixes, radius_error=0, step_minutes=5).classes)
    middle = GEOD.npts(125.0, 20.0, 135.0, 20.0, 1)[0]
    for radius, inside in ((148_000, True), (175_000, False)):
        lon, lat, _ = GEOD.fwd(*middle, 0.0, radius)
        assert bool(shapely.contains_xy(area, lon, lat)) is inside


def test_a_wind_that_ends_shrinks_to_nothing() -> None:
    fixes = [fix(0, 125.0, 20.0, w7=[200], w12=[50]), fix(6, 126.0, 20.0, w7=[200])]
    found = shapes(zone_of("typhoon-wind", fixes=fixes, radius_error=0).classes)
    assert list(found) == ["level-12", "level-7"]
    assert found["level-12"].bounds[2] < 126.0


@pytest.mark.parametrize("method", ["typhoon-wind", "typhoon-cone"])
def test_the_order_of_fixes_does_not_matter(method: str) -> None:
    fixes = [fix(6 * n, 178.0 + n if n < 3 else n - 182.0, 18.0 + n, w34=[90, 80, 60, 70]) for n in range(5)]
    mixed = [fixes[n] for n in (3, 0, 4, 2, 1)]
    one, other = zone_of(method, fixes=fixes), zone_of(method, fixes=mixed)
    assert one.canonical() == other.canonical()
    assert one.id == other.id
    west, _, east, _ = whole(one.classes).bounds
    assert (west, east) == (-180.0, 180.0)
    assert_disjoint(one.classes)


def test_errors_of_radii_make_estimates() -> None:
    zone = zone_of("typhoon-wind", fixes=[fix(0, 125.0, 20.0, w34=[100])], radius_error=0.2)
    areas = [metres2(whole(zone.bound(bound))) for bound in ("low", "best", "high")]
    assert areas == pytest.approx([math.pi * 1e10 * share**2 for share in (0.8, 1.0, 1.2)], rel=0.002)


def test_the_cone_follows_the_table_of_errors() -> None:
    zone = zone_of("typhoon-cone", fixes=[fix(0, 125.0, 20.0), fix(24, 125.0, 25.0), fix(72, 130.0, 33.0)])
    assert [one.code for one in zone.classes] == ["0-24h", "24-48h", "48-72h"]
    assert_disjoint(zone.classes)
    area = whole(zone.classes)
    for lon, lat, side, miles in ((125.0, 25.0, 270.0, 39.0), (130.0, 33.0, 90.0, 99.0)):
        for share, inside in ((0.98, True), (1.08, False)):
            x, y, _ = GEOD.fwd(lon, lat, side, miles * 1852 * share)
            assert bool(shapely.contains_xy(area, x, y)) is inside, (lon, share)
    assert zone.low is None


def test_what_lies_beyond_the_table_is_left_out_and_told() -> None:
    zone = zone_of("typhoon-cone", fixes=[fix(0, 125.0, 20.0), fix(48, 125.0, 25.0)], errors=[[0, 0], [24, 100]])
    assert "24 hours" in zone.notes[0].en
    assert whole(zone.classes).bounds[3] < 24.0


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"fixes": [fix(0, 125, 20)]}, "34, 50 and 64 knots"),
        ({"fixes": [fix(0, 125, 20, w34=[50], w7=[60])]}, "34, 50 and 64 knots"),
        ({"fixes": [fix(0, 125, 20, w34=[50]), fix(0, 126, 20, w34=[50])]}, "Two fixes"),
        (
            {"fixes": [fix(0, 125, 20, w34=[5]), fix(600, 126, 20, w34=[5])], "step_minutes": 1},
            "more than 5000 moments",
        ),
    ],
)
def test_tracks_that_make_no_sense(told: dict[str, Any], word: str) -> None:
    with pytest.raises(BadParameter, match=word):
        zone_of("typhoon-wind", **told)
