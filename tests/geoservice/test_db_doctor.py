"""The doctor finds planted problems, says how to mend each, and is content with a sound installation."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geoservice.cli import app, run
from geoservice.db.credentials import Role
from geoservice.db.doctor import CHECKS, PACKAGES, Finding, Level, check_packages, examine, package_findings
from geoservice.db.embedded import EmbeddedCluster
from geoservice.db.engine import Database
from geoservice.settings import Settings
from tests.support.database import private_cluster, temporary_home


def problems(settings: Settings) -> list[Finding]:
    # The test cluster is fast because it is not durable; that finding is planted in a test of its own.
    return [f for f in examine(settings) if f.level is Level.PROBLEM and f.subject != "durability"]


def test_a_sound_installation(database: Database) -> None:
    assert problems(database.settings) == []
    subjects = {finding.subject for finding in examine(database.settings)}
    assert subjects >= {"packages", "postgresql", "socket", "cluster", "versions", "access net", "roles", "disk"}


def test_every_problem_has_a_remedy_and_every_check_a_description(database: Database) -> None:
    assert all(check.__doc__ for check in CHECKS)
    with database.psycopg(Role.ADMIN) as connection:
        connection.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    found = [finding for finding in examine(database.settings) if finding.level is Level.PROBLEM]
    assert found
    assert all(finding.remedy for finding in found)


def test_durability_switched_off_is_found(database: Database) -> None:
    found = [f.message for f in examine(database.settings) if f.subject == "durability"]
    assert found == [
        "fsync is off: a power failure can destroy data.",
        "full_page_writes is off: a power failure can destroy data.",
    ]


def test_rights_that_somebody_added_are_found(database: Database) -> None:
    with database.psycopg(Role.ADMIN) as connection:
        connection.execute("GRANT CREATE ON SCHEMA geo TO geoservice_reader_public")
    found = problems(database.settings)
    assert [f.message for f in found] == [
        "The role geoservice_reader_public is not as it should be: creates.",
    ]


def test_powers_that_somebody_added_are_found() -> None:
    with private_cluster() as settings:
        with Database.from_settings(settings).psycopg(Role.ADMIN) as connection:
            connection.execute("ALTER ROLE geoservice_reader_public BYPASSRLS")
        assert [f.subject for f in problems(settings)] == ["roles"]


def test_an_old_revision_is_found(database: Database) -> None:
    with database.psycopg(Role.OWNER) as connection:
        connection.execute("UPDATE meta.alembic_version SET version_num = '0000'")
    assert [(f.subject, f.remedy) for f in problems(database.settings)] == [("system tables", "geoservice db upgrade")]


def test_open_credentials_and_a_long_socket_path_are_found() -> None:
    with temporary_home() as home:
        (home / "credentials.json").write_text("{}", encoding="utf-8")
        (home / "credentials.json").chmod(0o644)
        settings = Settings(home=home, socket_dir=home / ("x" * 100))
        assert {"credentials", "socket", "cluster"} <= {f.subject for f in problems(settings)}


def test_missing_programs_are_found(tmp_path: Path) -> None:
    found = problems(Settings(home=tmp_path, postgres_bin=tmp_path))
    assert [f.subject for f in found] == ["postgresql"]
    assert "postgresql-15-postgis-3" in found[0].message


def test_a_foreign_server_that_is_away_is_found(tmp_path: Path) -> None:
    found = problems(Settings(home=tmp_path, database_url=f"postgresql:///x?host={tmp_path}"))
    assert [f.subject for f in found] == ["database"]


def test_the_five_names_are_ours() -> None:
    """The real thing: no other distribution owns a name, and each package lies in this checkout."""
    assert [f.message for f in check_packages(Settings()) if f.level is not Level.OK] == []
    owners = importlib.metadata.packages_distributions()
    assert {name: owners.get(name, ["geoservice"]) for name in PACKAGES} == {name: ["geoservice"] for name in PACKAGES}


@pytest.mark.parametrize(
    ("owners", "place", "expected"),
    [
        ({"web": ["web.py"]}, Path("/ours"), "The name web also belongs to web.py."),
        ({"web": ["geoservice", "web.py"]}, Path("/ours"), "The name web also belongs to web.py."),
        ({}, Path("/theirs"), "The package web comes from /theirs, not from /ours."),
        ({}, None, "The package web comes from nowhere, not from /ours."),
    ],
)
def test_a_foreign_package_is_found(owners: dict[str, list[str]], place: Path | None, expected: str) -> None:
    origins: dict[str, Path | None] = {**dict.fromkeys(PACKAGES, Path("/ours")), "web": place}
    assert [f.message for f in package_findings(owners, origins) if f.level is Level.PROBLEM] == [expected]


def test_the_command_ends_with_one_when_something_is_broken(tmp_path: Path) -> None:
    environment = {"GEOSERVICE_HOME": str(tmp_path), "GEOSERVICE_POSTGRES_BIN": str(tmp_path)}
    ran = CliRunner().invoke(app, ["doctor"], env=environment)
    assert ran.exit_code == 1
    assert "FAIL  postgresql" in ran.output
    assert "mend:" in ran.output


@pytest.mark.parametrize("arguments", [["nonsense"], ["db", "nonsense"], ["db", "url", "--role", "emperor"], ["--x"]])
def test_bad_input_ends_with_two(arguments: list[str]) -> None:
    assert run(arguments) == 2


def test_bad_settings_end_with_two(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GEOSERVICE_PORT", "many")
    assert run(["db", "status"]) == 2
    assert "GEOSERVICE_PORT" in capsys.readouterr().err


def test_the_commands_of_the_embedded_database_refuse_a_foreign_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOSERVICE_DATABASE_URL", "postgresql://h/d")
    for command in ("start", "stop", "repair"):
        assert run(["db", command]) == 2


def test_the_life_of_a_database_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_home() as home:
        monkeypatch.setenv("GEOSERVICE_HOME", str(home))
        try:
            assert run(["db", "status"]) == 1
            assert run(["db", "url"]) == 2
            assert [run(["db", command]) for command in ("start", "start", "init", "upgrade", "repair")] == [0] * 5
            assert run(["doctor", "--quiet"]) == 0
            assert run(["db", "url", "--role", "writer"]) == 0
        finally:
            assert run(["db", "stop"]) == 0
        secrets = Database.from_settings(Settings(home=home)).passwords.values()
        told = capsys.readouterr()
        assert not [s for s in secrets if s.get_secret_value() in told.out + told.err]
        assert "Already at" in told.out
        assert not EmbeddedCluster(Settings(home=home)).stop()
