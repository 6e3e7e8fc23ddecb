"""API keys: how they look and how their digest is made. A key is `gs_<id>_<secret>` with 256 random bits."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

SESSION_COOKIE = "geoservice_session"
"""Cookie in which the portal keeps a key."""

KEY_PATTERN = re.compile(r"^gs_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; `text` is shown once and kept nowhere."""

    id: str
    text: str
    digest: bytes


def make_key() -> NewKey:
    """Draw a new key."""
    key_id = secrets.token_hex(6)
    text = f"gs_{key_id}_{secrets.token_urlsafe(32)}"
    return NewKey(key_id, text, digest_of(text))


def digest_of(text: str) -> bytes:
    """SHA-256 of the key. The secret has full entropy, so that a slow password hash would add nothing."""
    return hashlib.sha256(text.encode()).digest()
