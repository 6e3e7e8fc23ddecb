"""Exceedances to subscribers: once when one begins, once when it is over, inside the area, and for whose eyes."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from geoservice.db.engine import Database
from geoservice.events import exceeding, excess_watch
from geoservice.events.excess_watch import ExcessWatch
from geoservice.exceedances.now import Current
from geoservice.observations.reading import Reading
from layers.access import Clearance
from tests.support.notices import Desk, open_desk
from tests.support.stations import Place, furnish, record, stream_of

BRIDGE = Place("bridge", 80.05, 40.05, {"water_level": "m"})
DAM = Place("dam", 80.15, 40.05, {"water_level": "m"})
SECRET = Place("bunker", 80.06, 40.06, {"water_level": "m"}, Clearance.RESTRICTED)
TOWN = Place("town", 80.04, 40.04, dict.fromkeys(("pm25", "pm10", "so2", "no2", "o3"), "ug/m3") | {"co": "mg/m3"})
WEST = [80.0, 40.0, 80.1, 40.1]


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post")) as desk:
        furnish(module_database, [BRIDGE, DAM, SECRET, TOWN])
        yield desk


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.clear()


def read(desk: Desk, place: Place, value: float, minutes: float, name: str = "water_level", **more: Any) -> None:
    """A reading so many minutes ago."""
    at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)
    record(desk.watch.database, [Reading(at, value, datastream=stream_of(place, name), **more)])


def told(desk: Desk) -> list[tuple[str, str, float | None]]:
    """Type, station and value of what was posted, after some looks."""
    for _ in range(3):
        desk.look()
    found = [(one["type"], one["data"]["station"], one["data"].get("value")) for one in desk.told()]
    return sorted(found, key=lambda one: one[:2])


def test_it_is_told_once_when_it_begins_and_once_when_it_ends(desk: Desk) -> None:
    read(desk, BRIDGE, 3.0, 50)
    read(desk, DAM, 9.0, 50)
    number = desk.hook(kind="exceedance", property="water_level", above=350, unit="cm", area={"bbox": WEST})
    assert told(desk) == []
    read(desk, BRIDGE, 3.6, 40)
    assert told(desk) == [("exceedance.began", "bridge", 3.6)]
    read(desk, BRIDGE, 3.9, 30)
    assert told(desk) == [], "it lasts"
    read(desk, BRIDGE, 1.0, 25, quality="bad")
    assert told(desk) == [], "a reading that is marked as bad ends nothing"
    read(desk, BRIDGE, 3.2, 20)
    desk.look()
    (over,) = desk.told()
    data = over["data"]
    assert (over["type"], data["why"], data["was"], data["value"]) == ("exceedance.ended", "recovered", 3.6, 3.2)
    assert (data["limit"]["value"], data["limit"]["unit"], data["unit"]) == (350, "cm", "m")
    assert told(desk) == []
    read(desk, BRIDGE, 4.0, 10)
    assert told(desk) == [("exceedance.began", "bridge", 4.0)], "another one"
    assert len(desk.log(number)) == 3


def test_what_stands_already_is_told_and_a_new_courier_tells_it_no_second_time(desk: Desk) -> None:
    read(desk, DAM, 9.0, 9)
    desk.hook(kind="exceedance", property="water_level", above=8)
    assert told(desk) == [("exceedance.began", "dam", 9.0)]
    anew = ExcessWatch(desk.courier._database, desk.courier._engine.begin, threading.Event())
    anew.look()
    assert told(desk) == []


def test_more_than_are_looked_at_at_once_begin_and_end_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two are beyond and one value is looked at at once: each half of the datastreams is asked about by itself."""
    monkeypatch.setattr(exceeding, "MOST", 1)
    read(desk, BRIDGE, 7.5, 8.9)
    read(desk, DAM, 7.5, 8.9)
    desk.hook(kind="exceedance", property="water_level", above=7)
    assert told(desk) == [("exceedance.began", "bridge", 7.5), ("exceedance.began", "dam", 7.5)]
    read(desk, DAM, 1.0, 8.8)
    assert told(desk) == [("exceedance.ended", "dam", 1.0)]
    read(desk, BRIDGE, 1.0, 8.75)


def test_nothing_would_end_without_the_halves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with one look alone, of what is cut off nobody knows whether it ended."""
    monkeypatch.setattr(exceeding, "MOST", 1)
    monkeypatch.setattr(exceeding, "SHARES", 1)
    real = Current.halves
    monkeypatch.setattr(Current, "halves", lambda self: (real(self)[0],) * 2)
    read(desk, BRIDGE, 7.5, 8.6)
    read(desk, DAM, 7.5, 8.6)
    desk.hook(kind="exceedance", property="water_level", above=7)
    assert len(told(desk)) < 2
    read(desk, BRIDGE, 1.0, 8.5)
    read(desk, DAM, 1.0, 8.5)


def test_what_is_above_a_key_it_never_hears_of_and_not_that_it_ended(desk: Desk) -> None:
    read(desk, DAM, 1.0, 8)
    read(desk, SECRET, 7.0, 8)
    insider = desk.hook("insider", kind="exceedance", property="water_level", above=6.5)
    number = desk.hook("reader", kind="exceedance", property="water_level", above=6.5)
    assert told(desk) == [("exceedance.began", "bunker", 7.0)]
    assert desk.log(insider) == []
    log = f"/subscriptions/{number}/deliveries"
    assert "bunker" in desk.watch.ask("GET", log, "reader").text
    desk.demote("reader", Clearance.PUBLIC)
    try:
        shown = desk.watch.ask("GET", log, "reader")
        assert [one["state"] for one in shown.json()["deliveries"]] == ["delivered"]
        assert "bunker" not in shown.text, "the log names nothing above the key"
        read(desk, SECRET, 1.0, 7)
        assert told(desk) == []
    finally:
        desk.demote("reader", Clearance.RESTRICTED)


def test_a_demoted_key_would_hear_of_the_end_without_the_check(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with what stands looked at with other eyes than those of the key."""
    read(desk, SECRET, 7.0, 6)
    desk.hook("reader", kind="exceedance", property="water_level", above=6.5)
    assert told(desk) == [("exceedance.began", "bunker", 7.0)]
    careful = ExcessWatch._over

    def as_another(watch: ExcessWatch, ask: Any, gone: Any, _: Clearance, at: dt.datetime) -> Any:
        return careful(watch, ask, gone, Clearance.RESTRICTED, at)

    monkeypatch.setattr(ExcessWatch, "_over", as_another)
    desk.demote("reader", Clearance.PUBLIC)
    try:
        read(desk, SECRET, 1.0, 5)
        assert told(desk) == [("exceedance.ended", "bunker", 1.0)]
    finally:
        desk.demote("reader", Clearance.RESTRICTED)


def test_a_declared_threshold_and_a_mail_in_english(desk: Desk) -> None:
    desk.run(
        "UPDATE obs.datastream SET properties = "
        '\'{"thresholds": [{"name": "warning", "above": 5}]}\' WHERE key = \'dam/water_level\''
    )
    desk.mailed(kind="exceedance", standard="declared", lang="en", area={"adcode": "990102"})
    read(desk, DAM, 5.5, 4)
    desk.look()
    (mail,) = desk.post.mails
    assert mail["Subject"] == "Limit exceeded: Station dam · water_level"
    assert "Limit: > 5 m declared warning reading" in mail.get_content()


def test_who_has_much_waiting_is_told_no_more_until_it_has_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excess_watch, "MOST_WAITING", 1)
    desk.box.statuses[:] = [500]
    read(desk, BRIDGE, 9.0, 3)
    read(desk, DAM, 9.0, 3)
    number = desk.hook(kind="exceedance", property="water_level", above=8)
    told(desk)
    assert len(desk.log(number)) == 1
    desk.box.statuses[:] = [204]
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    assert {station for _, station, _ in told(desk)} == {"bridge", "dam"}


def test_an_index_of_a_station(desk: Desk) -> None:
    """pm25 of 200 ug/m3 is an index far above 150 by each edition of HJ 633, and 10 is far below."""
    clean = {"pm10": 20.0, "so2": 5.0, "no2": 10.0, "o3": 30.0, "co": 0.4}
    hour = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    hours = [hour - dt.timedelta(hours=n) for n in range(1, 25)]
    values = clean | {"pm25": 200.0}
    record(
        desk.watch.database,
        [Reading(at, value, datastream=stream_of(TOWN, name)) for at in hours for name, value in values.items()],
    )
    desk.hook(kind="exceedance", index="aqi", above=150, area={"bbox": WEST})
    desk.hook(kind="exceedance", index="aqi", above=490)
    desk.look()
    (begun,) = desk.told()
    assert (begun["type"], begun["data"]["index"]) == ("exceedance.began", "aqi")
    assert 150 < begun["data"]["value"] < 490
    assert begun["data"]["worst"] == ["pm25"]
    record(
        desk.watch.database,
        [Reading(at, 10.0, datastream=stream_of(TOWN, "pm25"), result_time=hour) for at in hours],
    )
    desk.look()
    (over,) = desk.told()
    assert (over["type"], over["data"]["why"]) == ("exceedance.ended", "recovered")
    assert over["data"]["value"] <= 150


def test_silence_is_told_as_silence(desk: Desk) -> None:
    read(desk, BRIDGE, 9.0, 2)
    desk.hook(kind="exceedance", property="water_level", above=8, area={"bbox": WEST})
    desk.look()
    desk.told()
    desk.run(
        "UPDATE obs.latest SET phenomenon_time = phenomenon_time - interval '25 hours';"
        "UPDATE obs.observation SET phenomenon_time = phenomenon_time - interval '25 hours'"
    )
    desk.look()
    messages = [one for one in desk.told() if one["data"]["station"] == "bridge"]
    assert [(one["type"], one["data"]["why"]) for one in messages] == [("exceedance.ended", "silent")]
    assert "value" not in messages[0]["data"]
