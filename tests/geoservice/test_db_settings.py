"""Settings and credentials: what they accept, where they look, and that no secret ever prints."""

from __future__ import annotations

import json
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from geoservice.db.credentials import Role, ensure_passwords, read_passwords
from geoservice.db.engine import Database, server_key
from geoservice.db.errors import CredentialsMissing
from geoservice.settings import SYSTEM_HOME, Dsn, Settings, default_home, load_settings, parse_dsn
from layers.errors import ConfigurationError

SECRET = "hunter2-c1f4"  # noqa: S105 - what must not print
ADDRESS = f"postgresql://boss:{SECRET}@db.example:5433/geodb?sslmode=require"


def test_every_setting_says_what_it_is() -> None:
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.workers == len(os.sched_getaffinity(0))
    assert settings.database_url is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_home() == SYSTEM_HOME
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/data/me")
    assert default_home() == Path("/data/me/geoservice")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_home() == Path("/home/me/.local/share/geoservice")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOSERVICE_PORT", "8123")
    monkeypatch.setenv("GEOSERVICE_DATABASE_URL", ADDRESS)
    settings = load_settings()
    assert settings.port == 8123
    assert settings.database_url is not None
    assert settings.database_url.parameters()["dbname"] == "geodb"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"port": 0}, "GEOSERVICE_PORT"),
        ({"port": 70000}, "GEOSERVICE_PORT"),
        ({"workers": 0}, "GEOSERVICE_WORKERS"),
        ({"max_limit": 10**9}, "GEOSERVICE_MAX_LIMIT"),
        ({"role_prefix": 'x"; DROP'}, "GEOSERVICE_ROLE_PREFIX"),
        ({"postgres_options": {"a b": "1"}}, "GEOSERVICE_POSTGRES_OPTIONS"),
        ({"database_url": f"postgresql://boss:{SECRET}@h/d?foo=1"}, "GEOSERVICE_DATABASE_URL"),
        ({"database_url": f"postgresql://boss:{SECRET}@h:1"}, "must name a database"),
        ({"database_url": f"postgresql://boss:{SECRET}@h/d?keepalives=1"}, "keepalives"),
        ({"database_url": f"password='{SECRET}"}, "expected a PostgreSQL address"),
        ({"no_such_setting": 1}, "NO_SUCH_SETTING"),
    ],
)
def test_bad_values_are_named_and_secrets_are_not_repeated(values: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected) as caught:
        load_settings(**values)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told.replace(repr(values), "")


def test_a_bad_address_of_an_administrator_is_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="expected a PostgreSQL address") as caught:
        parse_dsn(f"postgresql://boss:{SECRET}@h:notaport:1/d")
    assert SECRET not in str(caught.value)


def test_secrets_do_not_print(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(database_url=Dsn(ADDRESS))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", settings, settings)
    for text in (
        repr(settings),
        str(settings),
        f"{settings.database_url}",
        str(settings.model_dump()),
        settings.model_dump_json(),
        caplog.text,
    ):
        assert SECRET not in text
    assert "db.example:5433/geodb" in repr(settings)


def test_a_database_does_not_print_its_passwords(module_database: Database) -> None:
    texts = (repr(module_database), str(module_database), repr(module_database.url(Role.OWNER)))
    for secret in module_database.passwords.values():
        assert not [text for text in texts if secret.get_secret_value() in text]


def test_passwords_are_drawn_once_kept_apart_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    first = ensure_passwords(path, "a:5432", ("x_owner", "x_writer"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_passwords(path, "a:5432", ("x_owner", "x_writer")) == first
    more = ensure_passwords(path, "a:5432", ("x_reader_public",))
    other = ensure_passwords(path, "b:5432", ("x_owner",))
    assert {name: more[name] for name in first} == first
    assert other["x_owner"] != first["x_owner"]
    assert read_passwords(path, "a:5432") == more
    assert min(len(secret.get_secret_value()) for secret in more.values()) >= 40


def test_credentials_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    ensure_passwords(path, "a:5432", ("x_owner",))
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="can be read by other users"):
        read_passwords(path, "a:5432")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "servers": {"a": 3}}'])
def test_damaged_credentials_are_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="damaged"):
        read_passwords(path, "a")


def test_missing_credentials_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CredentialsMissing, match="geoservice db init"):
        Database.from_settings(Settings(home=tmp_path))
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"version": 1, "servers": {}}), encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(CredentialsMissing, match="geoservice db init"):
        Database.from_settings(Settings(home=tmp_path))


def test_addresses_for_every_driver(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=Dsn(ADDRESS), role_prefix="x")
    assert server_key(settings) == "db.example:5433"
    passwords = ensure_passwords(settings.credentials_path, "db.example:5433", ("x_owner",))
    database = Database.from_settings(settings)
    secret = passwords["x_owner"].get_secret_value()
    url = database.url(Role.OWNER)
    assert (url.drivername, url.username, url.password, url.database) == (
        "postgresql+psycopg",
        "x_owner",
        secret,
        "geodb",
    )
    assert dict(url.query) == {"host": "db.example", "port": "5433", "sslmode": "require"}
    assert database.asyncpg_arguments(Role.OWNER) == {
        "dsn": "postgresql://?sslmode=require",
        "host": "db.example",
        "port": 5433,
        "database": "geodb",
        "user": "x_owner",
        "password": secret,
    }
    assert SECRET not in database.dsn(Role.OWNER)
    with pytest.raises(CredentialsMissing, match="x_writer"):
        database.url(Role.WRITER)


def test_settings_travel_to_worker_processes() -> None:
    settings = Settings(database_url=Dsn(ADDRESS), port=9000)
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes
