"""Page tokens: signed marks of a place in the order of features, bound to what was asked.

A token says at which feature a page begins, in which direction, and which edition of the layer the crawl shows. It
holds no value of the feature. It is bound to the collection, to everything that decides which features there are and
in which order, and to the clearance of whoever got it: for any other request it is worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from layers.access import Clearance
from layers.errors import BadParameter

_FORMAT = struct.Struct(">BBqq")
_VERSION = 2
_MAC_BYTES = 16
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins.

    Attributes:
        fid: Number of the feature behind (or before) which it begins.
        edition: Edition of the layer that the crawl shows; 0 when nothing was loaded.
        backward: Whether the page before is meant.
    """

    fid: int
    edition: int
    backward: bool = False

    def packed(self) -> bytes:
        """The place as bytes."""
        return _FORMAT.pack(_VERSION, self.backward, self.fid, self.edition)

    @classmethod
    def unpacked(cls, payload: bytes) -> Place:
        """A place from its bytes.

        Raises:
            BadParameter: When these are none: the token is one of another version.
        """
        if len(payload) != _FORMAT.size or payload[0] != _VERSION:
            raise refused()
        _, backward, fid, edition = _FORMAT.unpack(payload)
        return cls(fid, edition, bool(backward))


@dataclass(frozen=True)
class Seal:
    """Signs page tokens (HMAC-SHA-256) with a secret that all workers of an installation share.

    Attributes:
        secret: The key; it never prints.
    """

    secret: bytes

    def __repr__(self) -> str:
        """Nothing of the secret."""
        return "Seal(***)"

    def closed(self, payload: bytes, bound: bytes) -> str:
        """A token that carries a payload for requests of one kind (`bound_to`)."""
        return base64.urlsafe_b64encode(self._mac(payload, bound) + payload).decode().rstrip("=")

    def opened(self, token: str, bound: bytes) -> bytes:
        """The payload of a token.

        Raises:
            BadParameter: When it was not made here, was changed, or belongs to another request.
        """
        if len(token) > _LONGEST or not token.isascii():
            raise refused()
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raise refused() from None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload, bound)):
            raise refused()
        return payload

    def _mac(self, payload: bytes, bound: bytes) -> bytes:
        return hmac.digest(self.secret, hashlib.sha256(bound).digest() + payload, "sha256")[:_MAC_BYTES]


def bound_to(resource: str, clearance: Clearance, asked: Mapping[str, str | None]) -> bytes:
    """What a token is bound to.

    Args:
        resource: Path of the list.
        clearance: Of the principal who pages.
        asked: Parameters that decide which features there are and in which order.
    """
    given = sorted((name, value) for name, value in asked.items() if value is not None)
    return json.dumps([resource, int(clearance), given]).encode()


def refused() -> BadParameter:
    """The one answer to a token that does not hold, whatever is wrong with it."""
    return BadParameter(
        "cursor is taken from a next or prev link as it is and belongs to the request of that link; this one does not. "
        "Start again without cursor.",
        parameter="cursor",
    )
