"""Handing alerts in: what is taken, what is refused and why, and what readers see afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from lxml import etree

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.alerts import EAST, POLYGON, WEST, Watch, area, cap, info, keeping_watch, moment, named


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database) as found:
        yield found


def test_an_alert_is_taken_listed_drawn_and_given_back_byte_for_byte(watch: Watch) -> None:
    message = cap("first")
    answer = watch.hand_in(message)
    assert answer.status_code == 201, answer.text
    taken = answer.json()["alerts"][0]
    assert (taken["outcome"], taken["state"], taken["signature"]) == ("new", "active", "unsigned")
    assert "first" in watch.listed()
    assert watch.ask("GET", f"/alerts/{taken['id']}?f=cap").content == message
    rows = [f for f in watch.drawn() if f["properties"]["identifier"] == "first"]
    assert [(r["properties"]["severity"], r["properties"]["shown_as"]) for r in rows] == [("Severe", "Severe")]
    assert shapely.geometry.shape(rows[0]["geometry"]).equals(shapely.box(80.02, 40.02, 80.08, 40.08))


def test_the_same_message_again_changes_nothing(watch: Watch) -> None:
    message = cap("again")
    watch.taken(message)
    before = len(watch.drawn())
    answer = watch.hand_in(message)
    assert (answer.status_code, answer.json()["alerts"][0]["outcome"]) == (200, "unchanged")
    # Written by another program, it is the same message still.
    other = etree.tostring(etree.fromstring(message), pretty_print=True)
    assert watch.taken(b"<!-- copy -->" + other)["outcome"] == "unchanged"
    assert len(watch.drawn()) == before


def test_other_content_under_a_known_identifier_is_refused_and_both_are_kept(watch: Watch) -> None:
    first = cap("contested")
    taken = watch.taken(first)
    answer = watch.hand_in(cap("contested", info(severity="Minor", headline="forged")))
    assert answer.status_code == 409
    shown = watch.ask("GET", f"/alerts/{taken['id']}").json()
    assert (shown["state"], shown["severity"]) == ("active", "Severe")
    assert "says something else" in shown["findings"][0]
    with watch.database.psycopg(Role.WRITER) as connection:
        kept = connection.execute("SELECT verdict, xml FROM alert.message WHERE identifier = 'contested' ORDER BY 1")
        verdicts = [(row[0], b"forged" in bytes(row[1])) for row in kept.fetchall()]
    assert verdicts == [("contested", True), ("kept", False)]
    assert "forged" not in watch.ask("GET", "/alerts?state=all&limit=1000", "reader").text


def test_an_update_replaces_and_a_cancel_ends(watch: Watch) -> None:
    first = cap("flood 1".replace(" ", "-"))
    watch.taken(first)
    update = cap("flood-2", info(severity="Extreme"), msgType="Update", references=named(first), sent=moment(-0.5))
    watch.taken(update)
    assert {"flood-1", "flood-2"} & set(watch.listed()) == {"flood-2"}
    both = f"{named(first)} {named(update)}"
    cancel = watch.taken(cap("flood-3", "", msgType="Cancel", references=both, sent=moment(-0.2)))
    assert cancel["state"] == "notice"
    assert not {"flood-1", "flood-2", "flood-3"} & set(watch.listed())
    assert not [f for f in watch.drawn() if f["properties"]["identifier"].startswith("flood")]
    story = watch.ask("GET", f"/alerts/{cancel['id']}").json()["history"]
    assert [(s["identifier"], s["state"]) for s in story] == [
        ("flood-1", "updated"),
        ("flood-2", "cancelled"),
        ("flood-3", "notice"),
    ]
    then = (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=45)).isoformat().replace("+00:00", "Z")
    assert "flood-1" in watch.listed(f"?at={then}")


def test_a_cancel_that_comes_first_is_kept_and_applied(watch: Watch) -> None:
    alert = cap("late")
    watch.taken(cap("early", "", msgType="Cancel", references=named(alert), sent=moment(-0.5)))
    assert watch.taken(alert)["state"] == "cancelled"
    assert "late" not in watch.listed()


def test_nobody_cancels_the_alert_of_somebody_else_and_no_exercise_ends_what_is_meant(watch: Watch) -> None:
    alert = cap("mine")
    watch.taken(alert)
    foreign = {"msgType": "Cancel", "references": named(alert), "sent": moment(-0.5)}
    said = watch.taken(cap("theirs", "", sender="other@test.example", **foreign))
    assert said["findings"] == ["It refers to messages of another sender, which it does not end."]
    watch.taken(cap("drill", "", status="Exercise", **foreign))
    assert "mine" in watch.listed()
    watch.taken(cap("own", "", **foreign))
    assert "mine" not in watch.listed()


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
def test_what_is_not_meant_in_earnest_is_never_shown_as_if_it_were(watch: Watch, status: str) -> None:
    name = f"not-{status}"
    taken = watch.taken(cap(name, status=status))
    assert name not in watch.listed()
    assert name in watch.listed(f"?status={status}")
    shown = watch.ask("GET", f"/alerts/{taken['id']}").json()
    assert shown["headline"]["zh"].startswith("【")
    assert shown["headline"]["en"].startswith("[")
    rows = [f["properties"] for f in watch.drawn() if f["properties"]["identifier"] == name]
    assert [row["shown_as"] for row in rows] == [status]
    assert rows[0]["caption"].startswith("【")
    assert name not in watch.ask("GET", "/alerts/feed.atom").text
    zone = watch.ask("GET", f"/alerts/{taken['id']}/zone").json()
    assert zone["status"] == ("exercise" if status == "Exercise" else "test")


def test_what_is_over_is_kept_and_not_in_force(watch: Watch) -> None:
    taken = watch.taken(cap("old", info(expires=moment(-0.5))))
    assert taken["state"] == "expired"
    assert taken["findings"] == ["It was over when it came."]
    assert "old" not in watch.listed()
    assert "old" in watch.listed("?state=all&limit=1000")
    assert not [f for f in watch.drawn() if f["properties"]["identifier"] == "old"]


def test_swapped_axes_are_seen_by_the_divisions(watch: Watch) -> None:
    swapped = " ".join(",".join(reversed(pair.split(","))) for pair in POLYGON.split())
    for areas in (area(swapped), area(swapped, **{"adcode": "990101"})):
        answer = watch.hand_in(cap("swapped", info(areas)))
        assert answer.status_code == 422
        assert "latitude and longitude swapped" in answer.json()["detail"]
    assert watch.taken(cap("swapped", info(area(POLYGON, adcode="990101"))))["findings"] == []


def test_a_latitude_beyond_the_pole_is_refused(watch: Watch) -> None:
    swapped = "110.0,30.0 110.1,30.0 110.1,30.1 110.0,30.0"
    answer = watch.hand_in(cap("beyond", info(area(swapped))))
    assert answer.status_code == 422
    assert "swapped" in answer.json()["detail"]


def test_codes_of_divisions_become_polygons(watch: Watch) -> None:
    codes = "".join(
        f"<geocode><valueName>{name}</valueName><value>{value}</value></geocode>"
        for name, value in (("GB/T 2260", "990101"), ("行政区划代码", "990102000000"), ("SAME", "990101"))
    )
    areas = f"<area><areaDesc>two counties</areaDesc>{codes}</area>"
    taken = watch.taken(cap("coded", info(areas)))
    feature = watch.ask("GET", f"/alerts/{taken['id']}?f=geojson").json()["features"][0]
    assert feature["properties"]["origin"] == "division"
    assert shapely.geometry.shape(feature["geometry"]).symmetric_difference(shapely.union(EAST, WEST)).area < 1e-12
    # Codes of another system of six digits name nothing here.
    other = watch.taken(cap("same", info(area(None, SAME="990101"))))
    shown = watch.ask("GET", f"/alerts/{other['id']}?f=geojson").json()["features"][0]
    assert (shown["geometry"], shown["properties"]["origin"]) == (None, "none")


def test_lists_are_asked_by_place_severity_and_page(watch: Watch) -> None:
    watch.taken(
        cap("east", info(area("40.02,80.12 40.02,80.18 40.08,80.18 40.08,80.12 40.02,80.12"), severity="Minor"))
    )
    assert "east" not in watch.listed("?bbox=80.15,40.0,80.16,40.01&limit=1000")
    inside = watch.listed("?bbox=80.13,40.03,80.14,40.04&limit=1000")
    assert "east" in inside
    assert "first" not in inside
    assert "east" not in watch.listed("?severity=Severe,Extreme&limit=1000")
    everything = watch.listed("?state=all&limit=1000")
    pages, address = [], "/alerts?state=all&limit=3"
    while address:
        body = watch.ask("GET", address.removeprefix("http://testserver")).json()
        pages += [one["identifier"] for one in body["alerts"]]
        address = next((link["href"] for link in body["links"] if link["rel"] == "next"), "")
    assert pages == everything


def test_the_feed_leads_to_messages(watch: Watch) -> None:
    feed = etree.fromstring(watch.ask("GET", "/alerts/feed.atom").content)
    atom = {"a": "http://www.w3.org/2005/Atom"}
    links = feed.xpath("a:entry/a:link[@type='application/cap+xml']/@href", namespaces=atom)
    assert links
    for href in links:
        answer = watch.ask("GET", href.removeprefix("http://testserver"))
        assert answer.headers["content-type"].startswith("application/cap+xml")
        assert etree.fromstring(answer.content).tag == "{urn:oasis:names:tc:emergency:cap:1.2}alert"


def test_pages_speak_both_languages(watch: Watch) -> None:
    taken = watch.taken(cap("page", info(headline="&lt;script&gt;x&lt;/script&gt;")))
    for path in ("/alerts", f"/alerts/{taken['id']}"):
        chinese, english = (watch.ask("GET", f"{path}?f=html&lang={lang}") for lang in ("zh", "en"))
        assert chinese.status_code == english.status_code == 200
        assert 'lang="zh' in chinese.text
        assert 'lang="en' in english.text
        assert "<script>x" not in chinese.text + english.text


@pytest.mark.realdata
def test_all_samples_go_in_and_come_out_again(watch: Watch, real_data: Path) -> None:
    folder = real_data / "disasters"
    files = sorted(p for ending in ("cap", "atom", "edxlde") for p in folder.glob(f"*.{ending}"))
    assert len(files) >= 9
    for file in files:
        content = file.read_bytes()
        answer = watch.hand_in(content, media="application/xml")
        assert answer.status_code == 201, (file.name, answer.text)
        root = etree.fromstring(content)
        wanted = [canonical(e) for e in root.iter("{*}alert")]
        got = [watch.ask("GET", f"/alerts/{one['id']}?f=cap").content for one in answer.json()["alerts"]]
        assert [canonical(etree.fromstring(xml)) for xml in got] == wanted
        if file.suffix == ".cap":
            assert got == [content]


@pytest.mark.realdata
def test_the_signature_of_the_signed_sample_holds(watch: Watch, real_data: Path) -> None:
    found = watch.listed("?state=all&limit=1000")
    signed = (real_data / "disasters" / "cap_canada_signed.cap").read_bytes()
    identifier = etree.fromstring(signed).findtext("{*}identifier")
    watch.hand_in(signed)
    assert identifier in {*found, *watch.listed("?state=all&limit=1000")}
    listed = watch.ask("GET", "/alerts?state=all&limit=1000").json()["alerts"]
    assert [one["signature"] for one in listed if one["identifier"] == identifier] == ["unknown"]
    spoiled = signed.replace(b"snowfall", b"tornado").replace(str(identifier).encode(), b"spoiled")
    assert watch.taken(spoiled)["signature"] == "invalid"


def canonical(alert: etree._Element) -> str:
    """An alert as Canonical XML 2.0 without prefixes and surrounding spaces, by lxml's own serialiser."""
    alone = etree.fromstring(etree.tostring(alert, with_tail=False))
    return str(etree.canonicalize(etree.tostring(alone).decode(), strip_text=True, rewrite_prefixes=True))
