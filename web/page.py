"""A finished page and the content-security policy under which it works."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_TAG = re.compile(r"<(script|style)(?=[\s>])")


@dataclass(frozen=True, slots=True)
class Page:
    """HTML text and the value of its `Content-Security-Policy` header."""

    html: str
    csp: str


def policy(nonce: str | None = None) -> str:
    """The content-security policy (CSP Level 3): everything from this origin, inline code only with the nonce.

    `data:` and `blob:` images are those that the map draws itself.
    """
    own = "'self'" if nonce is None else f"'self' 'nonce-{nonce}'"
    rules = {
        "default-src": "'none'",
        "script-src": own,
        "style-src": own,
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "worker-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def with_nonce(html: str) -> Page:
    """Give every script and style element of our own making a fresh nonce, and write the policy that goes with it."""
    nonce = secrets.token_urlsafe(16)
    return Page(_TAG.sub(lambda tag: f'<{tag[1]} nonce="{nonce}"', html), policy(nonce))
