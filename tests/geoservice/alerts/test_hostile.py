"""Documents that are broken or mean harm: a clear answer, quickly, and nothing asked of anybody else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.xml import parcels, read
from geoservice.db.engine import Database
from tests.ingest.remote.servers import serving
from tests.support.alerts import Watch, area, cap, info, keeping_watch, named

LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
ALERT = cap("hostile").decode().split("?>")[1]
QUICK_SECONDS = 1.0


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database, max_body_bytes=1_000_000) as found:
        yield found


def refused(watch: Watch, document: str | bytes, media: str = "application/cap+xml") -> str:
    began = time.process_time()
    answer = watch.hand_in(document.encode() if isinstance(document, str) else document, media=media)
    assert time.process_time() - began < QUICK_SECONDS
    assert answer.status_code in (400, 413, 415, 422), answer.text
    return str(answer.json()["detail"])


def test_entities_and_document_types_are_refused_and_nobody_is_asked(watch: Watch) -> None:
    with serving(lambda _: (200, {}, b"<x/>")) as listener:
        url = listener.url("/evil.dtd")
        for head in (
            f'<!DOCTYPE alert [<!ENTITY l0 "ha">{LAUGHS}]>',
            f'<!DOCTYPE alert SYSTEM "{url}">',
            f'<!DOCTYPE alert [<!ENTITY % p SYSTEM "{url}">%p;]>',
            f'<!DOCTYPE alert [<!ENTITY x SYSTEM "{url}">]>',
            '<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        ):
            for use in ("&x;", "&l9;"):
                said = refused(watch, f"<?xml version='1.0'?>{head}{ALERT.replace('valley', use)}")
                assert "root:" not in said
        schema = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x {url}" xmlns='
        assert watch.hand_in(ALERT.replace("xmlns=", schema, 1).encode()).status_code == 201
        resource = f"<resource><resourceDesc>x</resourceDesc><mimeType>text/html</mimeType><uri>{url}</uri></resource>"
        assert watch.hand_in(cap("linked", info(resource + area()))).status_code == 201
        include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{url}"/>'
        refused(watch, ALERT.replace("<identifier>", f"{include}<identifier>").replace("hostile", "other"))
        assert listener.asked == []


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no xml",
        "<alert/>",
        "<a>" * 300 + "</a>" * 300,
        "<?xml version='1.0' encoding='utf-7'?><alert/>",
        ALERT[:-20],
        ALERT.replace("<identifier>hostile</identifier>", ""),
        ALERT.replace("<status>Actual</status>", "<status>Real</status>"),
        ALERT.replace("<scope>Public</scope>", "<scope>Restricted</scope>"),
        ALERT.replace("<scope>Public</scope>", "<scope>Public</scope><scope>Private</scope>"),
        ALERT.replace("<msgType>Alert</msgType>", "<msgType>Cancel</msgType>"),
        ALERT.replace("<category>Met</category>", ""),
        ALERT.replace("hostile", "a b"),
        ALERT.replace("40.02,80.02 40.02,80.08 40.08,80.08", "40.02,80.02"),
        ALERT.replace("40.02,80.02 40.02,80.08 40.08,80.08 40.08,80.02 40.02,80.02", "1,1 2,2 3,3 4,4"),
        ALERT.replace("40.02,80.08", "NaN,80.08"),
        ALERT.replace("40.02,80.08", "1e400,80.08"),
        ALERT.replace("40.02,80.08", "90.5,80.08"),
        ALERT.replace("<areaDesc>", "<ceiling>3</ceiling><areaDesc>"),
    ],
)
def test_what_does_not_follow_the_standard_is_refused_in_a_sentence(watch: Watch, document: str) -> None:
    assert refused(watch, document).endswith(".")
    assert watch.listed("?state=all&bbox=0,0,1,1") == []


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"sent": "2026-06-18T06:30:00Z"}, "sent"),
        ({"sent": "2026-02-30T06:30:00+08:00"}, "sent"),
        ({"msgType": "Update", "references": "a,b"}, "references"),
        ({"sender": "a,b"}, "sender"),
    ],
)
def test_faults_name_their_place(watch: Watch, wrong: dict[str, str], place: str) -> None:
    answer = watch.hand_in(cap("faulty", **wrong))
    assert answer.status_code == 422
    assert any(fault.startswith(place) for fault in answer.json()["faults"])


def test_a_document_that_is_too_large_or_of_another_type_is_refused(watch: Watch) -> None:
    assert "1000000" in refused(watch, b" " * 1_000_001).replace(",", "")
    refused(watch, ALERT, "text/html")
    refused(watch, ALERT, "application/x-www-form-urlencoded")


def test_one_bad_message_of_an_envelope_leaves_the_others(watch: Watch) -> None:
    good, bad = (cap(name).decode().split("?>")[1] for name in ("good", "bad"))
    envelope = f"<box>{good}{bad.replace('<category>Met</category>', '')}</box>".encode()
    answer = watch.hand_in(envelope, media="application/xml")
    assert answer.status_code == 201
    assert [one["outcome"] for one in answer.json()["alerts"]] == ["new", "refused"]
    assert answer.json()["alerts"][1]["problem"]["status"] == 422


def test_who_may_not_hand_in_may_not(watch: Watch) -> None:
    assert watch.hand_in(cap("nobody"), None).status_code == 401
    assert watch.hand_in(cap("nobody"), "reader").status_code == 403
    assert watch.hand_in(cap("nobody"), "officer").status_code == 403


def test_what_is_for_few_is_seen_by_few(watch: Watch) -> None:
    scoped = {"public": {}, "internal": {"scope": "Restricted", "restriction": "staff"}}
    scoped["restricted"] = {"scope": "Private", "addresses": "a@x"}
    ids = {}
    for level, more in scoped.items():
        ids[level] = watch.taken(cap(f"for-{level}", info(headline=f"CNRY {level}"), **more))["id"]
    sees = {None: ["public"], "insider": ["public", "internal"], "reader": ["public", "internal", "restricted"]}
    for who, levels in sees.items():
        for path in ("/alerts?limit=1000", "/alerts?f=geojson", "/alerts/feed.atom", "/alerts?f=html"):
            text = watch.ask("GET", path, who).text
            assert [level for level in scoped if f"CNRY {level}" in text] == levels, (who, path)
        drawn = {f["properties"]["identifier"] for f in watch.drawn(who)}
        assert {f"for-{level}" for level in levels} == {n for n in drawn if n.startswith("for-")}
        for level, number in ids.items():
            for ending in ("", "?f=cap", "?f=geojson", "/zone"):
                status = watch.ask("GET", f"/alerts/{number}{ending}", who).status_code
                assert status == (200 if level in levels else 404)


def test_a_hidden_cancel_ends_an_open_alert_and_is_not_told(watch: Watch) -> None:
    alert = cap("open")
    number = watch.taken(alert)["id"]
    hidden = {"scope": "Private", "addresses": "a@x", "references": named(alert), "msgType": "Cancel"}
    watch.taken(cap("hidden-cancel", "", **hidden))
    assert "open" not in watch.listed("?limit=1000")
    shown = watch.ask("GET", f"/alerts/{number}")
    assert shown.json()["state"] == "cancelled"
    assert "hidden-cancel" not in shown.text
    assert "hidden-cancel" in watch.ask("GET", f"/alerts/{number}", "reader").text


def test_without_the_check_of_depth_the_deep_document_would_be_read() -> None:
    deep = b"<a>" * 41 + ALERT.encode() + b"</a>" * 41
    with pytest.raises(AlertRefused, match="deeper"):
        parcels(deep)
    assert read(parcels(b"<a>" * 9 + ALERT.encode() + b"</a>" * 9)[0]).identifier == "hostile"
