"""Pages of alerts and of what is beyond a limit: what is said, in which order, and what strangers wrote into it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.web.test_page import Elements, assert_fits_policy
from web.pages import document_page

ROOT = "https://geo.example.org/base"
EVIL = "<img src=x onerror=alert(1)>"
LINKS = [
    {"href": f"{ROOT}/alerts/{'a' * 24}/zone", "rel": "related", "type": "application/json", "title": "Hazard zone"}
]
SUMMARY: dict[str, Any] = {
    "id": "a" * 24, "identifier": EVIL, "sender": EVIL, "sent": "2026-11-26T04:05:32Z", "status": "Actual",
    "msgType": "Alert", "state": "active", "headline": {"zh": EVIL, "en": EVIL}, "severity": "Severe",
    "begins": "2026-11-26T04:05:32Z", "ends": "2026-11-27T00:00:00Z", "signature": "unsigned",
    "href": f"{ROOT}/alerts/{'a' * 24}", "colour": "orange", "level": "II",
}  # fmt: skip
CANCEL = {**SUMMARY, "id": "b" * 24, "msgType": "Cancel", "state": "notice", "colour": "blue"}
PLAIN = {name: value for name, value in SUMMARY.items() if name not in ("colour", "level")}
BLOCK = {"language": "zh-CN", "event": EVIL, "area": [{"areaDesc": EVIL}], "description": EVIL, "instruction": EVIL}
ALERT = {
    **SUMMARY, "received": "2026-11-26T04:06:00Z", "findings": [EVIL], "history": [SUMMARY, CANCEL], "areas": [],
    "unknown": [{"sender": EVIL, "identifier": EVIL}], "alert": {"info": [BLOCK, {"language": "en", "event": "x"}]},
    "links": LINKS,
}  # fmt: skip
RUN = {
    "station": "s", "name": EVIL, "datastream": "d", "property": "p", "property_title": {"zh": EVIL, "en": EVIL},
    "point": [1, 2], "begin": "2026-11-26T07:05:32Z", "end": "2026-11-26T09:15:32Z", "values": 9, "basis": "reading",
    "worst": {"value": 5.2, "unit": "m", "datetime": "2026-11-26T08:05:32Z"},
    "limit": {"value": 4.5, "unit": "m", "side": "above", "standard": "declared", "edition": None, "name": EVIL},
}  # fmt: skip
NOW = {
    **{name: RUN[name] for name in ("station", "name", "datastream", "property", "property_title", "basis", "limit")},
    "datetime": "2026-11-26T08:05:32Z", "value": 5.2, "unit": "m", "excess": 1.1,
}  # fmt: skip
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "alerts": ("alerts", {"status": "Actual", "alerts": [SUMMARY, CANCEL, PLAIN], "links": LINKS}),
    "alert": ("alert", ALERT),
    "runs": (
        "exceedances",
        {"datetime": "2026-10-27T12:28:26Z/2026-11-26T12:28:26Z", "exceedances": [RUN], "more": True},
    ),
    "now": ("exceedances", {"datetime": "2026-11-26T12:28:26Z", "exceedances": [NOW], "more": False}),
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", BODIES)
def test_pages_fit_their_policy_and_escape_everything(name: str, language: str) -> None:
    kind, body = BODIES[name]
    page = document_page(kind, body, language=language, root=ROOT)
    elements = assert_fits_policy(page.html, page.csp)
    assert not elements.named("img")
    assert "onerror" in page.html, "what was written is shown, as text"


@pytest.mark.parametrize("status", ["Actual", "Exercise"])
def test_an_alert_leads_to_its_zone_on_the_map_in_the_mode_it_belongs_to(status: str) -> None:
    html = document_page("alert", {**ALERT, "status": status}, language="en", root=ROOT).html
    (href,) = {
        str(one["href"])
        for one in Elements(html).named("a")
        if "/portal" in str(one["href"]) and "#" in str(one["href"])
    }
    told = parse_qs(href.partition("#")[2])
    assert json.loads(told["zone"][0]) == {"way": "alert", "id": "a" * 24}
    assert told.get("exercise") == (["all"] if status == "Exercise" else None)


def test_a_cancel_is_no_blue_warning() -> None:
    html = document_page("alerts", {"alerts": [CANCEL], "links": []}, language="en", root=ROOT).html
    assert "warning-blue" not in html
    assert (
        "warning-orange" in document_page("alerts", {"alerts": [SUMMARY], "links": []}, language="en", root=ROOT).html
    )


def test_links_of_alerts_stay_pages_and_its_feed_stays_a_feed() -> None:
    links = [
        {"href": f"{ROOT}/alerts/feed.atom", "rel": "alternate", "type": "application/atom+xml", "title": "Atom feed"}
    ]
    html = document_page("alerts", {"alerts": [SUMMARY], "links": links}, language="en", root=ROOT).html
    found = {str(one["href"]) for one in Elements(html).named("a")}
    assert f"/base/alerts/{'a' * 24}?f=html&lang=en" in found
    assert not any("feed.atom?" in one for one in found)


def test_nothing_is_said_in_words() -> None:
    assert "没有符合条件的预警" in document_page("alerts", {"alerts": [], "links": []}, language="zh", root=ROOT).html
    body = {"datetime": "2026-11-26T12:28:26Z", "exceedances": [], "more": False}
    assert "没有超过限值" in document_page("exceedances", body, language="zh", root=ROOT).html
