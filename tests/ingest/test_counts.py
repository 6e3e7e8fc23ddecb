"""The sum of a load against a model in plain Python: random sources with bad, doubled, contrary and unwanted rows."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.job import ReadSummary, plan
from ingest.load import LoadTarget
from ingest.record import Counts, SourceFile, make_report
from layers.errors import CountsDisagree
from tests.ingest.test_history import wipe
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows

CHOSEN = {"select": {"pick": ["yes"]}}
LAYER = trial_layer(
    sources={"part": {"match": ["part.gpkg"], **CHOSEN}, "all": {"match": ["all.gpkg"], "complete": True, **CHOSEN}}
)
CATALOG = trial_catalog(LAYER)
ROW = st.fixed_dictionaries(
    {
        "code": st.sampled_from([None, "a", "b", "c", "d"]),
        "name": st.sampled_from(["x", "y"]),
        "level": st.sampled_from([None, None, None, "cosmic"]),
        "pick": st.sampled_from(["yes", "yes", "yes", "no"]),
    }
)
SOURCES = st.lists(st.tuples(st.lists(ROW, min_size=1, max_size=8), st.booleans()), min_size=1, max_size=3)


@dataclass
class Sums:
    """What a load must report."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    not_selected: int = 0
    deleted: int = 0
    protected: set[str] = field(default_factory=set)


def expected(base: dict[str, str], rows: list[dict[str, Any]], *, complete: bool) -> Sums:
    """Apply a source to the model of the base and say what must be reported."""
    sums, seen = Sums(), {}
    for row in rows:
        if row["pick"] == "no":
            sums.not_selected += 1
        elif row["code"] is None or row["level"] == "cosmic":
            sums.quarantined += 1
            sums.protected.add(row["code"])
        elif row["code"] in seen:
            same = seen[row["code"]] == row["name"]
            sums.unchanged += same
            sums.quarantined += not same
        else:
            seen[row["code"]] = row["name"]
    for code, name in seen.items():
        sums.inserted += code not in base
        sums.updated += code in base and base[code] != name
        sums.unchanged += base.get(code) == name
    gone = [code for code in base if code not in seen and code not in sums.protected] if complete else []
    sums.deleted = len(gone)
    base.update(seen)
    for code in gone:
        del base[code]
    return sums


@pytest.fixture(scope="module")
def target(module_database: Database) -> LoadTarget:
    return prepared(module_database, CATALOG)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sources=SOURCES)
def test_every_row_is_accounted_for(
    module_database: Database, target: LoadTarget, sources: list[tuple[list[dict[str, Any]], bool]]
) -> None:
    wipe(module_database)
    base: dict[str, str] = {}
    for rows, complete in sources:
        placed = [{**row, "geometry": shapely.Point(100, 30)} for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            file = write_rows(Path(folder, "all.gpkg" if complete else "part.gpkg"), placed)
            report = load_file(CATALOG, target, "trial", file)
        sums = expected(base, rows, complete=complete)
        for name in ("inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted"):
            assert getattr(report, name) == getattr(sums, name), name
        assert report.balanced
        assert report.read == len(rows)
        table = sa.table("trial", sa.column("key"), sa.column("name"), schema="geo")
        with module_database.transaction(Role.OWNER) as connection:
            assert {r.key: r.name for r in connection.execute(sa.select(table))} == base


def test_books_that_do_not_balance_are_an_error(tmp_path: Path) -> None:
    job = plan(LAYER, tmp_path / "part.gpkg", dict(CATALOG.codelists))
    summary = ReadSummary(driver="x", read=3, good=2, bad=1, not_selected=0)
    source = SourceFile("part.gpkg", 1, "0")
    assert make_report(job, source, summary, None, Counts(2), 1, 0.0).balanced
    with pytest.raises(CountsDisagree, match="more than the 3 rows read"):
        make_report(job, source, summary, None, Counts(3), 1, 0.0)
