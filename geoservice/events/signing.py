"""Signatures of webhooks as Standard Webhooks writes them: the receiver knows who sent a message, when, and what.

Source: Standard Webhooks 1.0 (headers webhook-id, webhook-timestamp, webhook-signature; HMAC-SHA-256).
"""

from __future__ import annotations

import base64
import hmac
import secrets

SECRET_BYTES = 32
_PREFIX = "whsec_"


def make_secret() -> bytes:
    """Draw the secret of a subscription."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its subscriber gets it, once."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(secret: bytes, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The header fields that go with a message.

    Args:
        secret: Secret of the subscription.
        message: Id of the message; the same whenever it is sent again.
        timestamp: Seconds since 1970, when it is sent.
        body: The body as it is sent.
    """
    content = f"{message}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
    return {"webhook-id": message, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
