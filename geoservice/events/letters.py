"""Messages as mails: plain text in Chinese or English, one for each event, with the way out of it.

What others wrote (headlines, names of stations) becomes one line of printable text each, so that it can begin no header
and no line of ours. What is played says so in the subject and in the first and last line.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from geoservice.events import alerting, excess_watch, news
from geoservice.events.texts import WORDS, Words

CONFIRM = "subscription.confirm"
"""Type of the message that asks whoever reads an address whether they agree."""
_LONGEST_SUBJECT, _LONGEST_LINE = 150, 300
_BEIJING = dt.timezone(dt.timedelta(hours=8))


@dataclass(frozen=True)
class Envelope:
    """What a mail needs besides its message.

    Attributes:
        sender, receiver: Mail addresses.
        subscription: Id of the subscription.
        event: What the message is about; together with the subscription it names the mail.
        lang: Language, zh or en.
        confirm, leave: Addresses at which the reader agrees, and at which they say that they want no more.
        place: What the reader is told of the area of the subscription; empty for everywhere.
    """

    sender: str
    receiver: str
    subscription: str
    event: str
    lang: str
    confirm: str
    leave: str
    place: str = ""


def one_line(text: object, most: int = _LONGEST_LINE) -> str:
    """A text of others as one line of printable characters, cut where it is too long."""
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def letter(payload: Mapping[str, Any], envelope: Envelope, at: dt.datetime) -> EmailMessage:
    """The mail about a message; the same event has the same Message-ID whenever it is sent."""
    words = WORDS["zh" if envelope.lang == "zh" else "en"]
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = one_line(_subject(payload, words), _LONGEST_SUBJECT)
    mail["From"] = f"geoservice <{envelope.sender}>"
    mail["To"] = envelope.receiver
    mail["Date"] = at
    mail["Message-ID"] = message_id(envelope)
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = words.tag
    mail["List-Unsubscribe"] = f"<{envelope.leave}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if payload.get("exercise"):
        mail["X-Geoservice-Exercise"] = "yes"
    mail.set_content("\n".join(_lines(payload, envelope, words)) + "\n")
    return mail


def message_id(envelope: Envelope) -> str:
    """Name of a mail, told from its subscription and event alone."""
    digest = hashlib.sha256(f"{envelope.subscription}\n{envelope.event}".encode()).hexdigest()[:40]
    return f"<{digest}@{envelope.sender.rpartition('@')[2]}>"


def _lines(payload: Mapping[str, Any], envelope: Envelope, words: Words) -> Iterator[str]:
    played = [words.played] if payload.get("exercise") else []
    yield from (f"{line}\n" for line in played)
    if payload["type"] == CONFIRM:
        yield from (words.asked, "", envelope.confirm, "", words.unasked)
        return
    yield one_line(_subject(payload, words))
    yield ""
    for name, value in (*_facts(payload, words), (words.place, envelope.place), (words.more, _more(payload))):
        if value not in (None, ""):
            yield f"{name}{words.colon}{one_line(value)}"
    yield from (f"\n{line}" for line in played)
    yield from ("", "-- ", f"{words.why} {words.leave}", envelope.leave)


def _subject(payload: Mapping[str, Any], words: Words) -> str:
    kind, data = payload["type"], payload.get("data", {})
    if kind == CONFIRM:
        return words.confirm
    if kind == alerting.KIND:
        headline = data["headline"].get(words.lang) or data["headline"].get("en", "")
        change = words.changes.get(data["msgType"])
        return f"{headline}{f' ({change})' if change else ''}"
    if kind == news.KIND:
        # Headlines of alerts say themselves that they are played; the name of a collection does not.
        return f"{words.mark if payload.get('exercise') else ''}{words.changed}{words.colon}{data['collection']}"
    what = data.get("property") or data.get("index")
    begun = words.began if kind == excess_watch.BEGAN else words.ended
    return f"{begun}{words.colon}{data.get('name') or data['station']} · {what}"


def _facts(payload: Mapping[str, Any], words: Words) -> Iterator[tuple[str, object]]:
    kind, data = payload["type"], payload["data"]
    if kind == alerting.KIND:
        yield words.severity, " / ".join(str(data[one]) for one in ("severity", "colour", "level") if one in data)
        yield words.places, words.comma.join(data.get("places", ()))
        yield words.begins, _time(data["begins"])
        yield words.ends, _time(data["ends"])
        yield words.sender, data["sender"]
        yield words.number, data["identifier"]
    elif kind == news.KIND:
        for name, many in data.get("counts", {}).items():
            yield words.counts[name], many
        yield words.edition, data["edition"]
    else:
        yield from _excess(data, words)


def _more(payload: Mapping[str, Any]) -> object:
    return payload["data"].get("href")


def _excess(data: Mapping[str, Any], words: Words) -> Iterator[tuple[str, object]]:
    limit, unit = data["limit"], data.get("unit") or ""
    sign = "<" if limit["side"] == "below" else ">"
    yield words.station, f"{data['name']} ({data['station']})"
    yield words.value, f"{data['value']:g} {unit}".strip() if data.get("value") is not None else None
    yield words.time, _time(data["datetime"])
    source = " ".join(str(limit[one]) for one in ("standard", "name", "basis") if limit.get(one))
    yield words.limit, f"{sign} {limit['value']:g} {limit.get('unit') or ''} {source}"
    if "why" in data:
        yield words.began, _time(data["began"])
        yield words.why_over, words.over[data["why"]]


def _time(text: str) -> str:
    instant = dt.datetime.fromisoformat(text).astimezone(_BEIJING)
    return f"{instant:%Y-%m-%d %H:%M} (UTC+8)"
