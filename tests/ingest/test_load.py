"""The writer: what a load does to current rows, history, editions, quarantine; on a real PostGIS."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.load import LoadTarget
from layers.catalog import Catalog
from layers.errors import SourceError, SourceMismatch, SourceMissing
from layers.system import edition, layer_figures, outbox, quarantine
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows


def rows(number: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows c0, c1, ... on a line; every third is internal."""
    return [
        {
            "code": f"c{i}",
            "name": f"n{i}",
            "amount": i / 7,
            "level": "internal" if i % 3 == 0 else None,
            "secret": None,
            "seen": dt.date(2026, 1, 1 + i % 28),
            "geometry": shapely.Point(100 + i / 100, 30),
            **changes,
        }
        for i in range(number)
    ]


@pytest.fixture
def catalog() -> Catalog:
    return trial_catalog(trial_layer())


@pytest.fixture
def target(database: Database, catalog: Catalog) -> LoadTarget:
    return prepared(database, catalog)


def test_first_load_inserts_and_second_changes_nothing(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    file = write_rows(tmp_path / "a.gpkg", rows(50))
    first = load_file(catalog, target, "trial", file)
    again = load_file(catalog, target, "trial", file)
    assert (first.read, first.inserted, first.quarantined) == (50, 50, 0)
    assert first.edition is not None
    assert (again.edition, again.inserted, again.unchanged) == (None, 0, 50)
    assert first.balanced
    assert again.balanced
    assert count(database, "geo.trial") == 50
    assert count(database, "meta.edition") == 1
    assert count(database, "meta.outbox") == 1


def test_update_keeps_feature_number_and_writes_history(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    load_file(catalog, target, "trial", write_rows(tmp_path / "a.gpkg", rows(10)))
    with database.transaction(Role.OWNER) as connection:
        before = dict(map(tuple, connection.execute(sa.text("SELECT key, fid FROM geo.trial"))))
    changed = rows(10)
    changed[4]["name"] = "other"
    changed[5]["geometry"] = shapely.Point(101, 31)
    report = load_file(catalog, target, "trial", write_rows(tmp_path / "b.gpkg", changed))
    assert (report.updated, report.unchanged, report.inserted) == (2, 8, 0)
    with database.transaction(Role.OWNER) as connection:
        after = dict(map(tuple, connection.execute(sa.text("SELECT key, fid FROM geo.trial"))))
        old = connection.execute(sa.text("SELECT key, name, _ended_by FROM hist.trial ORDER BY key")).all()
    assert before == after
    assert [tuple(o) for o in old] == [("c4", "n4", report.edition), ("c5", "n5", report.edition)]


def test_only_a_complete_source_deletes(database: Database, tmp_path: Path) -> None:
    layer = trial_layer(sources={"part": {"match": ["part*.gpkg"]}, "all": {"match": ["all*.gpkg"], "complete": True}})
    catalog = trial_catalog(layer)
    target = prepared(database, catalog)
    load_file(catalog, target, "trial", write_rows(tmp_path / "part1.gpkg", rows(10)))
    partial = load_file(catalog, target, "trial", write_rows(tmp_path / "part2.gpkg", rows(4)))
    assert (partial.deleted, count(database, "geo.trial")) == (0, 10)
    complete = load_file(catalog, target, "trial", write_rows(tmp_path / "all.gpkg", rows(4)))
    assert (complete.deleted, complete.unchanged) == (6, 4)
    assert (count(database, "geo.trial"), count(database, "hist.trial")) == (4, 6)


def test_bad_rows_are_kept_with_reason_and_counts_add_up(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    bad = rows(6)
    bad[1]["code"] = None
    bad[2]["level"] = "cosmic"
    bad[3]["geometry"] = shapely.LineString([(100, 30), (101, 31)])
    file = write_rows(tmp_path / "bad.gpkg", bad)
    report = load_file(catalog, target, "trial", file)
    assert (report.inserted, report.quarantined, report.read) == (3, 3, 6)
    assert report.balanced
    with database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.select(quarantine).order_by(quarantine.c.position)).all()
    assert [k.position for k in kept] == [1, 2, 3]
    assert "code" in kept[0].reason
    assert "cosmic" in kept[1].reason
    assert "cosmic" in kept[1].raw
    load_file(catalog, target, "trial", file)
    assert count(database, "meta.quarantine") == 3


def test_repeated_keys(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    doubled = rows(4)
    doubled += [dict(doubled[1]), {**doubled[2], "name": "contradiction"}]
    report = load_file(catalog, target, "trial", write_rows(tmp_path / "d.gpkg", doubled))
    assert (report.read, report.inserted, report.unchanged, report.quarantined) == (6, 4, 1, 1)
    with database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.select(quarantine.c.position, quarantine.c.reason, quarantine.c.raw)).one()
    assert kept.position == 5
    assert "c2" in kept.reason
    assert "contradiction" in kept.raw


def test_layer_without_key_keeps_equal_rows_apart(database: Database, tmp_path: Path) -> None:
    catalog = trial_catalog(trial_layer(key=[]))
    target = prepared(database, catalog)
    same = [rows(1)[0]] * 3 + rows(2)[1:]
    file = write_rows(tmp_path / "k.gpkg", same)
    first, again = (load_file(catalog, target, "trial", file) for _ in range(2))
    assert (first.inserted, again.inserted, again.unchanged) == (4, 0, 4)


def test_figures_never_count_rows_above_the_clearance(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    open_rows = [r for r in rows(9) if r["level"] is None]
    hidden = {**rows(1)[0], "code": "far", "level": "restricted", "geometry": shapely.Point(150, 60)}
    load_file(catalog, target, "trial", write_rows(tmp_path / "f.gpkg", [*open_rows, hidden]))
    with database.transaction(Role.WRITER) as connection:
        figures = connection.execute(sa.select(layer_figures).order_by(layer_figures.c.clearance)).all()
    assert [(f.clearance, f.rows) for f in figures] == [(0, 6), (1, 6), (2, 7)]
    assert figures[0].east < 101
    assert figures[2].east == 150


def test_readers_see_their_rows_and_columns_only(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    load_file(catalog, target, "trial", write_rows(tmp_path / "r.gpkg", rows(9)))
    with database.psycopg(Role.READER_PUBLIC) as connection:
        assert connection.execute("SELECT count(*) FROM geo.trial").fetchone() == (6,)
        with pytest.raises(Exception, match="permission denied"):
            connection.execute("SELECT secret FROM geo.trial")
    with database.psycopg(Role.READER_RESTRICTED) as connection:
        assert connection.execute("SELECT count(secret), count(*) FROM geo.trial").fetchone() == (0, 9)


def test_policies_keep_the_spatial_index(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    load_file(catalog, target, "trial", write_rows(tmp_path / "p.gpkg", rows(5000)))
    query = "EXPLAIN SELECT fid FROM geo.trial WHERE geom && ST_MakeEnvelope(101, 29, 101.05, 31, 4490)"
    with database.psycopg(Role.OWNER) as connection:
        connection.execute("ANALYZE geo.trial")
    with database.psycopg(Role.READER_PUBLIC) as connection:
        guarded = "\n".join(line[0] for line in connection.execute(query).fetchall())
    assert "trial_geom" in guarded
    with database.psycopg(Role.ADMIN) as connection:
        connection.execute("ALTER FUNCTION geometry_overlaps(geometry, geometry) NOT LEAKPROOF")
    with database.psycopg(Role.READER_PUBLIC) as connection:
        unmarked = "\n".join(line[0] for line in connection.execute(query).fetchall())
    assert "trial_geom" not in unmarked


def test_refusals_leave_nothing(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="no file"):
        load_file(catalog, target, "trial", tmp_path / "absent.gpkg")
    garbage = tmp_path / "garbage.gpkg"
    garbage.write_bytes(b"not a geopackage at all" * 100)
    with pytest.raises(SourceError):
        load_file(catalog, target, "trial", garbage)
    with pytest.raises(SourceMismatch, match="no mapping fits"):
        load_file(catalog, target, "trial", tmp_path / "x.docx")
    assert count(database, "meta.edition") == 0
    with database.transaction(Role.OWNER) as connection:
        assert sa.inspect(connection).get_table_names(schema="staging") == []


def test_one_load_per_layer_at_a_time(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.gpkg", rows(3))
    with database.psycopg(Role.WRITER) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('geoservice.load.trial', 0))")
        with pytest.raises(SourceError, match="under way"):
            load_file(catalog, target, "trial", file)
    assert load_file(catalog, target, "trial", file).inserted == 3


def test_edition_records_the_lineage(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "l.gpkg", rows(5))
    report = load_file(catalog, target, "trial", file)
    with database.transaction(Role.WRITER) as connection:
        row = connection.execute(sa.select(edition)).one()
        event = connection.execute(sa.select(outbox)).one()
    assert row.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (row.source, row.size, row.inserted) == ("l.gpkg", file.stat().st_size, 5)
    assert row.report["inserted"] == 5
    assert (event.layer, event.edition) == ("trial", report.edition)
    assert (event.west, event.east) == pytest.approx((100, 100.04))
