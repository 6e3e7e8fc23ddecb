"""A zone in which nothing lies in danger, in the sample county: zero where there is data, and no data elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.geoservice.test_impact_sample import County, county, drawn, section

__all__ = ["county"]


def test_nothing_in_danger_is_zero_where_there_is_data_and_no_data_elsewhere(county: County) -> None:
    west, south, east, north = county.truth.bounds
    here = county.ask({"hazard": nothing((west, south, east, north)), "minutes": [15], "explain": True})
    told = {one["layer"]: one for one in here["sections"]}
    assert here["zone"]["area_m2"] == 0
    assert here["zone"]["classes"] == []
    assert here["zone"]["bbox"] == pytest.approx([west, south, east, north])
    assert "nothing lies in danger" in here["zone"]["notice"]["en"]
    for layer in ("landuse_patch", "road", "building", "hospital", "population", "division", "populated_place"):
        if layer in told:
            assert (told[layer]["status"], told[layer]["total"]["value"]) == ("ok", 0.0), layer
            assert not told[layer].get("features")
            assert told[layer]["divisions"] == []
    assert told["hospital"]["capacity"]["value"] == 0
    assert here["people"]["value"] == 0
    assert {one["value"] for one in here["people"]["others"]} == {0.0}
    assert {(one["value"], one["high"]) for one in here["needs"]} == {(0.0, 0.0)}
    assert (here["ways"]["status"], here["ways"]["closed_m"], here["ways"]["isolated"]) == ("ok", 0.0, 0)
    assert (here["ways"]["settlements"], here["ways"]["evacuation"]) == ([], [])
    away = county.ask({"hazard": nothing((60.0, 10.0, 61.0, 11.0)), "minutes": [15]})
    assert {one["status"] for one in away["sections"]} == {"no-data"}
    assert "people" not in away


def test_what_is_in_danger_at_worst_alone_has_a_high_figure(county: County) -> None:
    zone = county.zone()
    worst = {"rank": 1, "code": "x", "label": {"zh": "一", "en": "x"}, "geometry": drawn(zone)}
    found = county.ask({"hazard": {**nothing(county.truth.bounds), "low": [], "high": [worst]}})
    plain = county.ask({"zone": drawn(zone)})
    for layer in ("landuse_patch", "road", "population", "hospital"):
        mine, theirs = section(found, layer)["total"], section(plain, layer)["total"]
        assert (mine["value"], mine["low"]) == (0.0, 0.0)
        assert mine["high"] == theirs["value"]
    assert found["people"]["high"] == plain["people"]["value"] > found["people"]["value"] == 0
    assert found["ways"]["closed_m_high"] == plain["ways"]["closed_m"] > found["ways"]["closed_m"] == 0
    assert "By the best estimate" in found["zone"]["notice"]["en"]


@pytest.mark.parametrize("looked", [None, [1, 2, 3], [0, 5, 1, 4], [0, 0, 200, 1], "here"])
def test_a_zone_that_was_lost_on_the_way_is_no_all_clear(county: County, looked: Any) -> None:
    refused = county.post({"hazard": {**nothing((0, 0, 1, 1)), "looked": looked}})
    assert refused.status_code == 400, refused.text
    assert "looked" in refused.json()["detail"]
    assert county.post({"zone": {"type": "MultiPolygon", "coordinates": []}}).status_code == 422


def test_a_zone_and_nothing_are_compared(county: County) -> None:
    pair = {"first": {"hazard": nothing(county.truth.bounds)}, "second": {"zone": drawn(county.zone())}}
    found = county.ask(pair, "/impact/compare")
    land = next(s for s in found["sections"] if s["layer"] == "landuse_patch")
    assert (land["first"], land["difference"]) == (0.0, land["second"])
    assert {(row["first"], *row["absent"]) for row in land["rows"]} == {(None, "first")}
    assert all(row["difference"] == row["second"] for row in land["rows"])
    gone = {"first": {"hazard": nothing((60.0, 10.0, 61.0, 11.0))}, "second": pair["second"]}
    land = next(s for s in county.ask(gone, "/impact/compare")["sections"] if s["layer"] == "landuse_patch")
    assert (land["first"], land["first_status"], land["difference"]) == (None, "no-data", None)
    assert {(row["first"], row["difference"], *row["absent"]) for row in land["rows"]} == {(None, None)}
    assert all(row["second"] > 0 for row in land["rows"])


def nothing(looked: Any) -> dict[str, Any]:
    """A flood that reaches nothing."""
    label = {"zh": "无人被淹", "en": "No flood"}
    method = {"id": "river-flood", "version": "1", "source": "test", "title": label}
    return {"kind": "flood", "label": label, "method": method, "classes": [], "looked": list(looked)}
