"""Who signs alerts, and what is known of the signature of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["valid", "weak", "unknown", "invalid", "unsigned"]
ANY_SENDER = "*"


@dataclass(frozen=True)
class Signer:
    """A registered certificate.

    Attributes:
        fingerprint: SHA-256 of the certificate (DER), in hexadecimal digits.
        sender: Sender of whose messages it signs; `*` for any.
        name: Who holds it.
        certificate: The certificate (PEM).
    """

    fingerprint: str
    sender: str
    name: str
    certificate: str


@dataclass(frozen=True)
class Seal:
    """What is known of the signature of a message.

    Attributes:
        state: `valid`; `weak`: by a registered certificate, resting on SHA-1; `unknown`: it holds, and its certificate
            is not registered for the sender; `invalid`: it does not hold; `unsigned`.
        signer: Name of the registered holder, or the subject that the certificate states of itself.
    """

    state: State
    signer: str | None = None
