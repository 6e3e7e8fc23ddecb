"""Alerts to subscribers: which ones touch whose area, how severely, meant in earnest or played, and for whose eyes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.events import alerting, layer_watch
from layers.access import Clearance
from tests.support.alerts import area, cap, info, moment, named
from tests.support.notices import Desk, open_desk

HERE = [80.0, 40.0, 80.1, 40.1]
THERE = [80.1, 40.0, 80.2, 40.1]
"""The counties 990101, in which messages warn, and its neighbour 990102, with one side in common."""
ALL_WEST = "40.0,80.0 40.0,80.1 40.1,80.1 40.1,80.0 40.0,80.0"
EASTERN = "40.02,80.12 40.02,80.18 40.08,80.18 40.08,80.12 40.02,80.12"


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post")) as desk:
        yield desk


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.clear()


def told(desk: Desk) -> list[str]:
    """Identifiers of the alerts that were posted, after some looks: one brings one message of each subscription."""
    for _ in range(3):
        desk.look()
    return [one["data"]["identifier"] for one in desk.told()]


def test_an_alert_that_touches_the_area_is_told_once_and_the_neighbour_hears_nothing(desk: Desk) -> None:
    desk.watch.taken(cap("before"))
    mine = desk.hook(kind="alert", area={"bbox": HERE})
    other = desk.hook(kind="alert", area={"adcode": "990102"})
    desk.watch.taken(cap("touch-1", info(area(ALL_WEST))))
    desk.look()
    desk.look()
    (message,) = desk.told()
    assert message["type"] == "alert.issued"
    assert "exercise" not in message
    data = message["data"]
    assert (data["identifier"], data["severity"], data["colour"]) == ("touch-1", "Severe", "orange")
    assert data["headline"]["zh"] == "洪水橙色预警"
    assert data["href"].startswith("https://geo.example.cn/alerts/")
    assert (desk.log(mine), desk.log(other)) == ([("delivered", 1)], [])


def test_a_rim_in_common_is_no_touch_and_would_be_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hook(kind="alert", area={"bbox": THERE})
    desk.watch.taken(cap("rim-1", info(area(ALL_WEST))))
    assert told(desk) == []
    monkeypatch.setattr(alerting, "_shared", lambda one, where: bool(shapely.intersects(where, one.geometry)))
    desk.watch.taken(cap("rim-2", info(area(ALL_WEST))))
    assert told(desk) == ["rim-2"]


def test_the_severity_is_that_of_the_block_that_warns_here(desk: Desk) -> None:
    """A message that is extreme elsewhere and minor here is minor."""
    desk.hook(kind="alert", area={"bbox": HERE}, severity="Severe")
    mixed = info(area(EASTERN), severity="Extreme") + info(area(), severity="Minor")
    desk.watch.taken(cap("mixed", mixed))
    desk.watch.taken(cap("severe", info(severity="Severe")))
    desk.watch.taken(cap("minor", info(severity="Minor")))
    assert told(desk) == ["severe"]


def test_colours_count_from_blue_to_red(desk: Desk) -> None:
    desk.hook(kind="alert", colour="yellow")
    for severity in ("Minor", "Moderate", "Extreme", "Unknown"):
        desk.watch.taken(cap(f"colour-{severity}", info(severity=severity)))
    assert told(desk) == ["colour-Moderate", "colour-Extreme"]


def test_who_knows_of_an_alert_hears_that_it_changes_and_ends(desk: Desk) -> None:
    """Also when the update warns elsewhere and too little; who did not know of it hears nothing of its end."""
    mine = desk.hook(kind="alert", area={"bbox": HERE}, severity="Severe")
    other = desk.hook(kind="alert", area={"bbox": THERE}, severity="Severe")
    first = cap("life-1")
    desk.watch.taken(first)
    desk.look()
    update = cap("life-2", info(area(EASTERN), severity="Minor"), msgType="Update", references=named(first))
    desk.watch.taken(update)
    desk.watch.taken(cap("life-3", "", msgType="Cancel", references=named(update)))
    stranger = cap("life-4", "", msgType="Cancel", references=named(first), sender="other@test.example")
    desk.watch.taken(stranger)
    for _ in range(3):
        desk.look()
    messages = desk.told()
    assert [one["data"]["identifier"] for one in messages] == ["life-1", "life-2", "life-3"]
    assert len(messages[1]["data"]["changes"]) == 1
    assert (len(desk.log(mine)), desk.log(other)) == (3, [])


def test_what_was_replaced_before_anybody_heard_of_it_is_not_told(desk: Desk) -> None:
    desk.hook(kind="alert", area={"bbox": HERE})
    first = cap("late-1")
    desk.watch.taken(first)
    desk.watch.taken(cap("late-2", msgType="Update", references=named(first)))
    assert told(desk) == ["late-2"]


def test_what_is_over_is_no_news(desk: Desk) -> None:
    desk.hook(kind="alert")
    desk.watch.taken(cap("old", info(expires=moment(-0.5)), sent=moment(-3)))
    assert told(desk) == []


@pytest.mark.parametrize("status", ["Exercise", "Test"])
def test_what_is_played_goes_to_those_alone_who_asked_for_it(desk: Desk, status: str) -> None:
    plain, playing = desk.hook(kind="alert"), desk.hook(kind="alert", exercises=True)
    by_mail, played = desk.mailed(kind="alert"), desk.mailed(kind="alert", exercises=True)
    desk.watch.taken(cap(f"played-{status}", status=status))
    desk.look()
    (message,) = desk.told()
    word = {"Exercise": "演练", "Test": "测试"}[status]
    assert message["exercise"] is True
    assert message["data"]["status"] == status
    assert message["data"]["headline"]["zh"].startswith(f"【{word}】")
    (mail,) = desk.post.mails
    assert mail["Subject"].startswith(f"【{word}】")
    assert mail["X-Geoservice-Exercise"] == "yes"
    assert mail.get_content().startswith("*** 演练或测试")
    states = [desk.log(one) for one in (plain, playing, by_mail, played)]
    assert [[state for state, _ in log if state] for log in states] == [
        [], ["delivered"], ["delivered"], ["delivered", "delivered"],
    ]  # fmt: skip


def test_without_the_gate_exercises_would_be_delivered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control, through both ways."""
    desk.hook(kind="alert")
    desk.mailed(kind="alert")
    monkeypatch.setattr(alerting, "is_meant", lambda kept, follower: True)
    desk.watch.taken(cap("gate", status="Exercise"))
    desk.look()
    assert len(desk.told()) == 1
    assert len(desk.post.mails) == 1


@pytest.mark.parametrize("status", ["System", "Draft"])
def test_drafts_and_messages_of_systems_go_to_nobody(desk: Desk, status: str) -> None:
    desk.hook(kind="alert", exercises=True)
    desk.watch.taken(cap(f"nobody-{status}", status=status))
    assert told(desk) == []


def test_what_is_above_a_key_it_never_hears_of(desk: Desk) -> None:
    insider, reader = desk.hook("insider", kind="alert"), desk.hook("reader", kind="alert")
    desk.watch.taken(cap("private", scope="Private", addresses="a"))
    desk.look()
    assert (desk.log(insider), desk.log(reader, "reader")) == ([], [("delivered", 1)])


def test_a_key_that_lost_its_right_gets_nothing_of_what_waits(desk: Desk) -> None:
    number = desk.hook("insider", kind="alert")
    desk.box.statuses[:] = [500]
    desk.watch.taken(cap("inside", scope="Restricted", restriction="staff"))
    desk.watch.taken(cap("open"))
    desk.look()
    assert len(desk.told()) == 1, "the first attempt, before"
    desk.box.statuses[:] = [204]
    desk.demote("insider", Clearance.PUBLIC)
    try:
        desk.run("UPDATE meta.delivery SET next_attempt = now()")
        desk.look()
        desk.look()
        assert [one["data"]["identifier"] for one in desk.told()] == ["open"]
        assert desk.log(number) == [("delivered", 1), ("dropped", 1)]
    finally:
        desk.demote("insider", Clearance.INTERNAL)


def test_changes_of_a_layer_are_counted_inside_the_area(desk: Desk) -> None:
    west = desk.hook(collections=["cap_alert"], area={"bbox": HERE})
    east = desk.hook(collections=["cap_alert"], area={"bbox": THERE})
    desk.watch.taken(cap("counted", info(area(EASTERN)) + info(area(EASTERN))))
    desk.look()
    (message,) = desk.told()
    assert message["data"]["counts"] == {"created": 2, "updated": 0, "deleted": 0}
    assert (desk.log(west), desk.log(east)) == ([], [("delivered", 1)])


@pytest.mark.parametrize("status", ["Exercise", "Test"])
def test_changes_that_are_played_are_told_apart_to_those_alone_who_asked(desk: Desk, status: str) -> None:
    plain, playing = desk.hook(collections=["cap_alert"]), desk.hook(collections=["cap_alert"], exercises=True)
    by_mail = desk.mailed(collections=["cap_alert"])
    desk.mailed(collections=["cap_alert"], exercises=True)
    drill = cap(f"layer-{status}", status=status)
    desk.watch.taken(drill)
    desk.look()
    (message,) = desk.told()
    assert (message["type"], message["exercise"]) == ("collection.changed", True)
    assert message["data"]["counts"] == {"created": 1, "updated": 0, "deleted": 0}
    (mail,) = desk.post.mails
    assert mail["Subject"] == "【演练或测试】图层有更新：cap_alert"
    assert [len(desk.log(one)) for one in (plain, by_mail)] == [0, 1], "the question alone"
    desk.watch.taken(cap(f"layer-{status}-over", "", msgType="Cancel", status=status, references=named(drill)))
    desk.watch.taken(cap(f"layer-{status}-real"))
    for _ in range(3):
        desk.look()
    told = [(one.get("exercise", False), one["data"]["counts"]) for one in desk.told()]
    earnest = (False, {"created": 1, "updated": 0, "deleted": 0})
    assert sorted(told, key=str) == [earnest, earnest, (True, {"created": 0, "updated": 0, "deleted": 1})]
    assert len(desk.log(playing)) == 3


def test_without_the_choice_of_rows_exercises_would_be_news(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    desk.hook(collections=["cap_alert"])
    monkeypatch.setattr(layer_watch, "_kinds", lambda one: [(None, False)])
    desk.watch.taken(cap("unchosen", status="Exercise"))
    desk.look()
    (message,) = desk.told()
    assert "exercise" not in message


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"kind": "alert", "collections": ["cap_alert"]}, "no collections"),
        ({"kind": "alert", "property": "pm25"}, "no property"),
        ({"kind": "layer"}, "at least one"),
        ({"kind": "layer", "collections": ["division"], "exercises": True}, "alone has exercises"),
        ({"kind": "exceedance", "above": 3}, "named"),
        ({"kind": "exceedance", "property": "x", "above": 3, "below": 1}, "either above or below"),
        ({"kind": "exceedance", "property": "x", "above": 3, "standard": "declared"}, "takes the place"),
        ({"kind": "exceedance", "property": "x", "above": 3, "unit": "furlong"}, "known unit"),
        ({"kind": "exceedance", "index": "aqi"}, "above"),
        ({"kind": "exceedance", "index": "aqi", "above": 100, "grade": "1"}, "neither"),
        ({"kind": "alert", "mail": "a@b.example"}, "either a url"),
    ],
)
def test_what_does_not_belong_together_is_refused_in_words(desk: Desk, body: dict[str, Any], word: str) -> None:
    refused = desk.ask({"url": f"{desk.box.address}/hook", **body})
    assert refused.status_code == 400
    assert word in refused.json()["detail"]


def test_areas_are_those_that_the_key_may_see(desk: Desk) -> None:
    assert desk.ask({"url": desk.box.address, "kind": "alert", "area": {"adcode": "990199"}}).status_code == 404
    assert desk.ask({"url": desk.box.address, "kind": "alert", "area": {"bbox": [1, 1, 1, 1]}}).status_code == 422
    number = desk.hook(kind="alert", area={"adcode": "990101"})
    shown = desk.watch.ask("GET", f"/subscriptions/{number}", "insider").json()
    assert shown["area"]["origin"] == "adcode:990101"
    assert shown["area"]["bbox"] == HERE
    assert desk.watch.ask("GET", f"/subscriptions/{number}", "reader").status_code == 404
