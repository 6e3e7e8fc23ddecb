"""From an impact to the draft of an alert: zone, key figures, and nothing that goes out by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import shapely

from geoservice import front
from geoservice.db.engine import Database
from geoservice.processes.model import Call
from layers.access import ANONYMOUS
from tests.support.alerts import Json, Watch, keeping_watch, moment

# A quarter of the western county, whose 1,000 people live evenly over it by the census.
WORST = shapely.box(80.0, 40.0, 80.05, 40.05)
MORE = shapely.box(80.0, 40.0, 80.1, 40.05)
WORD = {"zh": "溃坝洪水", "en": "Dam flood"}


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database, impact_max_km2=400.0) as found:
        yield found


def hazard(status: str = "actual") -> Json:
    def classes(*shapes: shapely.Geometry) -> list[Json]:
        pairs = zip(("Extreme", "Severe"), shapes, strict=False)
        return [
            {"code": code, "label": WORD, "rank": rank, "geometry": shapely.geometry.mapping(shape)}
            for rank, (code, shape) in enumerate(pairs, 1)
        ]

    method = {"id": "test", "version": "1", "source": "none", "title": WORD}
    bounds = {"low": classes(shapely.box(80.0, 40.0, 80.05, 40.025)), "high": classes(WORST, MORE)}
    return {"kind": "dam-break", "label": WORD, "method": method, "status": status, "classes": classes(WORST), **bounds}


def reply(**more: Any) -> Json:
    told = {"status": "Actual", "category": ["Met"], "event": WORD, "urgency": "Immediate"}
    return {**told, "severity": "Severe", "certainty": "Likely", "expires": moment(6), **more}


def ask(watch: Watch, impact: Json, alert: Json, who: str | None = "author") -> Any:
    return watch.ask("POST", "/impact/alert-drafts", who, json={"impact": impact, "alert": alert})


def test_an_impact_becomes_a_draft_and_nothing_else(watch: Watch) -> None:
    answer = ask(watch, {"hazard": hazard()}, reply())
    assert answer.status_code == 201, answer.text
    draft = answer.json()
    assert draft["state"] == "open"
    chinese, english = draft["content"]["info"]
    # Townships of equal width in longitude: a quarter of the height and width, up to how degrees narrow northwards.
    assert "受影响人口：250（125–500）" in chinese["description"]
    assert "People concerned: 250 (125 to 500)" in english["description"]
    assert "受影响建筑：无数据" in chinese["description"]
    figures = {one["valueName"]: one["value"] for one in english["parameter"]}
    assert float(figures["impact.people"]) == pytest.approx(250, abs=0.5)
    assert float(figures["impact.people.low"]) == pytest.approx(125, abs=0.5)
    assert float(figures["impact.people.high"]) == pytest.approx(500, abs=0.5)
    assert len(figures["impact.digest"]) == 64
    assert [one["code"] for one in draft["content"]["zone"]["classes"]] == ["Extreme"]
    assert watch.listed("?state=all") == []
    assert watch.drawn("reader") == []


def test_the_same_impact_says_the_same(watch: Watch) -> None:
    told = reply()
    one, other = (ask(watch, {"hazard": hazard()}, told).json()["content"] for _ in range(2))
    assert one == other


def test_figures_are_those_that_the_public_may_see(watch: Watch) -> None:
    told = reply()
    mine = ask(watch, {"hazard": hazard()}, told).json()["content"]
    public = watch.ask("POST", "/impact", None, json={"hazard": hazard()}).json()
    people = {one["valueName"]: one["value"] for one in mine["info"][0]["parameter"]}["impact.people"]
    assert float(people) == public["people"]["value"]


@pytest.mark.parametrize(("status", "meant"), [("exercise", "Exercise"), ("test", "Test")])
def test_an_exercise_never_makes_an_actual_alert(watch: Watch, status: str, meant: str) -> None:
    refused = ask(watch, {"hazard": hazard(status)}, reply())
    assert refused.status_code == 422
    assert meant in refused.json()["detail"]
    assert ask(watch, {"hazard": hazard(status)}, reply(status=meant)).status_code == 201


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("reader", 403), ("officer", 403), ("bearer", 201)])
def test_drafting_takes_the_right_to_write_alerts(watch: Watch, who: str | None, status: int) -> None:
    zone = shapely.geometry.mapping(WORST)
    assert ask(watch, {"zone": zone}, reply(), who).status_code == status


def test_where_nothing_lies_in_danger_there_is_nothing_to_warn_of(watch: Watch) -> None:
    calm = {**hazard(), "classes": [], "low": None, "high": None, "looked": [80.0, 40.0, 80.1, 40.1]}
    refused = ask(watch, {"hazard": calm}, reply())
    assert refused.status_code == 422, refused.text
    assert "nothing to warn of" in refused.json()["detail"]
    drafted = {"status": "Test", "zone": calm, "info": [{**reply(), "language": "en"}]}
    assert watch.ask("POST", "/alerts/drafts", "author", json=drafted).status_code in (400, 422)


def test_a_large_zone_is_a_job_for_key_holders_and_refused_to_others(watch: Watch) -> None:
    large = {"bbox": [80.0, 40.0, 80.3, 40.3], "ways": False}
    refused = watch.ask("POST", "/impact", None, json=large)
    assert refused.status_code == 413
    assert "400 km2" in refused.json()["detail"]
    accepted = watch.ask("POST", "/impact", "reader", json=large)
    assert accepted.status_code == 202
    assert accepted.headers["location"].endswith(f"/jobs/{accepted.json()['id']}")
    assert watch.ask("POST", "/impact/compare", "reader", json={"first": large, "second": large}).status_code == 413
    small = watch.ask("POST", "/impact", None, json={"bbox": [80.0, 40.0, 80.15, 40.15], "ways": False})
    assert small.status_code == 200


def test_a_job_answers_what_is_too_large_to_wait_for(watch: Watch) -> None:
    settings = watch.database.settings.model_copy(update={"impact_max_km2": 400.0})
    body = {"bbox": [80.0, 40.0, 80.3, 40.3], "ways": False}
    found = asyncio.run(front.ask(settings, ANONYMOUS, Call("POST", "/impact", {}, body)))
    assert found["people"]["value"] == pytest.approx(2000, abs=0.5)
