"""Conditions of requests: versions in If-Match, instants in If-Unmodified-Since, keys of requests that may be repeated.

An entity tag of a feature is made of its version and of a digest of the very bytes (`geoservice.http.encoding`). A
condition asks for the version alone, so that a tag got with the GeoJSON, the packed GeoJSON or the page serves equally.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Mapping

from geoservice.edits.errors import PreconditionRequired
from ingest.edit import Condition
from layers.errors import BadParameter

_TAG = re.compile(r'"(\d{1,18})(?:-[0-9a-f]+(?:-gz)?)?"', re.ASCII)
_MOST_KEY = 255


def version_tag(edition: int) -> str:
    """The entity tag that stands for a version of a feature in whatever encoding."""
    return f'"{edition}"'


def condition_of(headers: Mapping[str, str], *, required: bool) -> Condition:
    """The condition that a request to change or delete a feature makes.

    Args:
        headers: Header fields of the request, names in lower case.
        required: Whether a request without a condition is refused.

    Raises:
        PreconditionRequired: When there has to be one.
        BadParameter: When the instant is no HTTP date.
    """
    tags, since = headers.get("if-match"), headers.get("if-unmodified-since")
    if tags is None and since is None and required:
        raise PreconditionRequired(
            "Send If-Match with the entity tag of the feature as you got it: this service takes no change without it."
        )
    if tags is not None:
        # RFC 9110, 13.1.1 and 13.1.4: with If-Match the instant does not count; weak tags never match.
        if tags.strip() == "*":
            return Condition()
        strong = (part.strip() for part in tags.split(","))
        return Condition(editions=frozenset(int(m[1]) for tag in strong if (m := _TAG.fullmatch(tag))))
    return Condition(unmodified_since=None if since is None else _instant(since))


def _instant(text: str) -> dt.datetime:
    try:
        found = email.utils.parsedate_to_datetime(text)
    except ValueError:
        raise BadParameter(f"If-Unmodified-Since is an HTTP date; {text[:40]!r} is none.") from None
    # HTTP dates have whole seconds: what happened within the second counts as not later.
    whole = found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    return whole + dt.timedelta(seconds=1) - dt.timedelta(microseconds=1)


def idempotency_key(header: str | None) -> str | None:
    """The value of Idempotency-Key, a text in quotation marks (or, as many clients send it, without).

    Raises:
        BadParameter: When it is empty, too long, or not plain ASCII.
    """
    if header is None:
        return None
    text = header.strip()
    text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not text or len(text) > _MOST_KEY or not (text.isascii() and text.isprintable()):
        raise BadParameter(f"Idempotency-Key is a text of 1 to {_MOST_KEY} printable ASCII characters.")
    return text
