"""What a subscription asks for: of which kind, under which condition, where, and how it is told."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import shapely

Kind = Literal["layer", "alert", "exceedance"]
Tongue = Literal["zh", "en"]
MAILTO = "mailto:"
"""What stands before the address of a subscription by mail; all others are addresses to which messages are posted."""
_LONGEST, _LONGEST_LOCAL = 254, 64
_ATOM = r"[A-Za-z0-9_+=~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})+)", re.ASCII)


def is_mail_address(text: str) -> bool:
    """Whether it is one plain mail address: no quotes, comments, lists, routes or foreign letters (RFC 5321, 4.1.2)."""
    found = _MAIL.fullmatch(text)
    return found is not None and len(text) <= _LONGEST and len(found["local"]) <= _LONGEST_LOCAL


@dataclass(frozen=True)
class Area:
    """Where (longitude and latitude in degrees), and what a person is told of it: `origin`, `bbox`, `label`."""

    geometry: shapely.Geometry = field(repr=False)
    place: Mapping[str, Any]


@dataclass(frozen=True)
class Wish:
    """A subscription that is asked for.

    Attributes:
        kind: Of what it tells: new editions of layers, alerts, or exceedances.
        url: Where messages go: an address of http, or `mailto:` and a mail address.
        collections: Names of layers; none for the other kinds.
        condition: What else is asked for, as it was written: the least severity, a limit.
        area: Where; None for everywhere.
        lang: Language of mails.
        exercises: Whether it is told of exercises and tests, too.
    """

    kind: Kind
    url: str
    collections: tuple[str, ...] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)
    area: Area | None = None
    lang: Tongue = "zh"
    exercises: bool = False

    @property
    def mail(self) -> str | None:
        """The mail address; None where messages are posted."""
        return mail_of(self.url)


@dataclass(frozen=True)
class Subscription:
    """A subscription as its owner sees it.

    Attributes:
        id: Its id.
        wish: What it asks for; the geometry of its area is read where it is needed.
        created: Since when.
        disabled: When it was given up because messages did not arrive; None while it is active.
        failures: Deliveries that have failed one after the other.
        confirmed: When the reader of the mail address agreed.
        parted: When they had enough.
        place: What a person is told of its area.
    """

    id: str
    wish: Wish
    created: dt.datetime
    disabled: dt.datetime | None
    failures: int
    confirmed: dt.datetime | None = None
    parted: dt.datetime | None = None
    place: Mapping[str, Any] | None = None

    @property
    def state(self) -> str:
        """How it fares: unconfirmed, active, disabled (messages did not arrive), or left (by the reader of mails)."""
        if self.parted is not None:
            return "left"
        if self.disabled is not None:
            return "disabled"
        return "unconfirmed" if self.wish.mail is not None and self.confirmed is None else "active"


def mail_of(url: str) -> str | None:
    """The mail address of a subscription; None where messages are posted."""
    return url.removeprefix(MAILTO) if url.startswith(MAILTO) else None
