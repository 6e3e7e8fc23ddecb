"""Zones that are areas already: floods by depth, results of models, drawings, alerts; and rings around anything."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
import shapely

from geoservice.hazards.errors import EmptyZone
from geoservice.hazards.method import Feature, Found
from layers.errors import BadBody, BadGeometry, BadParameter, TooLarge, UnknownFeature
from tests.geoservice.hazards.made import GEOD, assert_disjoint, metres2, shape, shapes, whole, zone_of

SENT = dt.datetime(2026, 11, 26, 3, 0, tzinfo=dt.UTC)


def square(x: float, size: float = 1.0) -> shapely.Polygon:
    return shapely.box(x, 30.0, x + size, 31.0)


def found(name: str, *features: tuple[str, shapely.Geometry | None, dict[str, Any]], **more: Any) -> Found:
    return Found(features={name: tuple(Feature(*one) for one in features)}, **more)


def feature(x: float, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shapely.geometry.mapping(square(x)), "properties": properties}


def collection(*features: dict[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def test_floods_by_depth_and_without() -> None:
    rows = found(
        "extents",
        ("a", square(110.0), {"depth": 2.5, "observed": SENT}),
        ("b", square(110.5), {"depth": 0.7, "observed": None}),
        ("c", square(112.0), {"depth": None}),
        ("d", shapely.Point(110, 30), {"depth": 9.0}),
    )
    zone = zone_of("flood-extent", rows, bbox=[109, 29, 114, 32], depth_error=0.6)
    assert [one.code for one in zone.classes] == ["2-3", "0.5-1", "flooded"]
    assert [one.code for one in zone.bound("low")] == ["1-2", "0.05-0.5", "flooded"]
    assert [one.code for one in zone.bound("high")] == ["3+", "1-2", "flooded"]
    assert zone.start == SENT
    parts = shapes(zone.classes)
    assert parts["0.5-1"].equals(shapely.box(111.0, 30.0, 111.5, 31.0))
    assert_disjoint(zone.classes)


def test_named_extents_that_are_missing() -> None:
    with pytest.raises(UnknownFeature, match="'b'"):
        zone_of("flood-extent", found("extents", ("a", square(110.0), {})), ids=["a", "b"])


CLASSES = [
    {"values": ["H", 3], "code": "high", "label": {"zh": "高", "en": "High"}},
    {"values": [2], "code": "middle", "label": {"zh": "中", "en": "Middle"}},
]


def test_results_of_models_by_class() -> None:
    features = collection(feature(110, k="H"), feature(111, k=3.0), feature(111.5, k="2"), feature(120, k="x"))
    zone = zone_of("model-polygons", features=features, field="k", classes=CLASSES, kind="landslide")
    assert zone.kind == "landslide"
    parts = shapes(zone.classes)
    assert parts["high"].equals(shapely.box(110, 30, 112, 31))
    assert parts["middle"].equals(shapely.box(112, 30, 112.5, 31))
    assert "features" not in zone.parameters
    assert zone.inputs[0].digest is not None


def test_results_of_models_by_breaks() -> None:
    features = collection(feature(110, c=0.5), feature(112, c=1.5), feature(114, c=5), feature(116, c=None))
    told: dict[str, Any] = {"features": features, "field": "c", "breaks": [4, 1], "unit": "mg/m3", "kind": "plume"}
    zone = zone_of("model-polygons", **told)
    assert [(one.code, one.band.unit) for one in zone.classes] == [("4+", "mg/m3"), ("1-4", "mg/m3")]  # type: ignore[union-attr]
    assert zone.low is None
    spread = zone_of("model-polygons", **told, value_error=0.6)
    assert [one.code for one in spread.bound("low")] == ["4+"]
    assert metres2(whole(spread.bound("high"))) > metres2(whole(spread.classes))


@pytest.mark.parametrize(
    ("features", "error"),
    [
        ({"type": "Feature"}, BadBody),
        (collection({"type": "Feature", "geometry": None, "properties": {}}), BadGeometry),
        (collection(feature(110, c="deep")), BadParameter),
        (collection(feature(110, c=True)), BadParameter),
        (collection(), EmptyZone),
    ],
)
def test_results_that_make_no_zone(features: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        zone_of("model-polygons", features=features, field="c", breaks=[1])


def test_drawings_are_kept_apart_and_checked() -> None:
    inner, outer = (shapely.geometry.mapping(shapely.Point(110, 30).buffer(r)) for r in (0.1, 0.3))
    drawn = [{"code": "red", "area": inner}, {"code": "yellow", "area": outer}]
    zone = zone_of("drawn", classes=drawn, codes="warning-colour@1")
    assert (zone.codes, [one.code for one in zone.classes]) == ("warning-colour@1", ["red", "yellow"])
    assert_disjoint(zone.classes)
    covered = zone_of("drawn", classes=drawn[::-1])
    assert [one.code for one in covered.classes] == ["yellow"]


def test_a_drawing_that_crosses_itself_gets_a_clear_answer() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    with pytest.raises(BadGeometry, match=r"Self-intersection\[0.5 0.5\]"):
        zone_of("drawn", classes=[{"code": "red", "area": bow}])


def test_a_million_vertices_meet_the_limit() -> None:
    area = {"type": "Polygon", "coordinates": [[[110.0, 30.0]] * 1_000_001]}
    with pytest.raises(TooLarge, match="more than 1000000 vertices"):
        zone_of("drawn", Found(most_vertices=1_000_000), classes=[{"code": "red", "area": area}])


def alert(severity: str | None, x: float, **more: Any) -> tuple[str, shapely.Geometry, dict[str, Any]]:
    told = {"severity": severity, "status": "Actual", "msg_type": "Alert", "language": "zh-CN", "headline": "暴雨"}
    return f"a|{x}", square(x), {**told, "sent": SENT, "expires": SENT + dt.timedelta(hours=6), **more}


def test_an_alert_by_severity() -> None:
    rows = found("areas", alert("Severe", 110.0), alert("Extreme", 110.5), alert(None, 113.0))
    zone = zone_of("alert", rows, identifier="a")
    assert [one.code for one in zone.classes] == ["Extreme", "Severe", "Unknown"]
    assert shapes(zone.classes)["Severe"].equals(shapely.box(110.0, 30.0, 110.5, 31.0))
    assert (zone.start, zone.end, zone.status) == (SENT, SENT + dt.timedelta(hours=6), "actual")
    assert (zone.codes, zone.label.en) == ("cap-severity@1.2", "暴雨")


@pytest.mark.parametrize(
    ("status", "expected"), [("Exercise", "exercise"), ("Test", "test"), ("Draft", "test"), (None, "test")]
)
def test_what_is_not_meant_in_earnest_never_looks_so(status: str | None, expected: str) -> None:
    rows = found("areas", alert("Severe", 110.0), alert("Severe", 112.0, status=status))
    assert zone_of("alert", rows, identifier="a").status == expected
    told = zone_of("alert", found("areas", alert("Severe", 110.0)), identifier="a", status="exercise")
    assert told.status == "exercise"


def test_alerts_without_a_zone() -> None:
    with pytest.raises(UnknownFeature):
        zone_of("alert", found("areas"), identifier="a")
    with pytest.raises(EmptyZone, match="cancels"):
        zone_of("alert", found("areas", alert("Severe", 110.0, msg_type="Cancel")), identifier="a")
    with pytest.raises(EmptyZone, match="codes only"):
        zone_of("alert", found("areas", ("a", None, alert("Severe", 1.0)[2])), identifier="a")


def test_rings_lie_at_their_distances() -> None:
    place = Found(places={"place": shapely.Point(110, 30)})
    point = {"type": "Point", "coordinates": [110, 30]}
    zone = zone_of("buffer", place, geometry=point, radii=[3000, 1000, 1000], position_error=100)
    assert [one.code for one in zone.classes] == ["1000m", "3000m"]
    for one, radius in zip(zone.classes, (1000.0, 3000.0), strict=True):
        ring = shapely.get_coordinates(shapely.get_exterior_ring(shape(one)))
        metres = [GEOD.inv(110, 30, x, y)[2] for x, y in ring]
        assert metres == pytest.approx([radius] * len(metres), abs=0.05)
    areas = [metres2(whole(zone.bound(bound))) for bound in ("low", "best", "high")]
    assert areas == pytest.approx([math.pi * r**2 for r in (2900, 3000, 3100)], rel=1e-3)


def test_rings_differ_by_an_attribute() -> None:
    rows = found(
        "features", ("a", shapely.Point(110, 30), {"grade": "1"}), ("b", shapely.Point(111, 30), {"grade": "4"})
    )
    told: dict[str, Any] = {"collection": "hazard_source", "ids": ["b", "a"], "radii": [500], "by": "grade"}
    zone = zone_of("buffer", rows, **told, factors={"1": 4})
    parts = sorted(metres2(part) for part in shapely.get_parts(whole(zone.classes)))
    assert parts == pytest.approx([math.pi * 500**2, math.pi * 2000**2], rel=1e-3)
    with pytest.raises(UnknownFeature, match="'c'"):
        zone_of("buffer", rows, **{**told, "ids": ["a", "c"]})
