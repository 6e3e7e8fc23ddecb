"""Editions and quarantine on the command line, and what is left when such a command is killed in the middle."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import shapely
import sqlalchemy as sa

from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.loading import count, write_rows

COMMAND = [sys.executable, "-c", "from geoservice.cli import main; main()"]
WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%outbox%'"
)
OTHERS = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
PATIENCE = 120.0


@pytest.fixture
def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The command line works on this test's database."""
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    return database


def airports(folder: Path, *ids: str | None) -> str:
    """A source of airports; one without an id goes to quarantine."""
    rows = [{"airport_id": i, "name_en": f"A {i}", "geometry": shapely.Point(100, 30)} for i in ids]
    return str(write_rows(folder / "sample_airport.gpkg", rows))


def wait_for(database: Database, question: sa.TextClause, answer: int) -> None:
    """Ask the server until it answers so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with database.transaction(Role.ADMIN) as connection:
            if connection.execute(question).scalar_one() == answer:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server never answered {answer} to {question}")


def killed_in_the_middle(database: Database, *arguments: str) -> None:
    """Run a command until all its rows are written and its event is not, and kill it there."""
    with database.transaction(Role.OWNER) as gate:
        gate.execute(sa.text("LOCK TABLE meta.outbox IN EXCLUSIVE MODE"))
        process = subprocess.Popen([*COMMAND, *arguments], env=os.environ)
        try:
            wait_for(database, WAITING, 1)
        finally:
            process.kill()
            process.wait()
    wait_for(database, OTHERS, 0)


def state(database: Database) -> tuple[int, int, int, int]:
    """Current rows, superseded rows, editions, open rows of quarantine."""
    open_rows = count(database, "meta.quarantine", "state = 'open'")
    return (*(count(database, t) for t in ("geo.airport", "hist.airport", "meta.edition")), open_rows)


def test_the_life_of_a_row(here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ingest", "load", "airport", airports(tmp_path, "a", None)]) == 0
    assert run(["ingest", "quarantine", "--layer", "airport", "--export", str(tmp_path / "bad.csv")]) == 0
    with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as exported:
        (row,) = csv.DictReader(exported)
    with (tmp_path / "bad.csv").open("w", encoding="utf-8", newline="") as edited:
        writer = csv.DictWriter(edited, list(row))
        writer.writeheader()
        writer.writerow({**row, "airport_id": "b"})
    assert run(["ingest", "mend", "--file", str(tmp_path / "bad.csv")]) == 0
    capsys.readouterr()
    assert run(["ingest", "row", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["content"]["airport_id"], shown["mended"]["airport_id"]) == ("", "b")
    assert run(["ingest", "replay", "--layer", "airport"]) == 0
    assert "inserted 1" in capsys.readouterr().out
    assert run(["ingest", "replay"]) == 0
    assert "nothing was loaded" in capsys.readouterr().out
    assert run(["ingest", "editions", "airport", "--json"]) == 0
    editions = json.loads(capsys.readouterr().out)
    assert [e["kind"] for e in editions] == ["replay", "load"]
    assert run(["ingest", "withdraw", str(editions[0]["id"]), "--reason", "wrong"]) == 0
    assert run(["ingest", "dismiss", "1", "--because", "no such airport"]) == 0
    assert run(["ingest", "editions", "airport"]) == 0
    assert state(here) == (1, 1, 3, 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ingest", "withdraw", "999", "--reason", "x"], "no edition 999"),
        (["ingest", "row", "999"], "no row 999"),
        (["ingest", "mend"], "Name either one row"),
        (["ingest", "mend", "1", "--set", "x"], "field=value"),
        (["ingest", "mend", "--file", "absent.csv"], "cannot be read"),
        (["ingest", "quarantine", "--state", "lost"], "is not one of them"),
        (["ingest", "quarantine", "--export", "x.docx"], "is none of them"),
    ],
)
def test_bad_input_exits_2_with_a_sentence(
    here: Database, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert expected in capsys.readouterr().err


def test_a_killed_withdrawal_leaves_the_state_before(here: Database, tmp_path: Path) -> None:
    assert run(["ingest", "load", "airport", airports(tmp_path, "a", "b")]) == 0
    before = state(here)
    number = str(count(here, "meta.edition"))
    killed_in_the_middle(here, "ingest", "withdraw", number, "--reason", "x")
    assert state(here) == before
    assert run(["ingest", "withdraw", number, "--reason", "x"]) == 0
    assert state(here) == (0, 2, 2, 0)


def test_a_killed_replay_leaves_the_state_before(here: Database, tmp_path: Path) -> None:
    assert run(["ingest", "load", "airport", airports(tmp_path, "a", None)]) == 0
    assert run(["ingest", "mend", "1", "--set", "airport_id=b"]) == 0
    before = state(here)
    killed_in_the_middle(here, "ingest", "replay")
    assert state(here) == before == (1, 0, 1, 1)
    assert run(["ingest", "replay"]) == 0
    assert state(here) == (2, 0, 2, 0)
    assert count(here, "meta.quarantine", "state = 'mended'") == 1
