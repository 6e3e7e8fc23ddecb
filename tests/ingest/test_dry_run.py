"""A dry run counts as the load would, and writes nothing but its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.delivery import Delivery, deliver
from ingest.job import IngestReport, LoadOptions
from ingest.load import LoadTarget
from layers.catalog import Catalog
from layers.errors import SourceUnreadable
from layers.system import load_report
from tests.support.loading import prepared, trial_catalog, trial_layer, write_rows
from tests.support.rasters import raster_layer, write_tif
from tests.support.traces import books

REPORTS = frozenset({"load_report"})
COUNTED = ("read", "inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted")


@pytest.fixture
def catalog() -> Catalog:
    whole = {"gpkg": {"match": ["*.gpkg"], "complete": True}}
    return trial_catalog(trial_layer(sources=whole), raster_layer())


@pytest.fixture
def target(database: Database, catalog: Catalog) -> LoadTarget:
    return prepared(database, catalog)


def rows(changed: str, count: int) -> list[dict[str, object]]:
    made = [
        {"code": f"c{i}", "name": f"n{i}{changed if i % 3 == 0 else ''}", "geometry": shapely.Point(100 + i / 100, 30)}
        for i in range(count)
    ]
    # A row without its required code goes to quarantine.
    return [*made, {"code": None, "name": "nobody", "geometry": shapely.Point(99, 30)}]


def run(catalog: Catalog, target: LoadTarget, layer: str, file: Path, *, dry: bool) -> IngestReport:
    return deliver(catalog, target, Delivery(layer, file, options=LoadOptions(dry_run=dry)))


def counts(report: IngestReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in COUNTED}


def test_the_first_load(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.gpkg", rows("", 30))
    before = books(database, REPORTS)
    dry = run(catalog, target, "trial", file, dry=True)
    assert books(database, REPORTS) == before
    assert counts(dry) == {**dict.fromkeys(COUNTED, 0), "read": 31, "inserted": 30, "quarantined": 1}
    assert dry.balanced
    assert dry.edition is None
    wet = run(catalog, target, "trial", file, dry=False)
    assert counts(wet) == counts(dry)
    assert books(database, REPORTS) != before, "a comparison that sees nothing proves nothing"


def test_a_later_load_with_deletions(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    run(catalog, target, "trial", write_rows(tmp_path / "a.gpkg", rows("", 30)), dry=False)
    file = write_rows(tmp_path / "b.gpkg", rows(" new", 24))
    before = books(database, REPORTS)
    dry = run(catalog, target, "trial", file, dry=True)
    assert books(database, REPORTS) == before
    expected = {"read": 25, "inserted": 0, "updated": 8, "unchanged": 16, "quarantined": 1, "not_selected": 0}
    assert counts(dry) == {**expected, "deleted": 6}
    assert counts(run(catalog, target, "trial", file, dry=False)) == counts(dry)


def test_its_report_is_kept(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    report = run(catalog, target, "trial", write_rows(tmp_path / "a.gpkg", rows("", 3)), dry=True)
    with database.transaction(Role.WRITER) as connection:
        kept = connection.execute(sa.select(load_report)).one()
    assert (kept.id, kept.outcome, kept.edition) == (report.load, "dry-run", None)
    assert kept.report["inserted"] == 3


def test_a_raster_leaves_no_file(database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path) -> None:
    file = write_tif(tmp_path / "a.tif", np.arange(400, dtype="float32").reshape(20, 20))
    before, files = books(database, REPORTS), set(target.rasters.glob("*.tif"))
    dry = run(catalog, target, "relief", file, dry=True)
    assert (dry.inserted, dry.edition) == (1, None)
    assert books(database, REPORTS) == before
    assert set(target.rasters.glob("*.tif")) == files
    run(catalog, target, "relief", file, dry=False)
    assert len(set(target.rasters.glob("*.tif")) - files) == 1
    assert run(catalog, target, "relief", file, dry=True).unchanged == 1


def test_a_bad_source_is_refused_as_ever(
    database: Database, catalog: Catalog, target: LoadTarget, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.gpkg"
    garbage.write_bytes(b"no geopackage" * 99)
    with pytest.raises(SourceUnreadable):
        run(catalog, target, "trial", garbage, dry=True)
