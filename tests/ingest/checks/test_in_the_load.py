"""Declared checks in a whole load: quarantine, gate, repairs; on a real PostGIS through the confined reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import IngestReport, LoadOptions, plan
from ingest.load import LoadTarget, load
from layers.catalog import Catalog
from layers.errors import GateClosed
from layers.system import load_report, quarantine, repair
from tests.ingest.checks.planted import STEP, mesh
from tests.support.loading import count, prepared, trial_catalog, trial_layer, write_rows

OVERLAP = {"rule": "coverage-overlap", "tolerance": "0.1 m2"}
BOW_TIE = shapely.Polygon([(106, 38), (106.001, 38.001), (106.001, 38), (106, 38.001)])


def parcels(**changes: Any) -> Catalog:
    """A catalogue with one layer of surfaces."""
    attributes = {"code": {"type": "text", "required": True}}
    removed = {"time": None, "row_clearance": None, "style": {"fill": "#336699"}}
    return trial_catalog(trial_layer(geometry="polygon", attributes=attributes, **removed, **changes))


def with_overlap() -> list[shapely.Geometry]:
    """Nine surfaces, of which the last two overlap: the ninth was moved west by a tenth of its width."""
    found = mesh(3, 3, seed=5)
    found[8] = shapely.transform(found[8], lambda c: c - [STEP / 10, 0])
    return found


def write(folder: Path, shapes: list[shapely.Geometry]) -> Path:
    return write_rows(folder / "p.gpkg", [{"code": f"p{i}", "geometry": g} for i, g in enumerate(shapes)])


def load_with(catalog: Catalog, database: Database, file: Path, **options: Any) -> IngestReport:
    target: LoadTarget = prepared(database, catalog)
    job = plan(catalog.layer("trial"), file, dict(catalog.codelists), options=LoadOptions(**options))
    return load(job, target)


def finding(report: IngestReport, rule: str) -> Any:
    return next((f for f in report.summary.findings if f.rule == rule), None)


def test_overlapping_rows_go_to_quarantine_after_all(database: Database, tmp_path: Path) -> None:
    report = load_with(parcels(checks=[OVERLAP]), database, write(tmp_path, with_overlap()))
    with database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.select(quarantine).order_by(quarantine.c.position)).all()
    assert (report.read, report.inserted, report.quarantined) == (9, 9 - len(kept), len(kept))
    assert report.balanced
    assert {7, 8} <= {row.position for row in kept}
    assert "overlaps" in kept[0].reason
    assert "geometry" in json.loads(kept[0].raw)
    assert count(database, "geo.trial") == report.inserted
    found = finding(report, "coverage-overlap")
    assert (found.count, found.measure, found.severity) == (len(kept), 11, "error")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_row_that_comes_twice_overlaps_nothing(database: Database, tmp_path: Path, order: tuple[int, ...]) -> None:
    """The same again is unchanged, a key with another surface is refused as what it is, and the first row is loaded."""
    shapes = mesh(3, 3, seed=5)
    rows = [{"code": f"p{i}", "geometry": g} for i, g in enumerate(shapes)]
    extra = [rows[0], {"code": "p4", "geometry": shapes[5]}, {"code": "p7", "geometry": BOW_TIE.convex_hull}]
    file = write_rows(tmp_path / "p.gpkg", [*rows, *(extra[i] for i in order)])
    report = load_with(parcels(checks=[OVERLAP]), database, file)
    assert (report.read, report.inserted, report.unchanged, report.quarantined) == (12, 9, 1, 2)
    assert finding(report, "coverage-overlap") is None
    assert finding(report, "duplicate-key").count == 2
    with database.transaction(Role.WRITER) as connection:
        reasons = connection.execute(sa.select(quarantine.c.reason)).scalars().all()
    assert all("stands already in row" in reason for reason in reasons)


def test_the_same_surface_under_two_keys_overlaps(database: Database, tmp_path: Path) -> None:
    """Control: keys tell rows apart; two claims to one surface are an overlap, even behind a repeated key."""
    shapes = mesh(3, 3, seed=5)
    rows = [{"code": f"p{i}", "geometry": g} for i, g in enumerate(shapes)]
    extra = [{"code": "p1", "geometry": shapes[0]}, {"code": "q", "geometry": shapes[0]}]
    report = load_with(parcels(checks=[OVERLAP]), database, write_rows(tmp_path / "p.gpkg", [*rows, *extra]))
    assert finding(report, "coverage-overlap").rows == (1, 11)
    assert (report.inserted, report.quarantined) == (8, 3)


@pytest.mark.parametrize("changes", [{"severity": "warning"}, {"action": "report"}])
def test_rules_that_only_report_keep_no_row_out(database: Database, tmp_path: Path, changes: dict[str, str]) -> None:
    report = load_with(parcels(checks=[OVERLAP | changes]), database, write(tmp_path, with_overlap()))
    assert (report.inserted, report.quarantined) == (9, 0)
    assert finding(report, "coverage-overlap").count >= 2


def test_without_the_rule_nothing_is_found(database: Database, tmp_path: Path) -> None:
    report = load_with(parcels(), database, write(tmp_path, with_overlap()))
    assert (report.inserted, report.summary.findings) == (9, ())


@pytest.mark.parametrize("gate", [{"errors": 0}, {"errors": "10 %"}, {"rules": {"coverage-overlap": 1}}])
def test_a_closed_gate_refuses_the_load_as_a_whole(database: Database, tmp_path: Path, gate: dict[str, Any]) -> None:
    catalog = parcels(checks=[OVERLAP], gate=gate)
    with pytest.raises(GateClosed, match="refused as a whole") as caught:
        load_with(catalog, database, write(tmp_path, with_overlap()))
    assert caught.value.facts["findings"][0]["rule"] == "coverage-overlap"
    assert [count(database, t) for t in ("geo.trial", "meta.edition", "meta.quarantine", "meta.outbox")] == [0] * 4
    with database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.select(load_report)).one()
    assert (kept.outcome, kept.report["problem"]["kind"]) == ("refused", "GateClosed")
    assert kept.report["problem"]["facts"]["findings"][0]["measure"] == 11


@pytest.mark.parametrize("gate", [{"errors": 9}, {"errors": "100 %"}, {"rules": {"coverage-overlap": "100 %"}}])
def test_an_open_gate_lets_the_rest_through(database: Database, tmp_path: Path, gate: dict[str, Any]) -> None:
    report = load_with(parcels(checks=[OVERLAP], gate=gate), database, write(tmp_path, with_overlap()))
    assert report.inserted == 9 - report.quarantined > 0


def test_repairs_are_kept_with_before_and_after(database: Database, tmp_path: Path) -> None:
    report = load_with(parcels(), database, write(tmp_path, [*mesh(1, 1), BOW_TIE]))
    assert (report.inserted, report.summary.repaired) == (2, 1)
    with database.transaction(Role.WRITER) as connection:
        row = connection.execute(sa.select(repair)).one()
        stored = connection.scalar(sa.text("SELECT ST_AsBinary(geom) FROM geo.trial WHERE code = 'p1'"))
    assert (row.edition, row.load, row.position) == (report.edition, report.load, 1)
    assert shapely.from_wkb(row.before).equals_exact(BOW_TIE)
    assert shapely.from_wkb(row.after).equals(shapely.from_wkb(bytes(stored)))
    assert shapely.is_valid(shapely.from_wkb(row.after))
    assert row.area_change > 0
    assert finding(report, "repaired").places == ((106.0005, 38.0005),)


def test_without_repair_invalid_geometries_go_to_quarantine(database: Database, tmp_path: Path) -> None:
    report = load_with(parcels(), database, write(tmp_path, [*mesh(1, 1), BOW_TIE]), repair=False)
    with database.transaction(Role.WRITER) as connection:
        row = connection.execute(sa.select(quarantine)).one()
    assert (report.inserted, report.quarantined, report.summary.repaired) == (1, 1, 0)
    assert "self-intersection at 106.0005, 38.0005" in row.reason
    assert finding(report, "valid-geometry").measure == 26
    assert count(database, "meta.repair") == 0


def test_a_layer_may_forbid_repair(database: Database, tmp_path: Path) -> None:
    catalog = parcels(checks=[{"rule": "valid-geometry", "repair": False}])
    report = load_with(catalog, database, write(tmp_path, [*mesh(1, 1), BOW_TIE]))
    assert (report.quarantined, report.summary.repaired) == (1, 0)


def test_keys_that_contradict_each_other_are_a_finding(database: Database, tmp_path: Path) -> None:
    rows = [{"code": code, "geometry": shape} for code, shape in zip("aba", mesh(3, 1), strict=True)]
    report = load_with(parcels(), database, write_rows(tmp_path / "d.gpkg", rows))
    found = finding(report, "duplicate-key")
    assert (found.count, found.rows, found.measure) == (1, (3,), 4)
