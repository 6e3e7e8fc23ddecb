"""Alerts of this installation: nothing of a draft gets out before somebody with the right releases it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from fastapi.routing import APIRoute
from lxml import etree

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.alerts import Json, Watch, cap, keeping_watch, moment
from tests.support.streams import STREAMS

UNIT, SENDER = "33010041600000", "eoc@city.example"
MARK = "溃坝预警 CNRY-DRAFT"
ZONE = shapely.geometry.mapping(shapely.box(80.03, 40.03, 80.06, 40.06))


def wording(**more: Any) -> Json:
    info = {
        "language": "zh-CN",
        "category": ["Met"],
        "event": "洪水",
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Likely",
        "expires": moment(6),
        "headline": MARK,
    }
    return {"status": "Actual", "info": [info], "zone": ZONE, "areaDesc": "坝下谷地"} | more


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database, alert_sender=SENDER, alert_unit=UNIT) as found:
        yield found


def drafted(watch: Watch, who: str = "author", **more: Any) -> Json:
    answer = watch.ask("POST", "/alerts/drafts", who, json=wording(**more))
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def released(watch: Watch, draft: Json, who: str = "officer") -> Any:
    return watch.ask("POST", f"/alerts/drafts/{draft['id']}/release", who, json={"digest": draft["digest"]})


def ways_out(watch: Watch) -> Iterator[str]:
    """What everybody may get from every route that needs no names, and from those of the layer of alerts."""
    for block in watch.client.app.state.blocks:  # type: ignore[attr-defined]
        for route in block.router.routes:
            if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()) or route.path in STREAMS:
                continue
            path = route.path.replace("{collection_id}", "cap_alert")
            if "{" not in path and not path.startswith("/alerts/drafts"):
                yield path
    yield from ("/alerts?state=all&limit=1000", "/alerts?f=geojson&state=all", "/alerts?f=html", "/search?q=溃坝")


def test_nothing_of_a_draft_gets_out_and_everything_of_a_released_one_does(watch: Watch) -> None:
    draft = drafted(watch)
    paths = list(ways_out(watch))
    assert len(paths) > 20
    for path in paths:
        for who in (None, "reader"):
            assert "CNRY-DRAFT" not in watch.ask("GET", path, who).text, path
    for level in ("public", "internal", "restricted"):
        with watch.database.psycopg(Role(f"reader_{level}")) as connection, pytest.raises(Exception, match="denied"):
            connection.execute("SELECT * FROM alert.draft")
    assert released(watch, draft).status_code == 201
    shown = [path for path in paths if "CNRY-DRAFT" in watch.ask("GET", path).text]
    assert {"/alerts", "/alerts/feed.atom", "/collections/cap_alert/items"} <= set(shown)


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [
        ("POST", "/alerts/drafts", None, 401),
        ("POST", "/alerts/drafts", "officer", 403),
        ("POST", "/alerts/drafts", "reader", 403),
        ("GET", "/alerts/drafts", None, 401),
        ("GET", "/alerts/drafts", "insider", 403),
        ("GET", "/alerts/drafts/{id}", "reader", 403),
        ("GET", "/alerts/drafts/{id}", None, 401),
        ("PUT", "/alerts/drafts/{id}", "officer", 403),
        ("DELETE", "/alerts/drafts/{id}", "reader", 403),
        ("POST", "/alerts/drafts/{id}/release", None, 401),
        ("POST", "/alerts/drafts/{id}/release", "bearer", 403),
        ("POST", "/alerts/drafts/{id}/release", "reader", 403),
    ],
)
def test_each_step_takes_its_right(watch: Watch, method: str, path: str, who: str | None, status: int) -> None:
    draft = drafted(watch)
    body: Json = {"digest": draft["digest"]} if path.endswith("release") else wording()
    more = {"json": body} if method in ("POST", "PUT") else {}
    assert watch.ask(method, path.format(id=draft["id"]), who, **more).status_code == status
    assert watch.ask("GET", f"/alerts/drafts/{draft['id']}", "author").json()["state"] == "open"


def test_four_eyes_see_what_goes_out(watch: Watch) -> None:
    draft = drafted(watch)
    assert released(watch, draft, "author").status_code == 403
    changed = watch.ask("PUT", f"/alerts/drafts/{draft['id']}", "bearer", json=wording(note="changed")).json()
    assert released(watch, changed, "author").status_code == 403
    # The officer has read the former text.
    assert released(watch, draft).status_code == 412
    assert released(watch, changed).status_code == 201
    assert released(watch, changed).status_code == 409


def test_where_two_eyes_are_enough_authors_release_themselves(database: Database) -> None:
    with keeping_watch(database, alert_sender=SENDER, alert_unit=UNIT, alert_four_eyes=False) as lone:
        assert released(lone, drafted(lone), "author").status_code == 201


def test_without_a_name_as_a_sender_nothing_is_released(database: Database) -> None:
    with keeping_watch(database) as nameless:
        answer = released(nameless, drafted(nameless))
        assert answer.status_code == 409
        assert nameless.listed("?state=all") == []


def test_a_released_alert_is_signed_and_named_by_the_standard(watch: Watch) -> None:
    answer = released(watch, drafted(watch)).json()
    assert re.fullmatch(UNIT + r"_\d{14}_\d", answer["identifier"])
    assert len(answer["identifier"]) == 31
    shown = watch.ask("GET", f"/alerts/{answer['id']}").json()
    assert (shown["signature"], shown["signer"], shown["state"]) == ("valid", SENDER, "active")
    xml = watch.ask("GET", f"/alerts/{answer['id']}?f=cap").content
    alert = etree.fromstring(xml)
    stamp = answer["identifier"].split("_")[1]
    assert re.sub(r"\D", "", str(alert.findtext("{*}sent"))[:19]) == stamp
    corners = [tuple(map(float, pair.split(","))) for pair in str(alert.findtext(".//{*}polygon")).split()]
    assert shapely.Polygon([(x, y) for y, x in corners]).equals(shapely.box(80.03, 40.03, 80.06, 40.06))
    # Nobody else speaks in its name: the certificate is registered for the sender.
    forged = cap("forged", sender=SENDER)
    assert watch.hand_in(forged).status_code == 422
    assert watch.hand_in(xml.replace("谷地".encode(), "山上".encode())).status_code == 422
    certificate = watch.ask("GET", "/alerts/certificate.pem").text
    assert certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in certificate


def test_own_alerts_are_updated_and_cancelled(watch: Watch) -> None:
    first = released(watch, drafted(watch)).json()
    update = released(watch, drafted(watch, msgType="Update", about=[first["id"]])).json()
    assert watch.ask("GET", f"/alerts/{first['id']}").json()["state"] == "updated"
    draft = drafted(watch, msgType="Cancel", about=[first["id"], update["id"]], info=[], zone=None)
    assert released(watch, draft).status_code == 201
    assert watch.ask("GET", f"/alerts/{update['id']}").json()["state"] == "cancelled"


def test_serials_tell_alerts_of_one_second_apart(watch: Watch) -> None:
    drafts = [drafted(watch) for _ in range(3)]
    names = [released(watch, draft).json()["identifier"] for draft in drafts]
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"info": []},
        {"msgType": "Update"},
        {"msgType": "Cancel", "about": ["unknown"]},
        {"about": ["x"]},
        {"scope": "Private"},
        {"status": "Draft"},
        {"zone": {"type": "Point", "coordinates": [80, 40]}},
        {"zone": {"classes": []}},
        {"note": "\x00"},
        {"source": "\x01"},
        {"identifier": "mine"},
    ],
)
def test_a_draft_that_could_not_go_out_is_refused_when_it_is_written(watch: Watch, wrong: Json) -> None:
    answer = watch.ask("POST", "/alerts/drafts", "author", json=wording(**wrong))
    assert answer.status_code in (400, 422), answer.text


def test_a_withdrawn_draft_stays_where_it_is(watch: Watch) -> None:
    draft = drafted(watch)
    assert watch.ask("DELETE", f"/alerts/drafts/{draft['id']}", "author").status_code == 204
    assert released(watch, draft).status_code == 409


def test_the_zone_of_an_alert_becomes_a_draft_with_the_same_classes(watch: Watch) -> None:
    first = released(watch, drafted(watch)).json()
    zone = watch.ask("GET", f"/alerts/{first['id']}/zone").json()
    assert [(c["code"], c["rank"]) for c in zone["classes"]] == [("Extreme", 1)]
    second = released(watch, drafted(watch, zone=zone, status="Exercise")).json()
    again = watch.ask("GET", f"/alerts/{second['id']}/zone").json()
    assert again["status"] == "exercise"
    shapes = [shapely.geometry.shape(z["classes"][0]["geometry"]) for z in (zone, again)]
    assert shapes[0].equals(shapes[1])
