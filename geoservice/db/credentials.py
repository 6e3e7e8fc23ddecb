"""Roles of the database and their passwords, kept in one file that only its owner can read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import stat
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from geoservice.db.errors import CredentialsMissing
from geoservice.db.files import exclusive, write_private
from layers.access import Clearance
from layers.errors import ConfigurationError

FILE_VERSION = 1
LOCK_TIMEOUT = 30.0
PASSWORD_BYTES = 32
SCRAM_ITERATIONS = 4096
SCRAM_SALT_BYTES = 16


class Role(StrEnum):
    """Who connects. ADMIN exists for the embedded cluster only; readers are one per clearance."""

    ADMIN = "admin"
    OWNER = "owner"
    WRITER = "writer"
    READER_PUBLIC = "reader_public"
    READER_INTERNAL = "reader_internal"
    READER_RESTRICTED = "reader_restricted"

    @classmethod
    def reader(cls, clearance: Clearance) -> Role:
        """The login role whose connections may see data up to this clearance."""
        return cls(f"reader_{clearance.label}")

    def name_in(self, prefix: str) -> str:
        """The role's name on the server."""
        return f"{prefix}_{self.value}"


SERVICE_ROLES = tuple(role for role in Role if role is not Role.ADMIN)
Passwords = Mapping[str, SecretStr]


def read_passwords(path: Path, server: str) -> dict[str, SecretStr]:
    """Passwords by role name for one server.

    Args:
        path: Credentials file.
        server: Key of the server, see `geoservice.db.engine.server_key`.

    Raises:
        CredentialsMissing: When the file cannot be read or does not know the server.
        ConfigurationError: When other users can read the file, or it is damaged.
    """
    passwords = known_passwords(path, server)
    if not passwords:
        raise CredentialsMissing(
            f"{path} holds no passwords for {server}; run `geoservice db init` first.", path=str(path), server=server
        )
    return passwords


def known_passwords(path: Path, server: str) -> dict[str, SecretStr]:
    """Passwords by role name for one server; empty when the file or the server in it is missing.

    Raises:
        CredentialsMissing: When the file belongs to another user.
        ConfigurationError: When other users can read the file, or it is damaged.
    """
    servers = _load(path) if path.exists() else {}
    return {name: SecretStr(text) for name, text in servers.get(server, {}).items()}


def ensure_passwords(path: Path, server: str, names: tuple[str, ...]) -> dict[str, SecretStr]:
    """Passwords for these role names; missing ones are drawn at random and stored before they are used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(path.with_suffix(".lock"), LOCK_TIMEOUT):
        servers = _load(path) if path.exists() else {}
        known = servers.setdefault(server, {})
        fresh = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in names if name not in known}
        if fresh:
            known.update(fresh)
            write_private(path, json.dumps({"version": FILE_VERSION, "servers": servers}, indent=1, sort_keys=True))
    return {name: SecretStr(text) for name, text in known.items()}


def scram_verifier(password: SecretStr) -> str:
    """What PostgreSQL stores for a password: SCRAM-SHA-256 (RFC 7677, RFC 5802 clause 3; form of RFC 5803)."""
    salt = secrets.token_bytes(SCRAM_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.get_secret_value().encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _load(path: Path) -> dict[str, dict[str, str]]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except PermissionError:
        raise CredentialsMissing(
            f"{path} belongs to another user; run geoservice as that user.", path=str(path)
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(f"{path} can be read by other users; run `geoservice db repair`.", path=str(path))
    return _parse(path, text)


def _parse(path: Path, text: str) -> dict[str, dict[str, str]]:
    try:
        document = json.loads(text)
        if document["version"] != FILE_VERSION:
            raise ConfigurationError(f"{path} was written by another version of geoservice.", path=str(path))
        return {server: dict(names) for server, names in document["servers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        # No cause attached: the parser's message quotes the text, and with it passwords.
        raise ConfigurationError(f"{path} is damaged; restore it from a backup.", path=str(path)) from None
