"""The life of alerts: which message ends which, and what one is worth at an instant. Pure: no clock, no database.

Source: Common Alerting Protocol 1.2 (OASIS), 3.2.1: `msgType`, `references` and `status`; a message is named by its
sender, identifier and time of sending. Messages may come in any order, twice, or late: what each of them comes to is a
function of the set of those that came.

Only a message of the same sender and of the same status ends another one: nobody takes back the alert of somebody else,
and the end of an exercise ends no alert that is meant in earnest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Status = Literal["Actual", "Exercise", "System", "Test", "Draft"]
MsgType = Literal["Alert", "Update", "Cancel", "Ack", "Error"]
Phase = Literal["ahead", "active", "expired", "updated", "cancelled", "notice"]
Verdict = Literal["new", "unchanged", "contested"]
WARNING = frozenset({"Alert", "Update"})
"""Types of messages that warn; the others say something about messages."""
_ENDING = {"Update": "updated", "Cancel": "cancelled"}


@dataclass(frozen=True, order=True)
class Name:
    """What names a message: sender, identifier, and the instant of sending."""

    sender: str
    identifier: str
    sent: dt.datetime


@dataclass(frozen=True)
class Message:
    """What the life of a message depends on.

    Attributes:
        name: Its name.
        status: In which sense it is meant.
        kind: Its type.
        digest: Digest of its content: two messages of one name and different digests contradict one another.
        references: Messages that it is about.
        begins: From when it holds.
        ends: Until when, excluded.
    """

    name: Name
    status: Status
    kind: MsgType
    digest: str
    references: frozenset[Name]
    begins: dt.datetime
    ends: dt.datetime


@dataclass(frozen=True)
class Ending:
    """That a message was ended before its time: when, how, and by which one."""

    at: dt.datetime
    how: Literal["updated", "cancelled"]
    by: Name


def ends(later: Message, earlier: Message) -> bool:
    """Whether one message puts an end to another one."""
    return (
        later.kind in _ENDING
        and later.status == earlier.status
        and later.name.sender == earlier.name.sender
        and later.name != earlier.name
        and later.name.sent >= earlier.name.sent
        and earlier.name in later.references
    )


def ending(message: Message, others: Iterable[Message]) -> Ending | None:
    """The end of a message among others that refer to it: the earliest; of several at one instant a cancellation."""
    found = [other for other in others if ends(other, message)]
    if not found:
        return None
    first = min(found, key=lambda one: (one.name.sent, one.kind != "Cancel", one.name.identifier))
    return Ending(first.name.sent, "cancelled" if first.kind == "Cancel" else "updated", first.name)


def phase(message: Message, end: Ending | None, at: dt.datetime) -> Phase:
    """What a message is worth at an instant.

    Returns:
        `notice` for messages that warn of nothing themselves; `ahead` before it holds; `cancelled` or `updated` once
        another message ended it; `expired` when its time is over; else `active`.
    """
    if message.kind not in WARNING:
        return "notice"
    if at < message.name.sent:
        return "ahead"
    # What ended by itself is not said to have been taken back afterwards.
    if end is not None and end.at <= at and end.at < message.ends:
        return end.how
    if at >= message.ends:
        return "expired"
    return "active" if at >= message.begins else "ahead"


@dataclass(frozen=True)
class Board:
    """All messages that came.

    Attributes:
        kept: The first message of each sender and identifier.
        contested: Senders and identifiers under which messages of different content came, with the digests of all of
            them. The first one stays what it was: whoever comes second must not be able to put it out of force.
    """

    kept: Mapping[tuple[str, str], Message] = field(default_factory=dict)
    contested: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def accept(self, message: Message) -> tuple[Board, Verdict]:
        """The board with one more message, and what it was: new, known already, or in contradiction to a known one."""
        key = (message.name.sender, message.name.identifier)
        known = self.kept.get(key)
        if known is None:
            return replace(self, kept={**self.kept, key: message}), "new"
        if known.digest == message.digest:
            return self, "unchanged"
        digests = self.contested.get(key, frozenset()) | {known.digest, message.digest}
        return replace(self, contested={**self.contested, key: digests}), "contested"

    def phases(self, at: dt.datetime) -> dict[Name, Phase]:
        """What each kept message is worth at an instant, told from those that had been sent by then."""
        sent = [one for one in self.kept.values() if one.name.sent <= at]
        return {one.name: phase(one, ending(one, sent), at) for one in self.kept.values()}
