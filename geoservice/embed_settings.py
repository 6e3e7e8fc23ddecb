"""The setting of the small map for other pages: which of them may show it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from geoservice.notice_settings import NoticeSettings

_WORDS = frozenset({"'self'", "'none'", "*"})
_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?")


def _ancestors(text: str) -> str:
    """Origins that go into a header as they are: nothing but such may stand in it."""
    parts = text.split()
    if not parts or any(part not in _WORDS and _ORIGIN.fullmatch(part) is None for part in parts):
        raise ValueError("expected 'self', 'none', * or origins such as https://www.example.org, with spaces")
    if len(parts) > 1 and not {"'none'", "*"}.isdisjoint(parts):
        raise ValueError("expected 'none' or * to stand alone")
    return " ".join(parts)


class EmbedSettings(NoticeSettings):
    """Settings of the small map."""

    embed_ancestors: Annotated[str, AfterValidator(_ancestors)] = Field(
        default="'self'",
        description="Which pages may show the small map (`/embed`) in a frame: 'self', 'none', * for all, or origins "
        "such as https://www.example.org, with spaces between them.",
    )
