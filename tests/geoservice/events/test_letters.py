"""Mails as they are written: what others wrote cannot become headers or lines of ours, and what is played says so."""

from __future__ import annotations

import datetime as dt
import email
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.events.letters import Envelope, letter, message_id, one_line
from geoservice.events.wishes import is_mail_address

NOW = dt.datetime(2026, 5, 3, 4, 5, tzinfo=dt.UTC)
LEAVE = "https://geo.example.cn/subscriptions/1/leave?token=t"
EVIL = "洪水\r\nBcc: everybody@example.com\r\n\r\nclick here\u2028now\u202e"


def envelope(lang: str = "zh", **more: str) -> Envelope:
    values = {
        "sender": "geo@agency.example",
        "receiver": "duty@agency.example",
        "subscription": "1",
        "event": "alert:1",
    }
    links = {"confirm": "https://geo.example.cn/subscriptions/1/confirm?token=c", "leave": LEAVE}
    return Envelope(**{**values, **links, "lang": lang, **more})


def alert(headline: str = "洪水橙色预警", **more: Any) -> dict[str, Any]:
    data = {
        "headline": {"zh": headline, "en": "Flood"}, "msgType": "Alert", "severity": "Severe", "colour": "orange",
        "level": "II", "places": ["河谷"], "begins": "2026-05-03T04:00:00Z", "ends": "2026-05-03T10:00:00Z",
        "sender": "eoc@test.example", "identifier": "A1", "href": "https://geo.example.cn/alerts/1",
    }  # fmt: skip
    return {"type": "alert.issued", "timestamp": "2026-05-03T04:05:00Z", "data": {**data, **more}}


def read(payload: dict[str, Any], **how: str) -> EmailMessage:
    """A mail as it travels, read by the standard library."""
    sent = letter(payload, envelope(**how), NOW).as_bytes()
    return cast("EmailMessage", email.message_from_bytes(sent, policy=default))


def test_a_mail_says_what_where_when_and_how_to_leave() -> None:
    mail = read(alert(), place="河谷县")
    assert mail["Subject"] == "洪水橙色预警"
    assert mail["To"] == "duty@agency.example"
    assert mail["List-Unsubscribe"] == f"<{LEAVE}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    lines = mail.get_content().splitlines()
    assert "生效：2026-05-03 12:00 (UTC+8)" in lines
    assert "订阅范围：河谷县" in lines
    assert lines[-1] == LEAVE
    english = read(alert(msgType="Cancel"), lang="en")
    assert english["Subject"] == "Flood (cancelled)"
    assert "Severity: Severe / orange / II" in english.get_content().splitlines()


def test_headlines_make_no_headers_and_no_lines() -> None:
    mail = read(alert(EVIL, sender=EVIL, places=[EVIL]))
    assert sorted(mail.keys()) == sorted(read(alert()).keys())
    assert mail["Bcc"] is None
    assert len(mail.get_content().splitlines()) == len(read(alert()).get_content().splitlines())
    assert "\u202e" not in mail.get_content()


def test_without_cleaning_the_library_would_have_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the same headline, not made one line, is an error of the library or one line more."""
    monkeypatch.setattr("geoservice.events.letters.one_line", lambda text, most=0: str(text))
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        letter(alert(EVIL), envelope(), NOW)


@settings(max_examples=40)
@given(st.text(max_size=400))
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text, 100)
    assert line.isprintable()
    assert len(line) <= 100
    assert "\n" not in letter(alert(text), envelope(), NOW)["Subject"]


def test_the_same_event_has_the_same_name_and_another_one_another() -> None:
    assert message_id(envelope()) == message_id(envelope("en"))
    others = {message_id(envelope(event="alert:2")), message_id(envelope(subscription="2")), message_id(envelope())}
    assert len(others) == 3
    assert message_id(envelope()).endswith("@agency.example>")


def test_what_is_played_says_so_first_and_last() -> None:
    mail = read({**alert("【演练】洪水橙色预警"), "exercise": True})
    assert mail["Subject"].startswith("【演练】")
    assert mail["X-Geoservice-Exercise"] == "yes"
    assert mail.get_content().count("*** 演练或测试") == 2
    assert "演练" not in read(alert()).get_content()


@pytest.mark.parametrize(("lang", "mark"), [("zh", "【演练或测试】"), ("en", "[Exercise or test] ")])
def test_what_is_played_is_no_news_in_earnest(lang: str, mark: str) -> None:
    news = {"type": "collection.changed", "data": {"collection": "cap_alert", "edition": 7, "counts": {"created": 2}}}
    real, played = read(news, lang=lang), read({**news, "exercise": True}, lang=lang)
    assert played["Subject"] == f"{mark}{real['Subject']}"
    assert played["X-Geoservice-Exercise"] == "yes"
    assert played.get_content().count("EXERCISE OR TEST") == 2
    assert "EXERCISE" not in real.get_content()


def test_an_exceedance_that_is_over_says_why() -> None:
    data = {
        "station": "s1", "name": "Bridge", "property": "water_level", "datetime": "2026-05-03T04:00:00Z", "unit": "m",
        "limit": {"value": 3.5, "unit": "m", "side": "above", "standard": "declared", "name": "warning"},
    }  # fmt: skip
    began = read({"type": "exceedance.began", "data": {**data, "value": 4.25}}, lang="en")
    assert began["Subject"] == "Limit exceeded: Bridge · water_level"
    assert "Limit: > 3.5 m declared warning" in began.get_content()
    assert "Value: 4.25 m" in began.get_content()
    told = {**data, "was": 4.25, "began": "2026-05-02T04:00:00Z", "why": "silent"}
    over = read({"type": "exceedance.ended", "data": told}, lang="en")
    assert over["Subject"] == "Limit no longer exceeded: Bridge · water_level"
    assert "Why: no data for more than 24 hours" in over.get_content()


def test_the_question_holds_nothing_that_anybody_wrote() -> None:
    mail = read({"type": "subscription.confirm", "data": {}}, lang="en")
    assert mail["Subject"] == "Please confirm your subscription by mail"
    assert "/confirm?token=c" in mail.get_content()


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("duty.officer@example.cn", True),
        ("a+b_c~d=e-1@sub.example.co", True),
        ("a@b", False),
        ("a..b@example.cn", False),
        (".a@example.cn", False),
        ("a@example.cn\r\nBcc: b@example.cn", False),
        ("a@example.cn,b@example.cn", False),
        ("Duty <a@example.cn>", False),
        ('"a b"@example.cn', False),
        ("a%b@example.cn", False),
        ("@relay:a@example.cn", False),
        ("a@[127.0.0.1]", False),
        ("用户@example.cn", False),
        (f"{'a' * 65}@example.cn", False),
        (f"a@{'b' * 64}.cn", False),
        ("a@-b.cn", False),
        ("", False),
    ],
)
def test_only_plain_addresses_are_addresses(text: str, good: bool) -> None:
    assert is_mail_address(text) is good
