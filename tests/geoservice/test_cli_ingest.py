"""The command line of loads, keys and layers: exit codes and sentences for good and bad input."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import shapely

from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from tests.support.loading import count, write_rows


@pytest.fixture
def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The command line works on this test's database."""
    monkeypatch.setenv("GEOSERVICE_HOME", str(database.settings.home))
    monkeypatch.setenv("GEOSERVICE_DATABASE_NAME", database.settings.database_name)
    return database


def airports(folder: Path) -> Path:
    rows = [{"airport_id": f"a{i}", "name_en": f"A {i}", "geometry": shapely.Point(100 + i, 30)} for i in range(3)]
    return write_rows(folder / "sample_airport.gpkg", rows)


def test_load_reports_and_repeats(here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(airports(tmp_path))
    assert run(["ingest", "load", "transport/airport", file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["inserted"], report["quarantined"]) == (3, 3, 0)
    assert run(["ingest", "load", "airport", file]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert count(here, "geo.airport") == 3


def test_fields_that_go_nowhere_are_said(here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"airport_id": "a1", "name_en": "A", "runway": "09/27", "geometry": shapely.Point(100, 30)}
    file = str(write_rows(tmp_path / "sample_airport.gpkg", [row]))
    assert run(["ingest", "load", "airport", file]) == 0
    said = capsys.readouterr().out
    assert "\n  Fields not used: runway\n" in said
    number = said.partition("/loads/")[2].partition(",")[0]
    assert run(["ingest", "report", number, "--lang", "zh"]) == 0
    assert "未使用的字段: runway\n" in capsys.readouterr().out
    assert run(["ingest", "load", "airport", str(airports(tmp_path))]) == 0
    assert "Fields not used" not in capsys.readouterr().out


def test_options_of_the_group_reach_the_load(
    here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(airports(tmp_path))
    assert run(["ingest", "--owner", "Survey 县", "--parts", "2", "load", "airport", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["inserted"] == 3
    assert count(here, "meta.edition", "owner = 'Survey 县'") == 1
    assert run(["ingest", "--parts", "0", "load", "airport", file]) == 2


def test_names_with_brackets_are_printed_as_they_are(
    here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = airports(tmp_path).rename(tmp_path / "sample_airport[bold] [red].gpkg")
    assert run(["ingest", "load", "airport", str(file), "--mapping", "sample", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "transport/airport <- sample_airport[bold] [red].gpkg (sample): dry run, nothing was written" in said
    assert "  read 3 = inserted 3 + updated 0 + unchanged 0 + quarantined 0 + not selected 0; deleted 0\n" in said
    assert count(here, "geo.airport") == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ingest", "load", "no_such_layer", "x.gpkg"], "no layer"),
        (["ingest", "load", "airport", "absent_sample_airport.gpkg", "--mapping", "sample"], "no file"),
        (["ingest", "load", "airport", "absent.gpkg"], "no file 'absent.gpkg'"),
        (["ingest", "load", "airport", "."], "no file '.'"),
        (["ingest", "load", "airport", "x.docx"], "no mapping fits"),
        (["ingest", "load", "airport", "x.gpkg", "--mapping", "nope"], "no source mapping"),
        (["ingest", "quarantine", "--layer", "nope"], "no layer"),
        (["key", "create", "--name", "n", "--clearance", "cosmic"], "clearance must be one of"),
        (["key", "revoke", "000000000000"], "no valid key"),
        (["key", "create", "--name", "n", "--layer", "airport"], "give it with --may-load"),
        (["key", "create", "--name", "n", "--may-load", "--layer", "no_such_layer"], "no layer"),
        (["key", "create", "--name", "n", "--may-load", "--layer", "hazard_source"], "needs that clearance"),
    ],
)
def test_bad_input_exits_2_with_a_sentence(
    here: Database,
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.docx", "x.gpkg"):
        Path(name).write_bytes(b"anything")
    assert run(arguments) == 2
    assert expected in capsys.readouterr().err
    assert count(here, "meta.edition") == 0


def test_empty_and_foreign_files_are_refused(
    here: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "sample_airport.gpkg"
    empty.write_bytes(b"")
    assert run(["ingest", "load", "airport", str(empty)]) == 2
    assert "geoservice ingest report 1" in capsys.readouterr().err
    assert run(["ingest", "report", "1"]) == 0
    lines = write_rows(
        tmp_path / "sample_airport.gpkg", [{"airport_id": "x", "geometry": shapely.LineString([(0, 0), (1, 1)])}]
    )
    assert run(["ingest", "load", "airport", str(lines)]) == 2
    assert "point" in capsys.readouterr().err.lower()
    assert count(here, "geo.airport") == 0


def test_keys(here: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "create", "--name", "desk", "--clearance", "internal"]) == 0
    text = capsys.readouterr().out.strip()
    assert text.startswith("gs_")
    assert run(["key", "list"]) == 0
    listing = capsys.readouterr().out
    assert "desk" in listing
    assert text not in listing
    assert run(["key", "revoke", text.split("_")[1]]) == 0


def test_layers(here: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["layers", "check"]) == 0
    assert run(["layers", "list"]) == 0
    assert "landuse_patch" in capsys.readouterr().out
    assert run(["db", "sync"]) == 0


def test_keys_that_may_load(here: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "sync"]) == 0
    capsys.readouterr()
    assert run(["key", "create", "--name", "a", "--clearance", "restricted", "--may-load"]) == 0
    assert run(["key", "create", "--name", "b", "--may-load", "--layer", "transport/airport", "--layer", "road"]) == 0
    assert run(["key", "create", "--name", "c"]) == 0
    every, two, none = (line.encode() for line in capsys.readouterr().out.split())
    digests = (hashlib.sha256(text).digest() for text in (every, two, none))
    with here.psycopg(Role.READER_PUBLIC) as connection:
        rows = [connection.execute("SELECT rights FROM meta.holder(%s)", (digest,)).fetchone() for digest in digests]
    assert rows == [(["load"],), (["load:airport", "load:road"],), ([],)]
