"""The chronicle: a report is kept for every load, whatever came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest import load as writer
from ingest.load import LoadTarget
from layers.catalog import Catalog
from layers.errors import SourceError, SourceMissing
from layers.system import load_report
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows


@pytest.fixture
def catalog() -> Catalog:
    return trial_catalog(trial_layer(), trial_layer("hidden", clearance="restricted"))


@pytest.fixture
def target(database: Database, catalog: Catalog) -> LoadTarget:
    return prepared(database, catalog)


def kept(database: Database) -> list[sa.Row[tuple[object, ...]]]:
    with database.transaction(Role.WRITER) as connection:
        return list(connection.execute(sa.select(load_report).order_by(load_report.c.id)).all())


def source(folder: Path) -> Path:
    return write_rows(folder / "a.gpkg", [{"code": "a", "name": "n", "geometry": shapely.Point(100, 30)}])


def test_a_load_and_one_that_changes_nothing(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    file = source(tmp_path)
    first, again = (load_file(catalog, target, "trial", file) for _ in range(2))
    loaded, unchanged = kept(database)
    assert (loaded.outcome, loaded.edition, loaded.id) == ("loaded", first.edition, first.load)
    assert (unchanged.outcome, unchanged.edition, unchanged.id) == ("unchanged", None, again.load)
    assert loaded.report["inserted"] == 1
    assert unchanged.report["unchanged"] == 1
    assert loaded.sha256 == first.sha256
    assert loaded.started <= loaded.finished


def test_refused_and_failed_loads_are_kept(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = tmp_path / "garbage.gpkg"
    garbage.write_bytes(b"not a geopackage at all" * 100)
    with pytest.raises(SourceMissing):
        load_file(catalog, target, "trial", tmp_path / "absent.gpkg")
    with pytest.raises(SourceError):
        load_file(catalog, target, "trial", garbage)

    fault = ZeroDivisionError("secret value 4711")

    def broken(*_: object) -> None:
        raise fault from KeyError("why")

    monkeypatch.setattr(writer.figures, "renew", broken)
    with pytest.raises(ZeroDivisionError) as raised:
        load_file(catalog, target, "trial", source(tmp_path))
    assert (raised.value, str(raised.value.__cause__)) == (fault, "'why'"), "the error goes on as it came"
    absent, unreadable, failed = kept(database)
    assert [r.outcome for r in (absent, unreadable, failed)] == ["refused", "refused", "failed"]
    assert absent.report["problem"]["kind"] == "SourceMissing"
    assert "garbage.gpkg" in unreadable.report["problem"]["detail"]
    assert "4711" not in str(failed.report)
    assert failed.edition is None


def test_readers_see_reports_up_to_their_clearance(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    for name in ("trial", "hidden"):
        load_file(catalog, target, name, source(tmp_path))
    seen = {}
    for role in (Role.READER_PUBLIC, Role.READER_INTERNAL, Role.READER_RESTRICTED):
        with database.psycopg(role) as connection:
            seen[role] = [r[0] for r in connection.execute("SELECT layer FROM meta.load_report ORDER BY id")]
    assert seen[Role.READER_PUBLIC] == seen[Role.READER_INTERNAL] == ["trial"]
    assert seen[Role.READER_RESTRICTED] == ["trial", "hidden"]
    with (
        database.psycopg(Role.READER_RESTRICTED) as connection,
        pytest.raises(Exception, match="permission denied"),
    ):
        connection.execute("SELECT before FROM meta.repair")
